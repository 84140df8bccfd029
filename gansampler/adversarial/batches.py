"""Batches for the players; of several processes each gets its share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .distributed import share


def balanced_batches(
    samples: Tensor, codes: Tensor, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches, drawn with replacement, in which every class is equally likely.

    Shape: samples (n, ...), codes (n,) integers in 0 .. n_classes - 1, each of them
    present -> batches of samples (batch_size, ...) and codes (batch_size,).
    """
    order = torch.argsort(codes, stable=True)
    counts = torch.bincount(codes)
    first = counts.cumsum(0) - counts
    while True:
        drawn = torch.randint(len(counts), (batch_size,), device=codes.device)
        within = torch.rand(batch_size, device=codes.device) * counts[drawn]
        rows = order[first[drawn] + within.long()]
        yield samples[share(rows)], share(drawn)


def unpaired_patches(
    a: Tensor, b: Tensor, batch_size: int, patch: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless pairs of batches, each of patches at random places in images of its side.

    Shape: a ``(n, channels, *edges)``, b ``(m, channels, *edges)`` of its own edges -> two
    tensors of shape ``(batch_size, channels, *patch)``.
    """
    while True:
        yield share(_patches(a, batch_size, patch)), share(_patches(b, batch_size, patch))


def _patches(images: Tensor, batch_size: int, patch: tuple[int, ...]) -> Tensor:
    device, n_dims = images.device, len(patch)
    rows = torch.randint(len(images), (batch_size,), device=device)
    at = [rows.reshape(-1, *[1] * n_dims)]
    for axis, (edge, length) in enumerate(zip(images.shape[2:], patch, strict=True)):
        first = torch.rand(batch_size, device=device) * (edge - length + 1)
        places = first.long()[:, None] + torch.arange(length, device=device)
        # Along an axis of its own.
        at.append(places.reshape(-1, *[1] * axis, length, *[1] * (n_dims - axis - 1)))
    return images.movedim(1, -1)[tuple(at)].movedim(-1, 1).contiguous()
