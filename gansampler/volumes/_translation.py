"""From one side to the other: the filter that matches spectra, and networks after it."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..adversarial import full_precision
from ._dims import CONV, POOL
from ._networks import conv, folded, unfolded

RADIUS = 3
"""Voxels that a filter looks to each side."""

FOLD = 2
"""Edges of the residual network are divided by this."""


def matching_filter(a: np.ndarray, b: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """The symmetric filter that gives images of side a the power spectrum of side b.

    Its gain is the root of the ratio of mean power spectra, taken on a common box, under a
    Hann window; it is 1 at frequency 0, so that means stay. Taps beyond the radius are
    cut off, which smooths the gain over frequencies.

    Reconstruction kernels, slice thickness and detectors act as such filters, nearly.

    Parameters
    ----------
    a : ndarray of shape (n, *edges)
    b : ndarray of shape (m, *edges), with edges of its own
    radius : int
        Made smaller where edges are short.

    Returns
    -------
    ndarray of shape (2 radius + 1, ...)
    """
    edges = tuple(min(pair) for pair in zip(a.shape[1:], b.shape[1:], strict=True))
    gain = np.sqrt(_mean_power(b, edges) / _mean_power(a, edges))
    radius = min(radius, (min(edges) - 1) // 2)
    taps = np.fft.fftshift(np.fft.ifftn(gain).real)
    box = tuple(slice(e // 2 - radius, e // 2 + radius + 1) for e in edges)
    taps = taps[box]
    for axis in range(taps.ndim):
        taps = (taps + np.flip(taps, axis)) / 2
    return taps / taps.sum()


def _mean_power(images: np.ndarray, edges: tuple[int, ...]) -> np.ndarray:
    """Mean power spectrum of the middle of images, shape `edges`; positive."""
    middle = [(n - e) // 2 for n, e in zip(images.shape[1:], edges, strict=True)]
    box = tuple(slice(first, first + e) for first, e in zip(middle, edges, strict=True))
    window = np.ones(())
    for edge in edges:
        window = np.multiply.outer(window, np.hanning(edge + 2)[1:-1])
    total = np.zeros(edges)
    for image in images:
        part = image[box].astype(float)
        total += np.abs(np.fft.fftn((part - part.mean()) * window)) ** 2
    return total + 1e-6 * total.mean() + np.finfo(float).tiny


class Translator(nn.Module):
    """A fixed filter, plus a learned residual that begins at zero.

    Looks `reach` voxels far at most, and nowhere depends on what is farther away: a part of
    an image is translated as in the whole.

    Parameters
    ----------
    filters : ndarray of shape (n_channels, *taps)
        One filter a channel; taps of length 1 and value 1 change nothing.
    channels : int
        Of the network.
    n_blocks : int
        Residual blocks of two convolutions.

    Shape
    -----
    (batch, n_channels, *edges) -> the same
    """

    filters: Tensor

    def __init__(self, filters: np.ndarray, *, channels: int, n_blocks: int) -> None:
        super().__init__()
        n_channels, n_dims = len(filters), filters.ndim - 1
        self.register_buffer("filters", torch.as_tensor(filters).float())
        parts = FOLD**n_dims * n_channels
        self.first = _conv(parts, channels, n_dims)
        self.blocks = nn.ModuleList(_Block(channels, n_dims) for _ in range(n_blocks))
        self.last = _conv(channels, parts, n_dims)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        n_convolutions = 2 + 2 * len(self.blocks)
        return self.filters.shape[-1] // 2 + FOLD * (n_convolutions + 1)

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x.device):
            x = self._filtered(x.float())
        h = self.first(folded(x))
        for block in self.blocks:
            h = block(h)
        h = self.last(functional.leaky_relu(h, 0.2))
        return x + unfolded(h, x.shape[2:]).to(x)

    def _filtered(self, x: Tensor) -> Tensor:
        n_dims = x.dim() - 2
        pad = [side for size in self.filters.shape[:0:-1] for side in (size // 2,) * 2]
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[n_dims - 1]
        padded = functional.pad(x, pad, mode="replicate") if any(pad) else x
        return convolve(padded, self.filters[:, None], groups=len(self.filters))


def _conv(n_in: int, n_out: int, n_dims: int) -> nn.Module:
    return CONV[n_dims](n_in, n_out, 3, padding=1, padding_mode="replicate")


class _Block(nn.Module):
    def __init__(self, channels: int, n_dims: int) -> None:
        super().__init__()
        self.first, self.second = (_conv(channels, channels, n_dims) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(functional.leaky_relu(x, 0.2))
        return x + self.second(functional.leaky_relu(h, 0.2))


class PatchCritic(nn.Module):
    """Scores every patch of an image, 12 voxels wide (PatchGAN, Isola et al. 2017).

    No layer normalises: intensities keep their meaning.

    Shape
    -----
    (batch, n_channels, *edges) -> (batch, *places)
    """

    def __init__(self, *, n_channels: int, channels: int, n_dims: int) -> None:
        super().__init__()
        sizes = (n_channels, channels, 2 * channels, 1)
        self.layers = nn.ModuleList(
            conv(n, after, size=3, n_dims=n_dims) for n, after in pairwise(sizes)
        )

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.layers
        # Pooled, not strided: a stride weighs voxels unequally, and generators take it up.
        h = POOL[x.dim() - 2](functional.leaky_relu(first(x), 0.2), 2)
        for convolution in others:
            h = convolution(functional.leaky_relu(h, 0.2))
        return h.squeeze(1).float()


@torch.no_grad()
def translated(translator: Translator, image: Tensor, window: int) -> Tensor:
    """Translate one image part by part, as if it were done at once.

    Each part is translated with as much around it as the translator looks at; memory is
    bounded by windows, not by the image.

    Shape: (n_channels, *edges) -> the same. Edges of a window, what is around it left out,
    are `window` voxels at most.
    """
    reach = -(-translator.reach // FOLD) * FOLD
    step = max(FOLD, window // FOLD * FOLD)
    result = torch.empty_like(image)
    firsts = [range(0, edge, step) for edge in image.shape[1:]]
    for corner in product(*firsts):
        seen, kept, target = [slice(None)], [slice(None)], [slice(None)]
        for first, edge in zip(corner, image.shape[1:], strict=True):
            low, last = max(0, first - reach), min(edge, first + step)
            seen.append(slice(low, min(edge, last + reach)))
            kept.append(slice(first - low, last - low))
            target.append(slice(first, last))
        made = translator(image[tuple(seen)][None])[0]
        result[tuple(target)] = made[tuple(kept)]
    return result
