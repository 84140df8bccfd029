"""CPU seconds and peak memory of `fit_resample` as a table grows in rows, and in columns.

    python benchmarks/scale.py            measure what is missing, print tables, draw
    python benchmarks/scale.py --table    print the tables of what has been measured
    python benchmarks/scale.py --repeats 3 --largest 100000    the small ones thrice

Rows from 10^3 to 10^6 with 100 columns, of which 1% are the minority and as many are drawn
as the others have; columns from 10^2 to 2 * 10^4 with 500 rows, 20% of them the minority.
100 training steps each, all checks on, as by default.

Every run is a fresh process held to one core. Seconds are CPU time, which other work on
the machine disturbs less than the clock: the least of the repeats. Memory is the peak of
the process less that of the imports; the table itself, which is in it, stands beside it.
The slope is that of a line through all points in log-log, and `steepest` that between the
first and last of any three neighbours.
"""

# Only the standard library up here: Linux hands the memory peak of a process on to those
# that it starts.
from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "scale.json"
PICTURE = RESULTS.with_suffix(".png")
CURVES = {
    "rows": [(n, 100) for n in (1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)],
    "columns": [(500, d) for d in (100, 300, 1000, 3000, 10_000, 20_000)],
}
MINORITY = {"rows": 0.01, "columns": 0.2}
STEPS = 100
ONE_CORE = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
MEASURES = {"seconds": "CPU seconds", "rise_mib": "peak MiB"}

Results = dict[str, dict[str, list[dict[str, float]]]]


def make_table(rows: int, columns: int, minority: float) -> tuple[Any, Any]:
    """Ten factors, three of them shifted in the minority; noise."""
    import numpy as np

    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(rows) < minority * rows).astype(int))
    factors = rng.normal(size=(rows, 10))
    factors[:, :3] += y[:, None]
    X = factors @ rng.normal(scale=0.3, size=(10, columns))
    for part in np.array_split(X, 50):
        part += rng.normal(scale=0.5, size=part.shape)
    return X, y


def peak_mib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def run(rows: int, columns: int, minority: float) -> dict[str, float]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import torch
    import torch._dynamo  # which the first optimizer made would import

    from gansampler import GANOverSampler

    torch.set_num_threads(1)
    imported = peak_mib()
    X, y = make_table(rows, columns, minority)
    sampler = GANOverSampler(max_iter=STEPS, n_iter_no_change=STEPS, random_state=0)
    clock, cpu = time.perf_counter(), time.process_time()
    sampler.fit_resample(X, y)
    return {
        "seconds": round(time.process_time() - cpu, 2),
        "clock": round(time.perf_counter() - clock, 2),
        "rise_mib": round(peak_mib() - imported, 1),
        "table_mib": round(X.nbytes / 2**20, 1),
        "drawn": int(sampler.is_synthetic_.sum()),
        "steps": sampler.history_["n_iter"],
    }


def load() -> Results:
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {curve: found.get(curve, {}) for curve in CURVES}


def measure(repeats: int, largest: int) -> None:
    results = load()
    for curve, shapes in CURVES.items():
        for rows, columns in shapes:
            runs = results[curve].setdefault(f"{rows}x{columns}", [])
            while len(runs) < repeats and max(rows, columns) <= largest:
                command = [sys.executable, "-W", "ignore", __file__, "--one", curve]
                command += [str(rows), str(columns)]
                done = subprocess.run(
                    command, env=os.environ | ONE_CORE, stdout=subprocess.PIPE, check=True
                )
                runs.append(json.loads(done.stdout))
                print(f"{rows} x {columns}: {runs[-1]}", file=sys.stderr)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def curve_of(results: Results, curve: str, name: str) -> tuple[list[int], list[float]]:
    """Sizes that were measured, and the least of what was measured at each."""
    axis = 0 if curve == "rows" else 1
    found = [(s[axis], results[curve].get(f"{s[0]}x{s[1]}")) for s in CURVES[curve]]
    points = [(size, min(run[name] for run in runs)) for size, runs in found if runs]
    return [size for size, _ in points], [value for _, value in points]


def slopes(sizes: list[int], values: list[float]) -> tuple[float, float]:
    """In log-log: of a line through all points, and the steepest over three neighbours."""
    x, y = [[math.log(value) for value in side] for side in (sizes, values)]
    steps = [(y[i + 2] - y[i]) / (x[i + 2] - x[i]) for i in range(len(x) - 2)]
    return statistics.linear_regression(x, y).slope, max(steps)


def tables(results: Results) -> str:
    lines = []
    for curve, shapes in CURVES.items():
        lines += [
            f"| {curve} | rows drawn | CPU seconds | table MiB | peak MiB | over table |",
            "|---|---|---|---|---|---|",
        ]
        for rows, columns in shapes:
            if runs := results[curve].get(f"{rows}x{columns}"):
                least = {name: min(run[name] for run in runs) for name in runs[0]}
                lines.append(
                    f"| {rows if curve == 'rows' else columns:,} | {least['drawn']:,} "
                    f"| {least['seconds']:.3g} | {least['table_mib']:.3g} "
                    f"| {least['rise_mib']:.0f} "
                    f"| {least['rise_mib'] / least['table_mib']:.1f} |"
                )
        for name, title in MEASURES.items():
            points = curve_of(results, curve, name)
            if len(points[0]) > 2:
                slope, steepest = slopes(*points)
                lines.append(f"\n{title}: slope {slope:.2f}, steepest {steepest:.2f}.")
        lines.append("")
    return "\n".join(lines)


def draw(results: Results) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for row, curve in zip(axes, CURVES, strict=True):
        for ax, (name, title) in zip(row, MEASURES.items(), strict=True):
            sizes, values = curve_of(results, curve, name)
            ax.loglog(sizes, values, "o-", color="C0")
            linear = [values[-1] * size / sizes[-1] for size in sizes]
            ax.loglog(sizes, linear, ":", color="0.5", label="slope 1")
            if name == "rise_mib":
                label = "the table alone"
                table = curve_of(results, curve, "table_mib")[1]
                ax.loglog(sizes, table, "--", color="C1", label=label)
            ax.set(xlabel=curve, ylabel=title)
            ax.legend()
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print the tables")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each table")
    parser.add_argument("--largest", type=int, default=10**9, help="rows or columns")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        curve, rows, columns = arguments.one
        print(json.dumps(run(int(rows), int(columns), MINORITY[curve])))
        return
    if not arguments.table:
        measure(arguments.repeats, arguments.largest)
        draw(load())
    print(tables(load()))


if __name__ == "__main__":
    main()
