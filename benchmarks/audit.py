"""Is a classifier caught that goes by the kernel, and one left alone that does not?

    OMP_NUM_THREADS=1 python benchmarks/audit.py    # 13 minutes on one core
    python benchmarks/audit.py --table              # print the cached results

200 CT phantoms a seed (`make_ct_phantoms`, 32 voxels a side), each under both kernels. A
classifier learns from 40 or 100 of them whose kernel agrees with the label in 95% of each
class ("confounded"), or in half of it ("balanced"), and is audited on the last 100, half of
each class under either kernel. Counterfactual: the same phantom under the other kernel
(`truth`), or as the start of a CycleGAN makes it up (`cyclegan`). Features are pyradiomics'
first-order and texture ones, or first-order alone. Verdicts are those of `audit_model` with
and without `nuisance`, and of `find_shortcut` on the rows learned from. Results are cached,
seed by seed, in results/audit.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gansampler import CycleGAN, RadiomicsExtractor
from gansampler.audit import audit_model, find_shortcut
from gansampler.datasets import make_ct_phantoms, phantom_spacing

RESULTS = Path(__file__).parent / "results" / "audit.json"
SEEDS = 20
N_PHANTOMS, N_AUDITED = 200, 100
N_TRAINING = (40, 100)
AGREEMENT = {"confounded": 0.95, "balanced": 0.5}
KERNELS = ("soft", "sharp")
CLASSES = ("first-order + texture", "first-order")
TEXTURE = ("glcm", "gldm", "glrlm", "glszm", "ngtdm")
CLASSIFIERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
    "forest": RandomForestClassifier(100, random_state=0),
}
VERDICTS = ("shortcut", "undetermined", "no shortcut")

Volumes = dict[str, np.ndarray]


def truth(training: Volumes, audited: Volumes) -> Volumes:
    return {"soft": audited["sharp"], "sharp": audited["soft"]}


def cyclegan(training: Volumes, audited: Volumes) -> Volumes:
    """By the start of a CycleGAN, from soft and sharp volumes of different phantoms."""
    half = len(training["soft"]) // 2
    gan = CycleGAN(max_iter=0, early_stopping=False, random_state=0)
    gan.fit(training["soft"][:half], training["sharp"][half:])
    return {
        "soft": gan.translate(audited["soft"], "a->b"),
        "sharp": gan.translate(audited["sharp"], "b->a"),
    }


# Name -> function of the volumes to learn from and those to change, both by kernel; it
# returns what the latter look like under the other kernel, by the kernel they have.
COUNTERFACTUALS: dict[str, Callable[[Volumes, Volumes], Volumes]] = {
    "truth": truth,
    "cyclegan": cyclegan,
}


def kernels(y: np.ndarray, agreement: float, rng: np.random.RandomState) -> np.ndarray:
    """Kernel of each phantom: sharp where coarse, but for a share of each class."""
    sharp = y == "coarse"
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        others = rows[: round((1 - agreement) * len(rows))]
        sharp[others] = ~sharp[others]
    return np.where(sharp, "sharp", "soft")


def shown(tables: dict[str, pd.DataFrame], kernel: np.ndarray) -> pd.DataFrame:
    """Row i under the i-th kernel."""
    soft, sharp = (tables[name] for name in KERNELS)
    values = np.where((kernel == "sharp")[:, None], sharp, soft)
    return pd.DataFrame(values, columns=soft.columns)


def measure(seed: int, counterfactual: str) -> list[dict]:
    volumes = {}
    for kernel in KERNELS:
        volumes[kernel], y = make_ct_phantoms(N_PHANTOMS, kernel=kernel, random_state=seed)
    first = N_PHANTOMS - N_AUDITED
    training = {kernel: X[:first] for kernel, X in volumes.items()}
    audited = {kernel: X[first:] for kernel, X in volumes.items()}
    changed = COUNTERFACTUALS[counterfactual](training, audited)
    extractor = RadiomicsExtractor(
        spacing=phantom_spacing(), feature_classes=("firstorder", *TEXTURE)
    )
    parts = [
        {kernel: extractor.transform(X) for kernel, X in part.items()}
        for part in (training, audited, changed)
    ]
    found = []
    for classes in CLASSES:
        if classes == "first-order":
            parts = [
                {kernel: table.filter(like="firstorder") for kernel, table in part.items()}
                for part in parts
            ]
        for n in N_TRAINING:
            for arm, agreement in AGREEMENT.items():
                rng = np.random.RandomState(seed)
                learned = kernels(y[:n], agreement, rng)
                seen = kernels(y[first:], 0.5, rng)
                table = {kernel: part.iloc[:n] for kernel, part in parts[0].items()}
                data = (shown(table, learned), y[:n], learned)
                pairs = (shown(parts[1], seen), shown(parts[2], seen), y[first:], seen)
                for name in CLASSIFIERS:
                    row = {"features": classes, "n": n, "arm": arm, "classifier": name}
                    found.append(row | judged(name, data, pairs, seed))
    return found


def judged(name: str, data: tuple, pairs: tuple, seed: int) -> dict:
    classifier = CLASSIFIERS[name]
    found = find_shortcut(classifier, *data, random_state=seed)
    fitted = classifier.fit(*data[:2])
    *both, y, kernel = pairs
    told, untold = (
        audit_model(fitted, *both, y, nuisance=nuisance, n_evaluations=n, random_state=seed)
        for nuisance, n in ((kernel, 4000), (None, 0))
    )
    way = "sharp -> soft"
    numbers = {
        "flip_rate": told.flip_rate,
        "predicted": -told.shifts.loc[(way, "predicted", "coarse"), "shift"],
        "probability": -told.shifts.loc[(way, "probability", "coarse"), "shift"],
        "accuracy": told.accuracy,
        "found_shift": abs(found.shifts["shift"].iloc[0]),
        "auc_within": found.evidence["auc_within"],
        "auc_across": found.evidence["auc_across"],
    }
    return {key: round(float(value), 4) for key, value in numbers.items()} | {
        "verdict": told.verdict,
        "verdict_untold": untold.verdict,
        "verdict_found": found.verdict,
        "feature": str(told.features.index[0]),
    }


def print_table(results: dict) -> None:
    for counterfactual, seeds in results.items():
        table = pd.DataFrame([row for rows in seeds.values() for row in rows])
        print(f"Counterfactual: {counterfactual}, {len(seeds)} seeds.")
        print(f"Verdicts: {' / '.join(VERDICTS)}.\n")
        print(
            "| features | rows | kernel | classifier | accuracy | flip rate | least | "
            "predicted coarse, sharp less soft | audit_model | without nuisance | "
            "find_shortcut |"
        )
        print("|" + "---|" * 11)
        keys = ["features", "n", "arm", "classifier"]
        for names, part in table.groupby(keys, sort=False):
            cells = [*map(str, names)]
            cells += [f"{part[m].mean():.2f}" for m in ("accuracy", "flip_rate")]
            cells += [f"{part['flip_rate'].min():.2f}", f"{part['predicted'].mean():+.2f}"]
            for key in ("verdict", "verdict_untold", "verdict_found"):
                counts = part[key].value_counts()
                cells.append(" / ".join(str(counts.get(v, 0)) for v in VERDICTS))
            print("| " + " | ".join(cells) + " |")
        balanced = table[table["arm"] == "balanced"]
        for classes, part in balanced.groupby("features", sort=False):
            alarms = (part["verdict"] == "shortcut").sum()
            print(f"\nFalse alarms of audit_model, {classes}: {alarms} of {len(part)}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counterfactual", choices=COUNTERFACTUALS, default="truth")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--table", action="store_true", help="only print cached results")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not args.table:
        seeds = results.setdefault(args.counterfactual, {})
        for seed in range(args.seeds):
            if str(seed) in seeds:
                continue
            begin = time.perf_counter()
            seeds[str(seed)] = measure(seed, args.counterfactual)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"seed {seed}: {time.perf_counter() - begin:.0f} s", flush=True)
    print_table(results)


if __name__ == "__main__":
    main()
