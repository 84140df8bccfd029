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

import torch
from torch import Tensor
from torch.nn import functional

from ._dims import INTERPOLATION, POOL
from ._scaling import reach

CONTROLS = 4
"""Points along an edge that are moved at random; what lies between follows."""

BEND = 0.1
"""Standard deviation of their moves, as a share of the edge."""

STEPS = 4
LONGEST = 3.0
"""Steps in which the border of a mask is brought to the other, and their length, in
voxels."""

SMOOTHING = 5
"""Voxels along an edge that a move is averaged over, after each step."""


def n_moves(edges: tuple[int, ...]) -> int:
    """Numbers that a random field of moves is made of."""
    return len(edges) * CONTROLS ** len(edges)


def deformed(shapes: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """Shapes in another space, in which their own mask is where another is.

    Parameters
    ----------
    shapes : Tensor of shape (batch, n_shapes, *edges)
        Signed distances, those to the border of their own mask last.
    mask : Tensor of shape (batch, 1, *edges)
        Signed distances to the border of the other.
    noise : Tensor of shape (batch, n_moves(edges))
        Standard normal.

    Returns
    -------
    Tensor of shape (batch, n_shapes, *edges)
        The last one is about `mask`, where the two are not too far apart.
    """
    edges = mask.shape[2:]
    n_dims, limit = len(edges), reach(edges)
    per_edge = noise.new_tensor(edges).reshape(1, -1, *[1] * n_dims)
    random = noise.reshape(-1, n_dims, *[CONTROLS] * n_dims) * BEND * per_edge
    mode = INTERPOLATION[n_dims]
    move = functional.interpolate(random, edges, mode=mode, align_corners=True)
    own = shapes[:, -1:]
    axes = tuple(range(2, 2 + n_dims))
    slope = torch.cat(torch.gradient(own * limit, dim=axes), dim=1)
    # Odd, so that edges stay as they are, and no longer than they.
    window = tuple(min(SMOOTHING, edge - 1 + edge % 2) for edge in edges)
    padding = tuple(width // 2 for width in window)
    for _ in range(STEPS):
        missing = (mask - moved(own, move)) * limit
        move = move + missing.clamp(-LONGEST, LONGEST) * moved(slope, move)
        move = POOL[n_dims](move, window, 1, padding, count_include_pad=False)
    return moved(shapes, move)


def moved(volumes: Tensor, move: Tensor) -> Tensor:
    """Volumes at places so many voxels from each voxel; beyond the ends, as at them.

    Shape: volumes (batch, channel, *edges), move (batch, n_dims, *edges) -> volumes'
    """
    axes = [torch.arange(edge, device=move.device) for edge in move.shape[2:]]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij")) + move
    last = move.new_tensor([edge - 1 for edge in move.shape[2:]])
    # In the order of x, y, z, from -1 to 1.
    grid = (place.movedim(1, -1) * (2 / last) - 1).flip(-1)
    return functional.grid_sample(volumes, grid, padding_mode="border", align_corners=True)
