"""Texture of lesions, or of all, brought to the patch statistics of real volumes.

A random field has the spectrum and the histograms of real texture, and no more: its flat
parts are not flat, its edges not sharp. So voxels are moved, a few steps downhill, until
what is measured around each of them is distributed as in real volumes: a sliced Wasserstein
distance between patches [1]_ [2]_, on normal scores of intensity, with slices that tell
flat from rough, which no projection does.

What a volume is brought to is drawn as well: the mean of the class, and as much off as real
volumes are. Unless a class has a single volume, none is brought to the statistics of one.

References
----------
.. [1] Rabin, Peyré, Delon and Bernot (2011), Wasserstein barycenter and its application to
   texture mixing, SSVM.
.. [2] Elnekave and Weiss (2022), Generating natural images with direct patch distribution
   matching, ECCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.special import ndtr
from torch import Tensor, nn

from .._start import MIN_CLASS_ROWS
from ..adversarial import single_thread
from ._fields import MIN_VOXELS, SCORES, histogram_of, scores_of

LEVELS = torch.linspace(-3.5, 3.5, 57)
"""Normal scores of the quantiles that a distribution is kept by."""

DEPTHS = torch.tensor([0.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
"""Weights of depth, in voxels, beside the intensity's 1."""

DEEPEST = 5.0
"""Voxels from the border beyond which depth is not told."""

ALIKE = 0.3
"""Difference in normal scores up to which neighbours are alike, about."""

FEW = 9
"""Voxels without which a distribution is not known."""

STEP = 0.3
"""First step, in normal scores, of a voxel with a slope as large as is usual; steps get
shorter down to zero."""

MOMENTUM = 0.8
"""Share of the last direction in the next."""

AT_ONCE = 4000
"""Voxels that a step looks at, at random; in large regions, an eighth of them."""

MOST_ROUNDS = 4
"""How many times the steps asked for are taken where a step looks at a part, at most."""

MANY = 2**20
"""Voxels that a histogram is made of, at most."""

KNOWN = 2**16
"""Voxels that a real volume is measured at; of more, as many at random."""


