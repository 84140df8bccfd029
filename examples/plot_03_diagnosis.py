"""
Read a diagnosis
================

``GANOverSampler`` judges the rows it makes, class by class, and ``diagnose`` does that
for any generator. A verdict comes with its evidence: numbers with the band in which
fresh rows would lie, the worst features, the rows most like copies, and pictures. This
example reads all of it, first for good rows, then for bad ones.
"""

from io import BytesIO

import numpy as np
from matplotlib import pyplot as plt

from gansampler import GANOverSampler, diagnose
from gansampler.datasets import load_hcc_tace

X, y = load_hcc_tace(return_X_y=True)
sampler = GANOverSampler(target_prior="uniform", target_size="extended", random_state=0)
X_all, y_all = sampler.fit_resample(X, y)
diagnosis = sampler.diagnosis_
print(diagnosis.verdicts_)

# %%
# The verdict, in words
# ---------------------
#
# Class 0 has 72 patients, class 1 only 12. Where fewer than 30 rows are at hand, nothing
# found is not yet "healthy".

print(diagnosis.summary())

# %%
# The evidence, in numbers
# ------------------------
#
# One row for each statistic. ``null_low`` to ``null_high`` is where it would lie for 95
# of 100 tables of fresh patients. Which statistic asks what:
#
# - ``share_too_close``: rows so near to a patient that they look like copies.
# - ``share_interpolated``: rows on a straight line between two patients, as SMOTE makes
#   them.
# - ``recall``: share of the patients that lie among synthetic rows.
# - ``variance_ratio``: total variance, synthetic over real.
# - ``precision``: share of the synthetic rows that lie among patients.
# - ``energy_ratio``: distance between the two distributions, over its 95% bound.
# - ``correlation_ratio``: difference of the correlations, over what chance gives.

names = [
    "share_too_close",
    "share_interpolated",
    "recall",
    "variance_ratio",
    "precision",
    "energy_ratio",
    "correlation_ratio",
]
columns = ["value", "null_low", "null_high", "p_value"]


def evidence(diagnosis):
    rows = diagnosis.statistics_.query("`class` == 0").set_index("statistic")
    return rows.loc[names, columns].round(2).to_string()


print(evidence(diagnosis))

# %%
# ``correlation_ratio`` lies below its band, and that is no fault: a generator is fitted
# to these 72 patients, so its correlations are nearer to theirs than those of 72 other
# patients would be. The rules ask for the bad side only.
#
# The worst features and rows
# ---------------------------
#
# Even the farthest of 420 features is not far: ``ks_p_adjusted`` allows for their number.
# And of all rows judged, the one most like a copy has ``p_copy`` 0.12: one fresh patient in
# eight would come as close.

worst = diagnosis.features_.query("`class` == 0").nlargest(3, "ks")
print(
    worst[["feature", "ks", "ks_p_value", "ks_p_adjusted"]].round(2).to_string(index=False)
)
print(diagnosis.worst_rows(3).round(2).to_string(index=False))

# %%
# The evidence, in pictures
# -------------------------
#
# Patients and synthetic rows on the two leading components of the patients.
#
# The pictures of a diagnosis are figures of their own, which a notebook shows as they are
# and ``savefig`` keeps. A script that wants to show them hands them on to pyplot.


def show(figure):
    picture = BytesIO()
    figure.savefig(picture, dpi=200)
    picture.seek(0)
    plt.figure(figsize=figure.get_size_inches()).add_axes((0, 0, 1, 1)).axis("off")
    plt.imshow(plt.imread(picture))
    plt.show()


show(diagnosis.plot_projection())

# %%
# Distribution functions of the features farthest off, by Wasserstein distance, and of
# those that tell most of the class. The band is where the synthetic curve would lie in 95
# of 100 tables of fresh rows.

show(diagnosis.plot_marginals(0))

# %%
# The same for bad rows
# ---------------------
#
# Now a generator that draws every feature by itself, from the right values. All marginals
# are right, and nothing goes with anything.

real, labels = X[y == 0], y[y == 0]
rng = np.random.default_rng(0)
shuffled = real.apply(rng.permutation)
bad = diagnose(real, labels, shuffled, labels, random_state=0)
print(bad.summary())
print(evidence(bad))

# %%
# The correlations are gone, and 99% of the rows lie too far from every patient, where up
# to 15% of fresh ones might.

show(bad.plot_correlations(0))

# %%
# Distances to the nearest row. Good rows are as far from patients as patients are from
# one another.

figure, axes = plt.subplots(2, 1, figsize=(7, 5.4), layout="constrained", sharex=True)
for ax, name, found in zip(
    axes, ["GANOverSampler", "every feature by itself"], [diagnosis, bad], strict=True
):
    found.plot_distances(0, ax=ax)
    ax.set_title(f"{name}: {found.verdicts_[0]}", pad=26, fontsize=11)
plt.show()

# %%
# ``diagnosis.to_html("report.html")`` writes all of this, pictures included, into one
# page.
