"""Made-up CT volumes of liver lesions, for tests, examples and teaching.

No patient is behind them. Each row is drawn by itself, from a seed of its own, in
millimetres, in a cube with a side of 64 mm that is cut into `size` voxels a side:

1. Parenchyma has one mean, about 105 HU, with three to five vessels through it: curved
   tubes of 2 to 3.5 mm radius, about 40 HU brighter.
2. The lesion is an ellipsoid with mean radius 8 to 12.5 mm, turned at random, with bumps
   on its surface: Legendre polynomials of degree 2 and 3 in the angle to random
   directions, as in harmonics of low order. Its centre is up to 5 mm off the middle.
3. The texture of the lesion depends on the class: thresholds of, or sums with, white noise
   that was smoothed by a Gaussian, whose width is the correlation length.
4. Noise of the scanner: white noise, smoothed in the same way, over all.

Values are rounded to whole HU, as CT stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation
from sklearn.utils import check_random_state

FIELD_OF_VIEW = 64.0
"""Side of every phantom in mm."""

LIVER_CLASSES = ("homogeneous", "rim", "speckled")
LIVER_WEIGHTS = (0.5, 0.3, 0.2)
CT_CLASSES = ("smooth", "coarse")
KERNELS = ("soft", "sharp")

SMALLEST = 16
"""Voxels a side below which a rim or a speckle is less than a voxel wide."""

EDGE = 0.5
"""Width in mm over which one tissue becomes another."""


def phantom_spacing(size: int = 32) -> tuple[float, float, float]:
    """Spacing of the phantoms: (depth, height, width) in mm, 2 mm at size 32.

    Parameters
    ----------
    size : int, default=32
        Voxels a side; 22 to 42 give 1.5 to 3 mm.

    Returns
    -------
    tuple of three floats

    Examples
    --------
    >>> from gansampler.datasets import phantom_spacing
    >>> phantom_spacing(32)
    (2.0, 2.0, 2.0)
    """
    return (FIELD_OF_VIEW / size,) * 3


def make_liver_phantoms(
    n_samples: int | Mapping[str, int] = 60,
    *,
    weights: Sequence[float] | None = None,
    size: int = 32,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Made-up CT volumes of liver lesions of three textures, one of them rare.

    - "homogeneous": about 65 HU, with fine texture of 4 HU.
    - "rim": a core of about 45 HU with coarse texture (correlation length 3 mm) in a shell
      of 2 to 3 mm and about 150 HU.
    - "speckled": about 75 HU, with calcified speckles of 200 to 300 HU in 6 to 12 % of the
      lesion and dark spots, 60 HU lower, in 15 to 25 %; correlation length 1.2 mm.

    Patients differ in all of these, in size, and in noise (12 to 15 HU). The module tells
    how the rest is made.

    Parameters
    ----------
    n_samples : int or mapping of class -> int, default=60
        Number of volumes, or that of each class.
    weights : sequence of three floats, default=None
        Share of each class in the order above, brought to sum to 1; every class with a
        weight above 0 has one row at least. None takes (0.5, 0.3, 0.2). Not used where
        `n_samples` names the counts.
    size : int, default=32
        Voxels a side, at least 16; see `phantom_spacing` for the spacing.
    random_state : int, RandomState instance or None, default=None
        Seed; an int gives the same volumes again.

    Returns
    -------
    X : float32 ndarray of shape (n_samples, 2, size, size, size)
        Channel 0 is CT in whole HU, channel 1 the mask of the lesion, 0 or 1.
    y : ndarray of str, shape (n_samples,)
        Class of each volume, in random order.

    Raises
    ------
    ValueError
        If size is below 16, a class is unknown, weights are negative, not finite, or not
        three, or there are fewer rows than classes with a weight.

    Examples
    --------
    >>> from collections import Counter
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(10, size=16, random_state=0)
    >>> X.shape, sorted(Counter(y.tolist()).items())
    ((10, 2, 16, 16, 16), [('homogeneous', 5), ('rim', 3), ('speckled', 2)])
    """
    _check_size(size)
    counts = _counts(n_samples, weights, LIVER_CLASSES, LIVER_WEIGHTS)
    y, rngs = _labels_and_generators(LIVER_CLASSES, counts, random_state)
    X = np.empty((len(y), 2, size, size, size), dtype=np.float32)
    for row, label, rng in zip(X, y, rngs, strict=True):
        anatomy = _Anatomy.draw(size, rng)
        lesion = _LESIONS[str(label)](anatomy, rng)
        noise = rng.uniform(12, 15) * _field(size, rng.uniform(1.2, 1.8), rng)
        row[0] = np.rint(anatomy.filled_with(lesion) + noise)
        row[1] = anatomy.mask
    return X, y


