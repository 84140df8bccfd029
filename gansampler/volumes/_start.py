"""Where the generator of volumes starts: shapes of tissues, with texture on them.

What the copula is to tables. An image is cut at a few intensities; the signed distances to
the borders of what lies above each, and to that of the mask, are smooth and can be mixed
where intensities cannot: a mean of two blobs is a blob, a mean of two images is a double
exposure (shape-based interpolation, Raya and Udupa 1990). Their block means, with the
levels, strength and smoothness of the texture inside and outside the mask, are drawn from
one Gaussian a class. Where there is a mask, what lies around it is the tissues of a real
volume, bent to fit (see `_anatomy`), as bright and as noisy as they are there: a mean of
two limbs has no bones. What shapes leave out is a Gaussian random field with a power of
the spectrum of the class and the histograms that it has at each depth inside the mask, and
at each intensity outside.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional

from .._start import MIN_CLASS_ROWS, fit_start
from ._anatomy import move_between, moved, n_moves, without_lesion
from ._dims import INTERPOLATION, POOL
from ._fields import (
    BINS,
    MIN_SPREAD,
    MIN_VOXELS,
    SCORES,
    Field,
    Region,
    lookup,
    standardized,
)
from ._scaling import reach, signed_distance

BLOCKS = 24
"""About how many blocks an edge is cut into."""

TISSUES = 6
"""Intensities that an image is made of before texture."""

OUTLYING = 2.5
"""Spreads of its class that a volume can be off by."""

CALIBRATION_DRAWS = 200
CALIBRATION_VOXELS = 2**24
"""Draws of each class that the size of its masks is set on, and their voxels, at most."""

CERTAIN = 0.05
"""Largest error of a painted image, in network units, where texture is learned."""

PURE = 3.0
"""Medians of the distance from its tissue, in its volume, beyond which a voxel is of
something else."""

COHERENT = 0.8
"""Least agreement of a tissue's shape with itself when images are smoothed more."""

SMOOTHING = 1.0
"""Standard deviation, in voxels, of the filter before an image is cut."""


