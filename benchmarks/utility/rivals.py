"""Samplers that live in an environment of their own, spoken to through a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from rivals_env import PYTHON
from sklearn.base import BaseEstimator

WORKER = Path(__file__).with_name("rival_worker.py")
SECONDS = 900
"""What a rival may take for one fold; beyond, the fold counts as failed."""


@cache
def worker() -> subprocess.Popen:
    """One for each process of the study: importing torch takes longer than most fits."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    env["LOKY_MAX_CPU_COUNT"] = "1"  # CTGAN would start a process per core
    return subprocess.Popen(
        [PYTHON, "-W", "ignore", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )


class Rival(BaseEstimator):
    """An imbalanced-learn sampler in looks: a method of `rival_worker.py`, by its name."""

    def __init__(self, method, sampling_strategy, random_state, seconds=SECONDS):
        self.method = method
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state
        self.seconds = seconds

    def fit_resample(self, X, y):
        wanted = self.sampling_strategy(y)
        to_add = [wanted[label] - int((y == label).sum()) for label in (0, 1)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.npz"
            np.savez(path, X=X, y=y)
            job = {
                "method": self.method,
                "path": str(path),
                "to_add": to_add,
                "seed": self.random_state,
                "seconds": self.seconds,
            }
            process = worker()
            print(json.dumps(job), file=process.stdin, flush=True)
            reply = process.stdout.readline()
            if not reply:
                worker.cache_clear()
                raise RuntimeError(f"The worker of {self.method} died.")
            error = json.loads(reply)["error"]
            if error:
                raise RuntimeError(error)
            with np.load(path) as made:
                return np.concatenate([X, made["X"]]), np.concatenate([y, made["y"]])
