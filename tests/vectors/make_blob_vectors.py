"""Recomputes tests/vectors/blobs.json: names of blobs, from the text of RFC 6962 section 2.1, independently of the C++.

    python3 tests/vectors/make_blob_vectors.py            compare the file with what this program computes
    python3 tests/vectors/make_blob_vectors.py --write    write the file

Byte i of every blob is (i * 131 + (i >> 15) * 7) mod 256, so that no two leaves are equal.
"""
import hashlib
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("blobs.json")
LEAF = 32768
RUN = 32 * LEAF
SIZES = [0, 1, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF, RUN - 1, RUN, RUN + 1, 2 * RUN, 3 * RUN + 5 * LEAF + 17]


def content(size):
    return bytes((i * 131 + (i >> 15) * 7) & 255 for i in range(size))


def sha(data):
    return hashlib.sha256(data).digest()


def root(leaves):
    """MTH of RFC 6962."""
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def path(m, leaves):
    """PATH of RFC 6962."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return path(m, leaves[:k]) + [root(leaves[k:])]
    return path(m - k, leaves[k:]) + [root(leaves[:k])]


def vectors():
    blobs = []
    for size in SIZES:
        data = content(size)
        leaves = [data[at:at + LEAF] for at in range(0, size, LEAF)] or [b""]
        blobs.append({"size": size, "name": root(leaves).hex(), "last_leaf_path": [d.hex() for d in path(len(leaves) - 1, leaves)],
                      "first_leaf_path": [d.hex() for d in path(0, leaves)]})
    return {"note": "Made by tests/vectors/make_blob_vectors.py. A change here is a change of what blobs are called.", "blobs": blobs}


if __name__ == "__main__":
    text = json.dumps(vectors(), indent=1) + "\n"
    if "--write" in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit("blobs.json is not what this program computes")
