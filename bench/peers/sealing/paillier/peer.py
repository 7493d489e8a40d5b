"""python-paillier with 72 values packed into one 2048-bit number, as nobody would pay for one each."""

import sys
from importlib.metadata import version
from pathlib import Path

from phe import paillier

sys.path.append(str(Path(__file__).parents[1]))
from measure import main, measure, row_or_reason  # noqa: E402

SLOT_BITS = 28
SLOTS = 72
OFFSET = 1 << 23  # makes every 24-bit value positive; ten of them fit a slot


class Packed:
    def __init__(self):
        self.public, self.secret = paillier.generate_paillier_keypair(n_length=2048)

    def encode(self, values):
        number = 0
        for value in reversed(values.tolist()):
            number = number << SLOT_BITS | (value + OFFSET)
        return number

    def encrypt(self, plain):
        return self.public.raw_encrypt(plain)

    def serialise(self, cipher):
        return cipher.to_bytes(512, "little")

    def copy(self, cipher):
        return cipher

    def add(self, sums, cipher):
        return sums * cipher % self.public.nsquare

    def decrypt(self, cipher):
        return self.secret.raw_decrypt(cipher)

    def values(self, plain):
        return [(plain >> SLOT_BITS * at) % (1 << SLOT_BITS) - 10 * OFFSET for at in range(SLOTS)]


def rows():
    # The same slots hold 16-bit and 24-bit values; few ciphertexts, because each takes milliseconds.
    for bits in (16, 24):
        setting = "Paillier 2048, 72 values a number"
        yield row_or_reason(lambda bits=bits: measure(setting, bits, "public", SLOTS, Packed(), ciphertexts=12), setting)


main("paillier", f"phe {version('phe')}, gmpy2 {version('gmpy2')}", [rows])
