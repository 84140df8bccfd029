"""Run the study, or go on where it stopped.

    OMP_NUM_THREADS=1 python benchmarks/utility/run.py FOLDER --jobs 2

FOLDER holds the tables of radMLBench; `--keel` adds those of KEEL. See PROTOCOL.md for what
is measured and why, `arms.py` for names of arms, and `report.py` for tables and pictures.
Kill it whenever you like: what was finished stays, and what changed since (parameters of an
arm or a classifier) is measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cache
import numpy as np
from arms import GROUPS, Arm, expand
from classifiers import CLASSIFIERS, with_class_weights
from joblib import Parallel, delayed
from rivals_env import keel_folder
from sklearn.base import clone
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from tables import N_FOLDS, VARIANTS, Table, keel, radmlbench
from tqdm import tqdm

LIMIT = 30.0
"""Largest log-odds kept, for probabilities of 0 and 1."""


@dataclass(frozen=True)
class Task:
    """One cell of the study: what one entry of the cache holds."""

    table: Table
    variant: str
    repeat: int
    fold: int
    arm: Arm

    def path(self, folder: Path) -> Path:
        table = self.table
        return cache.path_of(
            folder, table.collection, self.variant, table.name, self.arm.name
        )

    def measure(self) -> cache.Entry:
        """Resample the training rows once, and fit every classifier on them."""
        X, y = self.table.variant(self.variant, self.repeat)
        train, test = self.table.folds(y, self.repeat)[self.fold]
        seed = self.table.seed(self.repeat, self.fold)
        entry = {"repeat": self.repeat, "fold": self.fold, "settings": settings(self.arm)}
        scaler = StandardScaler().fit(X[train])
        X_train, X_test, y_train = (
            scaler.transform(X[train]),
            scaler.transform(X[test]),
            y[train],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begin = time.perf_counter()
            if self.arm.adds_rows:
                try:
                    sampler = self.arm.sampler(seed)
                    X_train, y_train = sampler.fit_resample(X_train, y_train)
                    entry |= kept_step(sampler)
                except Exception as failure:
                    return entry | {"failure": f"{type(failure).__name__}: {failure}"[:300]}
            resampled = time.perf_counter()
            fitted = {
                name: predict(self.arm, classifier, (X_train, y_train), X_test, seed)
                for name, classifier in CLASSIFIERS.items()
            }
        done = time.perf_counter()
        change = log_odds_of(y[train]) - log_odds_of(y_train)
        return entry | {
            "rows": np.bincount(y_train).tolist(),
            "seconds": [round(resampled - begin, 3), round(done - resampled, 3)],
            "y": y[test].tolist(),
            "log_odds": {name: f[0].round(5).tolist() for name, f in fitted.items()},
            "threshold": {name: round(f[1], 5) for name, f in fitted.items()},
            "shift": {name: round(change + f[2], 5) for name, f in fitted.items()},
        }


def kept_step(sampler) -> dict[str, int]:
    """The training step that held-out rows chose, where there is a training."""
    history = getattr(sampler, "history_", {})
    return {"kept": history["best_step"]} if "best_step" in history else {}


def predict(
    arm: Arm, classifier: Pipeline, train: tuple, X_test: np.ndarray, seed: int
) -> tuple[np.ndarray, float, float]:
    """Log-odds of the test rows, their threshold, and what weights shifted them by."""
    model, threshold, shift = clone(classifier), 0.0, 0.0
    if arm.name == "weights":
        model, takes_weights = with_class_weights(classifier)
        shift = log_odds_of(train[1]) if takes_weights else 0.0
    if arm.name == "threshold":
        threshold = tuned_threshold(classifier, *train, seed)
    model.fit(*train)
    return to_log_odds(model.predict_proba(X_test)[:, 1]), threshold, shift


def tuned_threshold(classifier: Pipeline, X: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Log-odds that give the best balanced accuracy, rows of inner folds taken together."""
    cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    p = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba")[:, 1]
    false, true, at = roc_curve(y, to_log_odds(p), drop_intermediate=False)
    best = np.argmax(true - false)
    # Half way to the score below.
    return float(at[best : best + 2].clip(-LIMIT, LIMIT).mean())