def make_ct_phantoms(
    n_samples: int | Mapping[str, int] = 40,
    *,
    kernel: str = "soft",
    size: int = 32,
    return_truth: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, ...]:
    """Made-up CT volumes of liver lesions as two reconstruction kernels show them.

    The same seed with another kernel gives the same anatomies, masks and labels, and the
    same noise before the kernel: rows are pairs. Kernels are linear filters of anatomy plus
    white noise of 18 to 23 HU.

    - "soft": a Gaussian with standard deviation 1 mm. It blurs edges and correlates noise.
    - "sharp": an unsharp mask, the volume plus 0.8 times its difference from its Gaussian
      of 1.5 mm. Edges overshoot, and noise rises where frequencies are high.

    Lesions of class "smooth" have no texture of their own at 65 HU; those of class "coarse"
    have one of 25 HU with a correlation length of 3 mm around the same mean.

    Parameters
    ----------
    n_samples : int or mapping of class -> int, default=40
        Number of volumes, in equal shares, or that of each class.
    kernel : {"soft", "sharp"}, default="soft"
        Reconstruction kernel.
    size : int, default=32
        Voxels a side, at least 16; see `phantom_spacing` for the spacing.
    return_truth : bool, default=False
        Whether to return the anatomies too.
    random_state : int, RandomState instance or None, default=None
        Seed; an int gives the same volumes again.

    Returns
    -------
    X : float32 ndarray of shape (n_samples, 2, size, size, size)
        Channel 0 is CT in whole HU, channel 1 the mask of the lesion, 0 or 1.
    y : ndarray of str, shape (n_samples,)
        "smooth" or "coarse", in random order.
    truth : float32 ndarray of shape (n_samples, 1, size, size, size)
        Anatomies in HU without kernel and noise; only if `return_truth`.

    Raises
    ------
    ValueError
        If size is below 16, the kernel or a class is unknown, or there are fewer rows than
        classes.

    Examples
    --------
    >>> from gansampler.datasets import make_ct_phantoms
    >>> soft, y = make_ct_phantoms(4, kernel="soft", size=16, random_state=0)
    >>> sharp, _ = make_ct_phantoms(4, kernel="sharp", size=16, random_state=0)
    >>> bool((soft[:, 1] == sharp[:, 1]).all()), bool(sharp[0, 0].std() > soft[0, 0].std())
    (True, True)
    """
    _check_size(size)
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {KERNELS}; got {kernel!r}.")
    counts = _counts(n_samples, None, CT_CLASSES, (0.5, 0.5))
    y, rngs = _labels_and_generators(CT_CLASSES, counts, random_state)
    X = np.empty((len(y), 2, size, size, size), dtype=np.float32)
    truth = np.empty((len(y), 1, size, size, size), dtype=np.float32)
    for row, true, label, rng in zip(X, truth, y, rngs, strict=True):
        anatomy = _Anatomy.draw(size, rng)
        texture = _field(size, 3.0, rng)
        contrast = 25.0 if label == "coarse" else 0.0
        true[0] = anatomy.filled_with(rng.normal(65, 5) + contrast * texture)
        noise = rng.uniform(18, 23) * rng.standard_normal((size,) * 3)
        row[0] = np.rint(_reconstruct(true[0] + noise, kernel))
        row[1] = anatomy.mask
    return (X, y, truth) if return_truth else (X, y)


