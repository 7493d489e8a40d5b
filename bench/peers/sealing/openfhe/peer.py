"""OpenFHE's Python package (CPython 3.10 only): BFV and BGV, exact. Encoding is a Python list and shown apart."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
import openfhe  # noqa: E402

sys.path.append(str(Path(__file__).parents[1]))
from measure import main, measure, prime_for_slots, row_or_reason, values_of  # noqa: E402


class Ring:
    def __init__(self, scheme, degree, plain_bits, public):
        parameters = openfhe.CCParamsBFVRNS() if scheme == "BFV" else openfhe.CCParamsBGVRNS()
        parameters.SetPlaintextModulus(prime_for_slots(degree, plain_bits))
        parameters.SetMultiplicativeDepth(0)
        parameters.SetEvalAddCount(10)
        parameters.SetSecurityLevel(openfhe.SecurityLevel.HEStd_128_classic)
        parameters.SetRingDim(degree)
        if scheme == "BGV":
            parameters.SetScalingTechnique(openfhe.ScalingTechnique.FIXEDMANUAL)
        if degree == 2048:
            parameters.SetScalingModSize(54)  # all that 128 bits of security allow; its own choice, 60, is refused
        self.context = openfhe.GenCryptoContext(parameters)
        for feature in (openfhe.PKESchemeFeature.PKE, openfhe.PKESchemeFeature.LEVELEDSHE):
            self.context.Enable(feature)
        keys = self.context.KeyGen()
        self.secret = keys.secretKey
        self.key = keys.publicKey if public else keys.secretKey
        self.degree = degree

    def encode(self, values):
        return self.context.MakePackedPlaintext(values.tolist())

    def encrypt(self, plain):
        return self.context.Encrypt(self.key, plain)

    def serialise(self, cipher):
        return openfhe.Serialize(cipher, openfhe.BINARY)

    def copy(self, cipher):
        return cipher.Clone()

    def add(self, sums, cipher):
        self.context.EvalAddInPlace(sums, cipher)
        return sums

    def decrypt(self, cipher):
        plain = self.context.Decrypt(self.secret, cipher)
        plain.SetLength(self.degree)
        return plain

    def values(self, plain):
        return plain.GetPackedValue()


SETTINGS = ((16, 21, "BFV", 2048), (16, 21, "BFV", 4096), (16, 21, "BGV", 4096), (24, 29, "BFV", 4096), (24, 29, "BGV", 8192))


def rows():
    for bits, plain_bits, scheme, degree in SETTINGS:
        for public in (True, False):
            def make(bits=bits, plain_bits=plain_bits, scheme=scheme, degree=degree, public=public):
                return measure(f"{scheme} N={degree} depth 0 t {plain_bits} bits", bits, "public" if public else "secret",
                               degree, Ring(scheme, degree, plain_bits, public))
            yield row_or_reason(make, f"{scheme} N={degree} depth 0 t {plain_bits} bits")


def sum_of(seed, hospitals, length, top):
    """Σ of the hospitals' values, added under encryption."""
    ring = Ring("BFV", 4096, 29, True)
    out = []
    inputs = [values_of(seed, hospital, length, top) for hospital in range(1, hospitals + 1)]
    for start in range(0, length, ring.degree):
        sums = None
        for one in inputs:
            cipher = ring.encrypt(ring.encode(one[start:start + ring.degree]))
            sums = cipher if sums is None else ring.add(sums, cipher)
        out += ring.values(ring.decrypt(sums))[:min(ring.degree, length - start)]
    return out


main("openfhe", version("openfhe"), [rows], sum_of)
