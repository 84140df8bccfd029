"""From CT volumes with tumour masks to a balanced radiomics model, in one pipeline.

    python examples/cohorts/sarcoma_volumes.py FOLDER [--label fdg_avid] [--max-iter 0]

FOLDER holds `ct.npz` and `patients.csv` of the soft-tissue sarcomas (34 patients of the
IBSI validation data set, 48^3 voxels of 3 mm). Every patient is one volume, so folds are by
patient; the generator, the extractor and the classifier see training volumes only.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler

from gansampler import GansamplerWarning, RadiomicsExtractor, VolumeGANOverSampler


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default="fdg_avid", choices=["fdg_avid", "large"])
    parser.add_argument("--max-iter", type=int, default=0, help="0: the start alone")
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    warnings.simplefilter("ignore", GansamplerWarning)

    data = np.load(args.folder / "ct.npz")
    X = np.stack([data["images"], data["masks"]], axis=1).astype(np.float32)
    y = pd.read_csv(args.folder / "patients.csv")[args.label].to_numpy()
    print(f"{len(X)} volumes, {y.sum()} of them {args.label}")

    gan = VolumeGANOverSampler(
        # Both classes, to twice as many volumes.
        target_prior="uniform",
        target_size=2,
        window=(-1000, 1000),
        max_iter=args.max_iter,
        random_state=0,
    )
    # Features are remembered by volume: real ones are measured once, not in every fold.
    extractor = RadiomicsExtractor(
        spacing=(3, 3, 3), settings={"binWidth": 25}, memory=".radiomics-cache"
    )
    pipeline = Pipeline(
        [
            ("gan", gan),
            ("features", extractor),
            ("scale", StandardScaler()),
            ("select", SelectKBest(k=10)),
            ("clf", LogisticRegression(C=0.1, max_iter=1000)),
        ]
    )
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=args.repeats, random_state=0)
    for name, model in {
        "without": Pipeline(pipeline.steps[1:]),
        "with VolumeGANOverSampler": pipeline,
    }.items():
        scores = cross_validate(
            model, X, y, cv=cv, scoring=["roc_auc", "balanced_accuracy"]
        )
        for metric in ("roc_auc", "balanced_accuracy"):
            values = scores[f"test_{metric}"]
            error = values.std(ddof=1) / np.sqrt(len(values))
            print(f"{name}: {metric} {values.mean():.3f} (s.e. over folds {error:.3f})")


if __name__ == "__main__":
    main()
