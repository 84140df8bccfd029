"""Negative controls: what the study must find where there is nothing, or something wrong.

    OMP_NUM_THREADS=1 python benchmarks/utility/controls.py FOLDER    # half an hour
    python benchmarks/utility/controls.py --table                     # print what was found

- **Permuted labels** need nothing of their own: `run.py --variants permuted`, and the
  report says whether each arm's interval holds .5.
- **Leak**: rows are resampled before they are split, as is often done, and AUC is taken
  over all rows left out, synthetic ones with them. It must come out far above the honest
  one, and far above .5 with permuted labels. Minority cut to 20%.
- **Copies**: `diagnose` judges minority rows that an arm makes, and rows planted among
  them. Copies must be called memorizing, interpolated rows interpolating. Native imbalance.

One repeat. Results are kept in results/controls.json, table by table.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from arms import arm
from classifiers import CLASSIFIERS
from inference import interval
from metrics import Predictions, roc_auc
from run import to_log_odds
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from tables import Table, radmlbench

from gansampler import diagnose

RESULTS = Path(__file__).parent / "results" / "controls.json"
LEAK_ARMS = ("random", "smote-5", "start", "start+3")
LEAK_CLASSIFIERS = ("logistic", "forest", "neighbours")
COPY_ARMS = ("random+1", "smote-5+1", "start+1")
JITTER = 0.1
"""Noise on planted copies, in standard deviations of the columns."""


def mean_auc(X: np.ndarray, y: np.ndarray, folds: list, sampler=None) -> float:
    """Over folds and classifiers; with a sampler, training rows are resampled."""
    found = []
    for train, test in folds:
        rows = X[train], y[train]
        if sampler is not None:
            rows = sampler.fit_resample(*rows)
        for name in LEAK_CLASSIFIERS:
            p = clone(CLASSIFIERS[name]).fit(*rows).predict_proba(X[test])[:, 1]
            found.append(roc_auc(Predictions(y[test], to_log_odds(p))))
    return round(float(np.mean(found)), 5)


def leak(table: Table) -> dict:
    """Honest and leaking AUC of every arm, with labels as they are and permuted."""
    found = {}
    for variant in ("cut20", "permuted"):
        X, y = table.variant(variant, 0)
        X = StandardScaler().fit_transform(X)
        for name in LEAK_ARMS:
            sampler = arm(name).sampler(table.seed(0))
            X_all, y_all = sampler.fit_resample(X, y)
            found[f"{variant} {name}"] = {
                "honest": mean_auc(X, y, table.folds(y, 0), sampler),
                "leaking": mean_auc(X_all, y_all, table.folds(y_all, 0)),
            }
    return found


def copies(table: Table) -> dict[str, str]:
    """Verdicts on minority rows: those that arms add, and planted copies."""
    X, y = table.variant("native", 0)
    X = StandardScaler().fit_transform(X)
    rng = np.random.default_rng(table.seed("copies"))
    added = {}
    for name in COPY_ARMS:
        X_all, y_all = arm(name).sampler(table.seed(0)).fit_resample(X, y)
        new = X_all[len(X) :]
        added[name] = new[y_all[len(X) :] == 1]
    n = len(added["start+1"])
    drawn = rng.choice(X[y == 1], n)
    added["copies, planted"] = drawn
    added["copies, jittered"] = drawn + JITTER * rng.normal(size=drawn.shape)
    half = rng.random(n) < 0.5
    added["half of start+1, copies"] = np.where(half[:, None], drawn, added["start+1"])
    return {name: verdict(X, y, new) for name, new in added.items()}


def verdict(X: np.ndarray, y: np.ndarray, new: np.ndarray) -> str:
    labels = np.ones(len(new), dtype=int)
    found = diagnose(X, y, new, labels, classes=[1], n_permutations=199, random_state=0)
    return found.verdicts_[1]


def measure(tables: list[Table]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    for table in tables:
        if table.name in results:
            continue
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results[table.name] = {"leak": leak(table), "copies": copies(table)}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"{table.name}: {time.perf_counter() - begin:.0f} s", flush=True)


def print_tables() -> None:
    results = json.loads(RESULTS.read_text()).values()
    print("| labels | arm | honest AUC | resampled before the split | inflation |")
    print("|---|---|---|---|---|")
    for key in next(iter(results))["leak"]:
        variant, name = key.split()
        cells = [[r["leak"][key][how] for r in results] for how in ("honest", "leaking")]
        cells.append(np.subtract(cells[1], cells[0]))
        shown = [f"{mean:.3f} ± {half:.3f}" for mean, half in map(interval, cells)]
        print(f"| {variant} | {name} | " + " | ".join(shown) + " |")
    print("\n| rows judged | verdicts, of tables |\n|---|---|")
    for name in next(iter(results))["copies"]:
        verdicts = Counter(r["copies"][name] for r in results).most_common()
        print(f"| {name} | " + ", ".join(f"{v} {n}" for v, n in verdicts) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("folder", type=Path, nargs="?", help="tables of radMLBench, *.gz")
    add("--tables", nargs="+", help="only these")
    add("--table", action="store_true", help="only print what was found")
    args = parser.parse_args()
    if not args.table:
        if args.folder is None:
            parser.error("give a folder of tables, or --table")
        tables = list(radmlbench(args.folder))
        measure([t for t in tables if not args.tables or t.name in args.tables])
    print_tables()


if __name__ == "__main__":
    main()
