"""From predictions in the cache to tables of scores and of reliability.

Both are kept, compressed, in results/: the report can be made without the cache.
"""

from __future__ import annotations

from pathlib import Path

import cache
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from metrics import METRICS, Predictions, calibration_slope

KEY = ["collection", "variant", "table", "repeat", "fold", "classifier"]
ARM = ["collection", "variant", "arm"]
CELL = [*ARM, "table", "repeat", "fold"]
N_BINS = 10

Measured = tuple[pd.DataFrame, pd.DataFrame]


def collect(folder: Path, jobs: int) -> Measured:
    """Scores of every fold, arm and classifier; and what reliability curves are made of.

    Folds on which an arm failed have no scores yet; see `with_fallback`.
    """
    found = Parallel(jobs)(delayed(of_file)(*file) for file in cache.files(folder))
    scores, bins = zip(*found, strict=True)
    scores = pd.concat(scores, ignore_index=True)
    sums = pd.concat(bins, ignore_index=True)
    by = [*ARM, "classifier", "corrected", "bin"]
    return scores, sums.groupby(by, as_index=False)[["n", "p", "y"]].sum()


def of_file(collection: str, variant: str, table: str, arm: str, path: Path):
    """Scores and reliability of one arm on one variant of a table."""
    rows, bins = [], []
    by_repeat: dict[tuple, list[Predictions]] = {}
    for (repeat, fold), entry in cache.read(path).items():
        cell = {"repeat": repeat, "fold": fold, "failure": entry.get("failure")}
        if cell["failure"]:
            rows.append(cell)
            continue
        cell["n_rows"] = sum(entry["rows"])
        cell["kept"] = entry.get("kept")
        cell["resampling"], cell["classifying"] = entry["seconds"]
        y = np.array(entry["y"])
        for classifier, log_odds in entry["log_odds"].items():
            threshold, shift = (entry[k][classifier] for k in ("threshold", "shift"))
            f = Predictions(y, np.array(log_odds), threshold, shift)
            values = {name: metric.score(f) for name, metric in METRICS.items()}
            rows.append(cell | {"classifier": classifier} | values)
            bins += [of_bins(f, classifier, corrected) for corrected in (False, True)]
            by_repeat.setdefault((repeat, classifier), []).append(f)
    scores = pd.DataFrame(rows)
    if by_repeat:
        slopes = {key: slope_of(parts) for key, parts in by_repeat.items()}
        keys = zip(scores["repeat"], scores.get("classifier"), strict=True)
        scores["slope"] = [slopes.get(key) for key in keys]
    where = {"collection": collection, "variant": variant, "table": table, "arm": arm}
    reliability = pd.concat(bins) if bins else pd.DataFrame()
    return scores.assign(**where), reliability.assign(**where)


def slope_of(parts: list[Predictions]) -> float:
    """Of the rows of all folds of a repeat."""
    y, log_odds = (
        np.concatenate([getattr(f, k) for f in parts]) for k in ("y", "log_odds")
    )
    return calibration_slope(y, log_odds)


def of_bins(f: Predictions, classifier: str, corrected: bool) -> pd.DataFrame:
    """Number, summed probability and summed label of the rows in each tenth of [0, 1]."""
    p = f.p_corrected if corrected else f.p
    bin_of = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
    sums = {"n": np.ones(len(p)), "p": p, "y": f.y}
    columns = {k: np.bincount(bin_of, v, N_BINS) for k, v in sums.items()}
    return pd.DataFrame(
        {**columns, "bin": range(N_BINS), "classifier": classifier, "corrected": corrected}
    )


def merged(old: Measured, new: Measured) -> Measured:
    """New cells, and old ones that were not measured again.

    What reliability curves are made of is summed over cells: it is replaced for arms whose
    cells were all measured again.
    """
    (before, old_bins), (now, new_bins) = old, new
    scores = pd.concat([before[~rows_in(before, now, CELL)], now], ignore_index=True)
    n_cells, n_new = (t.drop_duplicates(CELL).groupby(ARM).size() for t in (scores, now))
    whole = n_new[n_new == n_cells.reindex(n_new.index)].index.to_frame()
    kept = old_bins[~rows_in(old_bins, whole, ARM)]
    bins = pd.concat([kept, new_bins[rows_in(new_bins, whole, ARM)]], ignore_index=True)
    return scores, bins


def rows_in(table: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Which rows have the values of some row of the other table in these columns."""
    index, others = (pd.MultiIndex.from_frame(t[columns]) for t in (table, other))
    return index.isin(others)


def with_fallback(scores: pd.DataFrame) -> pd.DataFrame:
    """Give a fold on which an arm failed the scores of `none`; `failure` still says so."""
    measured = [*METRICS, "slope"]
    none = scores.loc[scores["arm"] == "none", [*KEY, *measured]]
    failed = scores.loc[scores["failure"].notna(), [*CELL, "failure"]].drop_duplicates(CELL)
    return pd.concat([scores[scores["failure"].isna()], failed.merge(none, on=KEY[:5])])
