"""Recomputes tests/vectors/sealing.json from the text of the sealing specification, independently of the C++.

    python3 tests/vectors/make_sealing_vectors.py            compare the file with what this program computes
    python3 tests/vectors/make_sealing_vectors.py --write    write the file

Standard library only. It is slow and plain on purpose: AES and the transform are written out, every polynomial is
multiplied through the transform and one of them also by the schoolbook rule. What section 14 of the specification
prints stands below as SPECIFICATION and is compared, never copied into the file.
"""
import hashlib
import json
import pathlib
import struct
import sys

FILE = pathlib.Path(__file__).with_name("sealing.json")
NOTE = ("Made by tests/vectors/make_sealing_vectors.py (python3, standard library, no code shared with src/sealing). "
        "s30.specification are the values printed in section 14 of the sealing specification, recomputed. "
        "seal: one-time keys k_s = 01^32, k_e = 02^32, k_f = 03^32 for hospital 1, 11^32, 12^32, 13^32 for hospital 2; "
        "values x[p] = (31 p + 7 h) mod (2 X_max + 1) - X_max. parts: the same inputs for every suite: stream 00^32, round 1, "
        "base 11^32, block hash 22^32, polynomial 524287 (k + 1) mod q, error key 07^32; rejecting is the first block and prime "
        "in which a raw word is refused. sealed_box: written out from the definition of crypto_box_seal, with a known "
        "ephemeral key. A change here is a change of the protocol.")

# --- AES-256 in counter mode (FIPS 197, SP 800-38A) -------------------------------------------------------------


def _make_sbox():
    sbox, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4)
        sbox[p] = (x ^ 0x63) & 0xFF
        if p == 1:
            break
    sbox[0] = 0x63
    return sbox


SBOX = _make_sbox()


def _double(x):
    return ((x << 1) ^ (0x11B if x & 0x80 else 0)) & 0xFF


T0 = [_double(s) << 24 | s << 16 | s << 8 | (_double(s) ^ s) for s in SBOX]
T1 = [(t >> 8 | t << 24) & 0xFFFFFFFF for t in T0]
T2 = [(t >> 8 | t << 24) & 0xFFFFFFFF for t in T1]
T3 = [(t >> 8 | t << 24) & 0xFFFFFFFF for t in T2]


def _sub_word(w):
    return SBOX[w >> 24] << 24 | SBOX[w >> 16 & 255] << 16 | SBOX[w >> 8 & 255] << 8 | SBOX[w & 255]


def key_schedule(key):
    words, rcon = list(struct.unpack(">8I", key)), 1
    for i in range(8, 60):
        t = words[-1]
        if i % 8 == 0:
            t = _sub_word((t << 8 | t >> 24) & 0xFFFFFFFF) ^ rcon << 24
            rcon = _double(rcon)
        elif i % 8 == 4:
            t = _sub_word(t)
        words.append(words[-8] ^ t)
    return words


def aes_block(k, counter):
    a, b, c, d = (x ^ y for x, y in zip(struct.unpack(">4I", counter.to_bytes(16, "big")), k))
    for r in range(4, 56, 4):
        a, b, c, d = (
            T0[a >> 24] ^ T1[b >> 16 & 255] ^ T2[c >> 8 & 255] ^ T3[d & 255] ^ k[r],
            T0[b >> 24] ^ T1[c >> 16 & 255] ^ T2[d >> 8 & 255] ^ T3[a & 255] ^ k[r + 1],
            T0[c >> 24] ^ T1[d >> 16 & 255] ^ T2[a >> 8 & 255] ^ T3[b & 255] ^ k[r + 2],
            T0[d >> 24] ^ T1[a >> 16 & 255] ^ T2[b >> 8 & 255] ^ T3[c & 255] ^ k[r + 3])
    out = []
    for i, (w, x, y, z) in enumerate(((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))):
        out.append((SBOX[w >> 24] << 24 | SBOX[x >> 16 & 255] << 16 | SBOX[y >> 8 & 255] << 8 | SBOX[z & 255])
                   ^ k[56 + i])
    return struct.pack(">4I", *out)


