"""What a search costs beyond its fits, and what a second worker saves.

    python benchmarks/searches.py            # 10 minutes on two cores
    python benchmarks/searches.py --table    # print what has been measured

`GridSearchCV` of 32 candidates x 5 folds on a made-up table of 200 x 1,000, 50 rows of it
the minority: `GANOverSampler` with 100 steps (`checks=()`), half of what the default takes,
so that what a search adds weighs more; then logistic regression. Beside it, the same 160
fits and predictions in a plain loop, in the same process; then the search with two workers,
of one thread each; and with `memory=`, which keeps the encoded table of each fold. They
take turns, eight candidates each, since machines drift.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

from gansampler import GANOverSampler

RESULTS = Path(__file__).parent / "results" / "searches.json"
STEPS = 100
GRID = {
    "gan__n_critic": [1, 2],
    "gan__learning_rate_init": [1e-3, 2e-3],
    "gan__target_prior": ["uniform", {0: 0.6, 1: 0.4}],
    "clf__C": [1e-3, 1e-2, 1e-1, 1.0],
}


def make_table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [150, 50]))
    factors = rng.normal(size=(200, 10))
    factors[:, :3] += y[:, None]
    X = factors @ rng.normal(scale=0.3, size=(10, 1000))
    return X + rng.normal(scale=0.5, size=X.shape), y


def model(memory: str | None = None) -> Pipeline:
    gan = GANOverSampler(
        max_iter=STEPS,
        n_iter_no_change=STEPS,
        checks=(),
        memory=memory,
        device="cpu",
        random_state=0,
    )
    return Pipeline([("gan", gan), ("clf", LogisticRegression(max_iter=5000))])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print the table")
    if not parser.parse_args().table:
        measure()
    found = json.loads(RESULTS.read_text())
    print("| | seconds | CPU seconds | over the loop |\n|---|---|---|---|")
    for name, taken in found.items():
        ratio = taken["clock"] / found["loop of 160 fits"]["clock"]
        cpu = "" if "two" in name else f"{taken['cpu']:.0f}"
        print(f"| {name} | {taken['clock']:.0f} | {cpu} | {ratio:.2f} |")


def measure() -> None:
    torch.set_num_threads(1)
    X, y = make_table()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scorer = get_scorer("roc_auc")
    model().set_params(gan__max_iter=2).fit(X, y)  # what the first fit imports

    def loop(grid: dict) -> None:
        for candidate in ParameterGrid(grid):
            for train, test in folds.split(X, y):
                fitted = clone(model()).set_params(**candidate).fit(X[train], y[train])
                scorer(fitted, X[test], y[test])

    def search(memory: str | None = None, n_jobs: int = 1) -> Callable[[dict], object]:
        how = {"cv": folds, "scoring": scorer, "refit": False, "n_jobs": n_jobs}
        return lambda grid: GridSearchCV(model(memory), grid, **how).fit(X, y)

    with tempfile.TemporaryDirectory() as cache:
        works = {
            "loop of 160 fits": loop,
            "search, one worker": search(),
            "search, two workers": search(n_jobs=2),
            "search, one worker, memory": search(cache),
        }
        found = {name: {"clock": 0.0, "cpu": 0.0} for name in works}
        for C in GRID["clf__C"]:
            for name, work in works.items():
                clock, cpu = time.perf_counter(), time.process_time()
                work(GRID | {"clf__C": [C]})
                found[name]["clock"] += time.perf_counter() - clock
                found[name]["cpu"] += time.process_time() - cpu
                print(C, name, found[name], file=sys.stderr)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
