#!/usr/bin/env python3
"""Computes the digest of a schema file by the codec's description: a second encoder to compare the first with.

Usage: make_schema_digest.py SCHEMA.toml
"""
import hashlib
import struct
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

ROLES = {"v1": 1, "v2": 2}
KINDS = {"number": 1, "ordinal": 2, "code": 3, "duration": 4}
SIMILARITIES = {"exact": 1, "ordinal": 2, "range": 3, "gaussian": 4, "log_duration": 5}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def texts(values: list[str]) -> bytes:
    return struct.pack("<I", len(values)) + b"".join(text(v) for v in values)


def decimal(value) -> bytes:
    sign, digits, exponent = Decimal(str(value)).normalize().as_tuple()
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    return struct.pack("<qq", mantissa, exponent if mantissa else 0)


def limit(table: dict, key: str) -> bytes:
    return b"\x01" + decimal(table[key]) if key in table else b"\x00"


def attribute(a: dict) -> bytes:
    codes = a.get("codes", [])
    bounds = a.get("align_bounds", [])
    return b"".join([
        struct.pack("<H", a["id"]), text(a["name"]), text(a.get("title", a["name"])),
        bytes([ROLES[a["role"]], KINDS[a["kind"]]]), text(a["source"]), text(a.get("unit", "")),
        texts(codes), texts(a.get("labels", codes)), limit(a, "low"), limit(a, "high"),
        bytes([SIMILARITIES[a.get("similarity", "exact")]]),
        struct.pack("<dd", a.get("similarity_scale", 1), a.get("weight", 1)),
        bytes([a.get("drop_first", False), a.get("align", False)]),
        struct.pack("<I", len(bounds)), *(decimal(b) for b in bounds),
    ])


def main() -> None:
    schema = tomllib.loads(Path(sys.argv[1]).read_text())
    attributes = schema["attribute"]
    part = text(schema["name"]) + struct.pack("<II", schema.get("version", 1), len(attributes))
    part += b"".join(attribute(a) for a in attributes)
    tag = b"consilium/casebase/1/schema"
    data = struct.pack("<H", len(tag)) + tag + struct.pack("<Q", len(part)) + part
    print(hashlib.sha256(data).hexdigest())


main()