# FIPS 197, appendix C.3
assert aes_block(key_schedule(bytes(range(32))), 0x00112233445566778899AABBCCDDEEFF).hex() \
    == "8ea2b7ca516745bfeafc49904b496089"


class Stream:
    def __init__(self, key):
        self.schedule, self.counter, self.held = key_schedule(key), 0, b""
        self.raw_words, self.rejected = 0, []

    def bytes(self, count):
        pieces, have = [self.held], len(self.held)
        while have < count:
            pieces.append(aes_block(self.schedule, self.counter))
            self.counter += 1
            have += 16
        joined = b"".join(pieces)
        self.held = joined[count:]
        return joined[:count]

    def residues(self, prime, count):
        out, mask = [], (1 << prime.bits) - 1
        while len(out) < count:
            word = int.from_bytes(self.bytes(4), "little") & mask
            if word < prime.q:
                out.append(word)
            else:
                self.rejected.append(self.raw_words)
            self.raw_words += 1
        return out


# --- fields, transform, packing -----------------------------------------------------------------------------------


class Prime:
    def __init__(self, q, psi, bits, n):
        self.q, self.psi, self.bits, self.n = q, psi, bits, n
        assert (q - 1) % (2 * n) == 0 and q.bit_length() == bits
        # The least primitive 2n-th root of one: x^n = -1 says it all, since n is a power of two.
        assert psi == next(x for x in range(2, q) if pow(x, n, q) == q - 1)
        width = n.bit_length() - 1
        reverse = [int(f"{i:0{width}b}"[::-1], 2) for i in range(n)]
        self.w = [pow(psi, reverse[i], q) for i in range(n)]
        self.w_inverse = [pow(x, -1, q) for x in self.w]
        self.n_inverse = pow(n, -1, q)

    def ntt(self, a):
        a, q, t, m = list(a), self.q, self.n, 1
        while m < self.n:
            t //= 2
            for i in range(m):
                for j in range(2 * i * t, 2 * i * t + t):
                    u, v = a[j], a[j + t] * self.w[m + i] % q
                    a[j], a[j + t] = (u + v) % q, (u - v) % q
            m *= 2
        return a

    def intt(self, a):
        a, q, t, m = list(a), self.q, 1, self.n
        while m > 1:
            h = m // 2
            for i in range(h):
                w = self.w_inverse[h + i]
                for j in range(2 * i * t, 2 * i * t + t):
                    u, v = a[j], a[j + t]
                    a[j], a[j + t] = (u + v) % q, (u - v) * w % q
            t, m = 2 * t, h
        return [x * self.n_inverse % q for x in a]


def schoolbook(prime, a, b):
    n = prime.n
    out = [0] * (2 * n)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return [(out[i] - out[i + n]) % prime.q for i in range(n)]


