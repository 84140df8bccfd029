"""Where the generator of volumes starts: shapes of tissues, with texture on them.

What the copula is to tables. An image is cut at a few intensities; the signed distances to
the borders of what lies above each, and to that of the mask, are smooth and can be mixed
where intensities cannot: a mean of two limbs is a limb, a mean of two images is a double
exposure (shape-based interpolation, Raya and Udupa 1990). Their block means, with the
levels, strength and smoothness of the texture inside and outside the mask, are drawn from
one Gaussian a class. What shapes leave out is a Gaussian random field with a power of the
spectrum of the class and the histograms that it has at each depth inside the mask, and at
each intensity outside.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr, ndtri
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional

from .._start import MIN_CLASS_ROWS, fit_start
from ._scaling import reach, signed_distance

BLOCKS = 24
"""About how many blocks an edge is cut into."""

TISSUES = 6
"""Intensities that an image is made of before texture."""

BINS = 24
"""Bins of a profile: of the distance to the border, or of intensity."""

SCORES = np.linspace(-4, 4, 257)
"""Normal scores at which a histogram of texture is known."""

MIN_VOXELS = 50
"""Bins and regions with fewer voxels in a class go by all classes together."""

FEW = 50
"""Voxels that the level expected in a bin of a volume counts for."""

MANY = 500
"""Voxels that a histogram is made of: a bin with fewer borrows from those beside it."""

MIN_SPREAD = 1e-4
"""Least spread of texture, to divide by, in network units."""

OUTLYING = 2.5
"""Spreads of its class that a volume can be off by."""

LEAST_STRENGTH = 0.1
"""Of the texture of a volume beside that of its class."""

RARE = 0.005
"""Share of voxels at either end of a histogram that are no farther out than normal ones."""

CALIBRATION_DRAWS = 200
CALIBRATION_VOXELS = 2**24
"""Draws of each class that the size of its masks is set on, and their voxels, at most."""

CERTAIN = 0.05
"""Largest error of a painted image, in network units, where texture is learned."""

POWERS = np.exp(np.linspace(-1.5, 1.5, 25))
"""Powers of the spectrum of a class, from rough to smooth, that a volume can have."""

COHERENT = 0.8
"""Least agreement of a tissue's shape with itself when images are smoothed more."""

SMOOTHING = 1.0
"""Standard deviation, in voxels, of the filter before an image is cut."""

INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}


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
        self.n_regions = 1 + has_mask
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
            "own_spread": (*of_region, BINS + 2),
            "level": (*of_region, BINS),
            "spread": (*of_region, BINS),
            "histogram": (*of_region, BINS, len(SCORES)),
            "spectrum": (*of_region, *half),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.n_latent = k
        self.n_noise = k + n_images * int(np.prod(edges))

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        latent, white = noise[:, : self.n_latent], noise[:, self.n_latent :]
        coarse, offset, strength, power = self._draw_coarse(latent, y)
        distances = self._shapes(coarse, y)
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

    def _draw_coarse(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Block means of distances, and what is a volume's own in its texture.

        These are offsets from the levels of the class, (batch, n_images, n_regions, BINS),
        strength and power, (batch, n_images, n_regions, *ones).
        """
        latent = self.location[y] + torch.einsum("bij,bj->bi", self.scale_tril[y], z)
        columns = (self.mean + latent @ self.components).clamp(*self.bounds)
        n_coarse = int(np.prod(self.coarse_shape))
        coarse = columns[:, :n_coarse].reshape(-1, *self.coarse_shape)
        own = columns[:, n_coarse:].reshape(len(z), *self.own_spread.shape[1:])
        own = own * self.own_spread[y]
        scales = own[..., BINS:].exp()
        # Trailing axes of 1, to broadcast over a volume.
        strength, power = scales.reshape(scales.shape + (1,) * len(self.edges)).unbind(3)
        return coarse, own[..., :BINS], strength, power

    def _shapes(self, coarse: Tensor, y: Tensor) -> Tensor:
        """Distances at every voxel, those to the border of the mask last."""
        distances = self._enlarge(coarse)
        if self.has_mask:
            growth = self.growth[y].reshape(-1, 1, *[1] * len(self.edges))
            grown = (distances[:, -1:] + growth).clamp(-1, 1)
            distances = torch.cat([distances[:, :-1], grown], dim=1)
        return distances

    def _enlarge(self, coarse: Tensor) -> Tensor:
        size = [n * b for n, b in zip(coarse.shape[2:], self.block, strict=True)]
        mode = INTERPOLATION[len(size)]
        volume = functional.interpolate(coarse, size=size, mode=mode)
        whole = [slice(None)] * 2 + [slice(edge) for edge in self.edges]
        return volume[tuple(whole)]

    def _shrink(self, volume: Tensor) -> Tensor:
        """Block means; blocks at the far end may be smaller."""
        pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
        mean = pool[len(self.edges) - 1]
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
        shapes = [self._cut(images[:, i], i) for i in range(self.n_images)]
        exact = torch.as_tensor(np.concatenate([*shapes, U[:, self.n_images :]], axis=1))
        coarse = self._shrink(exact)
        plain = self._paint(exact)
        (outside, at), *inside = self._regions(plain, exact)
        # Where block means miss a border there is an error, and no texture.
        certain = (plain - self._paint(self._enlarge(coarse))).abs() < CERTAIN
        regions = [(outside & certain, at), *inside]
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
            coarse, *_ = self._draw_coarse(z, torch.full((n_draws,), c))
            distances = self._enlarge(coarse[:, -1:]).flatten(1).numpy()
            low, high = -1.0, 1.0
            for _ in range(20):
                growth = (low + high) / 2
                grown = np.cbrt(np.count_nonzero(distances > -growth, axis=1))
                small = grown.mean() < edge[codes == c].mean()
                low, high = (growth, high) if small else (low, growth)
            # Where small masks are all alike, just below is no mask at all.
            self.growth[c] = high

    def _cut(self, images: np.ndarray, channel: int) -> np.ndarray:
        """Signed distances (n_rows, TISSUES - 1, *edges) to the borders of tissues."""
        rough, smooth = (
            np.stack([gaussian_filter(image, width) for image in images])
            for width in (SMOOTHING / 2, SMOOTHING)
        )
        cuts = tissue_borders(rough, smooth)
        between = np.digitize(smooth, cuts).ravel()
        n = np.bincount(between, minlength=len(cuts) + 1)
        tissues = np.bincount(between, smooth.ravel(), len(cuts) + 1) / np.maximum(n, 1)
        n_missing = TISSUES - len(tissues)
        tissues = np.pad(tissues, (0, n_missing), mode="edge")
        cuts = np.pad(cuts, (0, n_missing), constant_values=np.inf)
        self.tissues[channel] = torch.as_tensor(tissues)
        return np.stack([signed_distance(smooth > cut) for cut in cuts], axis=1)

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


class Region:
    """Texture in a part of each volume: values, where, and bins; all (n, *edges)."""

    def __init__(self, values: np.ndarray, inside: np.ndarray, bins: np.ndarray) -> None:
        self.values, self.inside, self.bins = values.astype(float), inside, bins

    def profiles(self, codes: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread in each bin of each class, both (n_classes, BINS).

        Bins with few values are interpolated; a class without any other goes by all
        classes together, and where that is of no use by all bins together.
        """
        some = self.values[self.inside] if self.inside.any() else np.zeros(1)
        found = np.tile([[some.mean()], [some.std()]], (n_classes, 1, BINS))
        for c in range(n_classes):
            for rows in (codes == c, np.ones(len(codes), dtype=bool)):
                n, *profile = self._profile(rows)
                known = np.flatnonzero(n >= MIN_VOXELS)
                if len(known):
                    found[c] = [np.interp(range(BINS), known, v[known]) for v in profile]
                    break
        return found[:, 0], found[:, 1].clip(MIN_SPREAD)

    def _profile(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inside = self.inside[rows]
        at, values = self.bins[rows][inside], self.values[rows][inside]
        n = np.bincount(at, minlength=BINS)
        some = np.maximum(n, 1)
        mean = np.bincount(at, values, BINS) / some
        variance = np.bincount(at, values**2, BINS) / some - mean**2
        return n, mean, np.sqrt(np.maximum(variance, 0))

    def levels(self, expected: np.ndarray) -> np.ndarray:
        """Mean in each bin of each volume, (n, BINS).

        The fewer voxels a bin has, the nearer it is to what is expected there, moved by
        what the volume is off.
        """
        n = len(self.values)
        row, *_ = np.nonzero(self.inside)
        at = self.bins[self.inside]
        cell = row * BINS + at
        off = self.values[self.inside] - expected[row, at]
        count = np.bincount(cell, minlength=n * BINS).reshape(n, BINS)
        total = np.bincount(cell, off, n * BINS).reshape(n, BINS)
        overall = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        return expected + (total + FEW * overall[:, None]) / (count + FEW)

    def minus(self, levels: np.ndarray) -> Region:
        """What is left without the levels, (n, BINS), of each volume."""
        return Region(self.values - self._at(levels), self.inside, self.bins)

    def standardize(self, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values over the spread, (n, BINS), and over their strength, (n,)."""
        standard = self.values / self._at(spread)
        axes = tuple(range(1, standard.ndim))
        n_inside = self.inside.sum(axis=axes)
        square = (standard**2 * self.inside).sum(axis=axes) / np.maximum(n_inside, 1)
        # Without any voxel, as strong as others.
        strength = np.where(n_inside > 0, np.sqrt(square).clip(LEAST_STRENGTH), 1.0)
        return standard / strength.reshape(-1, *[1] * len(axes)), strength

    def _at(self, profiles: np.ndarray) -> np.ndarray:
        at = self.bins.reshape(len(self.bins), -1)
        return np.take_along_axis(profiles, at, axis=1).reshape(self.bins.shape)


class Field:
    """A random field known in a part of each volume: its histograms and its spectrum.

    Parameters
    ----------
    values : ndarray of shape (n, *edges)
    inside : ndarray of bool, shape (n, *edges)
    bins : ndarray of int, shape (n, *edges)

    Attributes
    ----------
    histogram : ndarray of shape (BINS, len(SCORES))
        Values at normal scores, in each bin.
    amplitude : ndarray
        Square root of the power spectrum of the normal scores of the values.
    """

    def __init__(self, values: np.ndarray, inside: np.ndarray, bins: np.ndarray) -> None:
        self.inside = inside
        order = np.argsort(bins[inside], kind="stable")
        known = values[inside][order]
        ends = np.r_[0, np.bincount(bins[inside], minlength=BINS).cumsum()]
        scores = np.empty(len(known))
        self.histogram = np.empty((BINS, len(SCORES)))
        for b in range(BINS):
            for width in range(BINS):
                first, last = ends[max(b - width, 0)], ends[min(b + width + 1, BINS)]
                if last - first >= MANY:
                    break
            self.histogram[b] = histogram_of(known[first:last])
            mine = slice(ends[b], ends[b + 1])
            scores[mine] = scores_of(known[mine], self.histogram[b])
        self.scores = np.zeros(values.shape)
        self.scores[inside] = scores[np.argsort(order)]
        self.amplitude = amplitude_spectrum(self.scores, inside)

    def powers(self) -> np.ndarray:
        """Power of the spectrum that gives each volume its own lag-one correlation.

        One, if it has that which volumes have on average: the spectrum is theirs.
        """
        axes = [axis for axis, edge in enumerate(self.inside.shape[1:]) if edge > 1]
        of_power = np.array([self._lag_one(power, axes) for power in POWERS])
        # A white field is white to any power.
        if not of_power[-1] - of_power[0] > 0.01:
            return np.ones(len(self.inside))
        squares, products, n_pairs = np.zeros((3, len(self.inside)))
        for axis in axes:
            inside = np.moveaxis(self.inside, 1 + axis, -1)
            scores = np.moveaxis(self.scores, 1 + axis, -1)
            pairs = inside[..., 1:] & inside[..., :-1]
            rest = tuple(range(1, pairs.ndim))
            first, second = scores[..., 1:], scores[..., :-1]
            n_pairs += pairs.sum(axis=rest)
            products += (first * second * pairs).sum(axis=rest)
            squares += ((first**2 + second**2) / 2 * pairs).sum(axis=rest)
        some = (n_pairs >= MIN_VOXELS) & (squares > 1e-6)
        if not some.any():
            return np.ones(len(self.inside))
        own = products / np.maximum(squares, 1e-6)
        own += self._lag_one(1.0, axes) - own[some].mean()
        found = np.interp(own, np.maximum.accumulate(of_power), POWERS)
        return np.where(some, found, 1.0)

    def _lag_one(self, power: float, axes: list[int]) -> float:
        """Mean correlation of neighbours in a field with this power of the spectrum."""
        edges = self.inside.shape[1:]
        covariance = np.fft.irfftn(
            self.amplitude ** (2 * power), s=edges, axes=range(len(edges))
        )
        lags = np.eye(len(edges), dtype=int)[axes]
        return float(np.mean([covariance[tuple(lag)] for lag in lags]) / covariance.flat[0])


def histogram_of(values: np.ndarray) -> np.ndarray:
    """Values at normal scores, (len(SCORES),), with tails no longer than normal."""
    if not len(values):
        return np.zeros(len(SCORES))
    # What is rare may have a form of its own, a vessel say; scattered, it is grit.
    low, middle, high = np.quantile(values, [RARE, 0.5, 1 - RARE])
    tail = np.abs(SCORES / ndtri(RARE))
    return np.clip(
        np.quantile(values, ndtr(SCORES)),
        np.minimum(low, middle - (middle - low) * tail),
        np.maximum(high, middle + (high - middle) * tail),
    )


def scores_of(values: np.ndarray, histogram: np.ndarray) -> np.ndarray:
    """Normal scores of values; the rank of a pile is half way between its ends."""
    ties = np.arange(len(SCORES)) * 1e-9
    ends = (histogram + ties, histogram - ties[::-1])
    return ndtri(np.mean([ndtr(np.interp(values, end, SCORES)) for end in ends], axis=0))


def standardized(values: Tensor, mine: Tensor) -> Tensor:
    """Values with mean 0 and mean square 1 in a part of each volume.

    As those are that a field is learned from; what a volume is off is drawn apart.
    """
    axes = tuple(range(2, values.ndim))
    n = mine.sum(axes, keepdim=True).clamp(min=1)
    values = values - (values * mine).sum(axes, keepdim=True) / n
    square = (values**2 * mine).sum(axes, keepdim=True) / n
    return torch.where(square > 1e-6, values / square.clamp(min=1e-6).sqrt(), values)


def lookup(tables: Tensor, position: Tensor) -> Tensor:
    """Values of tables at fractional positions, by linear interpolation.

    Shape: tables (batch, channel, m), position (batch, channel, *edges) in 0 .. m - 1 ->
    (batch, channel, *edges).
    """
    last = tables.shape[-1] - 1
    at = position.flatten(2).clamp(0, last)
    below = at.floor().long().clamp(max=last - 1)
    values = torch.lerp(tables.gather(-1, below), tables.gather(-1, below + 1), at - below)
    return values.reshape(position.shape)


def amplitude_spectrum(fields: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Square root of the power spectrum of fields known in a region only.

    The autocovariance at each lag is a mean over pairs of voxels that both lie in the
    region [1]_; lags of few pairs, and long ones, are tapered off.

    Parameters
    ----------
    fields : ndarray of shape (n, *edges)
        Zero outside the region.
    region : ndarray of bool, shape (n, *edges)

    Returns
    -------
    ndarray of the shape of `rfftn` over the edges
        Such that white noise of variance 1, times it, has variance 1.

    References
    ----------
    .. [1] Marcotte (1996), Fast variogram computation with FFT, Computers & Geosciences.
    """
    edges = fields.shape[1:]
    axes = range(len(edges))
    # Twice as large, so that opposite faces are no neighbours.
    size = [2 * edge for edge in edges]

    def pairs(values: np.ndarray) -> np.ndarray:
        total = np.zeros(1)
        for value in values:
            total = total + np.abs(np.fft.rfftn(value, s=size, axes=axes)) ** 2
        return np.fft.irfftn(total, s=size, axes=axes)

    n_pairs = pairs(region.astype(float))
    covariance = pairs(fields) / np.maximum(n_pairs, 1.0)
    # Noise at lags of few pairs would leave a spectrum that is half negative.
    lags = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in size), indexing="ij")
    far = sum((lag / (edge / 2)) ** 2 for lag, edge in zip(lags, edges, strict=True))
    share = np.minimum(n_pairs / max(n_pairs.max() / 2, 0.5), 1.0)
    covariance *= share**2 * np.clip(1 - far, 0, None) ** 2
    for axis, edge in enumerate(edges):
        keep = np.r_[0 : (edge + 1) // 2, 2 * edge - edge // 2 : 2 * edge]
        covariance = np.take(covariance, keep, axis=axis)
    power = np.maximum(np.fft.rfftn(covariance).real, 0)
    full = np.fft.irfftn(power, s=edges, axes=axes).flat[0]
    if full <= 0:
        return np.ones_like(power)
    return np.sqrt(power / full)
