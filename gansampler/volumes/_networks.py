"""Networks of the game of volumes, for any number of spatial dimensions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..adversarial import full_precision
from ._dims import CONV, INTERPOLATION, POOL
from ._start import FieldStart

SMALLEST = 4
"""Shortest edge at the coarsest level."""

CAUTION = 0.1
"""Factor of the residual: the critic has to learn faster than the generator moves."""

WIDEST = 4
"""Most channels of a level, as a multiple of those of the finest."""


def conv(n_in: int, n_out: int, *, size: int, n_dims: int) -> nn.Module:
    """Convolution that keeps edges."""
    return CONV[n_dims](n_in, n_out, size, padding=size // 2)


def widths(channels: int, edges: tuple[int, ...]) -> list[int]:
    """Channels of each level, the finest first, which has half the edges of a volume.

    Layers at full size would take most of the time, and see little more.
    """
    n_levels = max(1, int(np.log2(min(edges) / SMALLEST)))
    return [channels * min(2**i, WIDEST) for i in range(n_levels)]


def folded(x: Tensor) -> Tensor:
    """Half the edges, 2^d times the channels; odd edges grow by a voxel first.

    Shape: (batch, c, *edges) -> (batch, c 2^d, *edges / 2)
    """
    n_dims = x.dim() - 2
    odd = [size for edge in reversed(x.shape[2:]) for size in (0, edge % 2)]
    x = functional.pad(x, odd, mode="replicate") if any(odd) else x
    split = [size for edge in x.shape[2:] for size in (edge // 2, 2)]
    x = x.reshape(*x.shape[:2], *split)
    axes = [*range(3, x.dim(), 2), *range(2, x.dim(), 2)]
    x = x.permute(0, 1, *axes)
    return x.flatten(1, 1 + n_dims)


def unfolded(x: Tensor, edges: tuple[int, ...]) -> Tensor:
    """Undo `folded`, to volumes with these edges."""
    n_dims = len(edges)
    x = x.reshape(len(x), -1, *[2] * n_dims, *x.shape[2:])
    axes = [a for i in range(n_dims) for a in (2 + n_dims + i, 2 + i)]
    x = x.permute(0, 1, *axes)
    doubled = [2 * x.shape[2 + 2 * i] for i in range(n_dims)]
    x = x.reshape(*x.shape[:2], *doubled)
    whole = [slice(None)] * 2 + [slice(edge) for edge in edges]
    return x[tuple(whole)]


class ModulatedBlock(nn.Module):
    """Residual block whose features are scaled and shifted by a code.

    Shape
    -----
    x (batch, n_in, *edges), code (batch, n_code) -> (batch, n_out, *edges)
    """

    def __init__(self, *, n_in: int, n_out: int, n_code: int, n_dims: int) -> None:
        super().__init__()
        self.first = conv(n_in, n_out, size=3, n_dims=n_dims)
        self.second = conv(n_out, n_out, size=3, n_dims=n_dims)
        self.skip = conv(n_in, n_out, size=1, n_dims=n_dims)
        self.modulation = nn.Linear(n_code, 2 * n_out)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        h = self.first(functional.leaky_relu(x, 0.2))
        scale, shift = self.modulation(code).chunk(2, dim=1)
        shape = (*scale.shape, *[1] * (x.dim() - 2))
        h = h * (1 + scale.reshape(shape)) + shift.reshape(shape)
        return self.skip(x) + self.second(functional.leaky_relu(h, 0.2))


class VolumeGenerator(nn.Module):
    """What `start` draws, plus a learned residual that begins at zero.

    The residual is made from coarse to fine: each level sees the start at its own
    resolution, noise, and the class.

    Parameters
    ----------
    start : FieldStart
    learned : Tensor of shape (n_classes,)
        1 for classes with a residual, 0 for those that stay at their start.
    channels : int
        Channels of the finest level.

    Shape
    -----
    noise (batch, n_noise), y (batch,) -> (batch, n_channels, *edges)
    """

    learned: Tensor

    def __init__(self, *, start: FieldStart, learned: Tensor, channels: int) -> None:
        super().__init__()
        self.start = start
        self.register_buffer("learned", learned)
        edges, n_dims = start.edges, len(start.edges)
        n_channels = start.n_images + start.has_mask
        n_code = 4 * channels
        self.code = nn.Linear(start.n_latent, n_code)
        self.class_code = nn.Embedding(len(learned), n_code)
        sizes = widths(channels, edges)[::-1]
        parts = 2**n_dims
        seen = [n_channels] * (len(sizes) - 1) + [n_channels * parts]
        self.inputs = nn.ModuleList(
            conv(before, n, size=3, n_dims=n_dims)
            for before, n in zip(seen, sizes, strict=True)
        )
        self.blocks = nn.ModuleList(
            ModulatedBlock(n_in=before, n_out=n, n_code=n_code, n_dims=n_dims)
            for before, n in zip([sizes[0], *sizes], sizes, strict=False)
        )
        self.last = conv(sizes[-1], n_channels * parts, size=3, n_dims=n_dims)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def noise(self, n_samples: int) -> Tensor:
        """Draw inputs from the standard normal, shape (n_samples, n_noise)."""
        return torch.randn((n_samples, self.start.n_noise), device=self.learned.device)

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad(), full_precision(noise.device):
            start = self.start(noise, y)
        residual = self._residual(start, noise[:, : self.start.n_latent], y)
        weight = self.learned[y].reshape(-1, *[1] * (start.dim() - 1))
        return start + CAUTION * weight * residual

    def _residual(self, start: Tensor, z: Tensor, y: Tensor) -> Tensor:
        code = functional.leaky_relu(self.code(z) + self.class_code(y), 0.2)
        pool, mode = POOL[start.dim() - 2], INTERPOLATION[start.dim() - 2]
        levels = [folded(start)]
        coarser = pool(start, 2, ceil_mode=True)
        for _ in self.blocks[1:]:
            coarser = pool(coarser, 2, ceil_mode=True)
            levels.insert(0, coarser)
        h: Tensor | None = None
        for level, into, block in zip(levels, self.inputs, self.blocks, strict=True):
            seen = into(level)
            if h is None:
                h = block(seen, code)
                continue
            h = functional.interpolate(h, size=level.shape[2:], mode=mode)
            h = block(h, code) + seen
        assert h is not None, "there is one level at least"
        return unfolded(self.last(functional.leaky_relu(h, 0.2)), start.shape[2:])


class VolumeCritic(nn.Module):
    """Scores volumes given their class, by projection (Miyato and Koyama 2018).

    Parameters
    ----------
    n_channels, n_classes : int
    edges : tuple of int
    channels : int
        Channels of the finest level.

    Shape
    -----
    x (batch, n_channels, *edges), y (batch,) -> (batch,)
    """

    def __init__(
        self, *, n_channels: int, n_classes: int, edges: tuple[int, ...], channels: int
    ) -> None:
        super().__init__()
        n_dims = len(edges)
        sizes = widths(channels, edges)
        self.first = CONV[n_dims](n_channels, sizes[0], 4, stride=2, padding=1)
        self.convs, self.skips = (
            nn.ModuleList(
                conv(n, after, size=size, n_dims=n_dims) for n, after in pairwise(sizes)
            )
            for size in (3, 1)
        )
        self.mix = conv(sizes[-1], sizes[-1], size=3, n_dims=n_dims)
        self.score = nn.Linear(sizes[-1], 1)
        self.class_code = nn.Embedding(n_classes, sizes[-1])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        pool = POOL[x.dim() - 2]
        h = self.first(x)
        for convolution, skip in zip(self.convs, self.skips, strict=True):
            new = convolution(functional.leaky_relu(h, 0.2))
            h = pool(new + skip(h), 2, ceil_mode=True)
        h = functional.leaky_relu(self.mix(functional.leaky_relu(h, 0.2)), 0.2)
        features = h.flatten(2).float().mean(dim=2)
        return self.score(features).squeeze(1) + (self.class_code(y) * features).sum(1)
