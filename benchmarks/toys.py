"""Is it a GAN? Distributions a Gaussian copula cannot make, before and after training.

    python benchmarks/toys.py                 # every row, about 70 minutes on one core
    python benchmarks/toys.py --toys ring     # one toy
    python benchmarks/toys.py --table         # print the table from the cached results

For each toy, 2,000 rows are learned and 2,000 drawn. `step 0`: one Gaussian a class, from
which the game starts; `--max-iter 0` judges a start of several modes in its place. `near`:
share of drawn rows within three standard deviations of a mode of their class (or of the
curve, for moons; real rows have about 0.99 in two columns; in d columns the radius is the
99% quantile of chi with d degrees of freedom). `covered`: modes with at least a quarter of
their due. `energy`: energy distance to fresh rows, over that between two fresh samples of
the same size, averaged over classes; `resampled`: the same for rows drawn with replacement
from the training rows not held out, which no generator can be expected to beat. Results are
cached in results/toys.json, one entry a setting.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import chi

from gansampler import TabularGAN
from gansampler.metrics import energy_distance

RESULTS = Path(__file__).parent / "results" / "toys.json"
N = 2000


@dataclass
class Toy:
    """Modes (n_modes, d), the class of each, and the standard deviation around them."""

    modes: np.ndarray
    classes: np.ndarray
    sigma: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        mode = rng.integers(len(self.modes), size=n)
        noise = self.sigma * rng.standard_normal((n, self.modes.shape[1]))
        return self.modes[mode] + noise, self.classes[mode]


def ring() -> Toy:
    angle = np.arange(8) * np.pi / 4
    return Toy(2 * np.c_[np.cos(angle), np.sin(angle)], np.zeros(8, int), 0.1)


def moons() -> Toy:
    t = np.linspace(0, np.pi, 40)
    upper, lower = np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)]
    return Toy(np.r_[upper, lower], np.repeat([0, 1], 40), 0.1)


def mixture(n_columns: int) -> Toy:
    rng = np.random.default_rng(n_columns)
    modes = rng.uniform(-3, 3, size=(9, n_columns))
    return Toy(modes, np.repeat([0, 1, 2], 3), 0.3)


TOYS = {
    "ring": ring,
    "moons": moons,
    "mixture, 2 columns": lambda: mixture(2),
    "mixture, 5 columns": lambda: mixture(5),
    "mixture, 10 columns": lambda: mixture(10),
}


def judge(toy: Toy, X: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """How close rows X of classes y come to the toy's truth."""
    rng = np.random.default_rng(10_000 + seed)
    distance = cdist(X, toy.modes)
    distance[y[:, None] != toy.classes[None, :]] = np.inf
    radius = toy.sigma * max(3.0, chi.ppf(0.99, toy.modes.shape[1]))
    near = distance.min(axis=1) <= radius
    hits = np.bincount(distance.argmin(axis=1)[near], minlength=len(toy.modes))
    ratios = []
    fresh, fresh_y = toy.draw(N, rng)
    for c in np.unique(toy.classes):
        truth, drawn = fresh[fresh_y == c], X[y == c]
        null = []
        for _ in range(5):
            other, other_y = toy.draw(N, rng)
            null.append(energy_distance(other[other_y == c][: len(drawn)], truth))
        ratios.append(energy_distance(drawn, truth) / np.mean(null))
    return {
        "near": float(near.mean()),
        "covered": float((hits >= len(X) / len(toy.modes) / 4).mean()),
        "energy": float(np.mean(ratios)),
    }


def run(name: str, start: str, max_iter: int, seed: int) -> dict:
    toy = TOYS[name]()
    X, y = toy.draw(N, np.random.default_rng(seed))
    gan = TabularGAN(start=start, max_iter=max_iter, random_state=seed)
    begin = time.perf_counter()
    gan.fit(X, y)
    seconds = time.perf_counter() - begin
    X_new, y_new = gan.sample(N)
    one = TabularGAN(start=start, n_modes=1, max_iter=0, random_state=seed).fit(X, y)
    X_start, y_start = one.sample(N)
    rng = np.random.default_rng(20_000 + seed)
    resampled = []
    for _ in range(5):
        rows = rng.choice(rng.permutation(N)[: 4 * N // 5], size=N)
        resampled.append(judge(toy, X[rows], y[rows], seed)["energy"])
    return {
        "step 0": judge(toy, X_start, y_start, seed),
        "trained": judge(toy, X_new, y_new, seed),
        "resampled": {"energy": float(np.mean(resampled))},
        "kept step": gan.best_iter_,
        "steps": gan.n_iter_,
        "seconds": round(seconds, 1),
    }


def table(results: dict[str, dict]) -> str:
    lines = [
        "| toy | start | max_iter | near, step 0 | near | covered | energy, step 0 "
        "| energy | resampled | kept step | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    settings = dict.fromkeys(key.rsplit(" | ", 1)[0] for key in results)
    for setting in settings:
        runs = [run for key, run in results.items() if key.startswith(setting + " | ")]

        def cell(stage: str, what: str, runs: list[dict] = runs) -> str:
            values = [run[stage][what] for run in runs]
            return f"{np.mean(values):.2f}"

        kept = np.mean([run["kept step"] for run in runs])
        seconds = np.mean([run["seconds"] for run in runs])
        cells = [
            cell("step 0", "near"),
            cell("trained", "near"),
            cell("trained", "covered"),
            cell("step 0", "energy"),
            cell("trained", "energy"),
            cell("resampled", "energy"),
            f"{kept:.0f}",
            f"{seconds:.0f}",
        ]
        lines.append(f"| {' | '.join([setting, *cells])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="+", choices=TOYS, default=list(TOYS))
    parser.add_argument("--max-iter", nargs="+", type=int, default=[2000, 20000])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only print the cached table")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not arguments.table:
        for max_iter in arguments.max_iter:
            for name in arguments.toys:
                # A normal start without a game is nothing to judge.
                for start in ("copula", "normal") if max_iter else ("copula",):
                    for seed in range(arguments.seeds):
                        key = f"{name} | {start} | {max_iter} | {seed}"
                        if key not in results:
                            results[key] = run(name, start, max_iter, seed)
                            print(key, results[key], flush=True)
                            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
