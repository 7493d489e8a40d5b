"""Recomputes tests/vectors/boxes.json from FIPS 203, the X-Wing draft and the ChaCha20-Poly1305 texts, independently of the C++.

    python3 tests/vectors/make_box_vectors.py            compare the file with what this program computes
    python3 tests/vectors/make_box_vectors.py --write    write the file

Standard library only, slow and plain on purpose. What others have published stands below as constants (the three vectors of
draft-connolly-cfrg-xwing-kem-10, appendix C, and one vector each of RFC 7748, RFC 8439 and the XChaCha20 draft) and is
compared before anything is written.
"""
import hashlib
import json
import pathlib
import struct
import sys

FILE = pathlib.Path(__file__).with_name("boxes.json")
NOTE = ("Made by tests/vectors/make_box_vectors.py (python3, standard library, no code shared with src/sealing). ml_kem: "
        "ML-KEM-768 of FIPS 203 with d, z and m as given; implicit is what a changed ciphertext decapsulates to. xwing: the "
        "seeds are those of the X-Wing draft, whose shared secrets are compared. boxes: X-Wing and XChaCha20-Poly1305 with "
        "nonce 0. Long values by their SHA-256. A change here is a change of the protocol.")

# --- ML-KEM-768 (FIPS 203) --------------------------------------------------------------------------------------

Q, N, K, ETA, DU, DV = 3329, 256, 3, 2, 10, 4


def bit_reversed(i):
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, bit_reversed(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * bit_reversed(i) + 1, Q) for i in range(128)]


def sha3_512(data):
    digest = hashlib.sha3_512(data).digest()
    return digest[:32], digest[32:]


def prf(s, b):
    return hashlib.shake_256(s + bytes([b])).digest(64 * ETA)


def ntt(f):
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta, i = ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def inverse_ntt(f):
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta, i = ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def times(f, g):
    out = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def plus(f, g):
    return [(a + b) % Q for a, b in zip(f, g)]


def dot(fs, gs):
    out = [0] * N
    for f, g in zip(fs, gs):
        out = plus(out, times(f, g))
    return out


