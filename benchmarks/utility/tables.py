"""The tables of the study, and what is done to their labels before anything else.

A new collection is one more function that yields `Table`s; a new variant is one more line
in `VARIANTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

N_FOLDS = 5
MIN_ROWS = 10
"""Rows of the minority class that every table has and every cut leaves: two a fold."""

MAX_ROWS = 2500
"""KEEL tables with more rows are left out: they are not small, and cost as much as all."""


@dataclass(frozen=True)
class Table:
    """A table with two classes: `y` is 1 for the class of fewer rows."""

    collection: str
    name: str
    X: np.ndarray
    y: np.ndarray

    def variant(self, name: str, repeat: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and labels of a variant, the same for every arm."""
        rows, y = VARIANTS[name](self.y, np.random.default_rng(self.seed(repeat)))
        return self.X[rows], y

    def folds(self, y: np.ndarray, repeat: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """(train, test) of every fold of a repeat, the same for every arm."""
        cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=self.seed(repeat))
        return list(cv.split(np.zeros(len(y)), y))

    def seed(self, *parts: object) -> int:
        return crc32("/".join(map(str, (self.name, *parts))).encode())


# Variants: labels and a random generator in, rows to keep and their labels out.


def native(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """All rows."""
    return np.arange(len(y)), y


def cut(y: np.ndarray, rng: np.random.Generator, share: float):
    """Minority rows left out at random, until they are `share` of the table.

    A smaller cut leaves a subset of what a larger one leaves; a table whose minority is
    that rare already keeps every row.
    """
    minority = rng.permutation(np.flatnonzero(y == 1))
    wanted = round(share / (1 - share) * (y == 0).sum())
    rows = np.sort(np.r_[np.flatnonzero(y == 0), minority[: max(wanted, MIN_ROWS)]])
    return rows, y[rows]


def permuted(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The 20% cut with its labels shuffled: nothing is left to find."""
    rows, y = cut(y, rng, 0.2)
    return rows, rng.permutation(y)


VARIANTS: dict[str, Callable] = {
    "native": native,
    "cut20": lambda y, rng: cut(y, rng, 0.2),
    "cut10": lambda y, rng: cut(y, rng, 0.1),
    "permuted": permuted,
}


# Collections.


def unit_of(collection: str, name: str) -> str:
    """What counts as one observation in every test: the table, as a rule.

    Many KEEL tables were cut from one data set (`ecoli1`, `ecoli2`, `ecoli-0_vs_1`): their
    name up to the first digit or dash is their unit.
    """
    return re.split(r"[-\d]", name)[0] if collection == "keel" else name


def make_table(collection: str, name: str, X: pd.DataFrame, y: pd.Series) -> Table:
    counts = y.value_counts()
    if len(counts) != 2:
        raise ValueError(f"{name} has {len(counts)} classes; the study takes two.")
    values = X.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has missing or infinite values; no sampler takes them.")
    # Where both have as many rows, the larger label stands for the minority.
    minority = min(counts.index, key=lambda label: (counts[label], -int(label)))
    return Table(collection, name, values, (y == minority).to_numpy(dtype=int))


def radmlbench(folder: Path) -> Iterator[Table]:
    """Tables of radMLBench: gzip-compressed CSV with `ID`, features and `Target`."""
    for path in sorted(folder.glob("*.gz")):
        table = pd.read_csv(path, compression="gzip")
        X, y = table.drop(columns=["ID", "Target"]), table["Target"]
        yield make_table("radmlbench", path.stem, X, y)


def keel(folder: Path) -> Iterator[Table]:
    """Imbalanced tables of KEEL that are numeric, small, and have rows enough for folds."""
    for path in sorted(folder.glob("*.dat")):
        table = pd.read_csv(path, header=None, skipinitialspace=True)
        X, y = table.iloc[:, :-1], (table.iloc[:, -1].str.strip() == "positive").astype(int)
        numeric = all(map(pd.api.types.is_numeric_dtype, X.dtypes))
        rarer = min(y.sum(), len(y) - y.sum())
        if numeric and rarer >= MIN_ROWS and len(y) <= MAX_ROWS:
            yield make_table("keel", path.stem, X, y)
