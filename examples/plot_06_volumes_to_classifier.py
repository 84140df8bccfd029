"""
From CT volumes to a classifier
===============================

``VolumeGANOverSampler`` adds volumes to a rare class, with their masks;
``RadiomicsExtractor`` measures real and made ones alike. Both are steps of one
pipeline, so cross-validation keeps made volumes out of test folds.

It needs ``pip install "gansampler[radiomics]"``.
"""

import warnings
from collections import Counter
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from matplotlib import pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

from gansampler import DiagnosisWarning, RadiomicsExtractor, VolumeGANOverSampler
from gansampler.augment import AugmentedOverSampler, Flip, Rotate
from gansampler.datasets import make_liver_phantoms, phantom_spacing

# %%
# The data
# --------
#
# Volumes have the shape (n, channel, depth, height, width), intensities in HU, and the
# mask of the lesion as the last channel. Here they are phantoms: homogeneous lesions, and
# a few with an enhancing rim. Noise of 120 HU keeps the task from being trivial.

SIZE = 24


def make_noisy(counts, seed):
    X, y = make_liver_phantoms(counts, size=SIZE, random_state=seed)
    noise = np.random.default_rng(seed).normal(0, 120, size=X[:, 0].shape)
    X[:, 0] = np.rint(X[:, 0] + noise)
    return X, y


X, y = make_noisy({"homogeneous": 30, "rim": 9}, seed=0)
X_test, y_test = make_noisy({"homogeneous": 40, "rim": 40}, seed=1)
print(X.shape, dict(Counter(y.tolist())))

# %%
# The pipeline
# ------------
#
# With ``memory`` a volume is measured once, whichever folds it is in. ``max_iter=0``
# draws from the start of the generator, shapes and texture fitted to each class: on a CPU
# the game has not beaten it so far. The rival of any generator of images is flips and
# rotations: ``AugmentedOverSampler``.

spacing = phantom_spacing(SIZE)
folder = TemporaryDirectory()
extractor = RadiomicsExtractor(spacing=spacing, memory=folder.name)
arms = {
    "no resampling": "passthrough",
    "flips and rotations": AugmentedOverSampler(
        transforms=[Flip(), Rotate()], spacing=spacing, random_state=0
    ),
    "VolumeGANOverSampler": VolumeGANOverSampler(
        max_iter=0, checks=("memorization", "fidelity"), random_state=0
    ),
}
models = {
    name: Pipeline(
        [
            ("more", arm),
            ("features", extractor),
            ("clf", RandomForestClassifier(100, random_state=0)),
        ]
    )
    for name, arm in arms.items()
}

# %%
# Cross-validated, and on fresh phantoms
# --------------------------------------
#
# Nine lesions with a rim give three to each test fold: such scores are rough. Phantoms
# can be had in any number, so 80 fresh ones tell more, and five tables to learn from tell
# more than one.

folds = StratifiedKFold(3, shuffle=True, random_state=0)
tables = [(X, y), *(make_noisy({"homogeneous": 30, "rim": 9}, seed=s) for s in range(2, 6))]
found = []
for name, model in models.items():
    in_folds = cross_val_score(model, X, y, cv=folds, scoring="balanced_accuracy").mean()
    for X_train, y_train in tables:
        model.fit(X_train, y_train)
        told = model.predict(X_test)
        p_rim = model.predict_proba(X_test)[:, 1]
        found.append(
            {
                "arm": name,
                "in folds": in_folds,
                "fresh": balanced_accuracy_score(y_test, told),
                "recall of the rim": np.mean(told[y_test == "rim"] == "rim"),
                "ROC AUC": roc_auc_score(y_test == "rim", p_rim),
            }
        )
by_arm = pd.DataFrame(found).groupby("arm", sort=False)
print("balanced accuracy in folds and on fresh phantoms; on these also:")
print(by_arm.mean().round(2).to_string())
print("standard error over the five tables:")
print((by_arm.std() / 5**0.5).drop(columns="in folds").round(2).to_string())
folder.cleanup()

# %%
# Without resampling the forest finds 0.60 of the rims, in the mean over five tables; with
# flips and rotations 0.82, with drawn volumes 0.84. The two are level, within their
# errors. Over forty tables, in the benchmarks of this package (three textures, ten cases
# of the rarest), the gain in balanced accuracy is 0.031 (0.021 to 0.040) with
# ``VolumeGANOverSampler`` and 0.007 (-0.002 to 0.015) with flips and rotations.
#
# Are the made volumes any good?
# ------------------------------
#
# Outside a pipeline the sampler tells: ``checks``, on by default, judge some forty
# radiomic features of what was made. For the eye, this is done without the noise.

X_clean, y_clean = make_liver_phantoms(
    {"homogeneous": 30, "rim": 9}, size=SIZE, random_state=0
)
sampler = VolumeGANOverSampler(max_iter=0, random_state=0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DiagnosisWarning)
    X_all, y_all = sampler.fit_resample(X_clean, y_clean)
made = X_all[sampler.is_synthetic_]
print(sampler.diagnosis_.summary())

# %%
# From nine lesions no more can be said. In the picture rim and core are there, and the
# masks fit them.

real = X_clean[y_clean == "rim"]
figure, axes = plt.subplots(2, 7, figsize=(9, 2.9), layout="constrained")
for row, title, volumes in zip(axes, ["real", "made"], [real, made], strict=True):
    for ax, volume in zip(row, volumes, strict=False):
        ax.imshow(volume[0, SIZE // 2], cmap="gray", vmin=-50, vmax=250)
        ax.contour(volume[1, SIZE // 2], levels=[0.5], colors="#d95f02", linewidths=1)
        ax.set_xticks([])
        ax.set_yticks([])
    row[0].set_ylabel(title)
figure.suptitle("lesions with a rim, middle slices, -50 to 250 HU", fontsize=10)
plt.show()