class PatchTexture(nn.Module):
    """Patch statistics of real volumes, and drawn volumes brought to them.

    Of voxels inside the mask, or of all where there is none. Everything it has learned is
    in buffers; `fit` fills them. Volumes are in network units, (n, n_channels, *edges).

    Parameters
    ----------
    has_mask : bool
        Whether the last channel is a signed distance, positive inside the mask.
    n_images : int
        Image channels; each is treated by itself.
    n_dims : int
    n_classes : int
    n_rows : int
        Volumes that it is fitted on.
    """

    codes: Tensor
    histogram: Tensor
    mean: Tensor
    weight: Tensor
    deviation: Tensor

    def __init__(
        self, *, has_mask: bool, n_images: int, n_dims: int, n_classes: int, n_rows: int
    ) -> None:
        super().__init__()
        self.has_mask, self.slices = has_mask, Slices(n_dims)
        of_class, n_slices = (n_classes, n_images), self.slices.n_slices
        self.register_buffer("codes", torch.zeros(n_rows, dtype=torch.long))
        self.register_buffer("histogram", torch.zeros(*of_class, len(SCORES)))
        self.register_buffer("mean", torch.zeros(*of_class, n_slices, len(LEVELS)))
        self.register_buffer("weight", torch.zeros(*of_class, n_slices))
        deviation = torch.zeros(n_rows, n_images, n_slices, len(LEVELS))
        self.register_buffer("deviation", deviation)

    @torch.no_grad()
    def fit(self, U: np.ndarray, codes: np.ndarray) -> PatchTexture:
        """Learn from real volumes and their class codes."""
        masks, (n_classes, n_images) = self._where(U), self.weight.shape[:2]
        self.codes.copy_(torch.as_tensor(codes))
        for c, i in product(range(n_classes), range(n_images)):
            rows = codes == c
            if masks[rows].sum() < MIN_VOXELS:
                rows = np.ones(len(U), dtype=bool)
            histogram = pooled_histogram(
                [volume[i][mask] for volume, mask in zip(U[rows], masks[rows], strict=True)]
            )
            self.histogram[c, i] = torch.as_tensor(histogram)
        quantiles = torch.empty_like(self.deviation)
        generator = torch.Generator().manual_seed(0)
        for row, (volume, mask, c) in enumerate(zip(U, masks, codes, strict=True)):
            voxels = Voxels.of(mask)
            some = torch.randperm(len(voxels.depth), generator=generator)[:KNOWN]
            for i in range(n_images):
                scores = self._scores(volume[i][mask], c, i)
                quantiles[row, i] = quantiles_of(self.slices(scores, voxels, some))
        for c in range(n_classes):
            of_class = quantiles[self.codes == c]
            mean = of_class.nanmean(dim=0)
            spread = ((of_class - mean.nanmean(dim=-1, keepdim=True)) ** 2).nanmean((0, -1))
            # What is not known of a class has no weight.
            self.weight[c] = torch.nan_to_num(1 / spread.clamp(min=1e-6))
            self.mean[c] = torch.nan_to_num(mean)
            self.deviation[self.codes == c] = torch.nan_to_num(of_class - mean)
        return self

    def refine(
        self, U: np.ndarray, codes: np.ndarray, n_steps: int, rng: np.random.RandomState
    ) -> None:
        """Move the voxels of drawn volumes, in place."""
        # Whoever draws under no_grad or inference_mode gets the same volumes.
        with single_thread(), torch.inference_mode(False), torch.enable_grad():
            for volume, mask, c in zip(U, self._where(U), codes, strict=True):
                voxels = Voxels.of(mask)
                generator = torch.Generator().manual_seed(int(rng.randint(2**31 - 1)))
                for i, wanted in enumerate(self._draw_statistics(c, rng)):
                    scores = self._scores(volume[i][mask], c, i)
                    weight = self.weight[c, i]
                    self._descend(scores, voxels, wanted, weight, n_steps, generator)
                    histogram = self.histogram[c, i].numpy()
                    volume[i][mask] = np.interp(scores.numpy(), SCORES, histogram)

    def _where(self, U: np.ndarray) -> np.ndarray:
        """Voxels that it knows and moves, (n, *edges)."""
        return U[:, -1] > 0 if self.has_mask else np.ones_like(U[:, 0], dtype=bool)

    def _draw_statistics(self, c: int, rng: np.random.RandomState) -> Tensor:
        """Quantiles that a volume should have, (n_images, n_slices, len(LEVELS)).

        Gaussian, with the mean and the covariance of the class; of a small class, with the
        covariance within all classes.
        """
        deviation, n_means = self.deviation[self.codes == c], 1
        if len(deviation) < MIN_CLASS_ROWS:
            deviation, n_means = self.deviation, len(self.codes.unique())
        n_free = max(len(deviation) - n_means, 1)
        share = rng.standard_normal(len(deviation)) / n_free**0.5
        off = torch.tensordot(torch.as_tensor(share, dtype=deviation.dtype), deviation, 1)
        return (self.mean[c] + off).sort(dim=-1).values

    def _descend(
        self,
        scores: Tensor,
        voxels: Voxels,
        wanted: Tensor,
        weight: Tensor,
        n_steps: int,
        generator: torch.Generator,
    ) -> None:
        """Move scores, in place, to where their slices have the quantiles wanted."""
        n_at_once = min(len(scores), max(AT_ONCE, len(scores) // 8))
        # Where a step looks at a part of the voxels, more of them.
        n_steps *= min(MOST_ROUNDS, -(-len(scores) // max(n_at_once, 1)))
        velocity = torch.zeros_like(scores)
        for step in range(n_steps):
            moved = scores.detach().requires_grad_()
            some = torch.randperm(len(scores), generator=generator)[:n_at_once]
            measured = self.slices(moved, voxels, some)
            loss = weight @ squared_distances(measured, wanted)
            (slope,) = torch.autograd.grad(loss, moved)
            # Scaled all alike: with a scale for each voxel, those in place would move too.
            slope /= slope.square().mean().sqrt() + 1e-12
            velocity.lerp_(slope, 1 - MOMENTUM)
            scores -= STEP * (1 - step / n_steps) * velocity

    def _scores(self, values: np.ndarray, c: int, image: int) -> Tensor:
        """Normal scores of intensities in their class."""
        histogram = self.histogram[c, image].double().numpy()
        return torch.as_tensor(scores_of(values, histogram), dtype=torch.float32)


@dataclass(frozen=True)
class Voxels:
    """The voxels of a mask, in a list.

    Parameters
    ----------
    place : Tensor of shape (n_cells,)
        Of each cell of a box with one more voxel at every side, in the list; n_voxels, if
        it is not there.
    cell : Tensor of shape (n_voxels,)
        Of each voxel in that box.
    offset : Tensor of shape (3 ** n_dims,)
        From the cell of a voxel to those around it, its own in the middle.
    depth : Tensor of shape (n_voxels,)
        Voxels to the border of the mask, DEEPEST at most.
    """

    place: Tensor
    cell: Tensor
    offset: Tensor
    depth: Tensor

    @classmethod
    def of(cls, mask: np.ndarray) -> Voxels:
        box = np.pad(mask, 1)
        cell = np.flatnonzero(box)
        place = np.full(box.size, len(cell))
        place[cell] = np.arange(len(cell))
        steps = np.array(box.strides) // box.itemsize
        offset = np.array(list(product((-1, 0, 1), repeat=mask.ndim))) @ steps
        # The end of the volume is no border.
        depth = np.full(mask.shape, DEEPEST)
        if not mask.all():
            depth = distance_transform_edt(mask).clip(max=DEEPEST)
        return cls(
            place=torch.as_tensor(place),
            cell=torch.as_tensor(cell),
            offset=torch.as_tensor(offset),
            depth=torch.as_tensor(depth[mask], dtype=torch.float32),
        )

    def neighbours(self, some: Tensor) -> Tensor:
        """Places in the list of what is around some voxels, (n_some, 3 ** n_dims)."""
        return self.place[self.cell[some][:, None] + self.offset]


class Slices:
    """Numbers that tell what is around a voxel, in a neighbourhood of three a side.

    The voxel beside its depth in the mask; its difference from one of each two opposite
    neighbours, from the mean of all, and that mean; how much the neighbours differ from it,
    in the mean, in the square, and in how many are alike; and the range of the three voxels
    on each line.
    """

    def __init__(self, n_dims: int) -> None:
        n = 3**n_dims
        # Neighbours are in order: opposite ones are as far from either end.
        self.middle = n // 2
        each = torch.eye(n)
        centre, mean = each[:, [self.middle]], torch.full((n, 1), 1 / n)
        self.linear = torch.cat([centre - each[:, : self.middle], centre - mean, mean], 1)
        self.lines = torch.tensor([[i, self.middle, n - 1 - i] for i in range(self.middle)])
        self.n_slices = len(DEPTHS) + self.linear.shape[1] + 3 + len(self.lines)

    def __call__(self, scores: Tensor, voxels: Voxels, some: Tensor) -> Tensor:
        """Slices at some voxels, (n_some, n_slices); infinity where one is not known.

        Scores, (n_voxels,), are those of all.
        """
        neighbours, depth = voxels.neighbours(some), voxels.depth[some]
        patches = torch.cat([scores, scores.new_zeros(1)])[neighbours]
        centre = patches[:, [self.middle]]
        known = (neighbours < len(scores)).to(scores)
        unknown = (1 - known) @ (self.linear != 0).to(scores) > 0
        linear = (patches @ self.linear).masked_fill(unknown, torch.inf)
        off = (patches - centre).abs()
        alike = torch.exp(-((off / ALIKE) ** 2))
        n_known = known.sum(dim=1, keepdim=True) - 1
        total = torch.stack([(x * known).sum(dim=1) for x in (off, off**2, alike)], dim=1)
        about = total / n_known.clamp(min=1)
        about = about.masked_fill(n_known < self.middle * 2 / 3, torch.inf)
        on_lines = patches[:, self.lines]
        extent = on_lines.amax(dim=2) - on_lines.amin(dim=2)
        extent = extent.masked_fill(known[:, self.lines].amin(dim=2) == 0, torch.inf)
        return torch.cat([centre + depth[:, None] * DEPTHS, linear, about, extent], dim=1)


def pooled_histogram(volumes: list[np.ndarray]) -> np.ndarray:
    """Values of several volumes at normal scores, (len(SCORES),).

    Tails are no longer than normal ones or than those of a usual volume: what only some
    have, bone say, has a place and a form there; a bit of it in each is grit.
    """
    known = np.concatenate(volumes)
    if len(known) > MANY:
        known = np.random.RandomState(0).choice(known, MANY)
    ends = [(values.min(), values.max()) for values in volumes if len(values)]
    return histogram_of(known, np.median(ends, axis=0) if ends else None)


def quantiles_of(measured: Tensor) -> Tensor:
    """Quantiles at LEVELS of each column, (n_slices, len(LEVELS)); NaN of too FEW."""
    found = torch.full((measured.shape[1], len(LEVELS)), torch.nan)
    for row, column in zip(found, measured.T, strict=True):
        values = column[column.isfinite()].numpy()
        if len(values) >= FEW:
            at = np.quantile(values, ndtr(LEVELS.numpy()), method="hazen")
            row.copy_(torch.as_tensor(at))
    return found


def squared_distances(measured: Tensor, wanted: Tensor) -> Tensor:
    """Mean square distance of the ranked values of each column to quantiles wanted.

    Shape: measured (n_some, n_slices), wanted (n_slices, len(LEVELS)) -> (n_slices,); 0 of
    fewer than FEW values.
    """
    n = measured.isfinite().sum(dim=0)
    rank = torch.arange(len(measured))[:, None]
    share = ((rank + 0.5) / n.clamp(min=1)).clamp(max=1 - 1e-6)
    at = (torch.special.ndtri(share) - LEVELS[0]) / (LEVELS[1] - LEVELS[0])
    at = at.clamp(0, len(LEVELS) - 1)
    below = at.long().clamp(max=len(LEVELS) - 2)
    table = wanted.T
    target = torch.lerp(table.gather(0, below), table.gather(0, below + 1), at - below)
    counts = (rank < n) & (n >= FEW)
    # numpy sorts in a seventh of the time of torch.
    order = torch.as_tensor(np.argsort(measured.detach().numpy(), axis=0))
    off = torch.where(counts, measured.gather(0, order) - target, 0.0)
    return (off**2).sum(dim=0) / n.clamp(min=1)
