"""ComBat: shift and scale of each site, estimated by empirical Bayes and taken out."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted, validate_data

from .._frames import is_polars, naming_the_column
from .._warnings import warn
from ._design import Terms, check_rank, check_sites, label_terms, some

FLAT = 1e-12
"""Spread within sites, over the largest value, up to which a feature is constant there."""

NO_SPREAD = 1e-8
"""Standard deviation of a site, over that within all sites, up to which it has none."""

MAX_ITER = 1000


class ComBat(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Remove the effects of sites on features, by empirical Bayes.

    Sites (scanners, hospitals, reconstruction kernels) shift features and change their
    scale. ComBat [1]_ [2]_ estimates both for each site and feature, shrinks them towards
    what the features of the site have in common, and takes them out::

        x = m(w) + s (gamma + sqrt(delta) e)        a row of the site, as it is
        x* = m(w) + (x - m(w) - s gamma) / sqrt(delta)      as it is returned

    for each feature, with m(w) the mean at the covariates w, s the standard deviation
    within sites, and gamma and delta of the site.

    Parameters
    ----------
    reference_site : str, int or None, default=None
        Site to bring the others to; its rows are returned as they are. None brings all
        sites to their weighted mean and to the standard deviation within them. With few
        sites take one: see Notes.
    mean_only : bool, default=False
        Whether to leave scales alone.
    empirical_bayes : bool, default=True
        Whether to shrink the effects of a site. Without it, each feature is adjusted by
        itself, which suits few features or many rows.
    preserve_y : bool, default=False
        Whether `fit` estimates the effects of sites given y: as differences of rows of the
        same class. Matters where classes are not equally frequent at all sites; see Notes.
    tol : float, default=1e-4
        Shift and variance depend on one another, and are iterated until neither changes by
        more than this, relative to itself. Other implementations have the same.
    new_sites : {"error", "estimate"}, default="error"
        What `transform` does about sites that `fit` has not seen. "estimate" estimates
        their effects from the rows that are given to `transform`.

    Attributes
    ----------
    sites_ : ndarray of shape (n_sites,)
        Sites, sorted; empty where none were given.
    mean_ : ndarray of shape (n_features,)
        Mean that sites are brought to, at the mean of the covariates.
    scale_ : ndarray of shape (n_features,)
        Standard deviation within sites (of the reference site, where there is one); 1 for
        features that are constant within sites.
    coef_ : ndarray of shape (n_terms, n_features)
        Effects of the covariates that are preserved, without those of y.
    gamma_ : ndarray of shape (n_sites, n_features)
        Shift of each site, in units of `scale_`.
    delta_ : ndarray of shape (n_sites, n_features)
        Variance of each site, in units of `scale_` squared.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Defined only when X has feature names that are all strings.

    See Also
    --------
    harmonization_report : What harmonization does to sites, and to the label.

    Notes
    -----
    Without `sites` there is one site and nothing to remove: X is returned as it is, with a
    warning. In
    pipelines request them, with ``ComBat().set_fit_request(sites=True)
    .set_transform_request(sites=True)`` and ``enable_metadata_routing=True``.

    Whatever the parameters, `transform` is one straight line for each site, feature and
    setting of the covariates. No row is adjusted by its own label, at training or later, so
    rows to be predicted are treated as those learned from. With `preserve_y`, y is a
    covariate in the estimation of gamma and delta, and m is taken at the mean of y.

    Do not pass the label as a covariate if a classifier is to learn it: rows would then be
    moved by their own label, and the classes would seem better separated than they are
    [3]_. With `preserve_y` that does not happen row by row, but where classes are unequally
    frequent, what is estimated of their difference stays between sites, noise included.

    The prior takes sites for many. With two, each is half of their difference away from the
    mean, and shifts are shrunk too much: where features are correlated, a linear
    classifier can tell the site by what is left. A reference site, or
    `empirical_bayes=False`, avoids that.

    A site with one row is shifted only, with a warning: one row has no scale. Features that
    are constant within each site are shifted in full, and do not take part in shrinking.

    Numbers are those of neuroCombat. That holds for what may surprise, too:
    with `mean_only` shifts are shrunk as if each site had one row.

    References
    ----------
    .. [1] Johnson, Li and Rabinovic (2007), Adjusting batch effects in microarray
       expression data using empirical Bayes methods, Biostatistics 8,
       doi 10.1093/biostatistics/kxj037.
    .. [2] Fortin et al. (2018), Harmonization of cortical thickness measurements across
       scanners and sites, NeuroImage 167, doi 10.1016/j.neuroimage.2017.11.024.
    .. [3] Nygaard, Rodland and Hovig (2016), Methods that remove batch effects while
       retaining group differences may lead to exaggerated confidence in downstream
       analyses, Biostatistics 17, doi 10.1093/biostatistics/kxv027.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler import ComBat
    >>> rng = np.random.default_rng(0)
    >>> sites = np.repeat(["A", "B"], 50)
    >>> X = rng.normal(size=(100, 5))
    >>> X[sites == "B"] = 3 + 2 * X[sites == "B"]
    >>> X_new = ComBat(reference_site="A").fit_transform(X, sites=sites)
    >>> bool((X_new[sites == "A"] == X[sites == "A"]).all())
    True
    >>> print(X[sites == "B"].mean().round(1), X_new[sites == "B"].std().round(1))
    2.9 1.0
    """

    _parameter_constraints: dict[str, Any] = {
        "reference_site": "no_validation",
        "mean_only": ["boolean"],
        "empirical_bayes": ["boolean"],
        "preserve_y": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "new_sites": [StrOptions({"error", "estimate"})],
    }

    def __init__(
        self,
        *,
        reference_site: Any = None,
        mean_only: bool = False,
        empirical_bayes: bool = True,
        preserve_y: bool = False,
        tol: float = 1e-4,
        new_sites: str = "error",
    ) -> None:
        self.reference_site = reference_site
        self.mean_only = mean_only
        self.empirical_bayes = empirical_bayes
        self.preserve_y = preserve_y
        self.tol = tol
        self.new_sites = new_sites

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sites: ArrayLike | None = None,
        covariates: Any = None,
    ) -> ComBat:
        """Estimate the effects of sites.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Classes, or numbers. Used only with `preserve_y`.
        sites : array-like of shape (n_samples,), default=None
            Site of each row, as text or numbers. None: all are of one site.
        covariates : {array-like, dataframe} of shape (n_samples, n_covariates), \
                default=None
            What features depend on and are to go on depending on, such as age and sex.
            Columns of dtype category, string, object or bool are categories.

        Returns
        -------
        self : ComBat

        Raises
        ------
        ValueError
            If X, sites or covariates hold missing values or differ in length; if the
            effects of sites and covariates cannot be told apart; if the reference site is
            none of the sites, or has one row; if y is missing with `preserve_y`.
        """
        with naming_the_column(X):
            if self.preserve_y:
                X, y = validate_data(self, X, y, dtype=FLOAT_DTYPES)
            else:
                X = validate_data(self, X, dtype=FLOAT_DTYPES)
        X = X.astype(np.float64, copy=False)
        if sites is None:
            return self._fit_one_site(X)
        self.sites_, codes = np.unique(check_sites(sites, len(X)), return_inverse=True)
        n_sites = len(self.sites_)
        reference = self._reference(np.bincount(codes))

        self._terms = Terms(covariates, len(X))
        one_hot = (codes[:, None] == np.arange(n_sites)).astype(float)
        parts, owners = [one_hot, self._terms.columns], self._terms.owners
        if self.preserve_y:
            label = label_terms(y)
            parts, owners = [*parts, label.columns], owners + label.owners
        design = np.hstack(parts)
        check_rank(design, [*(f"site {site!r}" for site in self.sites_.tolist()), *owners])

        centre = X.mean(axis=0)
        coef = np.linalg.lstsq(design, X - centre, rcond=None)[0]
        residuals = X - centre - design @ coef
        weights = one_hot.mean(axis=0)
        if reference is not None:
            residuals = residuals[codes == reference]
            weights = np.arange(n_sites) == reference
        self.mean_ = centre + weights @ coef[:n_sites]
        self.coef_ = coef[n_sites:][: self._terms.columns.shape[1]]
        self.scale_ = np.sqrt((residuals**2).mean(axis=0))
        self._is_flat = self.scale_ <= FLAT * np.abs(X).max(axis=0)
        self.scale_[self._is_flat] = 1.0

        deviations = X - self.mean_ - design[:, n_sites:] @ coef[n_sites:]
        self.gamma_ = np.zeros((n_sites, X.shape[1]))
        self.delta_ = np.ones((n_sites, X.shape[1]))
        for i in range(n_sites):
            if i != reference:
                effects = self._estimate(deviations[codes == i], self.sites_[i])
                self.gamma_[i], self.delta_[i] = effects
        return self

    def transform(
        self, X: Any, *, sites: ArrayLike | None = None, covariates: Any = None
    ) -> Any:
        """Remove the effects of sites.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
        sites : array-like of shape (n_samples,), default=None
            Site of each row; needed if `fit` had them.
        covariates : {array-like, dataframe} of shape (n_samples, n_covariates), \
                default=None
            Those of `fit`; needed if it had them.

        Returns
        -------
        {ndarray, DataFrame} of shape (n_samples, n_features)
            A DataFrame if X is one of pandas.

        Raises
        ------
        ValueError
            If sites or covariates are needed and not given; if X, sites or covariates hold
            missing values; if `fit` did not see a site, or a category of a covariate.
        """
        check_is_fitted(self)
        with naming_the_column(X):
            values = validate_data(self, X, dtype=FLOAT_DTYPES, reset=False, copy=True)
        if len(self.sites_) or sites is not None:
            values[:] = self._adjust(values.astype(np.float64), sites, covariates)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(values, index=X.index, columns=X.columns)
        if is_polars(X):
            return X.__class__(dict(zip(X.columns, values.T, strict=True)))
        return values

    def fit_transform(
        self,
        X: Any,
        y: Any = None,
        *,
        sites: ArrayLike | None = None,
        covariates: Any = None,
    ) -> Any:
        """Estimate the effects of sites and remove them: `fit`, then `transform`.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
        sites : array-like of shape (n_samples,), default=None
        covariates : {array-like, dataframe} of shape (n_samples, n_covariates), \
                default=None

        Returns
        -------
        {ndarray, DataFrame} of shape (n_samples, n_features)
        """
        self.fit(X, y, sites=sites, covariates=covariates)
        return self.transform(X, sites=sites, covariates=covariates)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.preserve_y
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _fit_one_site(self, X: np.ndarray) -> ComBat:
        """Nothing to remove."""
        if self.reference_site is not None:
            raise ValueError(
                f"reference_site={self.reference_site!r}, but no sites were given; pass "
                "sites, the site of each row."
            )
        warn(
            "No sites were given, so ComBat has nothing to remove and returns X as it is. "
            "Pass sites, in a pipeline after set_fit_request(sites=True).",
        )
        self.sites_ = np.empty(0, dtype=object)
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        self.coef_ = self.gamma_ = self.delta_ = np.empty((0, X.shape[1]))
        return self

    def _reference(self, counts: np.ndarray) -> int | None:
        """Index of the site that stays as it is; a sole site does."""
        if self.reference_site is None:
            return 0 if len(counts) == 1 else None
        known = self.sites_.tolist()
        if self.reference_site not in known:
            raise ValueError(
                f"reference_site={self.reference_site!r} is not among the sites "
                f"{some(known)}."
            )
        index = known.index(self.reference_site)
        if counts[index] == 1:
            raise ValueError(
                f"reference_site={self.reference_site!r} has one row, which has no scale "
                "to bring the others to; choose a site with more rows."
            )
        return index

    def _adjust(self, X: np.ndarray, sites: Any, covariates: Any) -> np.ndarray:
        """X without the effects of sites."""
        if sites is None:
            raise ValueError(
                "ComBat was fitted with sites, so transform needs them: pass sites, or in "
                "a pipeline request them with set_transform_request(sites=True)."
            )
        if not len(self.sites_):
            raise ValueError(
                "ComBat was fitted without sites, so transform can do nothing with them: "
                "pass sites to fit, or in a pipeline request them with "
                "set_fit_request(sites=True)."
            )
        present, codes = np.unique(check_sites(sites, len(X)), return_inverse=True)
        index = {site: i for i, site in enumerate(self.sites_.tolist())}
        new = [site for site in present.tolist() if site not in index]
        if new and self.new_sites == "error":
            raise ValueError(
                f"Sites {some(new)} were not seen by fit, which saw {some([*index])}. Fit "
                'with rows of them, or set new_sites="estimate" to estimate their effects '
                "from the rows that are transformed."
            )
        expected = self.mean_ + self._terms.of(covariates, len(X)) @ self.coef_
        out = np.empty_like(X)
        for code, site in enumerate(present.tolist()):
            rows = codes == code
            x, mean = X[rows], expected[rows]
            if site in index:
                gamma, delta = self.gamma_[index[site]], self.delta_[index[site]]
            else:
                gamma, delta = self._estimate(x - mean, site)
            adjusted = mean + (x - mean - self.scale_ * gamma) / np.sqrt(delta)
            # Where there is nothing to remove, nothing is rounded either.
            out[rows] = np.where((gamma == 0) & (delta == 1), x, adjusted)
        return out

    def _estimate(self, deviations: np.ndarray, site: Any) -> tuple[np.ndarray, np.ndarray]:
        """Shift and variance of a site, from its rows less what is expected of them."""
        n = len(deviations)
        if n == 1 and not self.mean_only:
            warn(
                f"Site {site!r} has one row: its features are shifted, but their scale is "
                "left as it is. Leave it out, or join it with a site like it.",
            )
        z = deviations / self.scale_
        gamma, delta = z.mean(axis=0), np.ones(z.shape[1])
        gamma[self._is_flat & (np.abs(gamma) <= FLAT * np.abs(self.mean_))] = 0.0
        # Features that are constant within sites say nothing of the others.
        usable = ~self._is_flat
        can_shrink = self.empirical_bayes and usable.sum() > 1
        if self.mean_only or n == 1:
            if can_shrink:
                gamma[usable] = _shrink_shift(gamma[usable])
            return gamma, delta
        squares = ((z - gamma) ** 2).sum(axis=0)
        varies = usable & (squares > n * NO_SPREAD**2)
        delta[varies] = squares[varies] / (n - 1)
        if can_shrink:
            gamma[usable], delta[usable] = _shrink(
                gamma[usable], delta[usable], squares[usable], n, self.tol
            )
        return gamma, delta


