#!/usr/bin/env python3
"""Makes cohorts/heart/flamby-split.toml from the four original UCI files.

FLamby's rule for Fed-Heart-Disease: drop columns 10, 11 and 12 (slope, ca, thal), then every row with a '?';
split each centre by scikit-learn's train_test_split(arange(n), test_size=0.34, train_size=0.66, random_state=43,
shuffle, stratified by num > 0 where both classes have more than two rows).

Usage: make_flamby_split.py UCI_HEART_FOLDER > cohorts/heart/flamby-split.toml      (needs scikit-learn and numpy)
"""
import sys
from pathlib import Path

import numpy
import sklearn
from sklearn.model_selection import train_test_split

CENTRES = [
    ("Cleveland", "cleveland"),
    ("Hungary", "hungarian"),
    ("Switzerland", "switzerland"),
    ("VA Long Beach", "va"),
]


def labels_of(file: Path) -> numpy.ndarray:
    labels = []
    for line in file.read_text().splitlines():
        cells = line.split(",")
        kept = cells[:10] + cells[13:]
        if "?" not in kept:
            labels.append(float(cells[13]) > 0)
    return numpy.array(labels)


def indices(rows: numpy.ndarray) -> str:
    text = ""
    for start in range(0, len(rows), 20):
        text += "\n  " + ", ".join(str(i) for i in rows[start : start + 20]) + ","
    return f"[{text}\n]"


def main() -> None:
    folder = Path(sys.argv[1])
    print("# FLamby's train and test rows of Fed-Heart-Disease: row numbers from 0 among a hospital's complete rows,")
    print(f"# in file order. Made by tests/vectors/make_flamby_split.py with scikit-learn {sklearn.__version__}.")
    print('name = "flamby"')
    for hospital, file in CENTRES:
        labels = labels_of(folder / f"processed.{file}.data")
        positives = int(labels.sum())
        stratify = labels if min(positives, len(labels) - positives) > 2 else None
        train, test = train_test_split(
            numpy.arange(len(labels)),
            test_size=1.0 - 0.66,
            train_size=0.66,
            random_state=43,
            shuffle=True,
            stratify=stratify,
        )
        print(f'\n[[centre]]\nhospital = "{hospital}"')
        print(f"train = {indices(numpy.sort(train))}")
        print(f"test = {indices(numpy.sort(test))}")
        print(f"{hospital}: {len(train)}/{len(test)}", file=sys.stderr)


main()
