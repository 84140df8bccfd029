"""Target priors: from what the user asks for to rows to add per class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Prior = str | Mapping[Any, float]


def resolve_prior(
    prior: Prior, classes: np.ndarray, counts: np.ndarray, name: str = "target_prior"
) -> np.ndarray:
    """Class probabilities, in the order of `classes`.

    Parameters
    ----------
    prior : {"uniform", "empirical"} or mapping of class -> probability
    classes : ndarray of shape (n_classes,)
    counts : ndarray of int, shape (n_classes,)
        Rows present of each class.
    name : str
        What error messages call the prior.

    Returns
    -------
    ndarray of shape (n_classes,), summing to 1

    Raises
    ------
    ValueError
        If a mapping names an unknown class, leaves one out, or does not sum to 1.
    """
    if prior == "uniform":
        return np.full(len(classes), 1 / len(classes))
    if prior == "empirical":
        return counts / counts.sum()
    if not isinstance(prior, Mapping):
        raise ValueError(
            f"{name} must be 'uniform', 'empirical' or a mapping of class to probability; "
            f"got {prior!r}."
        )
    labels = classes.tolist()
    unknown = [label for label in prior if label not in labels]
    if unknown:
        raise ValueError(
            f"{name} names classes that y does not hold: {unknown}; y holds {labels}."
        )
    missing = [label for label in labels if label not in prior]
    if missing:
        raise ValueError(
            f"{name} leaves out classes that y holds: {missing}; give each one."
        )
    try:
        p = np.array([prior[label] for label in labels], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must map classes to numbers; got {dict(prior)}."
        ) from None
    if not np.isfinite(p).all() or (p < 0).any():
        raise ValueError(
            f"{name} must hold probabilities of at least 0; got {dict(prior)}."
        )
    if abs(p.sum() - 1) > 1e-6:
        raise ValueError(
            f"{name} must sum to 1; it sums to {p.sum():.6g}. Divide each value by that."
        )
    return p / p.sum()


def apportion(total: int, p: np.ndarray) -> np.ndarray:
    """Whole counts that sum to `total`, each within one of total * p.

    Largest remainders (Hamilton's method); ties go to the earlier class.
    """
    exact = total * p
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def target_counts(
    classes: np.ndarray, counts: np.ndarray, p: np.ndarray, target_size: float | None
) -> np.ndarray:
    """Rows of each class, old and new together, that reach a prior by adding rows only.

    Parameters
    ----------
    classes, counts, p : ndarray of shape (n_classes,)
        Labels, rows present, and probabilities wanted.
    target_size : float or None
        Size of the table wanted, as a multiple of the rows present; None takes the
        smallest that reaches the prior.

    Returns
    -------
    ndarray of int, shape (n_classes,)

    Raises
    ------
    ValueError
        If the prior cannot be reached; the message names the nearest that can.
    """
    n = counts.sum()
    if (p == 0).any():
        raise ValueError(
            f"A prior of 0 for classes {classes[p == 0].tolist()} cannot be reached by "
            "adding rows, for y holds some; remove them from the table or give them a "
            f"positive share. {_nearest(classes, counts, p, target_size or 1.0)}"
        )
    if target_size is None:
        # The class that is fullest for its share stays as it is; the rest follow.
        fullest = np.argmax(counts / p)
        wanted = np.rint(counts[fullest] / p[fullest] * p).astype(int)
        return np.maximum(wanted, counts)
    wanted = apportion(round(target_size * n), p)
    if (wanted < counts).any():
        needed = np.ceil((counts / p).max() / n * 1000) / 1000
        raise ValueError(
            f"The prior {_as_prior(classes, p)} cannot be reached by adding rows up to "
            f"target_size={target_size:g}: classes {classes[wanted < counts].tolist()} "
            "already hold more rows than their share. "
            f"{_nearest(classes, counts, p, target_size)} It takes target_size={needed:g} "
            "to reach the one asked for."
        )
    return wanted


def _nearest(
    classes: np.ndarray, counts: np.ndarray, p: np.ndarray, target_size: float
) -> str:
    """Name the reachable prior of least total variation: full classes stay as they are."""
    total = target_size * counts.sum()
    room = np.maximum(total * p - counts, 0)
    reached = counts + (total - counts.sum()) * room / max(room.sum(), 1e-12)
    return (
        f"The nearest reachable prior at target_size={target_size:g} is "
        f"{_as_prior(classes, reached / reached.sum())}."
    )


def _as_prior(classes: np.ndarray, p: np.ndarray) -> dict[Any, float]:
    return {
        label: round(float(share), 4)
        for label, share in zip(classes.tolist(), p, strict=True)
    }
