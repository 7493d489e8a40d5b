"""How every peer of the sealed sum is measured, and the inputs it shares with ours.

A peer script makes a list of rows, one a setting, with `measure`, and hands them to `main`. Times are milliseconds per
million values on one thread, scaled from `CIPHERTEXTS` ciphertexts; each is the median over ten hospitals. The sum
that decrypts is compared with the sum of the inputs, always: a setting that is fast and wrong is no setting.
"""

import json
import re
import sys
import time

import numpy

HOSPITALS = 10
CIPHERTEXTS = 32
TOP = {16: 2 ** 15 - 1, 24: 2 ** 23 - 1}  # largest magnitude at a value width of so many bits, sign included


def values_of(seed, hospital, length, top):
    """splitmix64 over (hospital, index), uniform in −top … top up to 2⁻⁴⁰: the same in ours (bench/sealing/inputs.hpp)."""
    with numpy.errstate(over="ignore"):
        at = numpy.arange(1, length + 1, dtype=numpy.uint64) + numpy.uint64(hospital << 40)
        z = numpy.uint64(seed) + numpy.uint64(0x9E3779B97F4A7C15) * at
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z % numpy.uint64(2 * top + 1)).astype(numpy.int64) - top


def prime_for_slots(degree, bits):
    """The largest prime below 2^bits that is 1 modulo 2·degree: a plaintext modulus with a slot for every coefficient."""
    candidate = (2 ** bits - 1) // (2 * degree) * (2 * degree) + 1
    while candidate >= 2 ** bits or any(candidate % d == 0 for d in range(2, int(candidate ** 0.5) + 1)):
        candidate -= 2 * degree
    return candidate


def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def timed(function, *arguments):
    started = time.perf_counter()
    result = function(*arguments)
    return (time.perf_counter() - started) * 1000, result


def measure(setting, bits, mode, slots, scheme, ciphertexts=CIPHERTEXTS, scale=1, tolerance=0, seed=1):
    """One row. `scheme` has encode(values) → plaintext, encrypt(plaintext) → ciphertext, serialise(ciphertext) → bytes,
    copy(ciphertext), add(sum, ciphertext) → sum, decrypt(ciphertext) → plaintext and values(plaintext); the last is
    outside the clock.

    `mode`: `public` (a hospital needs only a public key) or `secret` (all hospitals hold the key that opens everything).
    With `scale`, values are handed over as value / scale, and `tolerance` is in the scaled unit.
    """
    length = slots * ciphertexts
    inputs = [values_of(seed, hospital, length, TOP[bits]) for hospital in range(1, HOSPITALS + 1)]
    given = [one if scale == 1 else one / scale for one in inputs]
    pieces = [[one[at:at + slots] for at in range(0, length, slots)] for one in given]
    per_million = 1e6 / length
    times = {"encode": [], "encrypt": [], "serialise": []}
    sealed = []
    scheme.encrypt(scheme.encode(pieces[0][0]))  # warm
    for one in pieces:
        encoding, plain = timed(lambda one=one: [scheme.encode(piece) for piece in one])
        encrypting, cipher = timed(lambda plain=plain: [scheme.encrypt(piece) for piece in plain])
        times["encode"].append(encoding)
        times["encrypt"].append(encrypting)
        sealed.append(cipher)
    serialising, size = timed(lambda: sum(len(scheme.serialise(piece)) for piece in sealed[0]))
    times["serialise"].append(serialising)

    def add_all(sums):
        for other in sealed[1:]:
            for at, piece in enumerate(other):
                sums[at] = scheme.add(sums[at], piece)
        return sums

    adding = [timed(add_all, [scheme.copy(piece) for piece in sealed[0]]) for _ in range(3)]
    sums = adding[0][1]
    opening = [timed(lambda: [scheme.decrypt(piece) for piece in sums]) for _ in range(3)]
    opened = numpy.concatenate([numpy.asarray(scheme.values(piece))[:slots] for piece in opening[0][1]])
    error = float(numpy.max(numpy.abs(opened - sum(given))))
    return {"setting": setting, "bits": bits, "mode": mode, "ciphertexts": ciphertexts,
            "exact": tolerance == 0 and error == 0, "right": error <= tolerance, "error_max": error,
            "bytes_per_param": size / length,
            **{f"{name}_ms": median(of) * per_million for name, of in times.items()},
            "add10_ms": median([t for t, _ in adding]) * per_million,
            "decrypt_ms": median([t for t, _ in opening]) * per_million}


def row_or_reason(make, setting):
    """A setting a library refuses is a row that says so, in its own words less the paths of whoever built it."""
    try:
        return make()
    except Exception as reason:  # noqa: BLE001: whatever the library throws is what the table shows
        words = re.sub(r"\S*/\S*", "", str(reason)).split()
        return {"setting": setting, "refused": " ".join(words)[:160]}


def main(peer, version, rows, sum_of=None):
    """`PEER measure` prints one JSON object; `PEER sum SEED HOSPITALS LENGTH TOP` the decrypted sum, a number a line."""
    if sys.argv[1:2] == ["sum"] and sum_of:
        print("\n".join(str(int(value)) for value in sum_of(*map(int, sys.argv[2:]))))
        return
    print(json.dumps({"peer": peer, "version": version, "rows": [row for make in rows for row in make()]}))
