"""Seconds and peak memory of gansampler, SMOTE and CTGAN, side by side.

    python benchmarks/speed.py            measure what is missing, print the tables
    python benchmarks/speed.py --table    print the tables of what has been measured

Every run is a fresh process held to one core, without a GPU. Seconds are wall-clock time
of fitting and sampling: imports and the making of the table are left out, and so is what
torch imports when its first optimizer is made. Peak memory is that of the process; in
brackets, what it rose above the peak of imports and table.

CTGAN is at its defaults and in an environment of its own, which the script builds. It is
asked for rows of the minority class, which it makes likely but does not guarantee.
Results are kept after every run: an interrupted benchmark goes on where it was.
"""

# Only the standard library up here: each environment lacks what the other has, and Linux
# hands the memory peak of a process on to those that it starts.
from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CTGAN_ENV = HERE / ".envs" / "ctgan"
CTGAN_REQUIREMENTS = ["torch==2.13.0", "ctgan==0.12.1"]
PYTHONS = {"project": sys.executable, "ctgan": str(CTGAN_ENV / "bin" / "python")}
PACKAGES = {
    "project": "gansampler imbalanced-learn numpy scikit-learn scipy torch",
    "ctgan": "ctgan numpy pandas rdt scikit-learn scipy torch",
}
ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",  # CTGAN would transform columns in a process per core
    "CUDA_VISIBLE_DEVICES": "",
}
SHAPES = [(150, 100), (200, 1000), (500, 2000), (5000, 50)]
STEP_SHAPES = [(200, 100), (200, 1000), (200, 5000)]
REPEATS = 3

Run = dict[str, float]
Cell = dict[str, list[Run]]


# The worker: one run, in either environment.


def make_table(rows: int, columns: int) -> tuple[Any, Any]:
    """Ten factors, three shifted in the minority of 20%; a third of columns lognormal."""
    import numpy as np

    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(rows) < 0.2 * rows).astype(int))
    factors = rng.normal(size=(rows, 10))
    factors[:, :3] += y[:, None]
    X = factors @ rng.normal(scale=0.3, size=(10, columns))
    X += rng.normal(scale=0.5, size=X.shape)
    X[:, ::3] = np.exp(X[:, ::3])
    return X, y


def peak_mib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


@contextmanager
def measured() -> Iterator[Run]:
    if "torch" in sys.modules:
        import torch._dynamo  # which the first optimizer made would import

        torch.set_num_threads(1)
    run: Run = {}
    before, start = peak_mib(), time.perf_counter()
    yield run
    run["seconds"] = time.perf_counter() - start
    run["peak_mib"] = peak_mib()
    run["rise_mib"] = run["peak_mib"] - before


def run_gansampler(X: Any, y: Any, limit: int) -> Run:
    from gansampler import GANOverSampler

    sampler = GANOverSampler(random_state=0)
    with measured() as run:
        sampler.fit_resample(X, y)
    return {**run, "steps": sampler.history_["n_iter"]}


def run_smote(X: Any, y: Any, limit: int) -> Run:
    from imblearn.over_sampling import SMOTE

    with measured() as run:
        SMOTE(random_state=0).fit_resample(X, y)
    return run


def run_ctgan(X: Any, y: Any, limit: int) -> Run:
    import pandas as pd
    from ctgan import CTGAN

    def stop(*_: Any) -> None:
        raise TimeoutError

    table = pd.DataFrame(X).add_prefix("x").assign(target=y)
    model = CTGAN()
    model.set_random_state(0)
    signal.signal(signal.SIGALRM, stop)
    with measured() as run:
        # Again every second, should something inside swallow the first.
        signal.setitimer(signal.ITIMER_REAL, limit, 1)
        try:
            model.fit(table, ["target"])
            model.sample(int((y == 0).sum() - (y == 1).sum()), "target", 1)
        except TimeoutError:
            run["limit"] = limit
        signal.setitimer(signal.ITIMER_REAL, 0)
    # One row of losses an epoch; there are none while columns are being transformed.
    return {**run, "epochs": 0 if model.loss_values is None else len(model.loss_values)}


def run_steps(X: Any, y: Any, limit: int) -> Run:
    from gansampler import TabularGAN

    def fit(max_iter: int) -> float:
        with measured() as run:
            TabularGAN(early_stopping=False, max_iter=max_iter, random_state=0).fit(X, y)
        return run["seconds"]

    fit(1)  # else what torch loads at its first step counts in only one of the two
    with measured() as run:
        step_ms = (fit(300) - fit(100)) / 200 * 1000
    return {**run, "step_ms": step_ms}


RUNS = {
    "gansampler": (run_gansampler, "project"),
    "SMOTE": (run_smote, "project"),
    "CTGAN": (run_ctgan, "ctgan"),
    "steps": (run_steps, "project"),
}


def describe(environment: str) -> dict[str, str]:
    versions = {name: metadata.version(name) for name in PACKAGES[environment].split()}
    return {"Python": platform.python_version(), **versions}


# The script: starts workers, keeps and prints what they report.


