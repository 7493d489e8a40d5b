"""What opens is what an independent library adds up under its own encryption: Lattigo (Go) and OpenFHE.

Ours and theirs make the same inputs from a seed (bench/sealing/inputs.hpp says how), and no number passes between them.
The libraries are the peers of `./dev bench sealing --peers`, fetched pinned by hash and kept in .cache/bench. Where one
cannot be had, its test says why and skips.
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "bench/peers"))
import install  # noqa: E402

# seed, hospitals, length, largest magnitude, suite: part of a block, several blocks, the widest rounds of each suite.
ROUNDS = [(1, 3, 1, 32767, "S30"), (2, 10, 40_000, 32767, "S30"), (3, 64, 5_000, 27502, "S30"),
          (4, 10, 40_000, 8388607, "L48"), (5, 10, 9_000, 8388607, "L60")]


def numbers(command, *arguments):
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return [int(line) for line in done.stdout.splitlines()]


class Oracle:
    peer = ""

    @classmethod
    def setUpClass(cls):
        try:
            cls.command = [*install.install("sealing", cls.peer), "sum"]
        except install.Missing as reason:
            raise unittest.SkipTest(f"NO ORACLE: {cls.peer} cannot be had here: {reason}") from None

    def ours(self, *round_):
        return numbers([os.environ["SUM_OF_SEED"]], *round_)

    def test_what_opens_is_what_the_oracle_adds_up(self):
        for seed, hospitals, length, top, suite in ROUNDS:
            with self.subTest(seed=seed, suite=suite, hospitals=hospitals):
                theirs = numbers(self.command, seed, hospitals, length, top)
                self.assertEqual(len(theirs), length)
                self.assertEqual(self.ours(seed, hospitals, length, top, suite), theirs)

    def test_the_oracle_tells_one_sum_from_another(self):
        theirs = numbers(self.command, 6, 3, 100, 32767)
        self.assertEqual(self.ours(6, 3, 100, 32767, "S30"), theirs)
        self.assertNotEqual(self.ours(7, 3, 100, 32767, "S30"), theirs)
        self.assertNotEqual(self.ours(6, 4, 100, 32767, "S30"), theirs)


class Lattigo(Oracle, unittest.TestCase):
    peer = "lattigo"


class OpenFhe(Oracle, unittest.TestCase):
    peer = "openfhe"


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    if result.skipped:
        print("\n".join(reason for _, reason in result.skipped), file=sys.stderr)
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
