"""Batches for the players."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


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
        yield samples[rows], drawn
