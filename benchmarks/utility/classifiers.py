"""The classifiers of the study. A new one is one more entry of `CLASSIFIERS`.

Each is a pipeline that scales inside the fold, after resampling. Their parameters are
scikit-learn's defaults, so that nobody chose them, but for the booster, which is made
faster, and for the probabilities of the SVM.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

N_BINS = 32


class NormalScores(TransformerMixin, BaseEstimator):
    """Columns to normal scores, interpolated between the rows fitted on.

    `QuantileTransformer` does the same and takes ten times as long on wide tables.
    """

    def fit(self, X, y=None):
        self.quantiles_ = np.sort(X, axis=0)
        self.scores_ = norm.ppf((np.arange(len(X)) + 0.5) / len(X))
        return self

    def transform(self, X):
        z = self.scores_
        # From both sides, so that equal values take the middle of their scores.
        columns = [
            (np.interp(x, q, z) - np.interp(-x, -q[::-1], -z[::-1])) / 2
            for x, q in zip(X.T, self.quantiles_.T, strict=True)
        ]
        return np.stack(columns, axis=1)


class Bins(TransformerMixin, BaseEstimator):
    """Columns to the numbers of their bins, as histogram boosting makes them.

    With class weights, the booster itself takes twenty times as long over it.
    `KBinsDiscretizer` puts a column half zeros and half ones into one bin.
    """

    def fit(self, X, y=None):
        self.edges_ = [self._edges(column) for column in X.T]
        return self

    def transform(self, X):
        columns = zip(self.edges_, X.T, strict=True)
        return np.stack([np.searchsorted(edges, x) for edges, x in columns], axis=1)

    def _edges(self, column):
        values = np.unique(column)
        if len(values) <= N_BINS:
            return (values[1:] + values[:-1]) / 2
        return np.unique(np.quantile(column, np.arange(1, N_BINS) / N_BINS))


CLASSIFIERS: dict[str, Pipeline] = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "logistic-20": make_pipeline(
        StandardScaler(), SelectKBest(k=20), LogisticRegression(max_iter=1000)
    ),
    "forest": make_pipeline(RandomForestClassifier(random_state=0)),
    "boosting": make_pipeline(
        Bins(),
        HistGradientBoostingClassifier(
            max_iter=50,
            max_leaf_nodes=8,
            min_samples_leaf=5,
            max_bins=N_BINS,
            early_stopping=False,
            random_state=0,
        ),
    ),
    # Platt's sigmoid turns the ranking over where inner folds do worse than chance, as on
    # small tables they do; a temperature cannot.
    "svm": make_pipeline(
        StandardScaler(),
        CalibratedClassifierCV(SVC(), method="temperature", cv=3, ensemble=False),
    ),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
    "logistic-scores": make_pipeline(NormalScores(), LogisticRegression(max_iter=1000)),
}


def with_class_weights(classifier: Pipeline) -> tuple[Pipeline, bool]:
    """A copy with balanced class weights, and whether the classifier takes any."""
    names = [n for n in classifier.get_params() if n.endswith("class_weight")]
    return clone(classifier).set_params(**dict.fromkeys(names, "balanced")), bool(names)
