"""TenSEAL CKKS, what NVFlare seals updates with. Approximate, so it never counts as an exact setting."""

import sys
from pathlib import Path

import tenseal

sys.path.append(str(Path(__file__).parents[1]))
from measure import CIPHERTEXTS, TOP, main, measure, row_or_reason  # noqa: E402


class Ckks:
    def __init__(self, degree, moduli, scale_bits, public):
        kind = tenseal.ENCRYPTION_TYPE.ASYMMETRIC if public else tenseal.ENCRYPTION_TYPE.SYMMETRIC
        self.context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, poly_modulus_degree=degree,
                                       coeff_mod_bit_sizes=moduli, encryption_type=kind, n_threads=1)
        self.context.global_scale = 2 ** scale_bits

    def encode(self, values):
        return values.tolist()  # the library encodes inside encrypt

    def encrypt(self, plain):
        return tenseal.ckks_vector(self.context, plain)

    def serialise(self, cipher):
        return cipher.serialize()

    def copy(self, cipher):
        return cipher.copy()

    def add(self, sums, cipher):
        sums += cipher
        return sums

    def decrypt(self, cipher):
        return cipher.decrypt()

    def values(self, plain):
        return plain


def rows():
    for degree, moduli, scale_bits, note in ((8192, [60, 40, 40], 40, "NVFlare's parameters"),
                                             (4096, [54, 54], 40, "smallest accurate")):
        setting = f"CKKS N={degree} {moduli} 2^{scale_bits}, {note}"
        for public in (True, False):
            # One vector a ciphertext with a public key; the whole update as one vector with the secret key, which is
            # how NVFlare calls it (its context is symmetric).
            def make(public=public, degree=degree, moduli=moduli, scale_bits=scale_bits, setting=setting):
                blocks = 1 if public else CIPHERTEXTS
                return measure(setting, 16, "public" if public else "secret",
                               blocks * degree // 2, Ckks(degree, moduli, scale_bits, public),
                               ciphertexts=CIPHERTEXTS // blocks, scale=TOP[16], tolerance=1e-4)
            yield row_or_reason(make, setting)


main("tenseal", tenseal.__version__, [rows])
