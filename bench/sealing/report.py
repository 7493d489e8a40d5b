"""The sealed sum beside its peers: which of a peer's settings counts, the ratios, and the tables.

A peer counts with its best setting that gave the exact sum and lets a hospital seal with a public key. With one secret
key for all hospitals sealing is cheaper, and any hospital can open any other's vector, which is another function: these
ratios stand beside the others, marked `shared_secret_key`. TenSEAL's CKKS is approximate and counts with the parameters
of NVFlare. Ours seals into packed bytes; `seal_to_bytes` counts a peer's serialising, too, and `seal` does not.
A ratio is the median, over the repetitions, of theirs ÷ ours in the same repetition.
"""

TIMES = ("encode_ms", "encrypt_ms", "serialise_ms", "add10_ms", "decrypt_ms")
EXACT_PEERS = ("seal", "openfhe", "lattigo")
NVFLARE = "NVFlare's parameters"
WIDTHS = {16: "", 24: "_l48"}


def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def sealing_ms(row):
    """Numbers in, sealed vector out. Where encoding goes through a Python list it is left out, in the peer's favour."""
    return row["encrypt_ms"] + (row["encode_ms"] if row["peer"] in ("seal", "lattigo") else 0)


def merge(rounds):
    """The peers' rows over all repetitions: medians, least and most, and every repetition's times for the ratios."""
    merged = []
    for peer in [name for name in rounds[0] if name != "ours"]:
        for at, first in enumerate(rounds[0][peer]["rows"]):
            rows = [answers[peer]["rows"][at] for answers in rounds]
            row = {**first, "peer": peer}
            if "refused" not in row:
                each = [{**one, "peer": peer} for one in rows]
                row |= {name: median([one[name] for one in rows]) for name in TIMES}
                row["exact"] = all(one["exact"] for one in rows)
                row["right"] = all(one["right"] for one in rows)
                row["error_max"] = max(one["error_max"] for one in rows)
                row["seal_each_ms"] = [sealing_ms(one) for one in each]
                row["each"] = {name: [one[name] for one in rows] for name in TIMES}
            merged.append(row)
    return merged


def paired(theirs, ours):
    return median([their / our for their, our in zip(theirs, ours, strict=True)])


def compare(ours, rounds, missing):
    rows = merge(rounds)
    own = [answers["ours"] for answers in rounds]
    result = {"bench": "sealing", "machine": ours["machine"], "runs": len(rounds),
              "peers": {**ours["peers"], **{peer: rounds[0][peer]["version"] for peer in rounds[0] if peer != "ours"}},
              "figures": dict(ours["figures"]), "ratios": {}, "missing": list(missing)}
    figures, ratios, spread = result["figures"], result["ratios"], dict(ours["spread"])
    for name in own[0]["figures"]:  # what was measured between the peers counts with these repetitions
        each = [one["figures"][name] for one in own]
        figures[name] = median(each)
        spread[name] = [min(each), max(each)]
    for name in own[0]["ratios"]:
        ratios[name] = median([one["ratios"][name] for one in own])

    chosen = {}
    for bits, mark in WIDTHS.items():
        mine = {step: [one["figures"][f"{step}{mark}_1m_ms"] for one in own] for step in ("seal", "add10", "open")}

        def against(row, name, mine=mine, mark=mark):
            ratios[f"seal{mark}_vs_{name}"] = paired(row["seal_each_ms"], mine["seal"])
            whole = [seal + out for seal, out in zip(row["seal_each_ms"], row["each"]["serialise_ms"], strict=True)]
            ratios[f"seal_to_bytes{mark}_vs_{name}"] = paired(whole, mine["seal"])
            ratios[f"open{mark}_vs_{name}"] = paired(row["each"]["decrypt_ms"], mine["open"])
            ratios[f"add{mark}_vs_{name}"] = paired(row["each"]["add10_ms"], mine["add10"])
            ratios[f"bytes{mark}_vs_{name}"] = row["bytes_per_param"] / figures[f"bytes_per_param{mark}"]

        best = []
        for peer in (*EXACT_PEERS, "paillier"):
            for mode, name in (("public", peer), ("secret", f"{peer}_shared_secret_key")):
                fit = [row for row in rows if row["peer"] == peer and row.get("exact") and row["bits"] == bits
                       and row["mode"] == mode]
                if fit:
                    quickest = min(fit, key=sealing_ms)
                    against(quickest, name)
                    chosen[f"{name}{mark}"] = f"{peer} {quickest['setting']}"
                    best += fit if peer in EXACT_PEERS else []
        public = [row for row in best if row["mode"] == "public"]
        if best:
            # Adding and opening do not depend on how the vectors were sealed: every exact setting takes part.
            quickest = min(best, key=lambda row: row["decrypt_ms"])
            ratios[f"open{mark}_vs_best"] = paired(quickest["each"]["decrypt_ms"], mine["open"])
            quickest = min(best, key=lambda row: row["add10_ms"])
            ratios[f"add{mark}_vs_best"] = paired(quickest["each"]["add10_ms"], mine["add10"])
        if public:
            ratios[f"seal{mark}_vs_best"] = min(ratios[f"seal{mark}_vs_{row['peer']}"] for row in public)
        if bits == 16:
            for row in (row for row in rows if row["peer"] == "tenseal" and row.get("right")):
                name = "tenseal" if NVFLARE in row["setting"] else "tenseal_smallest"
                name += "" if row["mode"] == "public" else "_shared_secret_key"
                against(row, name)
                chosen[name] = f"tenseal {row['setting']}"
    result["chosen"] = chosen
    result["reasons"] = missing
    result["spread"] = spread
    result["peer_rows"] = [{key: value for key, value in row.items() if key not in ("each", "seal_each_ms")} for row in rows]
    return result


