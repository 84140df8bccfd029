"""
Catch a generator that memorizes
================================

A generator that hands out its training rows, slightly moved, looks perfect to most
measures: every mean, range and correlation is right. ``ConformalCopyCheck`` finds such
rows one by one, with a known rate of false alarms, and ``diagnose`` names the fault of
the whole. Four generators meet them here, and so do patients that no generator has
seen.
"""

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from matplotlib import pyplot as plt
from scipy.spatial.distance import cdist
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from gansampler import ConformalCopyCheck, TabularGAN, diagnose
from gansampler.datasets import load_hcc_tace

# %%
# Patients to learn from, and patients kept back
# ----------------------------------------------
#
# The 72 patients without event: 42 to learn from, 30 nobody sees. The 12 others go to the
# generators that want two classes.

X, y = load_hcc_tace(return_X_y=True)
X = StandardScaler().fit_transform(X)
rng = np.random.default_rng(0)
order = rng.permutation(np.flatnonzero(y == 0))
train, fresh = X[order[:42]], X[order[42:]]

X_both = np.concatenate([train, X[y == 1]])
y_both = np.repeat([0, 1], [42, 12])
N = 60

# %%
# Four generators
# ---------------
#
# - ``TabularGAN``, at its start;
# - the same with ten rows replaced by patients, moved by a tenth of a standard deviation;
# - a kernel density with a narrow kernel, that is patients with noise: a generator that
#   knows its table by heart, as an overtrained network does;
# - SMOTE.

gan = TabularGAN(max_iter=0, random_state=0).fit(X_both, y_both)
drawn, _ = gan.sample(y=np.zeros(N, dtype=int))

planted = drawn.copy()
planted[:10] = train[:10] + 0.1 * rng.normal(size=(10, X.shape[1]))

kernel = KernelDensity(bandwidth=0.3).fit(train)
memorized = kernel.sample(N, random_state=0)

X_smote, y_smote = SMOTE(sampling_strategy={0: 42 + N}, random_state=0).fit_resample(
    X_both, y_both
)
interpolated = X_smote[len(X_both) :]

rows = {
    "fresh patients": fresh,
    "TabularGAN": drawn,
    "ten copies among them": planted,
    "narrow kernel": memorized,
    "SMOTE": interpolated,
}

# %%
# What ordinary measures see
# --------------------------
#
# Means, standard deviations and correlations of the features, against those of the
# patients learned from. The kernel that knows its patients by heart comes out best, and
# fresh patients, as good as rows can be, come out worst.


def summary(found):
    upper = np.triu_indices(X.shape[1], k=1)
    correlations = np.corrcoef(found.T)[upper] - np.corrcoef(train.T)[upper]
    return {
        "means": np.abs(found.mean(axis=0) - train.mean(axis=0)).mean(),
        "standard deviations": np.abs(found.std(axis=0) - train.std(axis=0)).mean(),
        "correlations": np.abs(correlations).mean(),
    }


print("mean absolute difference of")
print(pd.DataFrame({name: summary(r) for name, r in rows.items()}).T.round(2).to_string())

# %%
# What the copy check sees
# ------------------------
#
# For each row: if it were a fresh patient, how often would it come out at least as close
# to a patient? Rows for which that is rare are refused, at most a tenth of fresh ones.
# Distances are taken between normal scores of the columns, or between standardised
# columns.

scales = {
    scale: ConformalCopyCheck(alpha=0.1, scale=scale).fit(train)
    for scale in ("normal-scores", "standard")
}
shares = {
    scale: {name: np.mean(~check.accept(found)) for name, found in rows.items()}
    for scale, check in scales.items()
}
print("share refused, by the scale of the distances")
print(pd.DataFrame(shares).round(2).to_string())

check = scales["standard"]
refused = ~check.accept(planted)
print(
    f"of the ten copies {refused[:10].sum()}, of the {N - 10} others {refused[10:].sum()}"
)

# %%
# Copies moved by a tenth are found on either scale, and false alarms stay below a tenth.
# Noise of 0.3 standard deviations is another matter: in skewed columns that is a large
# step in ranks, and distances between normal scores, the default, let four fifths of it
# pass. In the units that the noise was made in, all of it is refused.
#
# And the verdict
# ---------------

nobody = np.zeros(len(train))
for name, found in rows.items():
    diagnosis = diagnose(train, nobody, found, np.zeros(len(found)), random_state=0)
    verdict = diagnosis.verdicts_[0]
    share = diagnosis.statistics_.set_index("statistic")["value"]["share_interpolated"]
    print(f"{name}: {verdict} ({share:.0%} on a line between two patients)")

# %%
# The verdict is told from all rows together, so it does not miss the narrow kernel. SMOTE
# has a verdict of its own: its rows lie on lines between patients, and add nothing beyond
# the pairs that they lie between.
#
# Why they are refused
# --------------------
#
# A copy is near to one patient and, measured by that, far from the next: both the
# distance to the nearest patient and its ratio to the second-nearest are small.

figure, axes = plt.subplots(
    1, 5, figsize=(11, 2.9), layout="constrained", sharex=True, sharey=True
)
for ax, (name, found) in zip(axes, rows.items(), strict=True):
    nearest, second = np.sort(cdist(found, train), axis=1)[:, :2].T
    accepted = check.accept(found)
    for which, colour, text in (
        (accepted, "#1f78b4", "accepted"),
        (~accepted, "#d95f02", "refused"),
    ):
        ax.scatter(
            nearest[which], nearest[which] / second[which], s=14, color=colour, label=text
        )
    ax.set_title(name, fontsize=10)
    ax.set_xlim(0, 40)
    ax.set_ylim(0, 1.05)
axes[0].set_ylabel("nearest / second-nearest")
axes[0].legend(loc="lower right", frameon=False)
figure.supxlabel("distance to the nearest patient learned from", fontsize=10)
plt.show()
