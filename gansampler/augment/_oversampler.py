"""AugmentedOverSampler: conventional augmentation as an imbalanced-learn sampler."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import validate_data

from ._base import MODALITIES, Compose, Transform, check_volumes
from ._modality import augmentations_for


class AugmentedOverSampler(BaseOverSampler):
    """Oversample volumes by changed copies of real ones: the baseline of any generator.

    Each new volume is a real one of its class, changed by all transforms in their order.
    Real volumes take turns, so that none is used more than once more often than another of
    its class.

    Parameters
    ----------
    transforms : sequence of Transform, default=None
        What to do to each copy; None takes `augmentations_for(modality, allow=allow)`.
    sampling_strategy : float, str, dict or callable, default="auto"
        Rows to add, as in every imbalanced-learn oversampler.
    modality : {"CT", "PET", "MR"} or None, default="CT"
        For CT and PET, transforms that do not keep "hu" are refused.
    allow : collection of str, default=()
        Names of transforms to let pass nonetheless, such as {"gamma"}.
    spacing : sequence of three floats, default=(1, 1, 1)
        Edges of a voxel in mm: (depth, height, width).
    mask_channel : int or None, default=-1
        Channel that is a mask of zeros and ones; None if there is none.
    random_state : int, RandomState instance or None, default=None
        Seed; an int gives the same rows again.

    Attributes
    ----------
    sampling_strategy_ : dict
        Class -> number of new rows.
    is_synthetic_ : ndarray of bool, shape (n_samples_new,)
        Which of the returned rows are new.
    sample_indices_ : ndarray of int, shape (n_samples_new,)
        Row of X that each returned row is, or comes from. A new row belongs to the patient
        of that one: `groups[sample_indices_]`.
    n_features_in_ : int
        Channels of a volume.

    Notes
    -----
    Resample training rows only. The copies are patients seen before: they add variation
    that the transforms know of, and no new anatomy.

    Examples
    --------
    >>> from collections import Counter
    >>> from gansampler.augment import AugmentedOverSampler
    >>> from gansampler.datasets import make_liver_phantoms, phantom_spacing
    >>> X, y = make_liver_phantoms(10, size=16, random_state=0)
    >>> sampler = AugmentedOverSampler(spacing=phantom_spacing(16), random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> sorted(Counter(y_res.tolist()).items())
    [('homogeneous', 5), ('rim', 5), ('speckled', 5)]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseOverSampler._parameter_constraints,
        "transforms": [list, tuple, None],
        "modality": [StrOptions(set(MODALITIES)), None],
        "allow": [tuple, list, set, frozenset],
        "spacing": ["array-like"],
        "mask_channel": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        transforms: Sequence[Transform] | None = None,
        sampling_strategy: Any = "auto",
        modality: str | None = "CT",
        allow: Collection[str] = (),
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        mask_channel: int | None = -1,
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.transforms = transforms
        self.modality = modality
        self.allow = allow
        self.spacing = spacing
        self.mask_channel = mask_channel
        self.random_state = random_state

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the volumes given followed by changed copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
        y : array-like of shape (n_samples,)
            Class labels, of at least two classes.

        Returns
        -------
        X_resampled : ndarray of shape (n_samples_new, channel, depth, height, width)
            Of the dtype of X where that is a float, else float32.
        y_resampled : ndarray of shape (n_samples_new,)

        Raises
        ------
        ValueError
            If X holds no volumes with such a mask, a transform is refused, or the classes
            wanted cannot be reached by adding rows.
        """
        return super().fit_resample(X, y, **params)

    def _check_X_y(
        self, X: Any, y: Any, accept_sparse: Any = None
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        X, y = validate_data(self, X=X, y=y, allow_nd=True, dtype=None)
        volumes, _ = check_volumes(X, self.spacing, self.mask_channel)
        return volumes, y, is_one_vs_all

    def _fit_resample(
        self, X: np.ndarray, y: np.ndarray, **params: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        transforms = self.transforms
        if transforms is None:
            if self.modality is None:
                raise ValueError("Without a modality, transforms must be given.")
            transforms = augmentations_for(self.modality, allow=self.allow)
        augment = Compose(transforms, modality=self.modality, allow=self.allow)
        rng = check_random_state(self.random_state)
        parents = [np.empty(0, dtype=int)]
        for label, n_new in self.sampling_strategy_.items():
            rows = rng.permutation(np.flatnonzero(y == label))
            parents.append(np.resize(rows, n_new))
        parent = np.concatenate(parents)
        new = augment(
            X[parent],
            spacing=self.spacing,
            mask_channel=self.mask_channel,
            random_state=rng,
        )
        self.is_synthetic_ = np.arange(len(X) + len(new)) >= len(X)
        self.sample_indices_ = np.concatenate([np.arange(len(X)), parent])
        return np.concatenate([X, new]), np.concatenate([y, y[parent]])
