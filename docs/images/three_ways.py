"""The picture of the README: three ways to more rows of a real class, and their verdicts.

python docs/images/three_ways.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from matplotlib import pyplot as plt
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler, diagnose
from gansampler.datasets import load_hcc_tace

REAL, MADE = "#444444", "#d95f02"


def main() -> None:
    X, y = load_hcc_tace(return_X_y=True)
    real = X[y == 0]
    wanted = {0: 4 * len(real)}
    samplers = {
        "duplicates": RandomOverSampler(sampling_strategy=wanted, random_state=0),
        "SMOTE": SMOTE(sampling_strategy=wanted, random_state=0),
        "GANOverSampler": GANOverSampler(sampling_strategy=wanted, random_state=0),
    }
    scaler = StandardScaler().fit(real)
    components = PCA(2).fit(scaler.transform(real))
    dots = components.transform(scaler.transform(real))
    distances = cdist(*2 * [scaler.transform(real)])
    np.fill_diagonal(distances, np.inf)
    bins = np.linspace(0, 30, 31)

    figure, axes = plt.subplots(
        2,
        3,
        figsize=(9, 5),
        layout="constrained",
        height_ratios=(2, 1),
        sharex="row",
        sharey="row",
    )
    for (name, sampler), above, below in zip(samplers.items(), *axes, strict=True):
        X_all, _ = sampler.fit_resample(X, y)
        made = X_all[len(X) :]
        labels = np.zeros(len(real)), np.zeros(len(made))
        verdict = diagnose(real, labels[0], made, labels[1], random_state=0).verdicts_[0]
        rows = scaler.transform(made)
        above.scatter(*components.transform(rows).T, s=5, c=MADE, alpha=0.6, label="made")
        above.scatter(*dots.T, s=14, facecolors="none", edgecolors=REAL, label="real")
        above.set_title(f"{name}: {verdict}")
        above.set_xlabel("first principal component")
        for found, colour in (
            (distances, REAL),
            (cdist(rows, scaler.transform(real)), MADE),
        ):
            nearest = np.minimum(found.min(axis=1), bins[-1])
            below.hist(nearest, bins, density=True, histtype="step", color=colour)
        below.set_xlabel("distance to the nearest real patient")
    axes[0, 0].set_ylabel("second principal component")
    axes[0, 0].legend(loc="upper right", frameon=False)
    axes[1, 0].set_ylabel("density")
    axes[1, 0].set_ylim(0, 0.25)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
