"""The chain of four validators beside CometBFT's own kvstore, which the program itself runs in turn with ours."""

NAMES = {
    "tx_per_s": "transactions a second, in bursts of about 4000 votes of 64 hospitals",
    "kvstore_tx_per_s": "… the kvstore's, of the same length",
    "commit_p50_ms": "one transaction, from the call to the block, median",
    "commit_p95_ms": "…, 95 of 100",
    "kvstore_commit_p50_ms": "… the kvstore's, median",
    "kvstore_commit_p95_ms": "… the kvstore's, 95 of 100",
    "tx_bytes": "bytes of a vote as it is carried",
    "update10mb_verified_ms": "10 MB at one hospital until four miners hold and have hashed it and said so in blocks",
    "replay_blocks_per_s": "blocks judged again with their signatures, one transaction each",
    "blocks_per_s": "blocks a second under three clients, everybody up",
    "blocks_per_s_one_dead": "… one of four dead, after the absence rule",
    "lowered_after_s": "until the rule has lowered the dead one",
    "full_power_after_s": "from its start until it has its power back",
    "restart_s": "from the start of a killed node to its first vote at the others' height",
    "restart_in_block_s": "… to the first block with a vote of it: the first three close a block, so it is often left out",
    "commit_p50_rtt50_ms": "one transaction where each two are 50 ms apart and back, median",
    "commit_p95_rtt50_ms": "…, 95 of 100",
}


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def tables(result):
    figures, spread, ratios = result["figures"], result["spread"], result["ratios"]
    lines = ["## Chain", "",
             f"`{result['command']}`: {result['runs']} repetitions, ours and then the kvstore; medians (least to most). Four validators on "
             "one machine under one set of engine settings. CometBFT's processes and ours share its cores.", "",
             "| figure | | median | least to most |", "|---|---|---|---|"]
    for name, what in NAMES.items():
        if name in figures:
            ends = " to ".join(number(end) for end in spread.get(name, []))
            lines.append(f"| `{name}` | {what} | {number(figures[name])} | {ends} |")
    lines += ["", "| ratio | |", "|---|---|"]
    lines += [f"| {name} | {ratios[name]:.2f} |" for name in sorted(ratios)]
    return lines
