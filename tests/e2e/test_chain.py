"""Whole runs on a chain: every node a process of its own with a CometBFT beside it, one of them killed on the way.

CONSILIUM names the program, CONSILIUM_DATA the folder of the original files. The engine lies beside the program.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

from test_demo import DATA, FILES, PROGRAM, SKIPPED, Case, consilium, demo, result_of

ENGINE = os.environ.get("CONSILIUM_COMETBFT") or str(Path(PROGRAM).parent / "cometbft")


class ChainCase(Case):
    def run_on_chain(self, out, *arguments):
        done = demo(out, "--driver", "cometbft", "--rounds", 3, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout, result_of(out)


class Chain(ChainCase):
    def test_a_hospital_is_killed_in_a_round_and_the_model_is_that_of_solo(self):
        solo = self.run_well("--rounds", 3)
        out = self.folder / "chain"
        shown, chain = self.run_on_chain(out)
        self.assertEqual(chain["model_digest"], solo["model_digest"])
        self.assertIs(chain["sealed_equals_clear"], True)
        self.assertEqual(chain["ledger"]["driver"], "cometbft")
        self.assertEqual([h["shared_cases"] for h in chain["hospitals"]], [h["shared_cases"] for h in solo["hospitals"]])
        # The screen says who was missing, when, and that it came back.
        self.assertEqual(len(chain["power_cut"]), 3)
        killed, finished, back = chain["power_cut"]
        self.assertIn("VA Long Beach was killed", killed)
        self.assertIn("in round 2", killed)
        self.assertIn("VA Long Beach was missing", finished)
        self.assertIn("without anybody's help", back)
        for sentence in chain["power_cut"]:
            self.assertIn(sentence, shown)
            self.assertIn(sentence.split(" at height")[0], (out / "report.html").read_text())
        # All four ledgers are one, and each re-plays by itself.
        verified = consilium("ledger", "verify", out, "--json")
        self.assertEqual(verified.returncode, 0, verified.stderr)
        verdict = json.loads(verified.stdout)
        self.assertEqual(len(verdict["nodes"]), 4)
        self.assertEqual({n["state_digest"] for n in verdict["nodes"]}, {chain["ledger"]["state_digest"]})
        # Nothing of it outlives the demonstration.
        for pid in Path("/proc").glob("[0-9]*"):
            try:
                words = (pid / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            self.assertFalse("serve" in words and str(out) in words, words)

    def test_the_central_server_works_on_the_hospitals_chain(self):
        central = self.run_well("--rounds", 3, "--topology", "central")
        _, chain = self.run_on_chain(self.folder / "chain", "--topology", "central")
        self.assertEqual(chain["model_digest"], central["model_digest"])
        self.assertEqual(len(chain["power_cut"]), 3)
        self.assertTrue(any("central server" in warning for warning in chain["warnings"]))


class ServeOnChain(ChainCase):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "chain"
        self.run_on_chain(self.out)
        self.home = self.out / "nodes" / "hungary"

    def serve(self, *arguments):
        return consilium("serve", "--home", self.home, "--port", 0, *arguments, timeout=60)

    def test_a_node_says_whether_its_height_grows_and_stops_when_it_is_told_to(self):
        node = subprocess.Popen([PROGRAM, "serve", "--home", str(self.home), "--port", "0"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        try:
            first = node.stdout.readline()
            self.assertIn("keeps the chain", first)
            url = first.split("health is at ")[1].split()[0]
            with urllib.request.urlopen(url, timeout=10) as answer:
                health = json.loads(answer.read())
            self.assertGreater(health["height"], 0)
            self.assertEqual(health["validators"], 4)
            second = subprocess.run([PROGRAM, "serve", "--home", str(self.home), "--port", "0"], capture_output=True,
                                    text=True, timeout=60)
            self.assertEqual(second.returncode, 1)
            self.assertEqual(len(second.stderr.strip().splitlines()), 1, second.stderr)
        finally:
            node.send_signal(signal.SIGTERM)
            out, errors = node.communicate(timeout=30)
        self.assertEqual(node.returncode, 0, errors)

        # Bad settings are refused by name, each with the file and what to do.
        config = self.home / "chain.toml"
        good = config.read_text()
        for old, new, code in [
                ("courier_port = ", "courier_port = 0 # ", "bad_config"),
                ("courier_port = ", "# courier_port = ", "bad_config"),
                ('host = "127.0.0.1"', 'host = "a\\"b"', "bad_config"),
                ('identity = "', 'identity = "zz', "bad_config"),
                ("[[peer]]", "[[peer", "bad_config")]:
            self.assertIn(old, good)
            config.write_text(good.replace(old, new, 1))
            self.refused(self.serve(), code, "chain.toml")
        config.write_text(good)

        genesis = self.home / "genesis.bin"
        page = genesis.read_bytes()
        genesis.write_bytes(page[:-1])
        refused = self.serve()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("error: ", refused.stderr)
        genesis.write_bytes(page)

        with socket.socket() as taken:
            port = int(good.split("courier_port = ")[1].split("\n")[0])
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            self.refused(self.serve(), "port_taken", str(port))


if __name__ == "__main__":
    if not PROGRAM or not all((DATA / f"processed.{name}.data").is_file() for name in FILES):
        print("SKIPPED: whole runs need the program and the four files of ../shared/data/uci-heart")
        sys.exit(SKIPPED)
    if not Path(ENGINE).exists():
        print("SKIPPED: THE CHAIN IS NOT TESTED: the engine is not here; ./dev setup --chain fetches it, then build again")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