def sample_ntt(seed):
    out, size = [], 840
    while True:
        stream, out = hashlib.shake_128(seed).digest(size), []
        for at in range(0, size, 3):
            a, b, c = stream[at:at + 3]
            for d in (a + 256 * (b % 16), b // 16 + 16 * c):
                if d < Q and len(out) < N:
                    out.append(d)
        if len(out) == N:
            return out
        size *= 2


def sample_cbd(data):
    bits = [data[i // 8] >> i % 8 & 1 for i in range(8 * len(data))]
    return [(sum(bits[4 * i:4 * i + 2]) - sum(bits[4 * i + 2:4 * i + 4])) % Q for i in range(N)]


def encode(f, d):
    number = sum(x << d * i for i, x in enumerate(f))
    return number.to_bytes(32 * d, "little")


def decode(data, d):
    number = int.from_bytes(data, "little")
    return [number >> d * i & (1 << d) - 1 for i in range(N)]


def compress(f, d):
    return [((x << d) + Q // 2) // Q % (1 << d) for x in f]


def decompress(f, d):
    return [(x * Q + (1 << d - 1)) >> d for x in f]


def matrix(rho):
    return [[sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def ml_kem_keys(d, z):
    rho, sigma = sha3_512(d + bytes([K]))
    a = matrix(rho)
    s = [ntt(sample_cbd(prf(sigma, i))) for i in range(K)]
    e = [ntt(sample_cbd(prf(sigma, K + i))) for i in range(K)]
    t = [plus(dot(a[i], s), e[i]) for i in range(K)]
    ek = b"".join(encode(x, 12) for x in t) + rho
    dk = b"".join(encode(x, 12) for x in s)
    return ek, dk + ek + hashlib.sha3_256(ek).digest() + z


def pke_encrypt(ek, m, r):
    t, rho = [decode(ek[384 * i:384 * i + 384], 12) for i in range(K)], ek[384 * K:]
    a = matrix(rho)
    y = [ntt(sample_cbd(prf(r, i))) for i in range(K)]
    e1 = [sample_cbd(prf(r, K + i)) for i in range(K)]
    e2 = sample_cbd(prf(r, 2 * K))
    u = [plus(inverse_ntt(dot([a[j][i] for j in range(K)], y)), e1[i]) for i in range(K)]
    mu = decompress(decode(m, 1), 1)
    v = plus(plus(inverse_ntt(dot(t, y)), e2), mu)
    return b"".join(encode(compress(x, DU), DU) for x in u) + encode(compress(v, DV), DV)


def ml_kem_encapsulate(ek, m):
    shared, r = sha3_512(m + hashlib.sha3_256(ek).digest())
    return shared, pke_encrypt(ek, m, r)


def ml_kem_decapsulate(dk, c):
    secret, ek, h, z = dk[:384 * K], dk[384 * K:768 * K + 32], dk[768 * K + 32:768 * K + 64], dk[768 * K + 64:]
    u = [decompress(decode(c[320 * i:320 * i + 320], DU), DU) for i in range(K)]
    v = decompress(decode(c[320 * K:], DV), DV)
    s = [decode(secret[384 * i:384 * i + 384], 12) for i in range(K)]
    w = [(a - b) % Q for a, b in zip(v, inverse_ntt(dot(s, [ntt(x) for x in u])))]
    m = encode(compress(w, 1), 1)
    shared, r = sha3_512(m + h)
    return shared if pke_encrypt(ek, m, r) == c else hashlib.shake_256(z + c).digest(32)


# --- X25519 (RFC 7748) ------------------------------------------------------------------------------------------

P = 2**255 - 19


def x25519(scalar, point):
    k = int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1 | 1 << 254
    u = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


BASE = (9).to_bytes(32, "little")

# --- X-Wing (draft-connolly-cfrg-xwing-kem-10) ------------------------------------------------------------------

LABEL = bytes.fromhex("5c2e2f2f5e5c")


def xwing_expand(seed):
    long = hashlib.shake_256(seed).digest(96)
    ek, dk = ml_kem_keys(long[:32], long[32:64])
    return dk, long[64:], ek, x25519(long[64:], BASE)


def combine(ss_m, ss_x, ct_x, pk_x):
    return hashlib.sha3_256(ss_m + ss_x + ct_x + pk_x + LABEL).digest()


def xwing_encapsulate(pk, eseed):
    ct_x, ss_x = x25519(eseed[32:], BASE), x25519(eseed[32:], pk[1184:])
    ss_m, ct_m = ml_kem_encapsulate(pk[:1184], eseed[:32])
    return combine(ss_m, ss_x, ct_x, pk[1184:]), ct_m + ct_x


def xwing_decapsulate(seed, ct):
    dk, sk_x, _, pk_x = xwing_expand(seed)
    return combine(ml_kem_decapsulate(dk, ct[:1088]), x25519(sk_x, ct[1088:]), ct[1088:], pk_x)


# --- XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha) -----------------------------------------------------


def rotate(x, n):
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def chacha_rounds(state):
    x = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            for one, two, three, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[one] = (x[one] + x[two]) & 0xFFFFFFFF
                x[three] = rotate(x[three] ^ x[one], n)
    return x


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def hchacha(key, nonce):
    x = chacha_rounds(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *x[:4], *x[12:])


def chacha(key, counter, nonce, data):
    out = b""
    for at in range(0, len(data), 64):
        state = CONSTANTS + struct.unpack("<8I", key) + (counter + at // 64,) + struct.unpack("<3I", nonce)
        block = struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(chacha_rounds(state), state)))
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], block))
    return out


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (total + int.from_bytes(key[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


def chacha_poly(key, nonce, plain, more):
    sealed = chacha(key, 1, nonce, plain)
    def padded(part):
        return part + bytes(-len(part) % 16)
    message = padded(more) + padded(sealed) + struct.pack("<QQ", len(more), len(sealed))
    return sealed + poly1305(chacha(key, 0, nonce, bytes(32)), message)


def xchacha_poly(key, nonce, plain, more):
    return chacha_poly(hchacha(key, nonce[:16]), bytes(4) + nonce[16:], plain, more)


def close_box(pk, eseed, plain, context):
    shared, ct = xwing_encapsulate(pk, eseed)
    return ct + xchacha_poly(shared, bytes(24), plain, context)


# --- what others have published ---------------------------------------------------------------------------------

# Appendix C of the draft: seed, eseed, shared secret, first and last bytes of public key and ciphertext.
PUBLISHED = [
    ("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
     "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2"
     "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
     "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
     ("e2236b35a8c24b39b10aa132", "8cd049040ef6534"), ("b83aa828d4d62b9a83ceffe1", "4a079d3e6fb2e15")),
    ("badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
     "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef"
     "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
     "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
     ("0333285fa253661508c9fb44", "a160b8843f1c89c62"), ("c93beb22326705699bbc3d1d", "4127ae66312f4ae3ea155b67")),
    ("ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
     "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619"
     "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
     "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
     ("36244278824f77c621c66089", ""), ("", "45992227c825590688d203523f527161137334")),
]

# RFC 7748, 5.2
assert x25519(bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
              bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")).hex() \
    == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
LADIES = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
# RFC 8439, 2.8.2
assert chacha_poly(bytes(range(0x80, 0xa0)), bytes.fromhex("070000004041424344454647"), LADIES,
                   bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
# draft-irtf-cfrg-xchacha-03, A.3.1
assert xchacha_poly(bytes(range(0x80, 0xa0)), bytes(range(0x40, 0x58)), LADIES,
                    bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))[-16:].hex() == "c0875924c1c7987947deafd8780acf49"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def ml_kem_vector(d, z, m):
    ek, dk = ml_kem_keys(d, z)
    shared, ct = ml_kem_encapsulate(ek, m)
    assert ml_kem_decapsulate(dk, ct) == shared
    changed = bytes([ct[0] ^ 1]) + ct[1:]
    return {"d": d.hex(), "z": z.hex(), "m": m.hex(), "encapsulation_key": sha(ek), "decapsulation_key": sha(dk),
            "ciphertext": sha(ct), "shared": shared.hex(), "implicit": ml_kem_decapsulate(dk, changed).hex()}


def xwing_vector(seed, eseed, shared_published, pk_ends, ct_ends):
    seed, eseed = bytes.fromhex(seed), bytes.fromhex(eseed)
    _, _, ek, pk_x = xwing_expand(seed)
    pk = ek + pk_x
    shared, ct = xwing_encapsulate(pk, eseed)
    assert shared.hex() == shared_published and xwing_decapsulate(seed, ct) == shared
    for value, (first, last) in ((pk, pk_ends), (ct, ct_ends)):
        assert value.hex().startswith(first) and value.hex().endswith(last)
    return {"seed": seed.hex(), "eseed": eseed.hex(), "public_key": sha(pk), "ciphertext": sha(ct), "shared": shared.hex()}


def box_vector(seed, eseed, size):
    _, _, ek, pk_x = xwing_expand(seed)
    plain, context = bytes(7 * i % 256 for i in range(size)), bytes(range(40))
    box = close_box(ek + pk_x, eseed, plain, context)
    return {"seed": seed.hex(), "eseed": eseed.hex(), "context": context.hex(), "plaintext_size": size,
            "box_size": len(box), "box": sha(box)}


def compute():
    def stream(label, size):
        return hashlib.shake_128(b"consilium box vectors " + label).digest(size)
    many = stream(b"ml-kem", 96 * 8)
    return {
        "note": NOTE,
        "ml_kem": [ml_kem_vector(bytes(32), bytes(32), bytes(32))]
                  + [ml_kem_vector(*(many[at + 32 * i:at + 32 * i + 32] for i in range(3))) for at in range(0, 768, 96)],
        "xwing": [xwing_vector(*published) for published in PUBLISHED],
        "boxes": [box_vector(stream(b"seed", 32), stream(b"eseed", 64), size) for size in (0, 5, 64, 7776)],
    }


def main():
    text = json.dumps(compute(), indent=1) + "\n"
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit("boxes.json is not what the texts say")
    print("boxes.json is what the texts say")


if __name__ == "__main__":
    main()
