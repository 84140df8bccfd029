"""
Tune the sampler with the classifier
====================================

All parameters of ``GANOverSampler`` are flat, so ``GridSearchCV`` tunes them beside
those of the classifier. Two things make such a search honest: patients with several
lesions stay together, and no resampling is one of the candidates.
"""

from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import sklearn
from imblearn.pipeline import Pipeline
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler

# %%
# Patients with two lesions each
# ------------------------------
#
# A made-up table: 60 patients to learn from, 400 to test on, 12 features that tell a
# little and 88 that tell nothing. The lesions of a patient are alike, and one patient in
# five is of the rare class.


def make_patients(n_patients, rng):
    patient = np.repeat(np.arange(n_patients), 2)
    y = (np.arange(n_patients) % 5 == 0).astype(int)[patient]
    own = rng.normal(size=(n_patients, 100))[patient]
    X = own + 0.5 * rng.normal(size=(2 * n_patients, 100))
    X[:, :12] += 0.45 * y[:, None]
    return X, y, patient


rng = np.random.default_rng(0)
X, y, patient = make_patients(60, rng)
X_test, y_test, _ = make_patients(400, rng)
print(f"{len(X)} lesions of {len(set(patient))} patients, {y.sum()} of the rare class")

# %%
# The search
# ----------
#
# With metadata routing on, ``groups`` goes where it is asked for: to the splitter, which
# asks by itself, and to the sampler, which has to be told to. The sampler then does not
# take the second lesion of a patient for a copy of the first.
#
# The first candidate is no resampling: to keep the shares there are, at the size there
# is, nothing has to be added and nothing is trained.
#
# With ``memory`` the pipeline keeps what the sampler returned, so candidates that differ
# in the classifier alone share it.

sklearn.set_config(enable_metadata_routing=True)
folder = TemporaryDirectory()

gan = GANOverSampler(max_iter=0, checks=("memorization", "fidelity"), random_state=0)
model = Pipeline(
    [
        ("scale", StandardScaler()),
        ("gan", gan.set_fit_resample_request(groups=True)),
        ("clf", LogisticRegression(max_iter=1000)),
    ],
    memory=folder.name,
)
arms = {
    "no resampling": {"target_prior": "empirical", "target_size": None},
    "rare class to a third": {"target_prior": {0: 2 / 3, 1: 1 / 3}, "target_size": None},
    "balanced": {"target_prior": "uniform", "target_size": None},
    "balanced, 3 x the rows": {"target_prior": "uniform", "target_size": 3.0},
}
strengths = [0.001, 0.01, 0.1, 1.0]
grid = [
    {f"gan__{name}": [value] for name, value in arm.items()} | {"clf__C": strengths}
    for arm in arms.values()
]
search = GridSearchCV(
    model,
    grid,
    scoring=["balanced_accuracy", "roc_auc"],
    refit="balanced_accuracy",
    cv=StratifiedGroupKFold(4, shuffle=True, random_state=0),
)
search.fit(X, y, groups=patient)

for name, value in search.best_params_.items():
    print(f"{name} = {value}")

# %%
# Every candidate
# ---------------
#
# Candidates come in the order of the grid: one row for each arm, one column for each
# ``C``.

shape = len(arms), len(strengths)
metrics = {"balanced accuracy": "balanced_accuracy", "ROC AUC": "roc_auc"}
results = {
    name: pd.DataFrame(
        search.cv_results_[f"mean_test_{metric}"].reshape(shape), arms, strengths
    )
    for name, metric in metrics.items()
}
for name, table in results.items():
    print(name, table.round(2).to_string(), sep="\n")

# %%
# At ``C=0.001`` the classifier without resampling calls nothing rare (0.50). With equal
# classes it reaches 0.59, and with three times the rows 0.66, the best of all. As ``C``
# grows the difference disappears. No arm ranks better (ROC AUC) than no resampling by more
# than 0.02. So what is tuned here is mostly the place of the decision border.
#
# Does the choice hold?
# ---------------------
#
# The best of sixteen noisy scores is too good. So the winner, and the best candidate
# without resampling, meet the 400 patients that took no part.

best_C = results["balanced accuracy"].loc["no resampling"].idxmax()
plain = clone(model).set_params(**{"gan__target_prior": "empirical", "clf__C": best_C})
finalists = {
    "no resampling": (plain.fit(X, y, groups=patient), best_C),
    "winner": (search.best_estimator_, search.best_params_["clf__C"]),
}
promised = {
    "no resampling": results["balanced accuracy"].loc["no resampling"].max(),
    "winner": search.best_score_,
}
for name, (fitted, C) in finalists.items():
    kept = balanced_accuracy_score(y_test, fitted.predict(X_test))
    auc = roc_auc_score(y_test, fitted.predict_proba(X_test)[:, 1])
    print(
        f"{name}, C={C}: balanced accuracy {promised[name]:.2f} in the search, "
        f"{kept:.2f} on new patients (ROC AUC {auc:.2f})"
    )

# %%
# Both score less than in the search, as the best of many candidates does. The winner
# stays 0.04 ahead, in one table and with one set of folds: how much of that is luck, only
# repeats on further patients could tell.

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for ax, (name, table) in zip(axes, results.items(), strict=True):
    image = ax.imshow(table, cmap="cividis", vmin=0.5, vmax=0.75)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        shade = "white" if value < 0.63 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
    ax.set_xticks(range(len(strengths)), strengths)
    ax.set_yticks(range(len(arms)), arms)
    ax.set_xlabel("C of the logistic regression")
    ax.set_title(name)
figure.colorbar(image, ax=axes)
plt.show()

# %%
# Routing is a switch of the whole process. Turn it off again where other code follows.

folder.cleanup()
sklearn.set_config(enable_metadata_routing=False)
