"""Do the measures agree with those of others?

    python benchmarks/oracles.py           # compare, half a minute
    python benchmarks/oracles.py --table   # print the table from the cached results

Needs the `bench` extra; an oracle that is not installed keeps its cached row. Random tables
of 6 to 80 rows and 1 to 30 columns, a third of them with ties. Each row gives the largest
absolute difference, where two differ by a known transformation after it:

- scipy's energy distance is the root of ours;
- hyppo's `Energy(bias=True)` is f times the distance covariance of rows and labels, with
  f = N^4 / (2 n^2 m^2) and N = n + m, but f belongs to the squared distance covariance:
  f dCov^2 is the energy distance, so ours is hyppo^2 / f. (Its `bias=False` takes off what
  chance gives: no multiple of ours.) The p-values do not depend on it; of 1,000 random
  permutations each, they differ by a standard deviation of up to .022.

Results are cached in results/oracles.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from gansampler import metrics

RESULTS = Path(__file__).parent / "results" / "oracles.json"
N_TABLES = 30
N_PERMUTATIONS = 1000
N_NEIGHBORS = 3

Tables = tuple[np.ndarray, np.ndarray]


def tables(seed: int) -> Tables:
    """Two samples of random size that differ by a random shift and scale."""
    rng = np.random.default_rng(seed)
    (n, m), d = rng.integers(6, 81, size=2), rng.integers(1, 31)
    real, synthetic = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    synthetic = synthetic * rng.uniform(0.7, 1.4) + rng.uniform(0, 0.5)
    if seed % 3 == 0:  # whole numbers: ties that no rounding breaks
        return (10 * real).round(), (10 * synthetic).round()
    return real, synthetic


def prdc_of_its_authors(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        theirs = compute_prdc(real, synthetic, N_NEIGHBORS)
    return metrics.prdc(real, synthetic, n_neighbors=N_NEIGHBORS), tuple(theirs.values())


def kolmogorov_smirnov_of_scipy(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from scipy.stats import kstest

    theirs = [kstest(x, y) for x, y in zip(real.T, synthetic.T, strict=True)]
    return metrics.kolmogorov_smirnov(real, synthetic), (
        [test.statistic for test in theirs],
        [test.pvalue for test in theirs],
    )


def wasserstein_of_scipy(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from scipy.stats import iqr, wasserstein_distance

    theirs = [
        wasserstein_distance(x, y) / iqr(x)
        for x, y in zip(real.T, synthetic.T, strict=True)
    ]
    return metrics.wasserstein_iqr(real, synthetic), theirs


def spearman_of_scipy(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from scipy.stats import spearmanr

    if real.shape[1] < 3:  # spearmanr gives no matrix
        return 0, 0
    theirs = spearmanr(real).statistic - spearmanr(synthetic).statistic
    ours = metrics.spearman_difference(real, synthetic)
    return ours.frobenius, np.linalg.norm(theirs)


def energy_of_scipy(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from scipy.stats import energy_distance

    ours = [
        metrics.energy_distance(x[:, None], y[:, None])
        for x, y in zip(real.T, synthetic.T, strict=True)
    ]
    return ours, [
        energy_distance(x, y) ** 2 for x, y in zip(real.T, synthetic.T, strict=True)
    ]


def energy_of_hyppo(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from hyppo.ksample import Energy

    n, m = len(real), len(synthetic)
    factor = (n + m) ** 4 / (2 * n**2 * m**2)
    theirs = Energy(bias=True).statistic(real, synthetic) ** 2 / factor
    ours = metrics.energy_test(real, synthetic, n_permutations=1)
    return (metrics.energy_distance(real, synthetic), ours.statistic), (theirs, theirs)


def energy_p_value_of_hyppo(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from hyppo.ksample import Energy

    options = {"reps": N_PERMUTATIONS, "auto": False, "random_state": 0}
    theirs = Energy(bias=True).test(real, synthetic, **options)[1]
    ours = metrics.energy_test(
        real, synthetic, n_permutations=N_PERMUTATIONS, random_state=0
    )
    return ours.p_value, theirs


def information_of_scikit_learn(real: np.ndarray, synthetic: np.ndarray) -> tuple:
    from sklearn.metrics import mutual_info_score

    # Rank bins of the pooled rows, ties broken first, against real or synthetic.
    pooled = np.vstack([real, synthetic]).argsort(axis=0).argsort(axis=0)
    label = np.arange(len(pooled)) < len(real)
    bins = (2 * pooled + 1) * 5 // (2 * len(pooled))
    return metrics.mutual_information(pooled, label), [
        mutual_info_score(column, label) for column in bins.T
    ]


COMPARISONS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], tuple]]] = {
    "precision, recall, density, coverage": ("prdc", prdc_of_its_authors),
    "Kolmogorov-Smirnov, statistic and p": ("scipy", kolmogorov_smirnov_of_scipy),
    "Wasserstein over IQR": ("scipy", wasserstein_of_scipy),
    "Spearman, Frobenius norm": ("scipy", spearman_of_scipy),
    "energy distance, one column": ("scipy", energy_of_scipy),
    "energy distance": ("hyppo", energy_of_hyppo),
    f"energy p-value, {N_PERMUTATIONS} random permutations each": (
        "hyppo",
        energy_p_value_of_hyppo,
    ),
    "mutual information": ("scikit-learn", information_of_scikit_learn),
}


def differences(
    compare: Callable[[np.ndarray, np.ndarray], tuple],
) -> Iterator[float]:
    for seed in range(N_TABLES):
        ours, theirs = compare(*tables(seed))
        yield float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


def run() -> dict[str, dict]:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, (oracle, compare) in COMPARISONS.items():
        try:
            release = version(oracle)
        except PackageNotFoundError:
            print(f"{oracle} is not installed")
            continue
        start = time.perf_counter()
        results[name] = {
            "oracle": f"{oracle} {release}",
            "tables": N_TABLES,
            "largest difference": max(differences(compare)),
            "seconds": round(time.perf_counter() - start, 1),
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return results


def print_table(results: dict[str, dict]) -> None:
    print("| measure | oracle | tables | largest absolute difference |")
    print("|---|---|---|---|")
    for name, result in results.items():
        difference = result["largest difference"]
        print(f"| {name} | {result['oracle']} | {result['tables']} | {difference:.1e} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print the cached results")
    if parser.parse_args().table:
        print_table(json.loads(RESULTS.read_text()))
    else:
        print_table(run())