def pack(prime, residues):
    total = 0
    bits = "".join(f"{r:0{prime.bits}b}" for r in reversed(residues))
    total = int(bits, 2)
    return total.to_bytes(len(residues) * prime.bits // 8, "little")


class Suite:
    def __init__(self, name, suite_id, primes, eta, rows, cap):
        self.name, self.id, self.primes, self.eta, self.rows, self.cap = name, suite_id, primes, eta, rows, cap
        self.n, self.q = primes[0].n, 1
        for p in primes:
            self.q *= p.q

    def scale(self, n):
        import decimal
        decimal.getcontext().prec = 40
        t = int((decimal.Decimal(n * self.eta * 65) * decimal.Decimal(2).ln()).sqrt()
                .to_integral_value(decimal.ROUND_CEILING))
        x_max = min(self.cap, (self.q // (2 * t + 1) - 1) // (2 * n))
        return t, x_max, self.q // (2 * n * x_max + 1)


S30 = Suite("S30", 0x01, [Prime(1073692673, 42341, 30, 2048)], 8, 6, 2**15 - 1)
L48 = Suite("L48", 0x11, [Prime(16760833, 583, 24, 2048), Prime(16736257, 13366, 24, 2048)], 16, 8, 2**23 - 1)
L60 = Suite("L60", 0x21, [Prime(1073692673, 236231, 30, 4096), Prime(1073668097, 106172, 30, 4096)], 16, 6, 2**23 - 1)

# --- hashes ---------------------------------------------------------------------------------------------------------


def u8(v):
    return struct.pack("<B", v)


def u16(v):
    return struct.pack("<H", v)


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def sha(b):
    return hashlib.sha256(b).digest()


def blob_name(b):
    """The root of RFC 6962 over leaves of 32 KiB."""
    def root(leaves):
        if len(leaves) == 1:
            return sha(b"\0" + leaves[0])
        left = 1 << (len(leaves) - 1).bit_length() - 1
        return sha(b"\1" + root(leaves[:left]) + root(leaves[left:]))
    return root([b[at:at + 32768] for at in range(0, len(b), 32768)] or [b""])


def H(name, *parts):
    tag = ("consilium/seal/1/" + name).encode()
    h = hashlib.sha256(u16(len(tag)) + tag)
    for part in parts:
        h.update(u64(len(part)) + part)
    return h.digest()


def round_seed(stream, number, base, block_hash, suite):
    return H("round-seed", stream, u64(number), base, block_hash, u8(suite.id))


def expansion(seed, block, prime_index, prime, lanes):
    stream = Stream(H("expand", seed, u32(block), u8(prime_index)))
    return stream, stream.residues(prime, prime.n * lanes)


# --- one whole round ------------------------------------------------------------------------------------------------


def errors(stream, eta, count):
    raw, out, width = stream.bytes(count * eta // 4), [], eta // 4
    for i in range(count):
        word = int.from_bytes(raw[i * width:(i + 1) * width], "little")
        out.append((word & ((1 << eta) - 1)).bit_count() - (word >> eta).bit_count())
    return out


def root_of(leaves, m):
    count, level = len(leaves), list(leaves)
    while len(level) > 1:
        above = [H("node", level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return H("root", u64(m), u32(count), level[0])


class Sealing:
    """What one hospital makes, with everything that it would keep to itself."""

    def __init__(self, suite, seed, number, hospital, n_max, committee, epoch, values, keys):
        self.suite, self.seed, m, N = suite, seed, len(values), suite.n
        miners, t = committee
        _, _, delta = suite.scale(n_max)
        key_stream, error_stream, sharing_stream = (Stream(k) for k in keys)
        self.key = [key_stream.residues(p, N) for p in suite.primes]
        polynomials = -(-m // N)
        blocks = -(-polynomials // 16)
        self.body, self.leaves, self.sums = b"", [], []
        for block in list(range(blocks)) + [0xFFFFFFFF]:
            witness = block == 0xFFFFFFFF
            lanes = 1 if witness else min(16, polynomials - 16 * block)
            x = [] if witness else values[16 * N * block:16 * N * block + lanes * N]
            addend = errors(error_stream, suite.eta, N * lanes)
            for i, v in enumerate(x):
                addend[i] += delta * v
            payload, residues = b"", []
            for r, p in enumerate(suite.primes):
                _, a = expansion(seed, block, r, p, lanes)
                c = [0] * (N * lanes)
                for lane in range(lanes):
                    c[lane::lanes] = p.intt([a[k * lanes + lane] * self.key[r][k] % p.q for k in range(N)])
                c = [(v + w) % p.q for v, w in zip(c, addend)]
                residues.append(c)
                payload += pack(p, c)
            header = u8(1) + u8(suite.id) + u64(number) + u16(hospital) + u32(block)
            self.body += header + payload
            if witness:
                self.witness = H("leaf", header, payload)
            else:
                self.leaves.append(H("leaf", header, payload))
                self.sums.append(residues)
        self.root = root_of(self.leaves, m)

        coefficients, masks = [], []
        for r, p in enumerate(suite.primes):
            coefficients.append([self.key[r]] + [sharing_stream.residues(p, N) for _ in range(t - 1)])
            masks.append([sharing_stream.residues(p, t) for _ in range(suite.rows)])
        self.shares, self.share_bytes, self.masks, self.digests, self.boxed = [], [], [], [], []
        for miner in range(1, miners + 1):
            share = [[sum(f[k] * pow(miner, d, p.q) for d, f in enumerate(coefficients[r])) % p.q for k in range(N)]
                     for r, p in enumerate(suite.primes)]
            mask = b"".join(u32(sum(g * pow(miner, d, p.q) for d, g in enumerate(row)) % p.q)
                            for r, p in enumerate(suite.primes) for row in masks[r])
            packed = b"".join(pack(p, s) for p, s in zip(suite.primes, share))
            context = seed + u16(hospital) + u16(miner) + u32(epoch)
            self.shares.append(share)
            self.share_bytes.append(packed)
            self.masks.append(mask)
            salt = sharing_stream.bytes(32)
            self.digests.append(H("share", context, packed, mask, salt))
            self.boxed.append(context + packed + mask + salt)
        self.degree_key = H("degree", seed, u16(hospital), self.root, self.witness, b"".join(self.digests))
        rows = Stream(self.degree_key)
        self.response, self.rows_first = [], []
        for r, p in enumerate(suite.primes):
            for row in range(suite.rows):
                challenge = rows.residues(p, N)
                if row == 0:
                    self.rows_first.append(challenge[:4])
                for d in range(t):
                    inner = sum(x * y for x, y in zip(challenge, coefficients[r][d]))
                    self.response.append((inner + masks[r][row][d]) % p.q)


def whole_round(suite, m):
    consortium, N = bytes(range(32)), suite.n
    stream = H("stream", consortium, b"statistics", u64(3))
    base = H("no-model", stream)
    seed = round_seed(stream, 7, base, b"\x22" * 32, suite)
    n_max, epoch, miners, t = 4, 2, 4, 3
    bound, x_max, delta = suite.scale(n_max)
    sealed, total = [], [0] * m
    for hospital in (1, 2):
        values = [(31 * p + 7 * hospital) % (2 * x_max + 1) - x_max for p in range(m)]
        total = [a + b for a, b in zip(total, values)]
        keys = [bytes([first + 16 * (hospital - 1)]) * 32 for first in (1, 2, 3)]
        sealed.append(Sealing(suite, seed, 7, hospital, n_max, (miners, t), epoch, values, keys))
    key_sum = [[(a + b) % p.q for a, b in zip(*(s.key[r] for s in sealed))] for r, p in enumerate(suite.primes)]
    leaves = []
    for block in range(len(sealed[0].leaves)):
        payload = b"".join(
            pack(p, [(a + b) % p.q for a, b in zip(*(s.sums[block][r] for s in sealed))])
            for r, p in enumerate(suite.primes))
        leaves.append(H("leaf", u8(1) + u8(suite.id) + u64(7) + u16(0) + u32(block), payload))
    share_sum_1 = b"".join(
        pack(p, [(a + b) % p.q for a, b in zip(*(s.shares[0][r] for s in sealed))])
        for r, p in enumerate(suite.primes))
    # Opened here by the plain rule, lane 0 of block 0, to be sure that the vectors describe something that opens.
    lanes = min(16, -(-m // N))
    modulus, lifted = 1, [0] * N
    for r, p in enumerate(suite.primes):
        _, a = expansion(seed, 0, r, p, lanes)
        masked = p.intt([a[k * lanes] * key_sum[r][k] % p.q for k in range(N)])
        c = [sum(s.sums[0][r][k * lanes] for s in sealed) for k in range(N)]
        v = [(x - y) % p.q for x, y in zip(c, masked)]
        if modulus == 1:
            lifted = v
        else:
            inverse = pow(modulus, -1, p.q)
            lifted = [w + modulus * ((x - w) * inverse % p.q) for w, x in zip(lifted, v)]
        modulus *= p.q
    for k in range(N):
        v = lifted[k] - modulus if 2 * lifted[k] > modulus else lifted[k]
        if k * lanes < m:
            assert (2 * v + delta) // (2 * delta) == total[k * lanes], k
    return {
        "length": m, "hospitals_max": n_max, "miners": miners, "threshold": t, "committee_epoch": epoch, "round": 7,
        "consortium": consortium.hex(), "stream": stream.hex(), "base": base.hex(), "seed": seed.hex(),
        "error_bound": bound, "value_max": x_max, "delta": delta,
        "hospitals": [{
            "body_root": s.root.hex(), "witness": s.witness.hex(), "body_blob": blob_name(s.body).hex(),
            "share_digests": [d.hex() for d in s.digests], "share_1": sha(s.share_bytes[0]).hex(),
            "masks_1": s.masks[0].hex(), "boxed_1": sha(s.boxed[0]).hex(), "boxed_size": len(s.boxed[0]),
            "degree_key": s.degree_key.hex(), "rows_first": s.rows_first, "response": sha(b"".join(map(u32, s.response))).hex(),
            "key_first_words": [k[:4] for k in s.key]} for s in sealed],
        "share_sum_1": sha(share_sum_1).hex(),
        "sum_first": total[:4], "values_digest": H("sum", b"".join(struct.pack("<q", v) for v in total)).hex(),
        "key_digest": H("key-sum", b"".join(pack(p, k) for p, k in zip(suite.primes, key_sum))).hex(),
        "body_sum_root": root_of(leaves, m).hex()}


def parts(suite):
    """What every suite shows of its machinery, from inputs that are the same for all."""
    seed = round_seed(b"\0" * 32, 1, b"\x11" * 32, b"\x22" * 32, suite)
    primes, rejecting = [], None
    for r, p in enumerate(suite.primes):
        polynomial = [524287 * (k + 1) % p.q for k in range(p.n)]
        coefficients = p.intt(polynomial)
        assert p.ntt(coefficients) == polynomial
        _, words = expansion(seed, 0, r, p, 16)
        _, witness = expansion(seed, 0xFFFFFFFF, r, p, 1)
        primes.append({
            "q": p.q, "root": p.psi, "tables": sha(b"".join(map(u32, p.w + p.w_inverse))).hex(),
            "key_0": H("expand", seed, u32(0), u8(r)).hex(), "block_0_first": words[:8], "block_0_last": words[-1],
            "block_0_packed": sha(pack(p, words)).hex(), "witness_first": witness[:4],
            "inverse_transform_first": coefficients[:4],
            "inverse_transform": sha(b"".join(map(u32, coefficients))).hex(),
            "polynomial_packed": sha(pack(p, polynomial)).hex()})
    for block in range(64):
        for r, p in enumerate(suite.primes):
            stream, words = expansion(seed, block, r, p, 16)
            if stream.rejected and rejecting is None:
                rejecting = {"block": block, "prime": r, "rejected": stream.rejected,
                             "words": sha(b"".join(map(u32, words))).hex()}
        if rejecting:
            break
    return {"suite": suite.id, "degree": suite.n, "hash": H("test", b"a", b"", b"bc").hex(), "round_seed": seed.hex(),
            "primes": primes, "rejecting": rejecting, "errors": errors(Stream(b"\x07" * 32), suite.eta, 16)}


# --- a sealed box, from its definition: X25519, HSalsa20, XSalsa20-Poly1305, BLAKE2b -----------------------------------


def x25519(scalar, point):
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | 1 << 254
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in range(254, -1, -1):
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % p, c * b % p, a * a % p, b * b % p
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 121665 * (aa - bb)) % p
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, -1, p) % p).to_bytes(32, "little")


def salsa20(key, block, add_input):
    """The core over key and 16 bytes of nonce and counter; HSalsa20 gives eight words without the final addition."""
    k, n, c = struct.unpack("<8I", key), struct.unpack("<4I", block), struct.unpack("<4I", b"expand 32-byte k")
    first = [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]
    x = list(first)

    def quarter(a, b, c, d):
        for to, u, v, shift in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            w = (x[u] + x[v]) & 0xFFFFFFFF
            x[to] ^= (w << shift | w >> (32 - shift)) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(*((5 * i + 4 * j) % 16 for j in range(4)))
        for i in range(4):
            quarter(*(4 * i + (i + j) % 4 for j in range(4)))
    if add_input:
        return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, first)))
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def sealed_box(ephemeral, public, message):
    own = x25519(ephemeral, (9).to_bytes(32, "little"))
    nonce = hashlib.blake2b(own + public, digest_size=24).digest()
    shared = salsa20(x25519(ephemeral, public), b"\0" * 16, False)
    subkey = salsa20(shared, nonce[:16], False)
    stream = b"".join(salsa20(subkey, nonce[16:] + u64(i), True) for i in range(len(message) // 64 + 2))
    hidden = bytes(a ^ b for a, b in zip(message, stream[32:]))
    return own + poly1305(stream[:32], hidden) + hidden


def box_values():
    seed, ephemeral, message = b"\x51" * 32, b"\x52" * 32, bytes(range(200))
    secret = hashlib.sha512(seed).digest()[:32]
    public = x25519(secret, (9).to_bytes(32, "little"))
    return {"seed": seed.hex(), "public": public.hex(), "message": message.hex(),
            "box": sealed_box(ephemeral, public, message).hex()}


def scales(suite, cap, step):
    return [{"hospitals_max": n, "error_bound": t, "value_max": x, "delta": d}
            for n in range(3, cap + 1, step) for t, x, d in [suite.scale(n)]]


def specification_values():
    N = S30.n
    p, seed = S30.primes[0], round_seed(b"\0" * 32, 1, b"\x11" * 32, b"\x22" * 32, S30)
    _, a0 = expansion(seed, 0, 0, p, 16)
    s1, a1 = expansion(seed, 1, 0, p, 16)
    s3, a3 = expansion(seed, 3, 0, p, 16)
    _, aw = expansion(seed, 0xFFFFFFFF, 0, p, 1)
    key = [524287 * (k + 1) % p.q for k in range(N)]
    lane = a0[0::16]
    product = p.intt([x * y % p.q for x, y in zip(lane, key)])
    assert product == schoolbook(p, p.intt(lane), p.intt(key))
    c = [(product[k] + (k % 17 - 8) + 1638 * ((31 * k % 65535) - 32767)) % p.q for k in range(N)]
    digests = [H("share", seed + u16(1) + u16(i) + u32(1), bytes([i]) * 7680, bytes([i]) * 24, bytes([i]) * 32)
               for i in (1, 2, 3, 4)]
    degree = H("degree", seed, u16(1), b"\x44" * 32, b"\x55" * 32, b"".join(digests))
    rows = Stream(degree)
    r = [rows.residues(p, N) for _ in range(6)]
    stream = H("stream", bytes(range(32)), b"update", u64(1))
    return {
        "round_seed": seed.hex(), "key_0": H("expand", seed, u32(0), u8(0)).hex(),
        "block_0_words": a0[:8], "block_0_last": a0[-1], "block_0_packed_16": pack(p, a0[:16]).hex(),
        "block_0_packed": sha(pack(p, a0)).hex(),
        "lane_0_first": c[:4], "lane_0_packed": sha(pack(p, c)).hex(),
        "block_1_key": H("expand", seed, u32(1), u8(0)).hex(), "block_1_rejected": s1.rejected,
        "block_1_words_16486": a1[16486:16489], "block_1_last": a1[-1],
        "block_3_rejected": s3.rejected, "block_3_last": a3[-1],
        "block_3_words": sha(b"".join(map(u32, a3))).hex(),
        "witness_key": H("expand", seed, u32(0xFFFFFFFF), u8(0)).hex(), "witness_words": aw[:4],
        "set": H("set", seed, b"".join(u16(i) + bytes([0x30 + i]) * 32 for i in (1, 2, 3))).hex(),
        "share_digest": digests[0].hex(),
        "degree_key": degree.hex(), "row_1": r[0][:4], "row_2_first": r[1][0], "row_6_last": r[5][-1],
        "stream": stream.hex(), "no_model_base": H("no-model", stream).hex()}


SPECIFICATION = {
    "round_seed": "1455d595de67fa86b2454c1ca7389fd51051b8746bb6c1b85d4b70fc3a0ddeaf",
    "key_0": "6a85b527e26b7ab851baa208556f58857e06e7ea85fc31e39d79f2bded19cf90",
    "block_0_words": [990648367, 799513434, 391977217, 739250978, 238962933, 107331044, 263246026, 822869343],
    "block_0_last": 912394829,
    "block_0_packed_16": "2f180cbbd6e6e91b90d175894c40b0f5483e0e796f99a10c0dfb7cf52fc41559636ac09909d9f34065e9339410f3d1cda3a11f"
                         "091083f5bdd0169b23",
    "block_0_packed": "0f0254a28139f28c616161d33f9a25a1eb017a799d65de7a817b72c58ec12901",
    "lane_0_first": [880934207, 47086261, 11321295, 517518594],
    "lane_0_packed": "0f08eb578da955cc405bef718f2889b54c8e92e893b46e5f620f3ad401a16266",
    "block_1_key": "ac11270edaae012c7bcbafb63c7b32957cffc4c9905b5d8803ca9c7ecc20a71d",
    "block_1_rejected": [16487], "block_1_words_16486": [236896197, 35127961, 282604984], "block_1_last": 6998714,
    "block_3_rejected": [3467, 10022], "block_3_last": 178796199,
    "block_3_words": "3a1c631c77b4cf68cb8a5fefd15d8b01a67ab4e7e5a9cc4c4cc561d9fd8b9ed0",
    "witness_key": "7d1be7541001e4f61b037d0f0e5c53614988f1f24859be7d913fd1d5c1df3344",
    "witness_words": [77206034, 580210089, 357830164, 128460136],
    "set": "bc137a3605d2aac4324bc3663820502a98904cdc69e9ab7e88f65bf190e70064",
    "share_digest": "acec42c8e1fc54a701ca4947e200f48fe708dedf22505378fca5abc4c099344e",
    "degree_key": "03db5b0f0eab3950ad2c53ab413937fa5052f7cf21f0ed73a7ef6767c14d65e2",
    "row_1": [489924473, 697967798, 861309992, 405149032], "row_2_first": 977304285, "row_6_last": 175519594,
    "stream": "994e5d212d0e0e22d05280db7d2f52cbc4fe898b4d165f512157abf5033f5ffb",
    "no_model_base": "88f947756bde1138d16628e19c88b726bb60315877828993f9dcc5996aaf3c53",
}


def partition_values():
    seed = b"\x77" * 32
    order = sorted(range(1, 8), key=lambda i: H("cell", seed, u16(i)))
    cells = sorted(sorted(order[i::2]) for i in range(2))
    encoded = u32(2) + b"".join(u32(len(c)) + b"".join(map(u16, c)) for c in cells)
    return {"seed": seed.hex(), "members": 7, "cell_min": 3, "cells": cells, "digest": H("partition", encoded).hex()}


def main():
    specification = specification_values()
    for name, value in SPECIFICATION.items():
        assert specification[name] == value, f"{name}: the specification prints {value}, computed {specification[name]}"
    out = {"note": NOTE,
           "s30": {"specification": specification, "parts": parts(S30), "scales": scales(S30, 64, 1),
                   "seal": whole_round(S30, 33000)},
           "l48": {"parts": parts(L48), "scales": scales(L48, 1024, 61),
                   "seal": whole_round(L48, 5000)},
           "l60": {"parts": parts(L60), "scales": scales(L60, 1024, 61),
                   "seal": whole_round(L60, 66000)},
           "sealed_box": box_values(), "partition": partition_values()}
    text = json.dumps(out, indent=1) + "\n"
    if "--write" in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit("tests/vectors/sealing.json is not what this program computes")
    print("all values of the specification reproduced; tests/vectors/sealing.json holds what was computed")


if __name__ == "__main__":
    main()
