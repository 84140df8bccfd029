"""Stacks of volumes, and which of their channels are what."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def split_channels(
    n_channels: int, mask_channel: int | None
) -> tuple[list[int], int | None]:
    """Channels that are images, and the mask's, counted from the front.

    Raises
    ------
    ValueError
        If there is no such channel, or no other beside it.
    """
    images = list(range(n_channels))
    if mask_channel is None:
        return images, None
    if not -n_channels <= mask_channel < n_channels or n_channels < 2:
        raise ValueError(
            f"mask_channel={mask_channel} is not there beside an image: X has "
            f"{n_channels} channel(s). Pass mask_channel=None for volumes without a mask."
        )
    mask = images.pop(mask_channel)
    return images, mask


def check_volumes(
    X: ArrayLike, shape: tuple[int, ...] | None = None, *, min_volumes: int = 1
) -> np.ndarray:
    """A stack of volumes as float32, (n, channel, *edges), of two or three edges.

    Raises
    ------
    ValueError
        If it is none, is empty, holds NaN or infinity, or has another shape than `shape`.
    """
    volumes = np.asarray(X)
    if volumes.dtype.kind not in "biuf":
        raise ValueError(f"X must hold numbers; got an array of {volumes.dtype}.")
    if volumes.ndim not in (4, 5):
        raise ValueError(
            "X must be a stack of volumes of shape (n_samples, channel, depth, height, "
            f"width), or of slices without depth; got shape {volumes.shape}. Reshape your "
            "data, or use GANOverSampler for tables."
        )
    if len(volumes) < min_volumes:
        raise ValueError(f"Found array with {len(volumes)} sample(s), too few to go on.")
    if volumes.shape[1] < 1 or min(volumes.shape[2:]) < 4:
        raise ValueError(
            "X must have one channel or more, and edges of 4 voxels or more; got shape "
            f"{volumes.shape}."
        )
    if shape is not None and volumes.shape[1:] != shape:
        raise ValueError(
            f"X has volumes of shape {volumes.shape[1:]}; those fitted have {shape}."
        )
    with np.errstate(over="ignore"):
        volumes = volumes.astype(np.float32)
    bad = ~np.isfinite(volumes.reshape(len(volumes), -1)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"Volumes {np.flatnonzero(bad)[:10].tolist()} hold NaN or infinity, or numbers "
            "too large for float32. Fill them, with the intensity of air for instance."
        )
    return volumes
