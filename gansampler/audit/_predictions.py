"""What a classifier says of rows, whatever it offers, and the table that it sees."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.utils.validation import _num_samples


class Predictions(NamedTuple):
    """Predicted class of each row, and p(y|x) of shape (n, n_classes) if there is one."""

    labels: np.ndarray
    probabilities: np.ndarray | None


def predict(classifier: Any, X: Any) -> Predictions:
    """Labels by `predict`; probabilities, or decisions through the logistic function."""
    labels = np.asarray(classifier.predict(X))
    if hasattr(classifier, "predict_proba"):
        return Predictions(labels, np.asarray(classifier.predict_proba(X), dtype=float))
    if hasattr(classifier, "decision_function"):
        decision = np.asarray(classifier.decision_function(X), dtype=float)
        if decision.ndim == 1:
            positive = expit(decision)
            return Predictions(labels, np.column_stack([1 - positive, positive]))
        if decision.shape[1] == len(
            classifier.classes_
        ):  # not one for each pair of classes
            return Predictions(labels, softmax(decision, axis=1))
    return Predictions(labels, None)


def class_outcome(classifier: Any, X: Any, label: Any) -> np.ndarray:
    """Probability of one class; without probabilities 1 where it is predicted, else 0."""
    labels, probabilities = predict(classifier, X)
    if probabilities is None:
        return (labels == label).astype(float)
    return probabilities[:, list(classifier.classes_).index(label)]


def to_codes(labels: Any, classes: np.ndarray, name: str) -> np.ndarray:
    """Index of each label among the classes, whatever their order.

    Raises
    ------
    ValueError
        If a label is none of them.
    """
    labels, classes = np.asarray(labels), np.asarray(classes)
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        raise ValueError(
            f"{name}: {np.unique(labels[unknown]).tolist()} are not among the classes "
            f"{classes.tolist()}; leave such rows out."
        )
    order = np.argsort(classes)
    return order[np.searchsorted(classes, labels, sorter=order)]


def extract(extractor: Any, X: Any) -> Any:
    """What the classifier sees of X; the extractor learns nothing here.

    Raises
    ------
    ValueError
        If the extractor does not return one row for each of X.
    """
    if extractor is None:
        return X if hasattr(X, "shape") else np.asarray(X)
    table = extractor.transform(X) if hasattr(extractor, "transform") else extractor(X)
    if _num_samples(table) != _num_samples(X):
        raise ValueError(
            f"extractor returned {_num_samples(table)} rows for {_num_samples(X)} of X; it "
            "must return one for each."
        )
    return table


def as_frame(X: Any) -> pd.DataFrame | None:
    """A table as a DataFrame with rows from 0; None for what is no table."""
    if isinstance(X, pd.DataFrame):
        return X.reset_index(drop=True)
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return pd.DataFrame(X).rename(columns=lambda j: f"feature_{j}")
    return None


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes that are there of the share predicted right."""
    return float(np.mean([(predicted[truth == k] == k).mean() for k in np.unique(truth)]))


def check_length(values: np.ndarray, n: int, name: str) -> np.ndarray:
    """Return the values if there is one for each row."""
    if len(values) != n:
        raise ValueError(f"X has {n} rows, but {name} has {len(values)} entries.")
    return values


def check_limits(tolerance: float, alpha: float) -> None:
    """Refuse what is no share."""
    for name, value in {"tolerance": tolerance, "alpha": alpha}.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1; got {value}.")
