"""Row by row: how often does the copy check refuse fresh rows, and does it find copies?

    python benchmarks/copy_check.py          # about 3 minutes on one core

The skewed, correlated truth `factors` of known_answers.py, 50 columns, alpha .1, 200
repeats with as many new rows as real ones. `jitter`: copies moved by a share of the
distance to the nearest real row, in normal scores or in standardised columns. Distances of
the check are in normal scores, or, where it says "standard", in standardised columns.
Results go to results/copy_check.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from known_answers import factors
from scipy.spatial.distance import cdist

from gansampler import ConformalCopyCheck
from gansampler._encoding import NormalScores

RESULTS = Path(__file__).parent / "results" / "copy_check.json"
REPEATS, ALPHA = 200, 0.1


def moved(Z: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    distance = cdist(Z, Z)
    np.fill_diagonal(distance, np.inf)
    step = rng.normal(size=Z.shape)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    return Z + share * distance.min(axis=1)[:, None] * step


def refused(n: int, repeat: int) -> dict[str, float]:
    rng = np.random.default_rng([n, repeat])
    draw = factors(50, repeat)
    (X, y, _), (fresh, fresh_y, _) = draw(n, rng), draw(n, rng)
    X, fresh = X[y == 1], fresh[fresh_y == 1]
    check = ConformalCopyCheck(alpha=ALPHA).fit(X)
    standard = ConformalCopyCheck(alpha=ALPHA, scale="standard").fit(X)
    scores = NormalScores()
    Z = scores.fit_transform(X, np.random.RandomState(0))
    spread = X.std(axis=0)
    new = {"fresh": fresh, "copies": X}
    for share in (0.1, 0.3):
        new[f"jitter {share}, scores"] = scores.inverse_transform(moved(Z, share, rng))
        new[f"jitter {share}, columns"] = moved(X / spread, share, rng) * spread
    shares = {name: float((~check.accept(rows)).mean()) for name, rows in new.items()}
    for name in ("fresh", "jitter 0.3, columns"):
        shares[f"{name}, standard"] = float((~standard.accept(new[name])).mean())
    return shares


def main() -> None:
    results = {}
    for n in (20, 50, 100, 300):
        runs = [refused(n, repeat) for repeat in range(REPEATS)]
        results[n] = {
            name: {
                "refused": round(float(np.mean([run[name] for run in runs])), 4),
                "s.e.": round(float(np.std([run[name] for run in runs]) / REPEATS**0.5), 4),
            }
            for name in runs[0]
        }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    names = list(results[20])
    print("| n | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for n, found in results.items():
        cells = [f"{found[name]['refused']:.3f}" for name in names]
        print(f"| {n} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
