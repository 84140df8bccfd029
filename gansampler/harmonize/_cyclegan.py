"""CycleGANHarmonizer: volumes of many sites as one of them would show them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._groups import check_groups
from .._warnings import warn
from ..volumes import CycleGAN
from ._design import check_sites, some


class CycleGANHarmonizer(TransformerMixin, BaseEstimator):
    """Translate volumes of every site to a reference site, by a CycleGAN each.

    Scanners and reconstruction kernels change texture, which no shift and scale of features
    undoes. A `CycleGAN` for each site learns to show its volumes as the reference site
    would, from volumes that are no pairs; those of the reference site stay as they are.

    Sites should have patients of the same kind: what differs between sites because patients
    do is taken for an effect of the scanner, and translated away.

    Parameters
    ----------
    gan : CycleGAN or None, default=None
        What is cloned for each site, see its parameters; None is ``CycleGAN()``. Side a is
        the site, side b the reference.
    reference_site : str, int or None, default=None
        Site to translate to; None takes the one with most volumes.
    random_state : int, RandomState instance or None, default=None
        Seed; an int trains the same translators again. Overrules that of `gan`.

    Attributes
    ----------
    sites_ : ndarray of shape (n_sites,)
        Sites, sorted; empty where none were given.
    reference_site_ : str or int
        Defined only where sites were given.
    gans_ : dict of site -> CycleGAN
        Of all sites but the reference.

    See Also
    --------
    ComBat : Shift and scale of features.
    harmonization_report : What harmonization does to sites, and to the label.

    References
    ----------
    .. [1] Mali et al. (2025), Harmonizing CT scanner acquisition variability in an
       anthropomorphic phantom, PLOS One 20, doi 10.1371/journal.pone.0322365.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler import CycleGAN, CycleGANHarmonizer
    >>> from gansampler.datasets import make_ct_phantoms
    >>> soft, _ = make_ct_phantoms(8, kernel="soft", size=16, random_state=0)
    >>> sharp, _ = make_ct_phantoms(6, kernel="sharp", size=16, random_state=1)
    >>> X, sites = np.concatenate([soft, sharp]), np.repeat(["soft", "sharp"], [8, 6])
    >>> harmonizer = CycleGANHarmonizer(CycleGAN(max_iter=0), random_state=0)
    >>> X_new = harmonizer.fit_transform(X, sites=sites)
    >>> bool((X_new[:8] == soft).all()), bool((X_new[8:] == sharp).all())
    (True, False)
    """

    _parameter_constraints: dict[str, Any] = {
        "gan": [CycleGAN, None],
        "reference_site": "no_validation",
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        gan: CycleGAN | None = None,
        *,
        reference_site: Any = None,
        random_state: Any = None,
    ) -> None:
        self.gan = gan
        self.reference_site = reference_site
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sites: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> CycleGANHarmonizer:
        """Train a CycleGAN between each site and the reference.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
            In physical units.
        y : object
            Not used.
        sites : array-like of shape (n_samples,), default=None
            Site of each volume, as text or numbers. None: all are of one site, with a
            warning.
        groups : array-like of shape (n_samples,), default=None
            Patients: the volumes of a group are held out together.

        Returns
        -------
        self : CycleGANHarmonizer

        Raises
        ------
        ValueError
            If a site has fewer than two volumes; if the reference site is none of the
            sites; and as `CycleGAN.fit`.
        """
        volumes = np.asarray(X)
        self.gans_: dict[Any, CycleGAN] = {}
        if sites is None:
            if self.reference_site is not None:
                raise ValueError(
                    f"reference_site={self.reference_site!r}, but no sites were given; "
                    "pass sites, the site of each volume."
                )
            warn(
                "No sites were given, so there is nothing to translate and X is returned "
                "as it is. Pass sites, in a pipeline after set_fit_request(sites=True).",
            )
            self.sites_ = np.empty(0, dtype=object)
            return self
        site_of = check_sites(sites, len(volumes))
        group_of = check_groups(groups, len(volumes))
        self.sites_, counts = np.unique(site_of, return_counts=True)
        self.reference_site_ = self._reference(counts)
        rng = check_random_state(self.random_state)
        target = site_of == self.reference_site_
        for site in self.sites_.tolist():
            if site == self.reference_site_:
                continue
            gan = CycleGAN() if self.gan is None else clone(self.gan)
            gan.set_params(random_state=int(rng.randint(2**31 - 1)))
            source = site_of == site
            self.gans_[site] = gan.fit(
                volumes[source],
                volumes[target],
                groups_a=group_of[source],
                groups_b=group_of[target],
            )
        return self

    def _reference(self, counts: np.ndarray) -> Any:
        known = self.sites_.tolist()
        alone = [site for site, n in zip(known, counts, strict=True) if n < 2]
        if alone:
            raise ValueError(
                f"Sites {some(alone)} have one volume, from which nothing can be learned; "
                "leave it out."
            )
        if self.reference_site is None:
            return known[int(counts.argmax())]
        if self.reference_site not in known:
            raise ValueError(
                f"reference_site={self.reference_site!r} is not among the sites "
                f"{some(known)}."
            )
        return self.reference_site

    def transform(self, X: ArrayLike, *, sites: ArrayLike | None = None) -> np.ndarray:
        """Show volumes as the reference site would.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
        sites : array-like of shape (n_samples,), default=None
            Site of each volume; needed if `fit` had them.

        Returns
        -------
        ndarray of the shape of X
            float32 in the units of the reference site; masks stay as they are.

        Raises
        ------
        ValueError
            If sites are needed and not given, or `fit` did not see one of them.
        """
        check_is_fitted(self)
        result = np.array(X, dtype=np.float32)
        if sites is None:
            if len(self.sites_):
                raise ValueError(
                    "fit had sites, so transform needs them too: pass sites, the site of "
                    "each volume."
                )
            return result
        site_of = check_sites(sites, len(result))
        unknown = np.setdiff1d(site_of, self.sites_).tolist()
        if unknown:
            raise ValueError(
                f"Sites {some(unknown)} were not seen by `fit`, which knows "
                f"{some(self.sites_.tolist())}; fit with some of their volumes."
            )
        for site, gan in self.gans_.items():
            mine = site_of == site
            if mine.any():
                result[mine] = gan.translate(result[mine], "a->b")
        return result

    def fit_transform(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sites: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> np.ndarray:
        """Train, and show the volumes as the reference site would.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
        y : object
            Not used.
        sites : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None

        Returns
        -------
        ndarray of the shape of X
        """
        self.fit(X, y, sites=sites, groups=groups)
        return self.transform(X, sites=sites)