class FieldStart(nn.Module):
    """Shapes of tissues with a random field on them, given the class; see the module.

    Everything it has learned is in buffers; `fit` fills them.

    Parameters
    ----------
    n_images : int
        Image channels. Where `has_mask`, a signed distance is the last channel beside them.
    has_mask : bool
    edges : tuple of int
    n_classes : int
    n_rows : int
        Volumes that it is fitted on.

    Shape
    -----
    noise (batch, n_noise), y (batch,) -> (batch, n_channels, *edges)
    """

    tissues: Tensor
    mean: Tensor
    components: Tensor
    bounds: Tensor
    growth: Tensor
    location: Tensor
    scale_tril: Tensor
    rows: Tensor
    rows_of: Tensor
    own_spread: Tensor
    level: Tensor
    spread: Tensor
    histogram: Tensor
    spectrum: Tensor

    def __init__(
        self,
        *,
        n_images: int,
        has_mask: bool,
        edges: tuple[int, ...],
        n_classes: int,
        n_rows: int,
    ) -> None:
        super().__init__()
        self.n_images, self.has_mask, self.edges = n_images, has_mask, edges
        self.n_regions, self.n_rows = 1 + has_mask, n_rows
        self.block = tuple(min(edge, max(2, round(edge / BLOCKS))) for edge in edges)
        blocks = tuple(-(-e // b) for e, b in zip(edges, self.block, strict=True))
        self.coarse_shape = (n_images * (TISSUES - 1) + has_mask, *blocks)
        n_columns = int(np.prod(self.coarse_shape))
        n_columns += (BINS + 2) * n_images * self.n_regions
        k = max(1, min(n_rows - 1, n_columns))
        half = (*edges[:-1], edges[-1] // 2 + 1)
        of_region = (n_classes, n_images, self.n_regions)
        shapes = {
            "tissues": (n_images, TISSUES),
            "mean": (n_columns,),
            "components": (k, n_columns),
            "bounds": (2, n_columns),
            "growth": (n_classes,),
            "location": (n_classes, k),
            "scale_tril": (n_classes, k, k),
            "rows": (n_rows if has_mask else 0, k),
            "rows_of": (n_classes, 2),
            "own_spread": (*of_region, BINS + 2),
            "level": (*of_region, BINS),
            "spread": (*of_region, BINS),
            "histogram": (*of_region, BINS, len(SCORES)),
            "spectrum": (*of_region, *half),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.n_latent = k
        self.n_noises = [k, n_images * int(np.prod(edges))]
        if has_mask:
            # Whose tissues lie around the mask, and how they are bent.
            self.n_noises += [1, n_moves(len(edges))]
        self.n_noise = sum(self.n_noises)

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        latent, white, *around = noise.split(self.n_noises, dim=1)
        columns = self._draw_columns(latent, y)
        coarse, own = self._coarse(columns), self._own(columns, y)
        if self.has_mask:
            which, moves = around
            mask = self._grown(coarse[:, -1:], y)
            real = self._real_columns(which, y)
            distances = torch.cat([self._anatomy(mask, real, moves), mask], dim=1)
            # The noise around a mask is that of the volume whose tissues are there.
            own[:, :, 0] = self._own(real, y)[:, :, 0]
        else:
            distances = self._enlarge(coarse)
        offset, strength, power = self._split(own)
        images = self._paint(distances)
        white = white.reshape(images.shape)
        spectrum = torch.fft.rfftn(white, dim=self._axes)
        texture = torch.zeros_like(images)
        for r, (mine, at) in enumerate(self._regions(images, distances)):
            filtered = spectrum * self.spectrum[y, :, r] ** power[:, :, r]
            field = torch.fft.irfftn(filtered, s=self.edges, dim=self._axes)
            field = standardized(field, torch.ones_like(mine))
            values = standardized(self._values(field, at, y, r), mine)
            level = lookup(self.level[y, :, r] + offset[:, :, r], at)
            spread = strength[:, :, r] * lookup(self.spread[y, :, r], at)
            texture = torch.where(mine, level + spread * values, texture)
        images = (images + texture).clamp(-1, 1)
        return torch.cat([images, distances[:, -1:]], dim=1) if self.has_mask else images

    def _values(self, field: Tensor, at: Tensor, y: Tensor, region: int) -> Tensor:
        """Texture of a normal field, by the histogram of the bin that a voxel is in."""
        position = (field - SCORES[0]) / (SCORES[1] - SCORES[0])
        histograms = self.histogram[y, :, region].flatten(-2)
        first = at.round().clamp(0, BINS - 1) * len(SCORES)
        return lookup(histograms, first + position.clamp(0, len(SCORES) - 1))

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(2, 2 + len(self.edges)))

    def _draw_columns(self, z: Tensor, y: Tensor) -> Tensor:
        """What sums up a volume, drawn from the Gaussian of its class."""
        latent = self.location[y] + torch.einsum("bij,bj->bi", self.scale_tril[y], z)
        return (self.mean + latent @ self.components).clamp(*self.bounds)

    def _real_columns(self, which: Tensor, y: Tensor) -> Tensor:
        """What sums up a real volume of the class."""
        first, n = self.rows_of[y].unbind(dim=1)
        share = torch.special.ndtr(which[:, 0])
        row = (first + (share * n).floor().clamp(max=n - 1)).long()
        return self.mean + self.rows[row] @ self.components

    def _own(self, columns: Tensor, y: Tensor) -> Tensor:
        """What is a volume's own in its texture, (batch, n_images, n_regions, BINS + 2)."""
        own = columns[:, self._n_coarse :].reshape(len(columns), *self.own_spread.shape[1:])
        return own * self.own_spread[y]

    def _split(self, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets from the levels of the class, and strength and power of texture.

        Shape: offsets (batch, n_images, n_regions, BINS), others
        (batch, n_images, n_regions, *ones)
        """
        scales = own[..., BINS:].exp()
        # Trailing axes of 1, to broadcast over a volume.
        strength, power = scales.reshape(scales.shape + (1,) * len(self.edges)).unbind(3)
        return own[..., :BINS], strength, power

    @property
    def _n_coarse(self) -> int:
        return int(np.prod(self.coarse_shape))

    def _coarse(self, columns: Tensor) -> Tensor:
        return columns[:, : self._n_coarse].reshape(-1, *self.coarse_shape)

    def _grown(self, coarse: Tensor, y: Tensor) -> Tensor:
        """Distances to the border of a mask of the usual size in its class."""
        growth = self.growth[y].reshape(-1, 1, *[1] * len(self.edges))
        return (self._enlarge(coarse) + growth).clamp(-1, 1)

    def _anatomy(self, mask: Tensor, columns: Tensor, moves: Tensor) -> Tensor:
        """Distances to tissues of a real volume, bent to go around the mask."""
        shapes, limit = self._coarse(columns), reach(self.edges)
        own, other = shapes[:, -1:] * limit, self._shrink(mask) * limit
        move = move_between(own, other, moves, self.block)
        return self._cropped(moved(self._blown_up(shapes[:, :-1]), self._blown_up(move)))

    def _enlarge(self, coarse: Tensor) -> Tensor:
        return self._cropped(self._blown_up(coarse))

    def _blown_up(self, coarse: Tensor) -> Tensor:
        """At every voxel of all blocks, which may end beyond the volume."""
        size = [n * b for n, b in zip(coarse.shape[2:], self.block, strict=True)]
        return functional.interpolate(coarse, size=size, mode=INTERPOLATION[len(size)])

    def _cropped(self, volume: Tensor) -> Tensor:
        whole = [slice(None)] * 2 + [slice(edge) for edge in self.edges]
        return volume[tuple(whole)]

    def _shrink(self, volume: Tensor) -> Tensor:
        """Block means; blocks at the far end may be smaller."""
        mean = POOL[len(self.edges)]
        return mean(volume, self.block, ceil_mode=True)

    def _paint(self, distances: Tensor) -> Tensor:
        """Images without texture: each tissue over those below it, borders a voxel wide."""
        shape = (-1, self.n_images, TISSUES - 1, *self.edges)
        borders = distances[:, : self.n_images * (TISSUES - 1)].reshape(shape)
        share = (borders * (reach(self.edges) / 2) + 0.5).clamp(0, 1).unbind(dim=2)
        below = self._column(self.tissues[:, 0])
        painted = below.expand(len(distances), -1, *self.edges)
        # What is brighter than a tissue is brighter than those below it.
        visible = torch.ones_like(painted)
        for i, step in enumerate(self.tissues.diff(dim=1).unbind(dim=1)):
            visible = torch.minimum(visible, share[i])
            painted = painted + self._column(step) * visible
        # Inside the mask all is texture: tissues are no finer than blocks, and the mask of
        # a tumour must not take in a bone that lies beside it.
        return torch.where(distances[:, -1:] > 0, 0, painted) if self.has_mask else painted

    def _column(self, values: Tensor) -> Tensor:
        """One value for each image channel, to broadcast over volumes."""
        return values.reshape(1, -1, *[1] * len(self.edges))

    def _regions(self, images: Tensor, distances: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Outside and, with a mask, inside: where it is, and the bin of a profile.

        Profiles go by the image without texture outside, by the distance to the border
        inside.
        """
        by_image = (images + 1) * ((BINS - 1) / 2)
        if not self.has_mask:
            return [(torch.ones_like(images, dtype=torch.bool), by_image)]
        distance = distances[:, -1:].expand_as(images)
        return [(distance <= 0, by_image), (distance > 0, distance * (BINS - 1))]

    @torch.no_grad()
    def fit(self, U: np.ndarray, codes: np.ndarray, shrinkage: float) -> FieldStart:
        """Learn from volumes in network units, (n_rows, n_channels, *edges)."""
        images = U[:, : self.n_images]
        bare, margin = images, 1 / reach(self.edges)
        if self.has_mask:
            # What lies around a lesion has none in it, wherever it is moved to.
            bare = np.stack(
                [without_lesion(x, U[:, -1], margin) for x in images.swapaxes(0, 1)], 1
            )
        cut = [self._cut(bare[:, i], i) for i in range(self.n_images)]
        shapes, pure = zip(*cut, strict=True)
        exact = torch.as_tensor(np.concatenate([*shapes, U[:, self.n_images :]], axis=1))
        coarse = self._shrink(exact)
        plain = self._paint(exact)
        (outside, at), *inside = self._regions(plain, exact)
        # Where block means miss a border there is an error, and no texture.
        certain = (plain - self._paint(self._enlarge(coarse))).abs() < CERTAIN
        known = outside & certain
        if self.has_mask:
            # Around a mask texture is that of tissues; what they are not made of is grit.
            known &= torch.as_tensor(np.stack(pure, axis=1)) & (exact[:, -1:] < -margin)
        regions = [(known, at), *inside]
        columns = [coarse.flatten(1).numpy()]
        columns.append(self._fit_texture(images - plain.numpy(), regions, codes))
        self._fit_rows(np.concatenate(columns, axis=1).astype(float), codes, shrinkage)
        if self.has_mask:
            self._fit_growth(U[:, -1] > 0, codes)
        return self

    def _fit_growth(self, masks: np.ndarray, codes: np.ndarray) -> None:
        """Let masks of a class be as large as real ones: means of distances are smaller."""
        # Of the size of a mask, the edge.
        edge = np.cbrt(np.count_nonzero(masks.reshape(len(masks), -1), axis=1))
        voxels = int(np.prod(self.edges))
        n_draws = min(CALIBRATION_DRAWS, max(20, CALIBRATION_VOXELS // voxels))
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(n_draws, self.n_latent, generator=generator)
        for c in range(len(self.location)):
            coarse = self._coarse(self._draw_columns(z, torch.full((n_draws,), c)))
            distances = self._enlarge(coarse[:, -1:]).flatten(1).numpy()
            low, high = -1.0, 1.0
            for _ in range(20):
                growth = (low + high) / 2
                grown = np.cbrt(np.count_nonzero(distances > -growth, axis=1))
                small = grown.mean() < edge[codes == c].mean()
                low, high = (growth, high) if small else (low, growth)
            # Where small masks are all alike, just below is no mask at all.
            self.growth[c] = high

    def _cut(self, images: np.ndarray, channel: int) -> tuple[np.ndarray, np.ndarray]:
        """Signed distances (n_rows, TISSUES - 1, *edges) to the borders of tissues.

        And where voxels are pure, (n_rows, *edges): not beside a border, and of the tissue
        that they lie in.
        """
        rough, smooth = (
            np.stack([gaussian_filter(image, width) for image in images])
            for width in (SMOOTHING / 2, SMOOTHING)
        )
        cuts = tissue_borders(rough, smooth)
        tissue = np.digitize(smooth, cuts)
        between = tissue.ravel()
        n = np.bincount(between, minlength=len(cuts) + 1)
        tissues = np.bincount(between, smooth.ravel(), len(cuts) + 1) / np.maximum(n, 1)
        n_missing = TISSUES - len(tissues)
        tissues = np.pad(tissues, (0, n_missing), mode="edge")
        cuts = np.pad(cuts, (0, n_missing), constant_values=np.inf)
        self.tissues[channel] = torch.as_tensor(tissues)
        distances = np.stack([signed_distance(smooth > cut) for cut in cuts], axis=1)
        beside = np.abs(distances).min(axis=1) * reach(self.edges) < 1
        off = images - tissues[tissue]
        pure = [is_pure(*one) for one in zip(off, tissue, strict=True)]
        return distances, np.array(pure) & ~beside

    def _fit_rows(self, columns: np.ndarray, codes: np.ndarray, shrinkage: float) -> None:
        """Fit one Gaussian a class to what sums up a volume, as tables have it."""
        mean = columns.mean(axis=0)
        left, size, right = np.linalg.svd(columns - mean, full_matrices=False)
        k = self.n_latent
        latent = left[:, :k] * size[:k]
        start = fit_start(latent, codes, len(self.location), shrinkage)
        learned = {
            "mean": mean,
            "components": right[:k],
            "bounds": [columns.min(axis=0), columns.max(axis=0)],
            "location": start.location,
            "scale_tril": start.scale_tril,
        }
        for name, value in learned.items():
            getattr(self, name).copy_(torch.as_tensor(np.asarray(value)))
        if self.has_mask:
            self.rows.copy_(torch.as_tensor(latent[np.argsort(codes, kind="stable")]))
            n = np.bincount(codes, minlength=len(self.location))
            # The first of each class, and how many there are.
            of_class = np.stack([n.cumsum() - n, n], axis=1)
            of_class[n == 0] = 0, len(codes)
            self.rows_of.copy_(torch.as_tensor(of_class))

    def _fit_texture(
        self,
        texture: np.ndarray,
        regions: list[tuple[Tensor, Tensor]],
        codes: np.ndarray,
    ) -> np.ndarray:
        """Fit texture; return offsets, log strength and log power of each volume."""
        n = len(codes)
        own = np.zeros((n, self.n_images, self.n_regions, BINS + 2))
        for r, (mine, at) in enumerate(regions):
            inside = mine.numpy()
            bins = at.round().long().clamp(0, BINS - 1).numpy()
            for i in range(self.n_images):
                region = Region(texture[:, i], inside[:, i], bins[:, i])
                level, _ = region.profiles(codes, len(self.location))
                levels = region.levels(level[codes])
                region = region.minus(levels)
                _, spread = region.profiles(codes, len(self.location))
                self.level[:, i, r] = torch.as_tensor(level)
                self.spread[:, i, r] = torch.as_tensor(spread)
                standard, strength = region.standardize(spread[codes])
                own[:, i, r, :BINS] = levels - level[codes]
                own[:, i, r, BINS] = np.log(strength)
                for c in range(len(self.location)):
                    of_class = codes == c
                    if inside[of_class, i].sum() < MIN_VOXELS:
                        of_class = np.ones(n, dtype=bool)
                    field = Field(
                        standard[of_class], inside[of_class, i], bins[of_class, i]
                    )
                    self.histogram[c, i, r] = torch.as_tensor(field.histogram)
                    self.spectrum[c, i, r] = torch.as_tensor(field.amplitude)
                    powers = field.powers()[codes[of_class] == c]
                    own[codes == c, i, r, BINS + 1] = np.log(powers)
        return self._scale_own(own, codes).reshape(n, -1)

    def _scale_own(self, own: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """In spreads of the class: what one hardly varies in, another may vary in much."""
        for c in range(len(self.location)):
            mine = own[codes == c]
            some = mine if len(mine) >= MIN_CLASS_ROWS else own
            low, high = np.quantile(some, [0.25, 0.75], axis=0)
            spread = np.fmin(some.std(axis=0), (high - low) / 1.349)
            self.own_spread[c] = torch.as_tensor(spread.clip(MIN_SPREAD))
        # One calcified tumour must not make all others spread.
        return (own / self.own_spread.numpy()[codes]).clip(-OUTLYING, OUTLYING)


def is_pure(off: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    """Whether voxels of a volume are about as far off from their tissue as others in it."""
    pure = np.zeros(off.shape, dtype=bool)
    for t in range(TISSUES):
        mine = tissue == t
        if mine.any():
            far = np.abs(off[mine])
            pure[mine] = far <= PURE * np.median(far)
    return pure


def tissue_borders(rough: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Intensities at which images can be cut into shapes, at most TISSUES - 1 of them.

    Half way between clusters of intensity; a border that moves when images are smoothed
    more is one of noise, and is left out: `COHERENT` is the least kappa between what lies
    above it before and after.
    """
    # At random: every sixteenth voxel may be one of a face.
    at = np.random.RandomState(0).randint(smooth.size, size=20_000)
    values = smooth.ravel()[at, None]
    n_clusters = min(TISSUES, len(np.unique(values)))
    found = KMeans(n_clusters, n_init=3, random_state=0).fit(values)
    centres = np.sort(found.cluster_centers_.ravel())
    coherent = []
    for cut in (centres[1:] + centres[:-1]) / 2:
        above, before = smooth > cut, rough > cut
        p, q = above.mean(), before.mean()
        by_chance = p * q + (1 - p) * (1 - q)
        if (np.mean(above == before) - by_chance) >= COHERENT * (1 - by_chance):
            coherent.append(cut)
    return np.array(coherent)
