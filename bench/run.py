"""Runs a benchmark: `run.py NAME [--peers] [--runs N]`, or `run.py all [--peers]` for every one; `./dev bench` calls it.

Prints tables for people and, as the last line, one JSON object for programs. With --peers the others are fetched
(peers/install.py) and run between ours, in the same repetitions. `all --peers` also writes docs/benchmarks.md.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path += [str(HOUSE / "bench/peers"), str(HOUSE / "bench/sealing"), str(HOUSE / "bench/ledger")]
import install  # noqa: E402
import chain_report  # noqa: E402
import report as sealing  # noqa: E402

PROGRAMS = HOUSE / "build/release/bench"
# A bench's module has: compare(ours, repetitions, missing) → result; tables(result, repetitions) → lines.
# The ledger's peer is the engine's own kvstore: its program runs both in turn, so there is nothing to fetch or compare.
BENCHES = {"sealing": sealing, "ledger": chain_report}
REPETITIONS_MIN = 5
PEER_SECONDS_MAX = 300


def say(text):
    print(text, file=sys.stderr, flush=True)


def one_core():
    """What is compared shares one core, ours and theirs: a library that starts threads gains nothing by it."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def last_line(command, pinned):
    """The JSON object a program ends with. Raises install.Missing with the reason when there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PEER_SECONDS_MAX,
                              preexec_fn=one_core if pinned else None, env={**os.environ, "OMP_NUM_THREADS": "1"})
    except subprocess.TimeoutExpired:
        raise install.Missing(f"did not end within {PEER_SECONDS_MAX} s") from None
    lines = done.stdout.strip().splitlines()
    try:
        if done.returncode == 0:
            return json.loads(lines[-1])
    except (IndexError, ValueError):
        pass
    words = (done.stderr.strip().splitlines() or ["it printed no result"])[-1]
    raise install.Missing(f"failed ({done.returncode}): {words[:200]}")


def alone(name):
    """Ours alone, as it prints itself."""
    return subprocess.run([str(PROGRAMS / f"bench_{name}"), "--scratch", str(PROGRAMS)], check=False).returncode


def with_peers(name, repetitions):
    program = str(PROGRAMS / f"bench_{name}")
    if name == "ledger":
        say("ours and the kvstore, in turn")
        return last_line([program, "--peers", "--runs", str(repetitions), "--scratch", str(PROGRAMS)], pinned=False)
    commands, missing = {}, {}
    for peer in install.KNOWN[name]:
        say(f"fetching {peer}")
        try:
            commands[peer] = install.install(name, peer)
        except install.Missing as reason:
            missing[peer] = str(reason)
            say(f"{peer} is missing: {reason}")
    say("ours, everything")
    ours = last_line([program, "--scratch", str(PROGRAMS)], pinned=False)
    rounds = []
    for repetition in range(repetitions):
        say(f"repetition {repetition + 1} of {repetitions}: ours, {', '.join(commands)}")
        answers = {"ours": last_line([program, "--core", "--runs", "5"], pinned=True)}
        for peer, command in list(commands.items()):
            try:
                answers[peer] = last_line([*command, "measure"], pinned=True)
            except install.Missing as reason:
                del commands[peer]
                missing[peer] = str(reason)
                say(f"{peer} is missing: {reason}")
        rounds.append(answers)
    for answers in rounds:  # a peer that broke in one repetition is out of all
        for peer in missing:
            answers.pop(peer, None)
    return BENCHES[name].compare(ours, rounds, missing)


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description="measures ours, and with --peers the others")
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--peers", action="store_true", help="fetch the others and run them in the same repetitions")
    parser.add_argument("--runs", type=int, default=REPETITIONS_MIN, help="repetitions with the peers (at least 5)")
    chosen = parser.parse_args(arguments)
    if chosen.runs < REPETITIONS_MIN:
        parser.error(f"--runs must be at least {REPETITIONS_MIN}")
    names = list(BENCHES) if chosen.name == "all" else [chosen.name]
    command = " ".join(["./dev bench", *arguments])
    results, page = [], []
    for name in names:
        if not chosen.peers:
            if status := alone(name):
                return status
            continue
        result = with_peers(name, chosen.runs)
        result["command"] = command
        lines = BENCHES[name].tables(result)
        print("\n".join([*lines, json.dumps(result, ensure_ascii=False)]), flush=True)
        results.append(result)
        page += ["", *lines]
    if results and chosen.name == "all":
        write_page(results, page, command)
    return 0


def write_page(results, lines, command):
    machine = results[0]["machine"]
    commit = subprocess.run(["git", "-C", str(HOUSE), "describe", "--always", "--dirty"], capture_output=True, text=True,
                            check=False).stdout.strip()
    head = ["# Benchmarks", "",
            f"Written by `{command}` on {datetime.date.today().isoformat()}, of commit {commit or 'unknown'}; seed 1. "
            "Nothing on this page is typed by hand: call the command again to have your own.", "",
            f"Machine: {machine['cpu']}, {machine['cores']} cores; instructions {machine['flags']}."]
    (HOUSE / "docs/benchmarks.md").write_text("\n".join(head + lines).rstrip() + "\n", encoding="utf-8")
    say("wrote docs/benchmarks.md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
