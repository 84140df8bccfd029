"""Does `diagnose` name what is wrong? Generators whose fault is known.

    python benchmarks/known_answers.py                      # simulated truths, two cores
    python benchmarks/known_answers.py --tables ../shared/data/radmlbench
    python benchmarks/known_answers.py --report             # print the tables again

Two simulated truths of two classes with n rows each, the second class of two modes:
`factors` is skewed and correlated, `clusters` heavy-tailed around the modes. On real tables
one half of every class plays the rows trained on, the other half fresh rows; classes of
fewer than 30 rows in a half are left out. Each generator is run `--repeats` times and its
verdict on every class counted. Results are cached in results/known_answers.json, one entry
a setting, and a run goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from joblib import Parallel, delayed
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from threadpoolctl import threadpool_limits

from gansampler import diagnose

RESULTS = Path(__file__).parent / "results" / "known_answers.json"
MIN_ROWS = 30
"""Real rows of a class from which on it is counted."""


# Truths: draw(n rows a class, rng) -> X, y and the mode of each row


def factors(d: int, seed: int) -> Callable:
    world = np.random.default_rng(seed)
    loadings = world.normal(size=(8, d)) * (world.random((8, d)) < 0.4)
    shift = world.normal(size=d)
    between_modes = 1.5 * world.normal(size=8)

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        y = np.repeat([0, 1], n)
        mode = np.where(y == 1, rng.integers(2, size=2 * n), 0)
        sources = rng.normal(size=(2 * n, 8)) + (mode - y / 2)[:, None] * between_modes
        z = sources @ loadings + rng.normal(size=(2 * n, d)) + y[:, None] * shift
        return np.exp(z / 3), y, mode

    return draw


def clusters(d: int, seed: int) -> Callable:
    world = np.random.default_rng(seed)
    centres = world.normal(size=(3, d)) * 0.8
    mixing = world.normal(size=(d, 12)) / 3

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        y = np.repeat([0, 1], n)
        mode = np.where(y == 1, rng.integers(2, size=2 * n), 0)
        noise = rng.normal(size=(2 * n, 12)) @ mixing.T + rng.normal(size=(2 * n, d)) / 2
        tails = np.sqrt(5 / rng.chisquare(5, size=(2 * n, 1)))
        return centres[y + mode] + noise * tails, y, mode

    return draw


TRUTHS = {"factors": factors, "clusters": clusters}


@dataclass
class Case:
    """Rows trained on, as many fresh ones, and more fresh ones with their modes."""

    X: np.ndarray
    y: np.ndarray
    fresh: np.ndarray
    fresh_y: np.ndarray
    reserve: np.ndarray
    reserve_y: np.ndarray
    mode: np.ndarray | None = None


def simulated(truth: str, n: int, d: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    draw = TRUTHS[truth](d, seed)
    X, y, _ = draw(n, rng)
    return Case(X, y, *draw(n, rng)[:2], *draw(4 * n, rng))


def halves(path: Path, seed: int) -> Case:
    """Half of every class of a real table trained on, the other half fresh."""
    table = pd.read_csv(path, compression="gzip")
    X = table.drop(columns=["ID", "Target"]).to_numpy(float)
    y = table["Target"].to_numpy()
    sides: tuple[list, list] = ([], [])
    for c in np.unique(y):
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(y == c))
        for side in (0, 1):
            sides[side].append(rows[side * (len(rows) // 2) :][: len(rows) // 2])
    a, b = (np.concatenate(side) for side in sides)
    return Case(X[a], y[a], X[b], y[b], X[b], y[b])


# Generators: (case, rng) -> synthetic rows and their classes


def fresh_rows(case, rng):
    return case.fresh, case.fresh_y


def jitter(share: float) -> Callable:
    """Copies, each moved by a share of the distance to its nearest neighbour."""

    def generate(case, rng):
        spread = case.X.std(axis=0)
        spread[spread == 0] = 1
        rows = np.empty_like(case.fresh)
        for c in np.unique(case.y):
            Z, mine = case.X[case.y == c] / spread, case.fresh_y == c
            distance = cdist(Z, Z)
            np.fill_diagonal(distance, np.inf)
            chosen = rng.integers(len(Z), size=mine.sum())
            step = rng.normal(size=(len(chosen), Z.shape[1]))
            step /= np.linalg.norm(step, axis=1, keepdims=True)
            step *= share * distance.min(axis=1)[chosen, None]
            rows[mine] = (Z[chosen] + step) * spread
        return rows, case.fresh_y

    return generate


def some_copies(case, rng):
    """Fresh rows, a fifth of which are copies."""
    copies, _ = jitter(0)(case, rng)
    copied = rng.random(len(copies)) < 0.2
    return np.where(copied[:, None], copies, case.fresh), case.fresh_y


def few_points(case, rng):
    """Five fresh rows a class, again and again."""
    rows = np.empty_like(case.fresh)
    for c in np.unique(case.y):
        mine = np.flatnonzero(case.fresh_y == c)
        rows[mine] = case.fresh[rng.choice(mine[:5], size=len(mine))]
    return rows, case.fresh_y


def mean_only(case, rng):
    """The mean of the class with a twentieth of its spread."""
    rows = 0.05 * case.X.std(axis=0) * rng.normal(size=case.fresh.shape)
    for c in np.unique(case.y):
        rows[case.fresh_y == c] += case.X[case.y == c].mean(axis=0)
    return rows, case.fresh_y


def missing_class(case, rng):
    kept = case.fresh_y == case.fresh_y[0]
    return case.fresh[kept], case.fresh_y[kept]


def half_mode(case, rng):
    """Fresh rows, those of class 1 from one of its two modes only."""
    mine = case.fresh_y == 1
    of_mode = case.reserve[(case.reserve_y == 1) & (case.mode == 0)]
    rows = case.fresh.copy()
    rows[mine] = of_mode[: mine.sum()]
    return rows, case.fresh_y


def blurred(amount: float) -> Callable:
    """Fresh rows plus noise, in standard deviations of each column."""

    def generate(case, rng):
        noise = amount * case.X.std(axis=0) * rng.normal(size=case.fresh.shape)
        return case.fresh + noise, case.fresh_y

    return generate


def shuffled(case, rng):
    """Columns of fresh rows shuffled independently within the class."""
    rows = case.fresh.copy()
    for c in np.unique(case.y):
        rows[case.fresh_y == c] = rng.permuted(rows[case.fresh_y == c], axis=0)
    return rows, case.fresh_y


def swapped(share: float) -> Callable:
    """Fresh rows, a share of each class drawn from the others."""

    def generate(case, rng):
        rows = case.fresh.copy()
        for c in np.unique(case.y):
            others = rng.permutation(np.flatnonzero(case.reserve_y != c))
            mine = np.flatnonzero(case.fresh_y == c)
            wrong = mine[rng.random(len(mine)) < share]
            rows[wrong] = case.reserve[np.resize(others, len(wrong))]
        return rows, case.fresh_y

    return generate


def gaussian(case, rng):
    """A Gaussian with shrunk covariance, fitted to each class."""
    rows = np.empty_like(case.fresh)
    for c in np.unique(case.y):
        fit = LedoitWolf().fit(case.X[case.y == c])
        ridge = 1e-9 * np.diag(case.X.var(axis=0) + 1)
        root = np.linalg.cholesky(fit.covariance_ + ridge)
        mine = case.fresh_y == c
        noise = rng.normal(size=(mine.sum(), rows.shape[1]))
        rows[mine] = fit.location_ + noise @ root.T
    return rows, case.fresh_y


def smote(case, rng):
    rows = np.empty_like(case.fresh)
    for c in np.unique(case.y):
        real, mine = case.X[case.y == c], case.fresh_y == c
        # SMOTE fills a class up to the largest: one of the size wanted stands beside it.
        beside = np.zeros((len(real) + mine.sum(), rows.shape[1]))
        labels = np.repeat([1, 0], [len(real), len(beside)])
        sampler = SMOTE(random_state=int(rng.integers(2**31)))
        X, _ = sampler.fit_resample(np.concatenate([real, beside]), labels)
        rows[mine] = X[len(labels) :]
    return rows, case.fresh_y


# name -> generator, the verdict that is right, and the class that is judged (None: all)
GENERATORS: dict[str, tuple[Callable, str, int | None]] = {
    "fresh": (fresh_rows, "healthy", None),
    "Gaussian fit": (gaussian, "not memorizing", None),
    "copies": (jitter(0), "memorizing", None),
    "copies, jitter .1": (jitter(0.1), "memorizing", None),
    "copies, jitter .3": (jitter(0.3), "memorizing", None),
    "copies, jitter .6": (jitter(0.6), "memorizing", None),
    "20% copies": (some_copies, "memorizing", None),
    "five points": (few_points, "collapsed", None),
    "mean only": (mean_only, "collapsed", None),
    "class missing": (missing_class, "collapsed", 1),
    "one of two modes": (half_mode, "collapsed", 1),
    "blurred, .5 sd": (blurred(0.5), "underfit", None),
    "blurred, 1 sd": (blurred(1.0), "underfit", None),
    "columns shuffled": (shuffled, "underfit", None),
    "30% swapped": (swapped(0.3), "label-noise", None),
    "50% swapped": (swapped(0.5), "label-noise", None),
    "SMOTE": (smote, "interpolating", None),
}


def run_once(make_case: Callable[[], Case], names: list[str], seed: int) -> dict:
    """Verdicts of one repeat: generator -> class -> verdict."""
    case = make_case()
    n_real = Counter(case.y.tolist())
    verdicts = {}
    with threadpool_limits(1):
        for i, name in enumerate(names):
            generate, _, judged = GENERATORS[name]
            X, y = generate(case, np.random.default_rng([seed, i]))
            diagnosis = diagnose(
                case.X, case.y, X, y, n_permutations=199, random_state=seed
            )
            verdicts[name] = {
                str(c): verdict
                for c, verdict in diagnosis.verdicts_.items()
                if judged in (None, c) and n_real[c] >= MIN_ROWS
            }
    return verdicts


def count(runs: list[dict]) -> dict[str, dict[str, int]]:
    """Generator -> verdict -> classes that got it."""
    counts: dict[str, Counter] = {}
    for run in runs:
        for name, by_class in run.items():
            counts.setdefault(name, Counter()).update(by_class.values())
    return {name: dict(counter) for name, counter in counts.items()}


def right_share(name: str, counter: dict[str, int]) -> float:
    wanted = GENERATORS[name][1]
    total = sum(counter.values())
    if wanted == "not memorizing":
        return 1 - counter.get("memorizing", 0) / total
    return counter.get(wanted, 0) / total


def report(results: dict[str, dict]) -> str:
    """Share of classes judged rightly, and what the others were called."""
    settings = list(results)
    lines = [
        "| generator | right verdict | " + " | ".join(settings) + " |",
        "|---|---|" + "---|" * len(settings),
    ]
    for name, (_, wanted, _) in GENERATORS.items():
        cells = []
        for setting in settings:
            counter = results[setting]["verdicts"].get(name)
            if not counter:
                cells.append("")
                continue
            others = {k: v for k, v in counter.items() if k != wanted}
            total = sum(counter.values())
            most = max(others, key=others.get) if others else ""
            cell = f"{100 * right_share(name, counter):.0f}"
            if others and others[most] / total >= 0.01 and wanted != "not memorizing":
                cell += f" ({most} {100 * others[most] / total:.0f})"
            cells.append(cell)
        lines.append(f"| {name} | {wanted} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--rows", nargs="+", type=int, default=[30, 100, 300])
    parser.add_argument("--columns", nargs="+", type=int, default=[50, 500])
    parser.add_argument("--truths", nargs="+", choices=TRUTHS, default=list(TRUTHS))
    parser.add_argument("--generators", nargs="+", choices=GENERATORS)
    parser.add_argument("--tables", type=Path, help="folder of tables: these instead")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="only print the tables")
    arguments = parser.parse_args()

    results = {}
    if arguments.results.exists():
        results = json.loads(arguments.results.read_text())
    names = arguments.generators or list(GENERATORS)
    settings: dict[str, Callable[[int], Case]] = {}
    if arguments.tables:
        names = [name for name in names if name != "one of two modes"]
        for path in sorted(arguments.tables.glob("*.gz")):
            settings[path.stem] = partial(halves, path)
    else:
        for d in arguments.columns:
            for n in arguments.rows:
                for truth in arguments.truths:
                    settings[f"{truth}, n={n}, d={d}"] = partial(simulated, truth, n, d)
    with Parallel(arguments.jobs) as parallel:
        for setting, make in settings.items():
            if arguments.report or setting in results:
                continue
            begin = time.perf_counter()
            seeds = range(arguments.seed, arguments.seed + arguments.repeats)
            runs = parallel(
                delayed(run_once)(partial(make, seed), names, seed) for seed in seeds
            )
            results[setting] = {
                "repeats": arguments.repeats,
                "verdicts": count(runs),
                "seconds": round(time.perf_counter() - begin),
            }
            arguments.results.write_text(json.dumps(results, indent=1) + "\n")
            print(report({setting: results[setting]}), flush=True)
    print(report(results))


if __name__ == "__main__":
    main()
