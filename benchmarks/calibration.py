"""Are probabilities calibrated after oversampling, once the prior is corrected?

    OMP_NUM_THREADS=1 python benchmarks/calibration.py FOLDER   # 10 minutes on one core
    python benchmarks/calibration.py --table                    # print the cached results

FOLDER holds tables as gzip-compressed CSV: `ID`, features, `Target` (0/1), for instance
those of radMLBench. Stratified 5-fold cross-validation, one repeat. Arms: no resampling;
`GANOverSampler` without a correction; the same within `PriorCorrectedClassifier`. Brier
score, log-loss (probabilities clipped to [.001, .999], for a forest says 0) and balanced
accuracy (threshold .5) are of all rows left out, the ROC AUC is the mean of the folds.
`shift`: mean predicted probability of the rarer class, less its share. Differences are to
no resampling, with the standard error over tables. Results are cached, table by table, in
results/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss
from sklearn.metrics import roc_auc_score as roc_auc
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler, PriorCorrectedClassifier

RESULTS = Path(__file__).parent / "results" / "calibration.json"
CLASSIFIERS = {
    "logistic": LogisticRegression(C=0.01, max_iter=1000),
    "forest": RandomForestClassifier(200, random_state=0),
}
ARMS = ("none", "uncorrected", "corrected")
METRICS = {
    "brier": "Brier score",
    "log_loss": "log-loss",
    "auc": "ROC AUC",
    "balanced_accuracy": "balanced accuracy",
    "shift": "shift",
}
CLIP = 0.001
RARE = 1 / 3
"""Largest share of the rarer class in what counts as an imbalanced table."""


def predicted(X: np.ndarray, y: np.ndarray, clf, folds: list, cache: str) -> dict:
    """Arm -> probability of class 1 of each row, when it is left out."""
    p = {arm: np.empty(len(y)) for arm in ARMS}
    for train, test in folds:
        plain = make_pipeline(StandardScaler(), clone(clf)).fit(X[train], y[train])
        gan = GANOverSampler(checks=(), max_iter=200, random_state=0)
        # The cache keeps the resampled table for the other classifier.
        resampling = make_pipeline(gan, StandardScaler(), clone(clf), memory=cache)
        corrected = PriorCorrectedClassifier(resampling).fit(X[train], y[train])
        models = (plain, corrected.estimator_, corrected)
        for arm, model in zip(ARMS, models, strict=True):
            p[arm][test] = model.predict_proba(X[test])[:, 1]
    return p


def scores(y: np.ndarray, p: np.ndarray, folds: list) -> dict[str, float]:
    sign = 1 if y.mean() <= 0.5 else -1
    found = {
        "brier": brier_score_loss(y, p),
        "log_loss": log_loss(y, p.clip(CLIP, 1 - CLIP)),
        "auc": np.mean([roc_auc(y[test], p[test]) for _, test in folds]),
        "balanced_accuracy": balanced_accuracy_score(y, p > 0.5),
        "shift": sign * (p.mean() - y.mean()),
    }
    return {name: round(float(value), 5) for name, value in found.items()}


def measure(path: Path) -> dict:
    table = pd.read_csv(path)
    y = table["Target"].to_numpy()
    X = table.drop(columns=["ID", "Target"]).to_numpy(dtype=float)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    found: dict = {"n": len(y), "rarer class": round(float(min(y.mean(), 1 - y.mean())), 4)}
    with tempfile.TemporaryDirectory() as cache:
        for name, clf in CLASSIFIERS.items():
            p = predicted(X, y, clf, folds, cache)
            found[name] = {arm: scores(y, p[arm], folds) for arm in ARMS}
    return found


def print_table(results: dict) -> None:
    imbalanced = {k: v for k, v in results.items() if v["rarer class"] <= RARE}
    names = list(METRICS)
    print("| tables | classifier | arm | " + " | ".join(METRICS.values()) + " |")
    print("|---|---|---|" + "---|" * len(METRICS))
    for which, tables in (("all", results), ("rarer class up to 1/3", imbalanced)):
        for clf in CLASSIFIERS:
            values = {
                arm: np.array([[t[clf][arm][m] for m in names] for t in tables.values()])
                for arm in ARMS
            }
            for arm in ARMS:
                if arm == "none":
                    cells = [f"{mean:.4f}" for mean in values[arm].mean(axis=0)]
                else:
                    gaps = values[arm] - values["none"]
                    errors = gaps.std(axis=0, ddof=1) / len(gaps) ** 0.5
                    pairs = zip(gaps.mean(axis=0), errors, strict=True)
                    cells = [f"{mean:+.4f} ({error:.4f})" for mean, error in pairs]
                label = f"{which} ({len(tables)})"
                print(f"| {label} | {clf} | {arm} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="tables as *.gz")
    parser.add_argument("--table", action="store_true", help="only print cached results")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not args.table:
        if args.folder is None:
            parser.error("give a folder of tables, or --table")
        for path in sorted(args.folder.glob("*.gz")):
            if path.stem in results:
                continue
            begin = time.perf_counter()
            results[path.stem] = measure(path)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{path.stem}: {time.perf_counter() - begin:.0f} s", flush=True)
    print_table(results)


if __name__ == "__main__":
    main()