def _shrink_shift(gamma: np.ndarray) -> np.ndarray:
    """Posterior mean of shifts, each as if from one row of variance 1."""
    prior, spread = gamma.mean(), gamma.var(ddof=1)
    return (spread * gamma + prior) / (spread + 1)


def _shrink(
    gamma: np.ndarray, delta: np.ndarray, squares: np.ndarray, n: int, tol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior shifts and variances of the features of a site, as [1]_ of `ComBat`.

    The prior of shifts is normal and that of variances inverse gamma, with the moments that
    the estimates have over features. `squares` are sums of squares about `gamma`.
    """
    prior, spread = gamma.mean(), gamma.var(ddof=1)
    m, v = delta.mean(), delta.var(ddof=1)
    shift, variance = gamma, delta
    for _ in range(MAX_ITER):
        before = shift, variance
        shift = (n * spread * gamma + variance * prior) / (n * spread + variance)
        about = squares + n * (gamma - shift) ** 2
        # (about / 2 + b) / (n / 2 + a - 1) with a = m^2 / v + 2, b = m^3 / v + m, and
        # both sides times v, which may be 0.
        variance = (v * (about / 2 + m) + m**3) / (v * (n / 2 + 1) + m**2)
        # Negative shifts do not count, as in the implementation that others go back to.
        with np.errstate(divide="ignore", invalid="ignore"):
            changes = [
                np.abs(new - old) / old
                for new, old in zip((shift, variance), before, strict=True)
            ]
        if np.nanmax(changes) <= tol:
            break
    return shift, variance