def build_ctgan_env() -> None:
    marker, wanted = CTGAN_ENV / "ready", "\n".join(CTGAN_REQUIREMENTS)
    if marker.exists() and marker.read_text() == wanted:
        return
    print("Building the environment of CTGAN.", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(CTGAN_ENV)], check=True)
    pip_install = [PYTHONS["ctgan"], "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip_install, *CTGAN_REQUIREMENTS], check=True)
    marker.write_text(wanted)


def call(environment: str, *arguments: object) -> dict[str, Any]:
    command = [PYTHONS[environment], "-W", "ignore", __file__, *map(str, arguments)]
    env = os.environ | ONE_CORE
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def describe_machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    cpu = models[0] if models else platform.processor()
    return {"system": platform.system(), "cpu": cpu, "cores": os.cpu_count()}


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {"setup": {}, "cells": {}}


def save(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n")
    partial.replace(path)


def load_valid(args: argparse.Namespace) -> dict[str, Any]:
    """Results so far, less those of other versions and those to be measured again."""
    old = load(args.results)
    setup = {name: call(name, "--describe", name) for name in PYTHONS}
    setup["machine"] = describe_machine()
    changed = {name for name in setup if setup[name] != old["setup"].get(name)}
    forced = set(RUNS) if args.force == [] else set(args.force or [])
    planned = {f"{rows}x{columns}" for rows, columns in [*args.shapes, *STEP_SHAPES]}

    def valid(shape: str, method: str, runs: list[Run]) -> bool:
        if {"machine", RUNS[method][1]} & changed:
            return False
        # A CTGAN that ran into a limit gets another go when there is more time.
        cut_short = any(run.get("limit", math.inf) < args.ctgan_limit for run in runs)
        return shape not in planned or not (method in forced or cut_short)

    cells = {
        shape: {method: runs for method, runs in cell.items() if valid(shape, method, runs)}
        for shape, cell in old["cells"].items()
    }
    return {"setup": setup, "cells": cells}


def measure(args: argparse.Namespace) -> int:
    """Measure what is missing; returns the number of runs that failed."""
    build_ctgan_env()
    results = load_valid(args)
    # Interleaved, so that whatever else the machine does meets both alike; the slow last.
    both = ("gansampler", "SMOTE")
    plan = [(method, s) for s in args.shapes for _ in range(REPEATS) for method in both]
    plan += [("steps", s) for _ in range(REPEATS) for s in STEP_SHAPES]
    plan += [("CTGAN", s) for s in args.shapes]
    n_failed = 0
    for i, (method, (rows, columns)) in enumerate(plan):
        shape = f"{rows}x{columns}"
        runs = results["cells"].setdefault(shape, {}).setdefault(method, [])
        if len(runs) > plan[:i].count(plan[i]):
            continue
        job = ["--worker", method, "--rows", rows, "--columns", columns]
        try:
            runs.append(call(RUNS[method][1], *job, "--ctgan-limit", args.ctgan_limit))
        except subprocess.CalledProcessError as error:
            print(f"{method} {shape} failed: {error.returncode}", file=sys.stderr)
            n_failed += 1
        else:
            print(f"{method} {shape}: {runs[-1]['seconds']:.3g} s", file=sys.stderr)
            save(args.results, results)
    return n_failed


def median(runs: list[Run], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def short(number: float) -> str:
    return f"{float(f'{number:.3g}'):g}"


def tables(results: dict[str, Any]) -> str:
    cells: list[tuple[str, Cell]] = list(results["cells"].items())
    cells.sort(key=lambda item: parse_shapes(item[0]))
    lines = []
    for setup in results["setup"].values():
        lines += [", ".join(f"{name} {value}" for name, value in setup.items()), ""]
    lines += [
        "| rows x columns | method | trained | seconds | times gansampler | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    for shape, cell in cells:
        ours = median(cell["gansampler"], "seconds") if cell.get("gansampler") else math.nan
        for method in ("gansampler", "SMOTE", "CTGAN"):
            if runs := cell.get(method):
                more = "> " if "limit" in runs[0] else ""
                trained = [f"{runs[0][k]} {k}" for k in ("steps", "epochs") if k in runs[0]]
                seconds = median(runs, "seconds")
                peak, rise = (f"{median(runs, k):.0f}" for k in ("peak_mib", "rise_mib"))
                row = [shape, method, "".join(trained), more + short(seconds)]
                row += [more + short(seconds / ours), f"{peak} (+{rise})"]
                lines.append(f"| {' | '.join(row)} |")
    lines += ["", "| rows x columns | ms for a training step |", "|---|---|"]
    for shape, cell in cells:
        if cell.get("steps"):
            lines.append(f"| {shape} | {median(cell['steps'], 'step_ms'):.2f} |")
    return "\n".join(lines)


def parse_shapes(text: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, shape.split("x"))) for shape in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--table", action="store_true", help="only print the tables")
    add("--force", nargs="*", choices=RUNS, help="measure again, all or only these")
    add("--shapes", type=parse_shapes, default=SHAPES, metavar="60x20,...")
    add("--ctgan-limit", type=int, default=3600, metavar="SECONDS")
    add("--results", type=Path, default=HERE / "results" / "speed.json")
    add("--worker", choices=RUNS, help="run once, print a line of JSON")
    add("--rows", type=int, help="of the worker's table")
    add("--columns", type=int, help="of the worker's table")
    add("--describe", choices=PACKAGES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.describe:
        print(json.dumps(describe(args.describe)))
    elif args.worker:
        data = make_table(args.rows, args.columns)
        print(json.dumps(RUNS[args.worker][0](*data, args.ctgan_limit)))
    else:
        n_failed = 0 if args.table else measure(args)
        print(tables(load(args.results)))
        return int(n_failed > 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
