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


def collect(folder: Path, jobs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of every fold, arm and classifier; and what reliability curves are made of."""
    found = Parallel(jobs)(delayed(of_file)(*file) for file in cache.files(folder))
    scores, bins = zip(*found, strict=True)
    scores = pd.concat(scores, ignore_index=True)
    sums = pd.concat(bins, ignore_index=True)
    by = [*ARM, "classifier", "corrected", "bin"]
    return with_fallback(scores), sums.groupby(by, as_index=False)[["n", "p", "y"]].sum()


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


def merged(old: pd.DataFrame, new: pd.DataFrame, what: list[str]) -> pd.DataFrame:
    """New rows, and old ones of those arms, or cells, that were not measured again."""
    is_new = pd.MultiIndex.from_frame(old[what]).isin(pd.MultiIndex.from_frame(new[what]))
    return pd.concat([old[~is_new], new], ignore_index=True)


def with_fallback(scores: pd.DataFrame) -> pd.DataFrame:
    """Give a fold on which an arm failed the scores of `none`; `failure` still says so."""
    measured = [*METRICS, "slope"]
    none = scores.loc[scores["arm"] == "none", [*KEY, *measured]]
    failed = scores.loc[scores["failure"].notna(), [*KEY[:5], "arm", "failure"]]
    return pd.concat([scores[scores["failure"].isna()], failed.merge(none, on=KEY[:5])])
