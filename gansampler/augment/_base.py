"""What all transforms share: they draw parameters, then apply them, volume by volume."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import StrOptions

KEEPABLE = ("hu", "texture", "geometry", "heterogeneity")

SCALED = ("CT", "PET")
"""Modalities whose values mean the same in every patient: Hounsfield units, uptake."""

MODALITIES = (*SCALED, "MR")

MOST_DRAWS = 10
"""Draws for one volume before a transform that empties its mask gives up."""


@dataclass(frozen=True)
class Frame:
    """What the voxels of a volume are.

    Parameters
    ----------
    spacing : ndarray of shape (3,)
        Edges of a voxel in mm: (depth, height, width).
    mask : int or None
        Channel of the mask, counted from the front.
    images : list of int
        The other channels.
    """

    spacing: np.ndarray
    mask: int | None
    images: list[int]


class Transform(BaseEstimator):
    """A random change of volumes: call it with them.

    Subclasses draw parameters for each volume (`draw`) and apply them (`apply`), which is
    deterministic. They name themselves (`name`) and what they keep (`keeps`), out of:

    - "hu": what a value means; the mean in the mask stays.
    - "texture": how values vary from one voxel to the next, relative to their spread.
    - "geometry": volume and proportions of the mask.
    - "heterogeneity": the spread of values in the mask.
    """

    name: ClassVar[str]
    keeps: frozenset[str]
    _parameter_constraints: dict[str, list[Any]] = {}

    def __call__(
        self,
        X: ArrayLike,
        *,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        mask_channel: int | None = -1,
        random_state: Any = None,
    ) -> np.ndarray:
        """Change each volume by parameters of its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
            Volumes; not written to.
        spacing : sequence of three floats, default=(1, 1, 1)
            Edges of a voxel in mm: (depth, height, width).
        mask_channel : int or None, default=-1
            Channel that is a mask of zeros and ones; None if there is none.
        random_state : int, RandomState instance or None, default=None
            Seed; an int changes the same volumes in the same way again.

        Returns
        -------
        ndarray of the shape of X
            Of its dtype where that is a float, else float32. Channels of whole numbers
            stay so, and a mask stays one of zeros and ones.

        Raises
        ------
        ValueError
            If X is not of five dimensions or not finite, the mask is not there or holds
            anything but 0 and 1, the spacing is not positive, or a volume's mask is empty
            after each of ten draws.
        """
        self._validate_params()
        volumes, frame = check_volumes(X, spacing, mask_channel)
        whole = [c for c in frame.images if (volumes[:, c] == np.rint(volumes[:, c])).all()]
        seeds = check_random_state(random_state).randint(2**31 - 1, size=len(volumes))
        result = np.empty_like(volumes)
        for row, volume, seed in zip(result, volumes, seeds, strict=True):
            changed = self._change(volume, frame, np.random.RandomState(seed))
            changed[whole] = np.rint(changed[whole])
            row[...] = changed
        return result

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        """Parameters for one volume, for `apply`."""
        raise NotImplementedError

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        """One volume (channel, depth, height, width), changed; a new float64 array."""
        raise NotImplementedError

    def _change(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> np.ndarray:
        volume = volume.astype(np.float64)
        for _ in range(MOST_DRAWS):
            changed = self.apply(volume, frame, **self.draw(volume, frame, rng))
            # A lesion that is gone is no example of its class.
            if frame.mask is None or changed[frame.mask].any():
                return changed
            if not volume[frame.mask].any():
                return changed
        raise ValueError(
            f"{self!r} left a mask empty in each of {MOST_DRAWS} draws: the region is too "
            "small, or too near the border, for a change so strong. Make it weaker."
        )


class Compose(Transform):
    """Transforms one after the other, checked against the modality.

    Parameters
    ----------
    transforms : sequence of Transform
        In their order; an empty one changes nothing.
    modality : {"CT", "PET", "MR"} or None, default="CT"
        For CT and PET, whose values have a scale, transforms that do not keep "hu" are
        refused. None does not check.
    allow : collection of str, default=()
        Names of transforms to let pass nonetheless, such as {"gamma"}.

    Attributes
    ----------
    keeps : frozenset of str
        What all of them keep.

    Examples
    --------
    >>> from gansampler.augment import Compose, Flip, Noise
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(4, size=16, random_state=0)
    >>> augment = Compose([Flip(), Noise(std=5)])
    >>> sorted(augment.keeps)
    ['geometry', 'hu']
    >>> augment(X, random_state=0).shape
    (4, 2, 16, 16, 16)
    """

    name = "compose"
    _parameter_constraints = {
        "transforms": [list, tuple],
        "modality": [StrOptions(set(MODALITIES)), None],
        "allow": [tuple, list, set, frozenset],
    }

    def __init__(
        self,
        transforms: Sequence[Transform],
        *,
        modality: str | None = "CT",
        allow: Collection[str] = (),
    ) -> None:
        self.transforms = transforms
        self.modality = modality
        self.allow = allow

    @property
    def keeps(self) -> frozenset[str]:  # type: ignore[override]
        """What all of them keep."""
        return frozenset(KEEPABLE).intersection(*(t.keeps for t in self.transforms))

    def __call__(
        self,
        X: ArrayLike,
        *,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        mask_channel: int | None = -1,
        random_state: Any = None,
    ) -> np.ndarray:
        self._validate_params()
        check_allowed(self.transforms, self.modality, self.allow)
        volumes, _ = check_volumes(X, spacing, mask_channel)
        rng = check_random_state(random_state)
        result = volumes.copy()
        for transform in self.transforms:
            result = transform(
                result, spacing=spacing, mask_channel=mask_channel, random_state=rng
            )
        return result


def check_allowed(
    transforms: Iterable[Transform], modality: str | None, allow: Collection[str]
) -> None:
    """Refuse transforms that break the scale of a modality that has one.

    Raises
    ------
    ValueError
        If a transform does not keep "hu", the modality is CT or PET, and `allow` does not
        name it.
    TypeError
        If one is no `Transform`.
    """
    for transform in _leaves(transforms):
        fits = "hu" in transform.keeps or transform.name in allow
        if modality in SCALED and not fits:
            raise ValueError(
                f"{transform!r} changes what values mean, and those of {modality} have a "
                f"scale. If that is wanted, pass allow={{{transform.name!r}}}."
            )


def _leaves(transforms: Iterable[Transform]) -> Iterator[Transform]:
    for transform in transforms:
        if not isinstance(transform, Transform):
            raise TypeError(f"{transform!r} is no Transform.")
        if isinstance(transform, Compose):
            yield from _leaves(transform.transforms)
        else:
            yield transform


def check_volumes(
    X: ArrayLike, spacing: Sequence[float], mask_channel: int | None
) -> tuple[np.ndarray, Frame]:
    """Volumes as floats, and what their voxels are.

    Raises
    ------
    ValueError
        As `Transform.__call__` says.
    """
    volumes = check_array(X, allow_nd=True, dtype=None, ensure_min_samples=0)
    if volumes.dtype.kind != "f":
        volumes = volumes.astype(np.float32)
    if volumes.ndim != 5:
        raise ValueError(
            "X must have shape (n_samples, channel, depth, height, width); got "
            f"{volumes.shape}."
        )
    edges = np.asarray(spacing, dtype=float)
    if edges.shape != (3,) or not (np.isfinite(edges).all() and (edges > 0).all()):
        raise ValueError(
            f"spacing must be three positive numbers in mm, (depth, height, width); got "
            f"{spacing!r}."
        )
    n_channels = volumes.shape[1]
    images = list(range(n_channels))
    mask = None
    if mask_channel is not None:
        if not isinstance(mask_channel, Integral) or not (
            -n_channels <= mask_channel < n_channels and n_channels > 1
        ):
            raise ValueError(
                f"mask_channel={mask_channel!r} is not there beside an image: X has "
                f"{n_channels} channel(s). Pass mask_channel=None for volumes without one."
            )
        mask = int(mask_channel) % n_channels
        images.remove(mask)
        if not np.isin(volumes[:, mask], (0, 1)).all():
            raise ValueError(f"Channel {mask} is no mask: it holds more than 0 and 1.")
    return volumes, Frame(edges, mask, images)