def _reconstruct(volume: np.ndarray, kernel: str) -> np.ndarray:
    voxel = FIELD_OF_VIEW / len(volume)
    if kernel == "soft":
        return gaussian_filter(volume, 1.0 / voxel, mode="nearest")
    return volume + 0.8 * (volume - gaussian_filter(volume, 1.5 / voxel, mode="nearest"))


@dataclass
class _Anatomy:
    """Liver, vessels, and where the lesion is.

    `depth` is how far in mm each voxel is inside the surface of the lesion, about; it is
    negative outside.
    """

    background: np.ndarray
    depth: np.ndarray

    @classmethod
    def draw(cls, size: int, rng: np.random.RandomState) -> _Anatomy:
        places = (np.arange(size) + 0.5) * FIELD_OF_VIEW / size - FIELD_OF_VIEW / 2
        at = np.stack(np.meshgrid(places, places, places, indexing="ij"))
        liver = rng.normal(105, 4)
        background = liver + 3 * _field(size, 8.0, rng)
        for _ in range(rng.randint(3, 6)):
            inside = _ramp(_depth_in_tube(at, rng))
            background = (1 - inside) * background + inside * (liver + rng.normal(40, 5))
        return cls(background, _depth_in_lesion(at, rng))

    @property
    def mask(self) -> np.ndarray:
        return self.depth > 0

    def filled_with(self, lesion: np.ndarray | float) -> np.ndarray:
        inside = _ramp(self.depth)
        return inside * lesion + (1 - inside) * self.background


