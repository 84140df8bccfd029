"""PriorCorrectedClassifier: probabilities as if nothing had been resampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline as PlainPipeline
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ._prior import Prior, resolve_prior

COUNTER = "class_counter"
"""Name of the step that counts, while the pipeline is fitted."""


class PriorCorrectedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier whose probabilities are corrected for the prior that resampling changed.

    A classifier trained on a resampled table believes in the class shares of that table:
    after balancing, it predicts a rare class far too often. Resampling within classes
    leaves the distribution of X in each class as it is, so Bayes' rule gives the
    probabilities back [1]_ [2]_::

        p(k | x) = p_s(k | x) r(k) / sum_j p_s(j | x) r(j),    r(k) = prior(k) / prior_s(k)

    with p_s(k | x) predicted by the classifier, prior(k) the share of class k in y and
    prior_s(k) its share in the rows that the classifier was trained on. For two classes
    that is beta p_s / ((beta - 1) p_s + 1), beta being the odds of the class in y over its
    odds in the rows trained on [3]_.

    Parameters
    ----------
    estimator : classifier with `predict_proba`
        Commonly an imbalanced-learn `Pipeline` that holds a sampler. A classifier without
        one is left as it is, to the last bit.
    decision : {"resampled", "corrected"}, default="resampled"
        What `predict` goes by.

        - "resampled": predict as `estimator` does. This keeps the gain in balanced
          accuracy, but the class predicted need not have the largest `predict_proba`.
        - "corrected": predict the class with the largest `predict_proba`. This makes the
          fewest errors in all but rarely predicts a rare class. There is no
          `decision_function` then.
    training_prior : "auto", "uniform", "empirical" or mapping of class -> probability, \
            default="auto"
        Class shares that `estimator` is trained on. "auto" counts them, where there are
        pipelines, one in another, and searches such as `GridSearchCV`. State them for what
        cannot be counted: class weights ("uniform" for `class_weight="balanced"`),
        classifiers that resample inside themselves, and fitted ones in a
        `FrozenEstimator`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class in y.
    training_prior_ : ndarray of shape (n_classes,)
        Share of each class in the rows that the classifier was trained on.
    estimator_ : classifier
        Fitted clone of `estimator`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Defined only when X has feature names that are all strings.

    See Also
    --------
    GANOverSampler : Oversampling that shifts the prior.
    sklearn.calibration.CalibratedClassifierCV : Calibration learned on held-out rows.

    Notes
    -----
    The correction knows the prior and nothing else. It is exact where the rows added are
    distributed as their class and the classifier is calibrated for what it was trained on;
    one that is too sure of itself stays so.

    "auto" sees neither class weights nor sample weights. Class weights shift most
    classifiers as resampling does, with shares proportional to rows times weight; but not
    all, since `SVC(probability=True)`, say, fits its probabilities without them. So state
    a `training_prior` where it holds.

    The ranking of rows within two classes stays the same, and the area under the ROC curve
    with it.

    In a search that `estimator` holds, scores of probabilities are those before the
    correction. Put the search around instead: `GridSearchCV(PriorCorrectedClassifier(
    pipeline), {"estimator__clf__C": ...})`.

    References
    ----------
    .. [1] Elkan (2001), The foundations of cost-sensitive learning, IJCAI.
    .. [2] Saerens, Latinne and Decaestecker (2002), Adjusting the outputs of a classifier
       to new a priori probabilities, Neural Computation 14.
    .. [3] Dal Pozzolo et al. (2015), Calibrating probability with undersampling for
       unbalanced classification, IEEE SSCI.

    Examples
    --------
    >>> from imblearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import StandardScaler
    >>> from gansampler import GANOverSampler, PriorCorrectedClassifier
    >>> from gansampler.datasets import load_hcc_tace
    >>> X, y = load_hcc_tace(return_X_y=True)
    >>> pipeline = make_pipeline(
    ...     StandardScaler(),
    ...     GANOverSampler(max_iter=20, checks=(), random_state=0),
    ...     LogisticRegression(C=0.01),
    ... )
    >>> model = PriorCorrectedClassifier(pipeline).fit(X, y)
    >>> model.class_prior_.round(2), model.training_prior_
    (array([0.86, 0.14]), array([0.5, 0.5]))
    >>> shifted, corrected = (
    ...     clf.predict_proba(X)[:, 1].mean() for clf in (model.estimator_, model)
    ... )
    >>> bool(abs(shifted - y.mean()) > 0.1 > abs(corrected - y.mean()))
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "decision": [StrOptions({"resampled", "corrected"})],
        "training_prior": [StrOptions({"auto", "uniform", "empirical"}), Mapping],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        decision: str = "resampled",
        training_prior: Prior = "auto",
    ) -> None:
        self.estimator = estimator
        self.decision = decision
        self.training_prior = training_prior

    @_fit_context(
        # The estimator inside is not validated yet.
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: ArrayLike, **params: Any) -> PriorCorrectedClassifier:
        """Fit the classifier and learn both priors.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)
            Whatever `estimator` takes.
        y : array-like of shape (n_samples,)
            Class labels, with the class shares that probabilities are wanted for.
        **params : dict
            Metadata for `estimator`, such as `groups` or `sample_weight`, where its parts
            request them; needs `enable_metadata_routing=True`.

        Returns
        -------
        self : PriorCorrectedClassifier

        Raises
        ------
        ValueError
            If the training prior cannot be counted, or resampling left out a class.
        """
        _raise_for_params(params, self, "fit")
        validate_data(self, X, y, skip_check_array=True)
        check_consistent_length(X, y)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        routed = process_routing(self, "fit", **params).estimator.fit

        classes, counts = np.unique(y, return_counts=True)
        self.estimator_ = clone(self.estimator)
        if self.training_prior == "auto":
            _put_counter(self.estimator_)
            self.estimator_.fit(X, y, **routed)
            seen = _take_counter(self.estimator_)
            self.training_prior_ = _shares(counts if seen is None else seen, classes)
        else:
            self.training_prior_ = self._stated_prior(classes, counts)
            self.estimator_.fit(X, y, **routed)
        if not np.array_equal(classes, self.estimator_.classes_):
            raise ValueError(
                f"y holds the classes {classes.tolist()}, but estimator learned "
                f"{np.asarray(self.estimator_.classes_).tolist()}."
            )
        self.classes_ = classes
        self.class_prior_ = counts / counts.sum()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, corrected for the prior.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        p = self.estimator_.predict_proba(X)
        if np.array_equal(self.class_prior_, self.training_prior_):
            return p
        weighted = p * (self.class_prior_ / self.training_prior_)
        return weighted / weighted.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Class of each row; `decision` says by which probabilities.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        if self.decision == "resampled":
            return self.estimator_.predict(X)
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def _can_decide(self) -> bool:
        # Of the corrected decision, the estimator's scores have the wrong threshold.
        estimator = getattr(self, "estimator_", self.estimator)
        return self.decision == "resampled" and hasattr(estimator, "decision_function")

    @available_if(_can_decide)
    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of `estimator`, uncorrected; only with `decision="resampled"`.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Metadata of `fit` goes to `estimator`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self.estimator,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
            tags.classifier_tags.multi_label = False
        return tags

    def _stated_prior(self, classes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        prior = resolve_prior(self.training_prior, classes, counts, "training_prior")
        if (prior == 0).any():
            raise ValueError(
                f"training_prior is 0 for classes {classes[prior == 0].tolist()}, of which "
                "then nothing can be learned; give them a positive share."
            )
        return prior


class _ClassCounter(BaseEstimator):
    """Sampler that changes nothing and remembers how many rows of each class passed."""

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        self.counts_ = Counter(np.asarray(y).tolist())
        return X, y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags


def _path(estimator: Any, *, fitted: bool = False) -> Iterator[Any]:
    """What y passes through down to the classifier that learns it, outermost first."""
    while True:
        yield estimator
        if isinstance(estimator, PlainPipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, BaseSearchCV):
            estimator = estimator.best_estimator_ if fitted else estimator.estimator
        else:
            return


def _resampling_pipelines(estimator: Any, *, fitted: bool = False) -> list[Pipeline]:
    """Pipelines on the path that may resample, outermost first.

    Raises
    ------
    ValueError
        If what stands at the end of the path resamples inside itself or is not fitted on y.
    """
    *through, classifier = _path(estimator, fitted=fitted)
    if isinstance(classifier, FrozenEstimator):
        raise ValueError(
            "A FrozenEstimator is not trained on the y given, so its classes cannot be "
            "counted; state the training_prior it was fitted with."
        )
    for name, value in classifier.get_params(deep=True).items():
        # What holds a sampler, and the ensembles of imbalanced-learn.
        if name.endswith("sampling_strategy") or hasattr(value, "fit_resample"):
            raise ValueError(
                f"{type(classifier).__name__} resamples inside itself, where the classes "
                "that it is trained on cannot be counted. If it fits pipelines with a "
                "sampler, put PriorCorrectedClassifier around each of them, inside it; "
                "otherwise state its training_prior, such as 'uniform'."
            )
    return [part for part in through if isinstance(part, Pipeline)]


def _put_counter(estimator: Any) -> None:
    """Let the classes be counted that reach the last step of the innermost pipeline."""
    # A step of its own, not a wrapper of the classifier: names of parameters stay as they
    # are, and so do those that a search sets.
    for pipeline in _resampling_pipelines(estimator)[-1:]:
        *before, last = pipeline.steps
        pipeline.steps = [*before, (COUNTER, _ClassCounter()), last]


def _take_counter(estimator: Any) -> Counter[Any] | None:
    """Remove the step from a fitted estimator; what it counted, None without pipelines."""
    counts = None
    for pipeline in _resampling_pipelines(estimator, fitted=True)[-1:]:
        counts = getattr(dict(pipeline.steps).get(COUNTER), "counts_", None)
        if counts is None:
            raise ValueError(
                "The search inside estimator set a pipeline of its own, in which classes "
                "were not counted. Search around PriorCorrectedClassifier, or state a "
                "training_prior."
            )
    for fitted in (False, True):
        for pipeline in _resampling_pipelines(estimator, fitted=fitted):
            pipeline.steps = [step for step in pipeline.steps if step[0] != COUNTER]
    return counts


def _shares(counts: np.ndarray | Counter[Any], classes: np.ndarray) -> np.ndarray:
    """Share of each class among the rows that the classifier was trained on."""
    if isinstance(counts, Counter):
        unknown = [label for label in counts if label not in classes.tolist()]
        counts = np.array([counts[label] for label in classes.tolist()])
        if unknown or (counts == 0).any():
            raise ValueError(
                "For probabilities to be corrected, resampling must keep the classes; it "
                f"removed {classes[counts == 0].tolist()} and added {unknown}."
            )
    return counts / counts.sum()
