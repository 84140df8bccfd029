"""Makes synthetic rows in the environment of the rivals: a job a line on standard input.

A job names a table (`X` and `y` in an .npz file), a method of `METHODS`, and the rows to
add to class 0 and class 1. The rows made replace the table in its file. A new rival is one
more function here and one more line in `arms.py`.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import sys

import numpy as np
import pandas as pd

ROUNDS = 50
"""Draws of as many rows as the table has, before a class counts as impossible to make."""


# Methods: (X, y, rows to add to each class, seed) -> rows of either class in turn.


def smote_variants(name):
    def make(X, y, to_add, seed):
        import smote_variants

        if to_add[0]:
            raise ValueError(f"{name} adds rows of the minority only.")
        gap = max((y == 0).sum() - (y == 1).sum(), 1)
        sampler = getattr(smote_variants, name)(to_add[1] / gap, random_state=seed)
        X_all, y_all = sampler.sample(X, y)
        return X_all[len(X) :], y_all[len(X) :]

    return make


def geometric(X, y, to_add, seed):
    from imblearn_extra.gsmote import GeometricSMOTE

    wanted = {c: int((y == c).sum()) + to_add[c] for c in (0, 1)}
    X_all, y_all = GeometricSMOTE(wanted, random_state=seed).fit_resample(X, y)
    return X_all[len(X) :], y_all[len(X) :]


def deep(name):
    def make(X, y, to_add, seed):
        import ctgan

        model = getattr(ctgan, name)()
        model.set_random_state(seed)
        model.fit(frame(X, y), ["target"])
        # CTGAN can be asked for a class, and makes it likely; TVAE cannot.
        asks = name == "CTGAN"
        return by_class(
            lambda c: model.sample(len(X), *(["target", c] if asks else [])), to_add
        )

    return make


def random_forest(X, y, to_add, seed):
    from arfpy import arf

    table = frame(X, y)
    table["target"] = table["target"].astype("category")
    model = arf.arf(table, verbose=False, random_state=seed)
    model.forde()
    return by_class(lambda c: model.forge(len(X)), to_add)


METHODS = {
    "polynom-fit": smote_variants("polynom_fit_SMOTE_star"),
    "prowsyn": smote_variants("ProWSyn"),
    "geometric": geometric,
    "ctgan": deep("CTGAN"),
    "tvae": deep("TVAE"),
    "arf": random_forest,
}


def frame(X, y):
    return pd.DataFrame(X).add_prefix("x").assign(target=y)


def by_class(draw, to_add):
    """Rows of each class out of draws that hold any."""
    parts = []
    for label, wanted in enumerate(to_add):
        kept = []
        for _ in range(ROUNDS):
            if sum(map(len, kept)) >= wanted:
                break
            rows = draw(label)
            kept.append(rows[rows["target"].astype(int) == label].drop(columns="target"))
        X = np.concatenate([*kept, np.empty((0, kept[0].shape[1]))]) if kept else None
        if wanted and len(X) < wanted:
            raise ValueError(f"{len(X)} of {wanted} rows of class {label} were made.")
        if wanted:
            parts.append((X[:wanted].astype(float), np.full(wanted, label)))
    return tuple(np.concatenate(side) for side in zip(*parts, strict=True))


def run(job):
    def stop(*_):
        raise TimeoutError(f"stopped after {job['seconds']} s")

    with np.load(job["path"]) as table:
        X, y = table["X"], table["y"]
    random.seed(job["seed"])
    np.random.seed(job["seed"] % 2**32)
    if not any(job["to_add"]):
        return X[:0], y[:0]
    signal.signal(signal.SIGALRM, stop)
    # Again every second, should something inside swallow the first.
    signal.setitimer(signal.ITIMER_REAL, job["seconds"], 1)
    try:
        return METHODS[job["method"]](X, y, job["to_add"], job["seed"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    replies, sys.stdout = sys.stdout, sys.stderr  # libraries print
    logging.disable(logging.INFO)
    for line in sys.stdin:
        job, error = json.loads(line), None
        try:
            X, y = run(job)
            if not np.isfinite(X).all():
                raise ValueError("Rows made hold missing or infinite values.")
            np.savez(job["path"], X=X, y=y)
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
        print(json.dumps({"error": error}), file=replies, flush=True)


if __name__ == "__main__":
    main()