def _depth_in_tube(at: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Depth in mm in a tube whose axis is a parabola in a random direction."""
    along, across, up = np.tensordot(_rotation(rng), at, axes=1)
    offset = rng.uniform(-24, 24, size=2)
    tilt = rng.uniform(-0.3, 0.3, size=2)
    bend = rng.uniform(-0.012, 0.012, size=2)
    aside = [
        place - (offset[i] + tilt[i] * along + bend[i] * along**2)
        for i, place in enumerate((across, up))
    ]
    return rng.uniform(2, 3.5) - np.hypot(*aside)


def _depth_in_lesion(at: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    centre = rng.uniform(-5, 5, size=3)
    radius = rng.uniform(8, 12.5)
    axes = radius * np.exp(rng.uniform(-0.2, 0.2, size=3))
    turned = np.tensordot(_rotation(rng), at - centre[:, None, None, None], axes=1)
    scaled = turned / axes[:, None, None, None]
    distance = np.sqrt((scaled**2).sum(axis=0))
    direction = scaled / np.maximum(distance, 1e-9)
    surface = np.ones_like(distance)
    for _ in range(4):
        towards = rng.standard_normal(3)
        cosine = np.tensordot(towards / np.linalg.norm(towards), direction, axes=1)
        legendre2 = (3 * cosine**2 - 1) / 2
        legendre3 = (5 * cosine**3 - 3 * cosine) / 2
        amplitude = rng.uniform(-0.07, 0.07, size=2)
        surface += amplitude[0] * legendre2 + amplitude[1] * legendre3
    return radius * (surface - distance)


def _homogeneous(anatomy: _Anatomy, rng: np.random.RandomState) -> np.ndarray:
    return rng.normal(65, 6) + 4 * _field(len(anatomy.depth), 1.2, rng)


def _rim(anatomy: _Anatomy, rng: np.random.RandomState) -> np.ndarray:
    size = len(anatomy.depth)
    core = rng.normal(45, 6) + rng.uniform(15, 22) * _field(size, 3.0, rng)
    shell = rng.normal(150, 10) + 8 * _field(size, 3.0, rng)
    in_core = _ramp(anatomy.depth - rng.uniform(2, 3))
    return in_core * core + (1 - in_core) * shell


def _speckled(anatomy: _Anatomy, rng: np.random.RandomState) -> np.ndarray:
    size = len(anatomy.depth)
    lesion = rng.normal(75, 6) + 8 * _field(size, 2.0, rng)
    spots = _field(size, 1.2, rng)
    inside = spots[anatomy.mask]
    dark = spots < np.quantile(inside, rng.uniform(0.15, 0.25))
    bright = spots > np.quantile(inside, 1 - rng.uniform(0.06, 0.12))
    lesion[dark] -= 60
    lesion[bright] = rng.uniform(200, 300, size=int(bright.sum()))
    return lesion


_LESIONS = {"homogeneous": _homogeneous, "rim": _rim, "speckled": _speckled}


def _ramp(depth: np.ndarray) -> np.ndarray:
    """From 0 outside to 1 inside: share of the tissue in a voxel."""
    return np.clip(0.5 + depth / (2 * EDGE), 0, 1)


def _rotation(rng: np.random.RandomState) -> np.ndarray:
    """Every direction alike: quaternions of normal numbers are uniform on their sphere."""
    return Rotation.from_quat(rng.standard_normal(4)).as_matrix()


def _field(size: int, length: float, rng: np.random.RandomState) -> np.ndarray:
    """Smooth noise with mean 0, standard deviation 1, correlated over `length` mm."""
    sigma = length * size / FIELD_OF_VIEW
    # Wrapped around, so that the noise is the same at the border as in the middle.
    smooth = gaussian_filter(rng.standard_normal((size,) * 3), sigma, mode="wrap")
    smooth -= smooth.mean()
    return smooth / smooth.std()


def _check_size(size: int) -> None:
    if size < SMALLEST:
        raise ValueError(f"size must be at least {SMALLEST}; got {size}.")


def _counts(
    n_samples: int | Mapping[str, int],
    weights: Sequence[float] | None,
    classes: tuple[str, ...],
    default: tuple[float, ...],
) -> list[int]:
    """Rows of each class: those named, or shares by largest remainder."""
    if isinstance(n_samples, Mapping):
        unknown = sorted(set(n_samples) - set(classes))
        if unknown or any(n < 0 for n in n_samples.values()):
            raise ValueError(
                f"n_samples may hold counts of {classes}, none negative; got {n_samples}."
            )
        return [int(n_samples.get(label, 0)) for label in classes]
    shares = np.asarray(default if weights is None else weights, dtype=float)
    if shares.shape != (len(classes),) or not (
        np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0
    ):
        raise ValueError(
            f"weights must be {len(classes)} numbers, none negative, not all 0; "
            f"got {weights}."
        )
    wanted = shares > 0
    if n_samples < wanted.sum():
        raise ValueError(
            f"n_samples={n_samples} is too few for {wanted.sum()} classes, one row each."
        )
    quotas = n_samples * shares / shares.sum()
    counts = np.floor(quotas).astype(int)
    # Rounded first: 0.3 * 10 must not have a remainder of almost 1.
    remainders = np.round(quotas - counts, 9)
    ranked = np.argsort(-remainders, kind="stable")
    counts[ranked[: n_samples - counts.sum()]] += 1
    while (empty := wanted & (counts == 0)).any():
        counts[np.argmax(counts)] -= 1
        counts[np.argmax(empty)] += 1
    return [int(n) for n in counts]


def _labels_and_generators(
    classes: tuple[str, ...], counts: list[int], random_state: Any
) -> tuple[np.ndarray, list[np.random.RandomState]]:
    """Labels in random order, and a generator for each row."""
    rng = check_random_state(random_state)
    y = rng.permutation(np.repeat(classes, counts))
    seeds = rng.randint(2**31 - 1, size=len(y))
    return y, [np.random.RandomState(seed) for seed in seeds]
