"""Volumes in physical units to what networks see, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt

from ._validation import split_channels

Window = tuple[float, float]


class VolumeScaler:
    """Intensities to [-1, 1] over a window; a mask to a signed distance in [-1, 1].

    Network channels are the image channels in their order, followed by the mask, if there
    is one. The distance is positive inside, in units of a quarter of the shortest edge: it
    says where the border is at every voxel, where a mask of zeros and ones says nothing.

    Parameters
    ----------
    mask_channel : int or None
        Channel of X that is a mask of zeros and ones.
    window : None, pair, or sequence of pairs, one for each image channel
        Intensities that become -1 and 1; what lies outside is cut off. None takes the
        range of each channel.

    Attributes
    ----------
    mask_channel_ : int or None
        Counted from the front.
    image_channels_ : list of int
    window_ : ndarray of shape (n_image_channels, 2)
    is_integer_ : ndarray of bool, shape (n_image_channels,)
    shape_ : tuple of int
        Channels and edges of one volume.
    smallest_mask_ : int or None
        Voxels of the smallest mask.
    """

    def __init__(
        self, mask_channel: int | None, window: Window | Sequence[Window] | None
    ) -> None:
        self.mask_channel = mask_channel
        self.window = window

    def fit(self, X: np.ndarray) -> VolumeScaler:
        """Learn windows, and check X, of shape (n, channel, *edges).

        Raises
        ------
        ValueError
            If the mask channel is not there, holds anything but 0 and 1, is empty in some
            volume, or the windows do not fit the channels.
        """
        self.shape_ = X.shape[1:]
        channels, self.mask_channel_ = split_channels(X.shape[1], self.mask_channel)
        self.smallest_mask_: int | None = None
        if self.mask_channel_ is not None:
            masks = X[:, self.mask_channel_]
            check_masks(masks)
            self.smallest_mask_ = int((masks > 0).reshape(len(X), -1).sum(axis=1).min())
        self.image_channels_ = channels
        images = X[:, channels]
        axes = (0, *range(2, X.ndim))
        if self.window is None:
            low, high = images.min(axis=axes), images.max(axis=axes)
            # A constant channel has a window too.
            high = np.where(high > low, high, low + 1)
            self.window_ = np.stack([low, high], axis=1).astype(float)
        else:
            self.window_ = self._given_window(len(channels))
        self.is_integer_ = np.array([(X[:, c] == np.rint(X[:, c])).all() for c in channels])
        return self

    def _given_window(self, n_channels: int) -> np.ndarray:
        window = np.asarray(self.window, dtype=float)
        if window.ndim == 1:
            window = np.tile(window, (n_channels, 1))
        if (
            window.shape != (n_channels, 2)
            or not np.isfinite(window).all()
            or not (window[:, 0] < window[:, 1]).all()
        ):
            raise ValueError(
                "window must be a pair of numbers (low, high) with low < high, or one such "
                f"pair for each of the {n_channels} image channels; got {self.window!r}."
            )
        return window

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Volumes to network units, both of shape (n, channel, *edges), float32."""
        low, width = self._columns(X.ndim)
        images = (X[:, self.image_channels_] - low) * (2 / width) - 1
        channels = [images.clip(-1, 1)]
        if self.mask_channel_ is not None:
            channels.append(signed_distance(X[:, self.mask_channel_])[:, None])
        return np.concatenate(channels, axis=1).astype(np.float32)

    def inverse_transform(self, U: np.ndarray) -> np.ndarray:
        """Network units to volumes; whole numbers where those fitted were."""
        low, width = self._columns(U.ndim)
        n_images = len(self.image_channels_)
        X = np.empty((len(U), self.shape_[0], *U.shape[2:]), dtype=np.float32)
        images = low + (U[:, :n_images].astype(float).clip(-1, 1) + 1) * (width / 2)
        images[:, self.is_integer_] = np.rint(images[:, self.is_integer_])
        X[:, self.image_channels_] = images
        if self.mask_channel_ is not None:
            X[:, self.mask_channel_] = U[:, n_images] > 0
        return X

    def _columns(self, ndim: int) -> tuple[np.ndarray, np.ndarray]:
        """Lower end and width of each window, to broadcast over volumes."""
        shape = (1, -1, *[1] * (ndim - 2))
        low, high = self.window_.T
        return low.reshape(shape), (high - low).reshape(shape)


def check_masks(masks: np.ndarray) -> None:
    """Refuse masks, shape (n, *edges), that are empty or not of zeros and ones."""
    flat = masks.reshape(len(masks), -1)
    other = ~np.isin(flat, (0, 1)).all(axis=1)
    if other.any():
        raise ValueError(
            f"The masks of volumes {np.flatnonzero(other)[:10].tolist()} hold values other "
            "than 0 and 1. Pass the right mask_channel, or cut them at .5 before."
        )
    empty = ~flat.any(axis=1)
    if empty.any():
        raise ValueError(
            f"The masks of volumes {np.flatnonzero(empty)[:10].tolist()} are empty. Leave "
            "these volumes out, or pass mask_channel=None."
        )


def reach(edges: tuple[int, ...]) -> float:
    """Largest distance told, in voxels."""
    return max(1.0, min(edges) / 4)


def signed_distance(masks: np.ndarray) -> np.ndarray:
    """Distance to the border, positive inside, cut off at a quarter of the shortest edge.

    Shape: masks (n, *edges) -> (n, *edges), in [-1, 1]. The border lies half way between
    voxels inside and outside, so that no voxel is at 0.
    """
    limit = reach(masks.shape[1:])
    distances = np.empty(masks.shape, dtype=np.float32)
    for i, mask in enumerate(masks):
        inside = mask > 0
        if inside.all() or not inside.any():
            distances[i] = limit if inside.all() else -limit
            continue
        outer = distance_transform_edt(~inside) - 0.5
        inner = distance_transform_edt(inside) - 0.5
        distances[i] = np.where(inside, inner, -outer)
    return np.clip(distances / limit, -1, 1)
