"""A few radiomic features of many volumes at once, for steering and for checks.

`RadiomicsExtractor` measures the standard ones, and takes a hundred times as long.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PERCENTILES = (5, 25, 50, 75, 95)
LAGS = (1, 2, 4)


def volume_features(
    X: np.ndarray, mask_channel: int | None, *, with_shape: bool = True
) -> pd.DataFrame:
    """Shape, first-order and texture features of volumes in physical units.

    Of the mask: logarithm of its volume, of its surface over its volume to the 2/3, and
    where its centre lies and how far it extends along each axis. Of each image, inside the
    mask and outside: percentiles, mean, standard deviation, and at each lag the standard
    deviation of differences along the axes relative to that of values (low where texture is
    coarse). Inside also skewness, kurtosis, and the mean of the rim over that of the core.

    Parameters
    ----------
    X : ndarray of shape (n, channel, *edges)
    mask_channel : int or None
        None takes the whole volume for the inside.
    with_shape : bool, default=True
        Whether to measure the mask too.

    Returns
    -------
    DataFrame of shape (n, n_features)
        Finite numbers; what an empty mask leaves undefined is 0.
    """
    channels = [c for c in range(X.shape[1]) if c != mask_channel]
    whole = np.ones(X.shape[2:], dtype=bool)
    rows = []
    for volume in X:
        inside = whole if mask_channel is None else volume[mask_channel] > 0
        row = _shape(inside) if with_shape and mask_channel is not None else {}
        for channel in channels:
            image = volume[channel].astype(float)
            parts = {"inside": _texture(image, inside) | _tails(image, inside)}
            if mask_channel is not None:
                parts["outside"] = _texture(image, ~inside)
            for part, measured in parts.items():
                prefix = f"channel{channel} " if len(channels) > 1 else ""
                row |= {f"{prefix}{part} {name}": v for name, v in measured.items()}
        rows.append(row)
    return pd.DataFrame(rows, dtype=float).fillna(0.0)


def _shape(inside: np.ndarray) -> dict[str, float]:
    n = max(int(inside.sum()), 1)
    padded = np.pad(inside.astype(np.int8), 1)
    faces = sum(np.count_nonzero(np.diff(padded, axis=a)) for a in range(inside.ndim))
    where = np.argwhere(inside) if inside.any() else np.zeros((1, inside.ndim))
    measured = {
        "log volume": np.log(n),
        "log surface to volume": np.log(max(faces, 1)) - (1 - 1 / inside.ndim) * np.log(n),
    }
    for axis in range(inside.ndim):
        measured[f"centre {axis}"] = where[:, axis].mean()
        measured[f"extent {axis}"] = where[:, axis].std()
    return measured


def _texture(image: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    values = image[inside] if inside.any() else np.zeros(1)
    spread = values.std()
    points = np.percentile(values, PERCENTILES)
    measured = {f"percentile {p}": v for p, v in zip(PERCENTILES, points, strict=True)}
    measured |= {"mean": values.mean(), "standard deviation": spread}
    for lag in LAGS:
        differences = []
        for axis in range(image.ndim):
            far, near = (
                tuple(part if a == axis else slice(None) for a in range(image.ndim))
                for part in (slice(lag, None), slice(None, -lag))
            )
            both = inside[far] & inside[near]
            differences.append((image[far] - image[near])[both])
        pairs = np.concatenate(differences)
        rough = np.sqrt(np.mean(pairs**2)) if len(pairs) else 0.0
        measured[f"roughness {lag}"] = rough / spread if spread > 0 else 0.0
    return measured


def _tails(image: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Skewness, kurtosis, and the mean of the outermost voxels less that of the others."""
    core = inside.copy()
    for axis in range(inside.ndim):
        for step in (1, -1):
            core &= np.roll(inside, step, axis=axis)
    rim = inside & ~core
    both = rim.any() and core.any()
    measured = {"rim": image[rim].mean() - image[core].mean() if both else 0.0}
    values = image[inside] if inside.any() else np.zeros(1)
    spread = values.std()
    standard = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return measured | {
        "skewness": np.mean(standard**3),
        "kurtosis": np.mean(standard**4),
    }
