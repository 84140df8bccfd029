"""Where the generator starts: shrunk Gaussians in latent space, one or a few a class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

MIN_CLASS_ROWS = 6
"""Classes with fewer rows take the covariance of all classes together."""

PRIOR_ROWS = 20
"""How many rows of a class the pooled covariance counts for, beside its own; as many as
there are components, if those are fewer.

The covariance of few rows spans only those rows: draws from it lie between them and look
like copies.
"""

RIDGE = 0.1
"""Weight of the overall covariance in that of every class, where components are as many
as rows; it falls with their ratio.

In a table that is wider than long, all rows of a class share a value along some
directions; without this the drawn rows would too.
"""

MAX_MODES = 16
MIN_MODE_ROWS = 10
"""Modes of a class are looked for up to so many, each with at least so many rows: around
one row a mode would draw its likes."""

ROWS_PER_COMPONENT = 4
"""Rows of a class for each component its modes are looked for in."""

EVIDENCE = 10.0
"""Difference in BIC from one mode: "very strong" to Kass and Raftery (1995)."""

PATIENCE = 3
"""Numbers of modes tried in a row that are no better."""

MODE_ROWS = 2000
"""Rows of a class that its modes are looked for among, at most."""


@dataclass(frozen=True)
class Start:
    """A Gaussian mixture a class.

    Attributes
    ----------
    location : ndarray of shape (n_modes, k)
        Means of the modes of all classes, those of a class together.
    scale_tril : ndarray of shape (n_modes, k, k)
        Lower Cholesky factors of their covariances.
    mode_class : ndarray of int, shape (n_modes,)
        Class of each mode, from 0 in order.
    mode_weight : ndarray of shape (n_modes,)
        Share of the mode in its class.
    """

    location: np.ndarray
    scale_tril: np.ndarray
    mode_class: np.ndarray
    mode_weight: np.ndarray

    def draw(
        self, noise: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """A row for each row of standard normal noise, (n, k), and class code."""
        modes = np.searchsorted(self.mode_class, codes)
        for c in np.unique(codes):
            weight = self.mode_weight[self.mode_class == c]
            if len(weight) > 1:
                mine = np.flatnonzero(codes == c)
                # Spread evenly from 0 to 1, so that modes come as often as they should.
                at = (rng.permutation(len(mine)) + rng.uniform()) / len(mine)
                modes[mine] += np.searchsorted(weight.cumsum()[:-1], at, side="right")
        rows = self.location[modes]
        for m in np.unique(modes):
            mine = modes == m
            rows[mine] += noise[mine] @ self.scale_tril[m].T
        return rows

    def leading(self, r: int) -> Start:
        """The same of the first r components."""
        return replace(
            self, location=self.location[:, :r], scale_tril=self.scale_tril[:, :r, :r]
        )


class ClassModes:
    """Which modes a class has: a Gaussian mixture for each class with several.

    The modes of a class are looked for with one covariance, so that they can be told apart
    where rows are few, starting from those of k-means on components that keep their
    variance: groups make some of it. How many there are, Schwarz's criterion says (BIC):
    one, in most tables with fewer rows than columns.

    Parameters
    ----------
    n_modes : int or "auto"
        Modes of every class that has `MIN_MODE_ROWS` rows for each.

    Attributes
    ----------
    mixtures_ : list of GaussianMixture or None
        None for classes with one mode.
    """

    def __init__(self, n_modes: int | str) -> None:
        self.n_modes = n_modes

    def fit(
        self,
        latent: np.ndarray,
        codes: np.ndarray,
        n_classes: int,
        rng: np.random.RandomState,
    ) -> ClassModes:
        """Look for modes in leading components of rows, (n, r), with class codes."""
        self.mixtures_ = []
        for c in range(n_classes):
            rows = latent[codes == c]
            if len(rows) > MODE_ROWS:
                rows = rows[rng.permutation(len(rows))[:MODE_ROWS]]
            self.mixtures_.append(self._mixture(rows, rng))
        return self

    @property
    def are_single(self) -> bool:
        """Whether every class has one."""
        return all(mixture is None for mixture in self.mixtures_)

    def _mixture(
        self, rows: np.ndarray, rng: np.random.RandomState
    ) -> GaussianMixture | None:
        limit = MAX_MODES if self.n_modes == "auto" else int(self.n_modes)
        most = min(len(rows) // MIN_MODE_ROWS, limit)
        if most < 2:
            return None
        rows = rows[:, : len(rows) // ROWS_PER_COMPONENT]
        seed = rng.randint(2**31 - 1)
        if self.n_modes != "auto":
            return _fitted(rows, most, seed)
        best, n_worse = None, 0
        lowest = _fitted(rows, 1, seed).bic(rows) - EVIDENCE
        for n_modes in range(2, most + 1):
            mixture = _fitted(rows, n_modes, seed)
            smallest = mixture.predict_proba(rows).sum(axis=0).min()
            bic = mixture.bic(rows)
            if bic < lowest and smallest >= MIN_MODE_ROWS:
                best, lowest, n_worse = mixture, bic, 0
            else:
                n_worse += 1
                if n_worse == PATIENCE:
                    break
        return best

    def memberships(self, latent: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        """For each class, the shares of its rows in its modes, (n_rows, n_modes)."""
        shares = []
        for c, mixture in enumerate(self.mixtures_):
            rows = latent[codes == c]
            if mixture is None:
                shares.append(np.ones((len(rows), 1)))
            else:
                shares.append(mixture.predict_proba(rows[:, : mixture.n_features_in_]))
        return shares


def _fitted(rows: np.ndarray, n_modes: int, seed: int) -> GaussianMixture:
    mixture = GaussianMixture(
        n_modes,
        covariance_type="tied",
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(rows)


def fit_start(
    latent: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    shrinkage: float,
    memberships: list[np.ndarray] | None = None,
) -> Start:
    """Fit location and shrunk covariance of the modes of every class.

    The covariance of a class of n rows has weight (1 - s) n / (n + min(20, k)) beside the
    pooled within-class covariance (regularized discriminant analysis, Friedman 1989), where
    s is `shrinkage`, times k / n where rows outnumber components; so has that of a mode
    beside its class's. All are shrunk a little toward the overall covariance, which is
    diagonal.

    Parameters
    ----------
    latent : ndarray of shape (n, k)
        Principal components, so that their overall covariance is diagonal.
    codes : ndarray of int, shape (n,)
        Class of each row, in 0 .. n_classes - 1.
    n_classes : int
    shrinkage : float in [0, 1]
        Weight of the pooled covariance in that of a class of many rows and more components.
    memberships : list of ndarray of shape (n_rows, n_modes), default=None
        For each class, the shares of its rows in its modes; None is one mode a class.

    Returns
    -------
    Start
    """
    counts = np.bincount(codes, minlength=n_classes)
    if memberships is None:
        memberships = [np.ones((count, 1)) for count in counts]
    sizes, location, scatter = [], [], []
    for c, shares in enumerate(memberships):
        rows = latent[codes == c]
        for share in shares.T:
            sizes.append(share.sum())
            location.append(share @ rows / sizes[-1])
            around = rows - location[-1]
            scatter.append((share[:, None] * around).T @ around)
    mode_class = np.repeat(range(n_classes), [m.shape[1] for m in memberships])
    pooled = np.sum(scatter, axis=0) / max(len(latent) - len(scatter), 1)
    overall = latent.var(axis=0)
    ridge = RIDGE * min(1.0, latent.shape[1] / len(latent))
    floor = 1e-10 * max(overall.max(), 1e-10)

    scale_tril = np.empty((len(scatter), *pooled.shape))
    for c, count in enumerate(counts):
        mine = np.flatnonzero(mode_class == c)
        within = np.sum([scatter[m] for m in mine], axis=0)
        of_class = _shrunk(within, len(mine), count, pooled, shrinkage)
        for m in mine:
            own = of_class
            if len(mine) > 1:
                own = _shrunk(scatter[m], 1, sizes[m], of_class, shrinkage)
            covariance = (1 - ridge) * own
            covariance[np.diag_indices_from(covariance)] += ridge * overall + floor
            scale_tril[m] = np.linalg.cholesky(covariance)
    weight = np.array(sizes) / counts[mode_class]
    return Start(np.array(location), scale_tril, mode_class, weight)


def _shrunk(
    scatter: np.ndarray, n_means: int, n: float, toward: np.ndarray, shrinkage: float
) -> np.ndarray:
    """Covariance of n rows around their means, shrunk toward another."""
    if n < MIN_CLASS_ROWS:
        return toward
    k = len(toward)
    trust = (1 - shrinkage * min(1.0, k / n)) * n / (n + min(PRIOR_ROWS, k))
    return trust * scatter / max(n - n_means, 1) + (1 - trust) * toward
