"""Anatomy around a mask: the tissues of a real volume, bent until they go around another.

Means of the shapes of several patients have no bones: each has them elsewhere. What a limb
is made of stays whole where space is deformed instead, by a random smooth field [1]_ and
by what takes one border of the mask to the other.

References
----------
.. [1] Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks
   applied to visual document analysis, ICDAR.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

from ._dims import INTERPOLATION, POOL

CONTROLS = 4
"""Points along an edge that are moved at random; what lies between follows."""

BEND = 0.1
"""Standard deviation of their moves, as a share of the edge."""

STEPS = 4
"""Steps in which the border of a mask is brought to the other."""

SMOOTHING = 3
"""Points along an edge that a move is averaged over, after each step."""


def without_lesion(images: np.ndarray, distances: np.ndarray, margin: float) -> np.ndarray:
    """Images, (n, *edges), where each voxel of the lesion is as the nearest one around it.

    A lesion and a margin of it: where signed distances to its border are above -margin.
    """
    bare = images.copy()
    for image, lesion in zip(bare, distances > -margin, strict=True):
        if lesion.any() and not lesion.all():
            nearest = distance_transform_edt(
                lesion, return_distances=False, return_indices=True
            )
            image[lesion] = image[tuple(axis[lesion] for axis in nearest)]
    return bare


def n_moves(n_dims: int) -> int:
    """Numbers that a random field of moves is made of."""
    return int(n_dims * CONTROLS**n_dims)


def move_between(
    own: Tensor, other: Tensor, noise: Tensor, block: tuple[int, ...]
) -> Tensor:
    """From where to take each point of a volume, for its mask to be where another is.

    Parameters
    ----------
    own, other : Tensor of shape (batch, 1, *grid)
        Signed distances, in voxels, to the borders of both masks, at points of a grid.
    noise : Tensor of shape (batch, n_moves(n_dims))
        Standard normal.
    block : tuple of int
        Voxels from each point to the next, along each axis.

    Returns
    -------
    Tensor of shape (batch, n_dims, *grid)
        For `moved`.
    """
    n_dims, grid = len(block), own.shape[2:]
    axes = tuple(range(2, 2 + n_dims))
    slopes = torch.gradient(own, spacing=[float(b) for b in block], dim=axes)
    # In units of a move, not of a voxel.
    per_voxel = [2 / (n * b) for n, b in zip(grid, block, strict=True)]
    slope = torch.cat([s * p for s, p in zip(slopes, per_voxel, strict=True)], dim=1)
    random = 2 * BEND * noise.reshape(-1, n_dims, *[CONTROLS] * n_dims)
    mode = INTERPOLATION[n_dims]
    move = functional.interpolate(random, grid, mode=mode, align_corners=True)
    # Odd, so that the grid stays as it is, and no longer than it.
    window = tuple(min(SMOOTHING, n - 1 + n % 2) for n in grid)
    padding = tuple(width // 2 for width in window)
    for _ in range(STEPS):
        move = move + (other - moved(own, move)) * moved(slope, move)
        move = POOL[n_dims](move, window, 1, padding, count_include_pad=False)
    return move


def moved(volumes: Tensor, move: Tensor) -> Tensor:
    """Volumes as they are elsewhere: so far from each point, where an edge is 2 long.

    What lies beyond the ends is as at them.

    Shape: volumes (batch, channel, *grid), move (batch, n_dims, *grid) -> volumes'
    """
    centres = [
        (2 * torch.arange(n, device=move.device) + 1) / n - 1 for n in move.shape[2:]
    ]
    place = torch.stack(torch.meshgrid(*centres, indexing="ij")) + move
    # In the order of x, y, z.
    place = place.movedim(1, -1).flip(-1)
    return functional.grid_sample(
        volumes, place, padding_mode="border", align_corners=False
    )