def to_log_odds(p):
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p) - np.log1p(-np.asarray(p)), -LIMIT, LIMIT)


def log_odds_of(y: np.ndarray) -> float:
    return float(to_log_odds(y.mean()))


def settings(arm: Arm) -> str:
    """Changes whenever a parameter of the arm or of a classifier does."""
    sampler = arm.sampler(0).get_params() if arm.adds_rows else {}
    text = repr((arm.name, sorted(sampler.items()), sorted(CLASSIFIERS.items())))
    return hashlib.md5(text.encode()).hexdigest()[:8]


def plan(tables: list[Table], variants, repeats, folds, arms: list[Arm]) -> list[Task]:
    """Repeat by repeat, so that a study cut short has seen every table."""
    return [
        Task(table, variant, repeat, fold, arm)
        for repeat in repeats
        for variant in variants
        for table in tables
        for fold in range(folds)
        for arm in arms
        if table.collection == "radmlbench" or variant == "native"
    ]


def missing(tasks: list[Task], folder: Path, retry: bool = False) -> list[Task]:
    """Tasks not in the cache, or there with other settings; with `retry`, or failed."""
    current = {task.arm: settings(task.arm) for task in tasks}
    known = {path: cache.read(path) for path in {task.path(folder) for task in tasks}}

    def measured(task: Task) -> bool:
        entry = known[task.path(folder)].get((task.repeat, task.fold))
        if entry is None or entry["settings"] != current[task.arm]:
            return False
        return not (retry and "failure" in entry)

    return [task for task in tasks if not measured(task)]


def run(tasks: list[Task], folder: Path, jobs: int, retry: bool = False) -> None:
    todo = missing(tasks, folder, retry)
    print(f"{len(tasks)} cells, {len(tasks) - len(todo)} of them measured before.")
    measured = Parallel(jobs, return_as="generator", batch_size=1)(
        delayed(task.measure)() for task in todo
    )
    for task, entry in zip(
        todo, tqdm(measured, total=len(todo), mininterval=5), strict=True
    ):
        cache.append(task.path(folder), entry)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("folder", type=Path, nargs="?", help="tables of radMLBench, *.gz")
    add("--keel", action="store_true", help="also the tables of KEEL, at native imbalance")
    add(
        "--arms",
        nargs="+",
        default=["cheap", "own"],
        help=f"names, or {', '.join(GROUPS)}",
    )
    add("--variants", nargs="+", default=["native", "cut20"], choices=VARIANTS)
    add("--repeats", nargs="+", type=int, default=range(5), help="seeds of the splits")
    add("--folds", type=int, default=N_FOLDS, help="only the first few of each repeat")
    add("--tables", nargs="+", help="only these")
    add("--jobs", type=int, default=1)
    add("--retry", action="store_true", help="also what failed before")
    add("--cache", type=Path, default=cache.FOLDER)
    args = parser.parse_args()

    tables = list(radmlbench(args.folder)) if args.folder else []
    if args.keel:
        if keel_folder() is None:
            parser.error("build the environment of the rivals first: rivals_env.py")
        tables += keel(keel_folder())
    tables = [table for table in tables if not args.tables or table.name in args.tables]
    if not tables:
        parser.error("no tables: give the folder of radMLBench, or --keel")
    arms = expand(args.arms)
    for arm in arms:
        if arm.missing():
            print(f"{arm.name} is skipped: {arm.missing()}")
    arms = [arm for arm in arms if not arm.missing()]
    tasks = plan(tables, args.variants, args.repeats, args.folds, arms)
    run(tasks, args.cache, args.jobs, args.retry)


if __name__ == "__main__":
    main()
