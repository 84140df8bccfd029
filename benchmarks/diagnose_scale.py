"""Seconds and peak memory of `diagnose` as tables grow, each in a process of its own.

    python benchmarks/diagnose_scale.py            # about 5 minutes on two cores
    python benchmarks/diagnose_scale.py --table    # print the table from the cached results

As many synthetic rows as real ones, two classes, 999 exchanges. Results are cached in
results/diagnose_scale.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "diagnose_scale.json"
SIZES = [
    (100, 100),
    (1000, 100),
    (10_000, 100),
    (100_000, 100),
    (200, 1000),
    (200, 5000),
]


def run(n: int, d: int) -> dict[str, float]:
    from gansampler import diagnose

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(10, d))
    tables = []
    for _ in ("real", "synthetic"):
        y = np.arange(n) % 2
        X = (rng.normal(size=(n, 10)) + y[:, None]) @ mixing + rng.normal(size=(n, d))
        tables += [X, y]
    begin = time.perf_counter()
    diagnosis = diagnose(*tables, random_state=0)
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "verdicts": [str(v) for v in diagnosis.verdicts_.values()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print the cached table")
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(*arguments.one)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for n, d in SIZES:
        key = f"{n} x {d}"
        if key not in results and not arguments.table:
            command = [sys.executable, __file__, "--one", str(n), str(d)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[key] = json.loads(done.stdout)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print("| real rows x columns | seconds | peak MiB | verdicts |\n|---|---|---|---|")
    for key, found in results.items():
        verdicts = ", ".join(found["verdicts"])
        print(f"| {key} | {found['seconds']} | {found['peak MiB']} | {verdicts} |")


if __name__ == "__main__":
    main()
