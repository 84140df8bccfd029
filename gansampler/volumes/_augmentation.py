"""Small moves of volumes that keep their class, of real and generated ones alike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..adversarial import full_precision, share, whole

PROBABILITY = 0.8
"""Share of volumes moved. Below 1, so that what the moves do is not learned (Karras et al.
2020, Training generative adversarial networks with limited data)."""


class Moves:
    """Random flips, rotations and translations, drawn anew for each volume.

    Parameters
    ----------
    flips : tuple of int
        Spatial axes along which a volume may be flipped, 0 for depth.
    rotation : float
        Largest angle about each axis, in degrees.
    translation : float
        Largest shift along each axis, as a share of the edge.
    """

    def __init__(self, flips: tuple[int, ...], rotation: float, translation: float) -> None:
        self.flips, self.rotation, self.translation = flips, rotation, translation

    def __call__(self, x: Tensor) -> Tensor:
        """Move each volume of x, (batch, channel, *edges), with probability .8."""
        for axis in self.flips:
            flipped = self._some(x, PROBABILITY / 2)
            x = torch.where(flipped, x.flip(2 + axis), x)
        if self.rotation or self.translation:
            with full_precision(x.device):
                x = torch.where(self._some(x, PROBABILITY), self._shifted(x), x)
        return x

    def _some(self, x: Tensor, probability: float) -> Tensor:
        drawn = _random(x) < probability
        return drawn.reshape(-1, *[1] * (x.dim() - 1))

    def _shifted(self, x: Tensor) -> Tensor:
        n_dims = x.dim() - 2
        angles = _random(x, n_dims, n_dims) * 2 - 1
        angles = angles.triu(1) * torch.pi * self.rotation / 180
        rotation = rotations(angles - angles.transpose(1, 2))
        shift = _random(x, n_dims, 1) * 2 - 1
        moves = torch.cat([rotation, 2 * self.translation * shift], dim=2)
        grid = functional.affine_grid(moves, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def rotations(skew: Tensor) -> Tensor:
    """Exponentials of skew-symmetric matrices, which are rotations in any dimension.

    A series of the matrix over 2^5, squared five times: `matrix_exp` asks for its norm
    first, and so waits for the device.

    Shape: (batch, n_dims, n_dims), angles up to pi -> the same.
    """
    term = torch.eye(skew.shape[1], dtype=skew.dtype, device=skew.device)
    rotation = term
    for i in range(1, 8):
        term = term @ skew / (32 * i)
        rotation = rotation + term
    for _ in range(5):
        rotation = rotation @ rotation
    return rotation


def _random(x: Tensor, *shape: int) -> Tensor:
    """Uniform numbers of this shape for each volume of x."""
    return share(torch.rand(whole(len(x)), *shape, device=x.device))
