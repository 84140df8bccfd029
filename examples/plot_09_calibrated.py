"""
Probabilities to rely on
========================

A classifier trained on balanced classes expects half of all patients to be sick.
``PriorCorrectedClassifier`` takes that back by Bayes' rule: probabilities fit the real
shares again, and what resampling did for decisions may stay.
"""

import numpy as np
import pandas as pd
from imblearn.pipeline import make_pipeline
from matplotlib import pyplot as plt
from sklearn.calibration import calibration_curve
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler, PriorCorrectedClassifier

# %%
# One patient in ten
# ------------------
#
# A made-up table: 300 rows of 40 features to learn from, and 6,000 to test on, which is
# what a reliability curve takes.

X, y = make_classification(
    n_samples=6300,
    n_features=40,
    n_informative=6,
    n_redundant=10,
    weights=[0.9],
    flip_y=0,
    class_sep=0.7,
    random_state=0,
)
X, X_test, y, y_test = train_test_split(X, y, train_size=300, stratify=y, random_state=0)
print(f"sick: {y.mean():.1%} of {len(y)} rows to learn from, {y_test.mean():.1%} of others")

# %%
# Three classifiers
# -----------------
#
# The wrapper goes around the whole pipeline. It counts the classes before and after the
# sampler by itself.


def pipeline(sampler):
    return make_pipeline(
        StandardScaler(), sampler, LogisticRegression(C=0.1, max_iter=1000)
    )


gan = GANOverSampler(max_iter=0, checks=("memorization", "fidelity"), random_state=0)
models = {
    "no resampling": pipeline("passthrough"),
    "resampled": pipeline(gan),
    "resampled, corrected": PriorCorrectedClassifier(pipeline(gan)),
}
p = {name: model.fit(X, y).predict_proba(X_test)[:, 1] for name, model in models.items()}

table = pd.DataFrame(
    {
        name: {
            "mean probability": p[name].mean(),
            "Brier": brier_score_loss(y_test, p[name]),
            "log-loss": log_loss(y_test, p[name]),
            "ROC AUC": roc_auc_score(y_test, p[name]),
            "balanced accuracy": balanced_accuracy_score(y_test, model.predict(X_test)),
        }
        for name, model in models.items()
    }
)
print(table.T.round(3).to_string())
corrected = models["resampled, corrected"]
print(f"share of the sick {corrected.class_prior_[1]:.2f}", end=", ")
print(f"in the rows trained on {corrected.training_prior_[1]:.2f}")

# %%
# The resampled classifier predicts a mean probability of 0.33 where 10% are sick.
# Corrected, it is 0.10, and log-loss falls from 0.50 to 0.28. ``predict`` still goes by the
# resampled probabilities (``decision="resampled"``), so balanced accuracy stays at 0.72.
#
# No resampling remains the rival. Its probabilities are a little better still (log-loss
# 0.265), and so is its ranking, which a correction does not change. Its balanced accuracy
# suffers from the threshold of one half; one that fits the share of the sick does this:

moved = p["no resampling"] > y.mean()
score = balanced_accuracy_score(y_test, moved)
print(f"no resampling, threshold {y.mean():.2f}: balanced accuracy {score:.3f}")

# %%
# So moved, the plain classifier is the best of all here. What resampling can offer
# instead of a threshold is both at once, decisions at one half and probabilities that
# hold.
#
# Reliability: rows in ten groups by the probability told, and the share of each that is
# sick. On the diagonal, probabilities can be taken at their word.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
colours = dict(zip(models, ["#444444", "#d95f02", "#1f78b4"], strict=True))
axes[0].plot([0, 1], [0, 1], color="0.7", linewidth=1)
for name, colour in colours.items():
    share, mean = calibration_curve(y_test, p[name], n_bins=10, strategy="quantile")
    axes[0].plot(mean, share, "o-", color=colour, markersize=4, label=name)
    axes[1].hist(
        p[name], np.linspace(0, 1, 26), histtype="step", color=colour, linewidth=1.5
    )
axes[0].set_xlabel("probability told")
axes[0].set_ylabel("share that is sick")
axes[0].legend(frameon=False)
axes[1].set_xlabel("probability told")
axes[1].set_ylabel("rows")
plt.show()