def number(value, places=2):
    return f"{value:,.{places}f}"


def tables(result):
    figures, spread, ratios = result["figures"], result["spread"], result["ratios"]
    versions = ", ".join(name + " " + version.removeprefix(name).strip() for name, version in result["peers"].items())
    lines = ["## Sealed sum", "",
             f"`{result['command']}`: {result['runs']} repetitions, in each ours and then every peer, on one core and one thread; "
             "medians (least to most). Milliseconds per 1 M parameters, 10 hospitals; the peers' are scaled from 32 ciphertexts "
             "(Paillier 12, TenSEAL's whole-vector rows 131,072 and 65,536 values). Every peer's sum was compared with the sum of the inputs.",
             "", f"Versions: {versions}.", "",
             "| system | width | hospitals need | encode | encrypt | serialise | add 10 | open | bytes/param | sum |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for bits, mark in WIDTHS.items():
        quantise, seal, add, opening = (
            number(figures[f"{step}{mark}_1m_ms"]) + " ({} to {})".format(*map(number, spread[f"{step}{mark}_1m_ms"]))
            for step in ("quantise", "seal", "add10", "open"))
        lines.append(f"| **ours, {'S30' if bits == 16 else 'L48'}** | {bits} | one-time keys | {quantise} | {seal} | in seal | "
                     f"{add} | {opening} | {number(figures[f'bytes_per_param{mark}'])} | exact |")
    for row in result["peer_rows"]:
        if "refused" in row:
            lines.append(f"| {row['peer']} {row['setting']} | | | refused: {row['refused']} | | | | | | |")
            continue
        cells = [number(row[name]) for name in TIMES]
        good = "exact" if row["exact"] else f"error {row['error_max']:.1e}" if row["right"] else "**wrong, does not count**"
        key = "a public key" if row["mode"] == "public" else "the secret key"
        lines.append(f"| {row['peer']} {row['setting']} | {row['bits']} | {key} | {' | '.join(cells)} | "
                     f"{number(row['bytes_per_param'])} | {good} |")
    lines += [f"| {peer} | | | missing: {reason} | | | | | | |" for peer, reason in result["reasons"].items()]
    lines += ["", "Ours under `encode` is the quantisation of floats, which no peer does and which is no part of our seal. The peers' encoding is "
              "part of their seal, but where it goes through a Python list (OpenFHE, Paillier) or happens inside encrypt (TenSEAL). "
              "Our seal ends in packed bytes; the peers' serialising counts only in the ratios `seal_to_bytes`.",
              "Fairness: the peers' keys live long and are public-key (or one secret key that opens everybody's vector); ours are "
              "one-time keys that cost what the rows of keys below say. The peers' wheels carry no AVX-512 code.", "",
              "| ratio, theirs ÷ ours | times |", "|---|---|"]
    lines += [f"| {name} | {number(value)} |" for name, value in sorted(ratios.items())]
    lines += ["", "| counted as | with |", "|---|---|"]
    lines += [f"| {name} | {setting} |" for name, setting in result["chosen"].items()]
    lines += ["", "A vector of a thousand parameters fills half a polynomial and pays for the witness like any other; from 10⁵ on the "
              "cost a parameter is level. The masking floor is AES-128-CTR by libgcrypt, n − 1 masks on 32-bit words in place.", "",
              "| figure | median | least to most |", "|---|---|---|"]
    lines += [f"| {name} | {number(figures[name], 4)} | {' to '.join(number(end, 4) for end in spread.get(name, []))} |"
              for name in sorted(figures)]
    return lines
