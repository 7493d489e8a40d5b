"""SEAL through seal-python: BFV, exact."""

import sys
from importlib.metadata import version
from pathlib import Path

import seal

sys.path.append(str(Path(__file__).parents[1]))
from measure import main, measure, row_or_reason  # noqa: E402


class Bfv:
    def __init__(self, degree, modulus_bits, plain_bits, public):
        parameters = seal.EncryptionParameters(seal.scheme_type.bfv)
        parameters.set_poly_modulus_degree(degree)
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(degree, modulus_bits))
        parameters.set_plain_modulus(seal.PlainModulus.Batching(degree, plain_bits))
        context = seal.SEALContext(parameters)  # refuses what is below 128 bits of security
        keys = seal.KeyGenerator(context)
        secret = keys.secret_key()
        self.public = public
        self.encryptor = seal.Encryptor(context, keys.create_public_key() if public else secret)
        self.evaluator = seal.Evaluator(context)
        self.decryptor = seal.Decryptor(context, secret)
        self.encoder = seal.BatchEncoder(context)

    def encode(self, values):
        return self.encoder.encode(values)

    def encrypt(self, plain):
        return self.encryptor.encrypt(plain) if self.public else self.encryptor.encrypt_symmetric(plain)

    def serialise(self, cipher):
        return b"\0" * cipher.save_size(seal.compr_mode_type.none)

    def copy(self, cipher):
        return seal.Ciphertext(cipher)

    def add(self, sums, cipher):
        self.evaluator.add_inplace(sums, cipher)
        return sums

    def decrypt(self, cipher):
        return self.encoder.decode(self.decryptor.decrypt(cipher))

    def values(self, plain):
        return plain


def rows():
    for bits, plain_bits in ((16, 21), (24, 29)):
        for degree in (2048, 4096):
            for public in (True, False):
                moduli = [54] if degree == 2048 else [54, 54]  # with two primes the second carries no payload
                setting = f"BFV N={degree} {moduli} t {plain_bits} bits"

                def make(degree=degree, bits=bits, plain_bits=plain_bits, public=public, setting=setting, moduli=moduli):
                    return measure(setting, bits, "public" if public else "secret",
                                   degree, Bfv(degree, moduli, plain_bits, public))
                yield row_or_reason(make, setting)


main("seal", version("seal-python"), [rows])
