"""ComBat beside neuroCombat, and what it leaves of sites and labels.

    python benchmarks/combat.py

1. `equal`: largest difference to neuroCombat, on shared cases. It is installed into
   .envs/combat. (combatlearn, the other one, takes the prior over sites rather than over
   features, and has other results.)
2. `planted`: a planted site effect and a planted label, five folds, eight seeds: AUC of
   site and label in held-out rows.
3. `label`: classes unequal between sites, with and without a label to be found, with and
   without `preserve_y`.

Ten minutes on one core, most of it random forests.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ENV = Path(__file__).parent / ".envs" / "combat"
PYTHON = ENV / "bin" / "python"
REQUIREMENTS = ["neuroCombat==0.2.12", "numpy==2.4.6", "pandas==3.1.1"]
RESULTS = Path(__file__).parent / "results" / "combat.json"

TABLES = {
    "2 sites, 60 x 40": (2, 60, 40),
    "4 sites, 120 x 1000": (4, 120, 1000),
    "4 sites, 40 x 200": (4, 40, 200),
}
CASES = {
    "plain": ({}, {}, False),
    "covariates": ({}, {}, True),
    "reference site": ({"reference_site": "B"}, {"ref_batch": "B"}, False),
    "reference site, covariates": ({"reference_site": "B"}, {"ref_batch": "B"}, True),
    "mean only": ({"mean_only": True}, {"mean_only": True}, False),
    "mean only, covariates": ({"mean_only": True}, {"mean_only": True}, True),
    "no empirical Bayes": ({"empirical_bayes": False}, {"eb": False}, False),
    "no empirical Bayes, covariates": ({"empirical_bayes": False}, {"eb": False}, True),
}


def make_table(n_sites: int, n: int, d: int, seed: int = 0):
    """Rows of sites with shifts and scales, that depend on age and sex as well."""
    rng = np.random.RandomState(seed)
    names = np.array(list("ABCD"))[:n_sites]
    sites = names[
        np.r_[np.arange(n_sites).repeat(3), rng.randint(0, n_sites, n - 3 * n_sites)]
    ]
    # neuroCombat takes covariates to single precision.
    age, sex = rng.randint(20, 80, n).astype(float), rng.choice(["f", "m"], n)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, d) + 5 * rng.normal(size=d)
    X += 0.02 * np.outer(age, rng.normal(size=d)) + np.outer(sex == "m", rng.normal(size=d))
    for i, name in enumerate(names):
        rows = sites == name
        X[rows] = X[rows] * (1 + 0.5 * i + 0.1 * rng.uniform(size=d)) + i * rng.normal(
            size=d
        )
    return X, sites, pd.DataFrame({"age": age, "sex": sex})


def neurocombat(source: str, target: str) -> None:
    """All cases on one table; runs in the environment of neuroCombat."""
    vars(np)["int"] = int  # which NumPy had when neuroCombat was written
    run = importlib.import_module("neuroCombat").neuroCombat
    held = np.load(source)
    covars = pd.DataFrame({name: held[name] for name in ("site", "age", "sex")})
    out = {}
    for name, (_, params, has_covariates) in CASES.items():
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            out[name] = run(
                dat=held["X"].T.copy(),
                covars=covars,
                batch_col="site",
                categorical_cols=["sex"] if has_covariates else [],
                continuous_cols=["age"] if has_covariates else [],
                **params,
            )["data"].T
    np.savez(target, **out)


def equal() -> dict[str, dict[str, float]]:
    from gansampler import ComBat

    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENV)], check=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *REQUIREMENTS], check=True)
    found = {}
    for title, sizes in TABLES.items():
        X, sites, covariates = make_table(*sizes)
        with tempfile.TemporaryDirectory() as folder:
            source, target = f"{folder}/in.npz", f"{folder}/out.npz"
            np.savez(
                source,
                X=X,
                site=sites,
                age=covariates["age"],
                sex=covariates["sex"].to_numpy(dtype="U1"),
            )
            command = [str(PYTHON), __file__, "--neurocombat", source, target]
            subprocess.run(command, check=True)
            theirs = dict(np.load(target))
        found[title] = {
            name: float(
                np.abs(
                    ComBat(**params).fit_transform(
                        X, sites=sites, covariates=covariates if has_covariates else None
                    )
                    - theirs[name]
                ).max()
            )
            for name, (params, _, has_covariates) in CASES.items()
        }
        print(title, found[title], flush=True)
    return found


def plant(seed: int, *, n=200, d=50, loading=0.0, skew=0.0, effect=0.8):
    """Two sites that shift and scale features; a label that raises the first of them.

    `loading` of five factors makes features correlated; `skew` makes classes unequal
    between sites: .5 - skew of the rows of A are of class 1, and .5 + skew of those of B.
    """
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat(["A", "B"], n // 2))
    y = (rng.uniform(size=n) < np.where(sites == "A", 0.5 - skew, 0.5 + skew)).astype(int)
    X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) * loading + rng.normal(
        size=(n, d)
    )
    X[:, : max(3, d // 20)] += effect * y[:, None]
    B = sites == "B"
    X[B] = X[B] * np.exp(0.2 + 0.15 * rng.normal(size=d)) + 0.5 + 0.5 * rng.normal(size=d)
    return X, y, sites


def arms(tables, harmonizers) -> dict[str, dict[str, dict[str, float]]]:
    """Mean, least and greatest AUC over tables, by arm and column of the report."""
    from gansampler.harmonize import harmonization_report

    reports = [
        harmonization_report(*table, harmonizers=harmonizers, random_state=seed).table_
        for seed, table in enumerate(tables)
    ]
    found = {}
    for arm in harmonizers:
        rows = pd.DataFrame([report.loc[arm] for report in reports])
        rows = rows[[c for c in rows if not c.endswith(("_low", "_high"))]]
        found[arm] = {
            column: {
                "mean": float(values.mean()),
                "least": float(values.min()),
                "greatest": float(values.max()),
            }
            for column, values in rows.items()
        }
        told = {c: round(v["mean"], 2) for c, v in found[arm].items()}
        print(
            f"  {arm}: {told}, site_linear up to {rows['site_linear'].max():.2f}",
            flush=True,
        )
    return found


def planted(n_seeds: int) -> dict[str, dict]:
    from gansampler import ComBat

    harmonizers = {
        "none": None,
        "ComBat": ComBat(),
        "ComBat(reference_site='A')": ComBat(reference_site="A"),
        "ComBat(empirical_bayes=False)": ComBat(empirical_bayes=False),
    }
    settings = {
        "200 x 50, independent features": {},
        "400 x 50, correlated features": {"n": 400, "loading": 0.6},
        "200 x 50, correlated features": {"loading": 0.6},
        "200 x 300, correlated features": {"d": 300, "loading": 0.6},
    }
    found = {}
    for title, setting in settings.items():
        print(title, flush=True)
        found[title] = arms([plant(s, **setting) for s in range(n_seeds)], harmonizers)
    return found


def label(n_seeds: int) -> dict[str, dict]:
    from gansampler import ComBat

    harmonizers = {
        "none": None,
        "ComBat": ComBat(),
        "ComBat(preserve_y=True)": ComBat(preserve_y=True),
    }
    found = {}
    for skew in (0.0, 0.3):
        for effect in (0.0, 0.8):
            shares = f"{0.5 - skew:.1f} and {0.5 + skew:.1f} of class 1 at the sites"
            title = f"{shares}, effect {effect:.1f}"
            print(title, flush=True)
            tables = [plant(s, skew=skew, effect=effect) for s in range(n_seeds)]
            found[title] = arms(tables, harmonizers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--neurocombat", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=["equal", "planted", "label"])
    parser.add_argument("--seeds", type=int, default=8)
    args = parser.parse_args()
    if args.neurocombat:
        neurocombat(*args.neurocombat)
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parts = {
        "equal": equal,
        "planted": lambda: planted(args.seeds),
        "label": lambda: label(args.seeds),
    }
    for name, part in parts.items():
        if args.only in (None, name):
            results[name] = part()
            RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
