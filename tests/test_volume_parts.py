"""Parts of VolumeGAN: scaling, where it starts, networks, moves, and features."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from gansampler.adversarial import (
    OBJECTIVES,
    Plan,
    SynthesisGame,
    balanced_batches,
    full_precision,
    train,
)
from gansampler.datasets import make_liver_phantoms
from gansampler.volumes._augmentation import Moves, rotations
from gansampler.volumes._features import volume_features
from gansampler.volumes._fields import SCORES, Field, amplitude_spectrum, lookup
from gansampler.volumes._networks import (
    VolumeCritic,
    VolumeGenerator,
    folded,
    unfolded,
)
from gansampler.volumes._scaling import VolumeScaler, signed_distance
from gansampler.volumes._start import FieldStart

over_seeds = pytest.mark.parametrize("seed", range(3))


@pytest.fixture(scope="module")
def phantoms():
    """Two classes whose lesions differ in mean: about 65 HU and about 120."""
    X, y = make_liver_phantoms({"homogeneous": 20, "rim": 16}, size=16, random_state=0)
    return X, (y == "rim").astype(int)


def ball(edges, radius):
    at = np.indices(edges) - (np.array(edges).reshape(-1, *[1] * len(edges)) - 1) / 2
    return (at**2).sum(axis=0) < radius**2


def made_up(n, edges, n_images=1, mask=True, seed=0):
    """Smooth images with a ball of another intensity, which is the mask, the last one."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, n_images + mask, *edges), dtype=np.float32)
    for volume in X:
        inside = ball(edges, min(edges) * rng.uniform(0.2, 0.35))
        for c in range(n_images):
            image = 20 * gaussian_filter(rng.normal(size=edges), 1.0)
            volume[c] = np.rint(100 * (c + 1) + image + 50 * inside)
        if mask:
            volume[-1] = inside
    return X


# Scaling


@pytest.mark.parametrize("mask_channel", [0, 1, 2, -1, -2])
def test_whole_numbers_and_masks_come_back_exactly(mask_channel):
    """At the width of a full 16-bit scale float32 is still fine enough."""
    rng = np.random.default_rng(0)
    X = rng.integers(-32768, 32767, size=(3, 3, 6, 5, 4)).astype(np.float32)
    X[:, mask_channel] = rng.random((3, 6, 5, 4)) < 0.5
    scaler = VolumeScaler(mask_channel, None).fit(X)
    U = scaler.transform(X)
    assert U.dtype == np.float32
    assert np.abs(U).max() <= 1
    assert_array_equal(U[:, -1] > 0, X[:, mask_channel])
    assert_array_equal(scaler.inverse_transform(U), X)


def test_window_cuts_and_fractions_stay():
    X = np.zeros((2, 2, 4, 4, 4), dtype=np.float32)
    X[0, 0, 0, 0] = [-2000, -100, 50.5, 400]
    X[:, 1, 1:3] = 1
    scaler = VolumeScaler(-1, (-100, 300)).fit(X)
    U = scaler.transform(X)
    # -100 -> -1, 50.5 -> 150.5 / 200 - 1, 300 -> 1
    assert_allclose(U[0, 0, 0, 0], [-1, -1, -0.2475, 1], atol=1e-6)
    back = scaler.inverse_transform(U)[0, 0, 0, 0]
    assert_allclose(back, [-100, -100, 50.5, 300], atol=1e-4)


def test_each_image_channel_has_its_window():
    X = made_up(3, (6, 6, 6), n_images=2)
    X[:, 1] += 0.25
    scaler = VolumeScaler(-1, [(0, 150), (100, 200)]).fit(X)
    assert_array_equal(scaler.window_, [[0, 150], [100, 200]])
    assert_array_equal(scaler.is_integer_, [True, False])
    back = scaler.inverse_transform(scaler.transform(X))
    assert_allclose(back[:, 0], X[:, 0].clip(0, 150))
    assert_allclose(back[:, 1], X[:, 1].clip(100, 200), atol=1e-4)


def test_a_constant_channel_and_no_mask():
    X = np.full((2, 1, 5, 5), 7, dtype=np.float32)
    scaler = VolumeScaler(None, None).fit(X)
    assert_array_equal(scaler.inverse_transform(scaler.transform(X)), X)


def test_masks_that_are_none_are_named():
    X = made_up(12, (6, 6, 6))
    X[7, 1] *= 255
    with pytest.raises(ValueError, match=r"masks of volumes \[7\] hold values other than"):
        VolumeScaler(-1, None).fit(X)
    X[7, 1] = 0
    with pytest.raises(ValueError, match=r"masks of volumes \[7\] are empty"):
        VolumeScaler(-1, None).fit(X)


@pytest.mark.parametrize(
    "window", [(1, 1), (3, 2), (0, np.inf), (np.nan, 1), (1, 2, 3), [(0, 1)] * 3]
)
def test_windows_that_do_not_fit(window):
    with pytest.raises(ValueError, match="window must be a pair"):
        VolumeScaler(-1, window).fit(made_up(2, (6, 6, 6), n_images=2))


def test_signed_distance_by_hand():
    mask = np.zeros((1, 8, 8, 8))
    mask[0, :, :, 4:] = 1
    # The border lies between voxels 3 and 4; 2 voxels are a quarter of the edge.
    expected = np.array([-1, -1, -0.75, -0.25, 0.25, 0.75, 1, 1])
    assert_allclose(signed_distance(mask)[0], np.broadcast_to(expected, (8, 8, 8)))
    full_and_empty = signed_distance(np.stack([np.ones((6, 6)), np.zeros((6, 6))]))
    assert_array_equal(full_and_empty, [np.ones((6, 6)), -np.ones((6, 6))])


# What the start is made of


@pytest.mark.parametrize("edges", [(6,), (6, 7), (5, 6, 7), (4, 4, 4)])
def test_unfolded_undoes_folded(edges):
    x = torch.randn(2, 3, *edges)
    small = folded(x)
    assert small.shape == (2, 3 * 2 ** len(edges), *(-(-e // 2) for e in edges))
    assert torch.equal(unfolded(small, edges), x)


def test_lookup_by_hand():
    tables = torch.tensor([[[0.0, 10.0, 40.0]], [[1.0, 1.0, 2.0]]])
    position = torch.tensor([[[0.0, 0.5, 2.0]], [[-3.0, 1.25, 9.0]]])
    # Half way 0 -> 10; a quarter of the way 1 -> 2; what is beyond stays at the ends.
    assert lookup(tables, position).tolist() == [[[0.0, 5.0, 40.0]], [[1.0, 1.25, 2.0]]]


def autocovariance(amplitude, edges):
    return np.fft.irfftn(amplitude**2, s=edges, axes=range(len(edges)))


REGIONS = {"everywhere": np.ones((24, 24, 24), bool), "in a ball": ball([24] * 3, 8)}


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
@over_seeds
def test_spectrum_of_white_noise_is_flat(seed, region):
    fields = np.random.default_rng(seed).normal(size=(6, 24, 24, 24)) * region
    amplitude = amplitude_spectrum(fields, np.broadcast_to(region, fields.shape))
    assert amplitude.shape == (24, 24, 13)
    covariance = autocovariance(amplitude, (24, 24, 24))
    assert covariance[0, 0, 0] == pytest.approx(1), "white noise keeps its variance"
    # Standard error of a lag: 1 / sqrt(6 * 1500 pairs) = .01 in the ball.
    near = covariance[:3, :3, :3].ravel()[1:]
    assert np.abs(near).max() < 0.05


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
@pytest.mark.parametrize("width", [0.6, 1.0, 1.5])
@over_seeds
def test_spectrum_has_the_correlation_of_a_filter(seed, width, region):
    rng = np.random.default_rng(seed)
    # Twice as large, and cut, so that opposite faces have nothing in common.
    noise = rng.normal(size=(6, 48, 48, 48))
    fields = np.stack([gaussian_filter(x, width, mode="wrap") for x in noise])
    fields /= fields.std()
    expected = [np.mean(fields * np.roll(fields, lag, axis=1)) for lag in (1, 2)]
    inside = np.broadcast_to(region, (6, 24, 24, 24))
    fields = fields[:, :24, :24, :24] * inside
    covariance = autocovariance(amplitude_spectrum(fields, inside), (24, 24, 24))
    found = [[covariance.flat[lag * step] for step in (1, 24, 576)] for lag in (1, 2)]
    assert_allclose(np.mean(found, axis=1), expected, atol=0.1)


def in_one_bin(values, inside=True):
    inside = np.broadcast_to(inside, values.shape)
    return Field(values, inside, np.zeros(values.shape, dtype=int))


def test_what_lies_outside_a_region_does_not_matter():
    rng = np.random.default_rng(0)
    standard = gaussian_filter(rng.normal(size=(4, 16, 16)), (0, 1, 1))
    inside = np.broadcast_to(ball((16, 16), 5), standard.shape)
    other = np.where(inside, standard, 1e6)
    one, same = (in_one_bin(x, inside) for x in (standard, other))
    for name in ("histogram", "amplitude"):
        assert_array_equal(getattr(one, name), getattr(same, name))
    assert_array_equal(one.powers(), same.powers())


@over_seeds
@pytest.mark.parametrize("cut", [lambda x: np.maximum(x, 0), np.sign, lambda x: 0 * x])
def test_piles_of_equal_values_are_no_correlation(seed, cut):
    """White noise cut at an end, say by a window, stays white."""
    standard = cut(np.random.default_rng(seed).normal(size=(6, 16, 16, 16)))
    field = in_one_bin(standard)
    assert field.histogram.min() == standard.min()
    covariance = autocovariance(field.amplitude, (16, 16, 16))
    if standard.any():
        assert np.abs(covariance[:3, :3, :3].ravel()[1:]).max() < 0.05


def test_a_region_that_no_volume_has():
    field = in_one_bin(np.ones((2, 6, 6)), False)
    assert_array_equal(field.histogram, 0)
    assert_array_equal(field.amplitude, 1)
    assert_array_equal(field.powers(), 1)


@over_seeds
def test_tails_are_no_longer_than_normal_ones(seed):
    rng = np.random.default_rng(seed)
    shape = (6, 16, 16, 16)
    normal = rng.normal(size=shape)
    few = np.where(rng.uniform(size=shape) < 0.001, 30, normal)
    for values in (normal, few):
        histogram = in_one_bin(values).histogram
        assert_allclose(histogram[:, [0, -1]], [[-4, 4]] * len(histogram), atol=0.6)


def test_each_bin_has_its_histogram_or_that_of_its_neighbours():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 16, 16, 16))
    bins = np.zeros(values.shape, dtype=int)
    bins[:, 8:] = 20
    bins[0, 0, 0, 0] = 10
    values[bins == 20] += 100
    field = Field(values, np.ones(values.shape, dtype=bool), bins)
    middle = field.histogram[:, len(SCORES) // 2]
    assert_allclose(middle[[0, 20]], [0, 100], atol=0.1)
    # Ten bins from either, one voxel of its own: by both.
    assert 1 < middle[10] < 99
    # Standard normal in each bin, whatever its level.
    for b in (0, 20):
        assert_allclose(np.std(field.scores[bins == b]), 1, atol=0.02)


@over_seeds
def test_powers_tell_rough_volumes_from_smooth_ones(seed):
    """Of fields with a spectrum between them; and fields of that power are as smooth."""
    rng = np.random.default_rng(seed)
    widths = np.repeat([0.6, 1.2], 4)
    fields = np.stack([gaussian_filter(rng.normal(size=(24,) * 3), w) for w in widths])
    fields /= fields.std(axis=(1, 2, 3), keepdims=True)
    field = in_one_bin(fields, ball([24] * 3, 9))
    powers = field.powers()
    assert (powers[:4] < 0.9).all() and (powers[4:] > 1.2).all()
    for power, width in zip(powers[[0, -1]], (0.6, 1.2), strict=True):
        lag_one = np.exp(-1 / (4 * width**2))
        assert field._lag_one(power, [0, 1, 2]) == pytest.approx(lag_one, abs=0.12)


@pytest.mark.parametrize("edges", [(32, 32, 3), (32, 32, 6), (16, 16, 16)], ids=str)
def test_smoothness_of_each_volume_is_told_from_that_of_its_class(edges):
    """Powers of the spectrum are around 1, and larger for smoother volumes."""
    rng = np.random.RandomState(0)
    smooth = [0.8] * 8 + [1.6] * 8
    fields = np.array(
        [
            gaussian_filter(rng.standard_normal(edges), (s, s, s / 4), mode="wrap")
            for s in smooth
        ]
    )
    fields /= fields.std(axis=(1, 2, 3), keepdims=True)
    of_both = np.log(in_one_bin(fields).powers())
    assert of_both[:8].max() < -0.1
    assert of_both[8:].min() > 0.1
    of_one = np.log(in_one_bin(fields[:8]).powers())
    assert abs(of_one.mean()) < 0.05
    assert np.abs(of_one).max() < 0.3


# The start


def fit_start(X, codes, mask_channel=-1):
    scaler = VolumeScaler(mask_channel, None).fit(X)
    start = FieldStart(
        n_images=len(scaler.image_channels_),
        has_mask=mask_channel is not None,
        edges=X.shape[2:],
        n_classes=codes.max() + 1,
        n_rows=len(X),
    )
    return scaler, start.fit(scaler.transform(X), codes, shrinkage=0.5)


def draw(scaler, start, code, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, start.n_noise, generator=generator)
    return scaler.inverse_transform(start(noise, torch.full((n,), code)).numpy())


def test_start_draws_each_class_as_it_is(phantoms):
    """Mean and spread inside the mask, its size, and how coarse the texture is."""
    X, codes = phantoms
    scaler, start = fit_start(X, codes)
    real = volume_features(X, 1)
    found = {}
    for c in (0, 1):
        mine = real[codes == c]
        drawn = volume_features(draw(scaler, start, c, 60), 1)
        names = [
            "inside mean",
            "inside standard deviation",
            "log volume",
            "outside mean",
            "inside roughness 1",
        ]
        for name in names:
            gap = drawn[name].mean() - mine[name].mean()
            # Three standard errors of the real mean, and half a standard deviation.
            limit = (3 / np.sqrt(len(mine)) + 0.5) * mine[name].std()
            assert abs(gap) < limit, (c, name, gap, limit)
        found[c] = drawn
    for name in ("inside mean", "inside standard deviation"):
        truth = real[name][codes == 1].mean() - real[name][codes == 0].mean()
        kept = found[1][name].mean() - found[0][name].mean()
        assert kept > 0.7 * truth > 0, name


def test_start_hangs_on_its_noise_only(phantoms):
    X, codes = phantoms
    state = torch.get_rng_state()
    scaler, start = fit_start(X, codes)
    _, again = fit_start(X, codes)
    assert torch.equal(torch.get_rng_state(), state), "fit draws nothing of its caller's"
    assert_array_equal(draw(scaler, start, 1, 3), draw(scaler, again, 1, 3))
    assert (draw(scaler, start, 1, 3) != draw(scaler, start, 1, 3, seed=1)).any()
    assert (draw(scaler, start, 1, 3) != draw(scaler, start, 0, 3)).any()


@pytest.mark.parametrize(
    "edges",
    [(15, 15, 15), (17, 17, 17), (20, 20, 20), (4, 9, 30), (16, 16), (17, 15), (50, 50)],
    ids=str,
)
@pytest.mark.parametrize("n_images, mask", [(1, True), (2, True), (1, False), (2, False)])
def test_start_of_any_shape(edges, n_images, mask):
    X = made_up(8, edges, n_images, mask)
    scaler, start = fit_start(X, np.arange(8) % 2, -1 if mask else None)
    drawn = draw(scaler, start, 1, 5)
    assert drawn.shape == (5, *X.shape[1:])
    for c in range(n_images):
        assert abs(drawn[:, c].mean() - X[:, c].mean()) < 15
        assert drawn[:, c].min() >= X[:, c].min()
        assert drawn[:, c].max() <= X[:, c].max()
        if mask:
            inside = drawn[:, -1] > 0
            assert abs(drawn[:, c][inside].mean() - 100 * (c + 1) - 50) < 15


@pytest.mark.parametrize("counts", [(6, 1), (6, 2), (1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("radius", [1.2, 3], ids=["few voxels", "many voxels"])
def test_classes_of_one_or_two_volumes(counts, radius):
    """Masks of seven voxels as well: too few for a profile, and no reason for noise."""
    codes = np.repeat(np.arange(len(counts)), counts)
    X = made_up(len(codes), (12, 12, 12))
    X[:, 1] = ball((12, 12, 12), radius)
    X[:, 0] += np.rint(60 * X[:, 1])
    scaler, start = fit_start(X, codes)
    for c in range(len(counts)):
        drawn = draw(scaler, start, c, 20)
        inside, real = drawn[:, 1] > 0, X[:, 0][X[:, 1] > 0]
        assert inside.any()
        assert abs(drawn[:, 0][inside].mean() - real.mean()) < 25
        # Not of the size of the window, about 180.
        assert drawn[:, 0][inside].std() < real.std() + 15


def test_flat_images_have_no_texture():
    X = np.full((6, 2, 8, 8, 8), 40, dtype=np.float32)
    X[:, 1] = ball((8, 8, 8), 2.5)
    X[:, 0] += 10 * X[:, 1]
    scaler, start = fit_start(X, np.arange(6) % 2)
    drawn = draw(scaler, start, 0, 5)
    assert set(np.unique(drawn[:, 0][drawn[:, 1] > 0])) == {50}
    far = signed_distance(drawn[:, 1]) < -0.9
    assert set(np.unique(drawn[:, 0][far])) == {40}


def test_tissues_are_looked_for_everywhere():
    """80 volumes of 16^3: a step of 16 through all voxels would see one face only."""
    X = np.zeros((80, 1, 16, 16, 16), dtype=np.float32)
    X[..., 4:12] = 100
    scaler, start = fit_start(X, np.zeros(80, dtype=int), mask_channel=None)
    drawn = draw(scaler, start, 0, 3)
    assert drawn[..., 6:10].min() > 90
    assert drawn[..., [0, 15]].max() < 10


# Networks


def make_networks(X, codes, channels=4, learned=None):
    scaler, start = fit_start(X, codes)
    n_classes = codes.max() + 1
    learned = torch.ones(n_classes) if learned is None else torch.tensor(learned)
    generator = VolumeGenerator(start=start, learned=learned, channels=channels)
    critic = VolumeCritic(
        n_channels=X.shape[1], n_classes=n_classes, edges=X.shape[2:], channels=channels
    )
    return scaler, generator, critic


SHAPES = pytest.mark.parametrize(
    "edges", [(16, 16, 16), (4, 4, 4), (5, 9, 17), (16, 16), (33, 20)], ids=str
)


@SHAPES
def test_step_0_is_the_start_and_then_every_parameter_learns(edges):
    torch.manual_seed(0)
    codes = np.arange(6) % 2
    _, generator, critic = make_networks(made_up(6, edges), codes)
    y = torch.as_tensor(codes)
    noise = generator.noise(6)
    assert torch.equal(generator(noise, y), generator.start(noise, y))
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        critic(generator(noise, y), y).sum().backward()
        optimizer.step()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert not torch.equal(generator(noise, y), generator.start(noise, y))
    for name, parameter in critic.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_a_class_that_is_not_learned_stays_at_its_start():
    torch.manual_seed(0)
    codes = np.arange(6) % 2
    _, generator, _ = make_networks(made_up(6, (8, 8, 8)), codes, learned=[1.0, 0.0])
    torch.nn.init.normal_(generator.last.weight)
    noise, y = generator.noise(6), torch.as_tensor(codes)
    same = (generator(noise, y) == generator.start(noise, y)).flatten(1).all(1)
    assert same.tolist() == [False, True] * 3


@over_seeds
def test_players_see_the_class_of_each_volume_and_no_other(seed):
    torch.manual_seed(seed)
    _, generator, critic = make_networks(made_up(6, (8, 8, 8)), np.arange(6) % 2)
    torch.nn.init.normal_(generator.last.weight)
    y = torch.arange(6) % 2
    swapped = y.clone()
    swapped[::2] = 1 - y[::2]
    x, noise = torch.randn(6, 2, 8, 8, 8), generator.noise(6)
    start = generator.start(noise, y)
    with torch.no_grad():
        for network in (
            lambda y: critic(x, y),
            lambda y: generator._residual(start, noise[:, : generator.start.n_latent], y),
        ):
            gap = (network(y) - network(swapped)).abs().reshape(6, -1).amax(1)
            assert (gap[::2] > 1e-4).all()
            assert (gap[1::2] < 1e-4).all()


@over_seeds
def test_the_critic_learns_to_prefer_real_volumes_to_what_is_drawn(phantoms, seed):
    """From a start that was fitted on noise, which a critic can tell from phantoms."""
    X, codes = phantoms
    noise = X.copy()
    low, high = X[:, 0].min(), X[:, 0].max()
    noise[:, 0] = np.random.default_rng(seed).uniform(low, high, X[:, 0].shape).round()
    torch.manual_seed(seed)
    scaler, generator, critic = make_networks(noise, codes)
    U, y = torch.as_tensor(scaler.transform(X)), torch.as_tensor(codes)
    game = SynthesisGame(generator, critic, OBJECTIVES["wasserstein-gp"])
    plan = Plan(max_iter=20, n_critic=5, learning_rate=0.0002)
    train(game, balanced_batches(U, y, 8), plan)
    with torch.no_grad():
        drawn = generator(generator.noise(len(y)), y)
        assert (critic(U, y) > critic(drawn, y)).float().mean() > 0.9


def test_the_start_is_not_trained():
    _, generator, _ = make_networks(made_up(6, (8, 8, 8)), np.arange(6) % 2)
    assert not any(name.startswith("start.") for name, _ in generator.named_parameters())


def test_the_start_and_the_moves_are_computed_in_float32():
    _, generator, _ = make_networks(made_up(6, (8, 8, 8)), np.arange(6) % 2)
    noise, y = generator.noise(6), torch.arange(6) % 2
    volumes = generator(noise, y)

    def moved():
        torch.manual_seed(0)
        return Moves((0,), 10.0, 0.1)(volumes)

    expected = moved()
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        assert torch.equal(generator(noise, y), volumes)
        assert torch.equal(moved(), expected)
        with full_precision(noise.device):
            assert (noise @ noise.T).dtype == torch.float32


# Moves


@pytest.mark.parametrize("edges", [(7, 6, 5), (6, 5)], ids=str)
def test_moves_of_no_strength_change_nothing(edges):
    x = torch.randn(5, 2, *edges)
    assert torch.equal(Moves((), 0.0, 0.0)(x), x)
    # The least of angles: through the interpolation, to where it was.
    assert torch.allclose(Moves((), 1e-4, 0.0)(x), x, atol=1e-3)


@pytest.mark.parametrize("n_dims", [2, 3])
def test_rotations_are_exponentials(n_dims):
    torch.manual_seed(0)
    # Up to half a turn about each axis at once.
    angles = torch.pi * (2 * torch.rand(100, n_dims, n_dims) - 1).triu(1)
    skew = angles - angles.transpose(1, 2)
    expected = torch.linalg.matrix_exp(skew.double())
    assert torch.allclose(rotations(skew).double(), expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_four_in_ten_are_flipped_along_the_axis_named(axis):
    torch.manual_seed(0)
    x = torch.randn(2000, 1, 3, 4, 5)
    moved = Moves((axis,), 0.0, 0.0)(x)
    stayed = (moved == x).flatten(1).all(1)
    flipped = (moved == x.flip(2 + axis)).flatten(1).all(1)
    assert (stayed | flipped).all()
    # Standard error .011.
    assert abs(flipped.double().mean() - 0.4) < 0.04


@pytest.mark.parametrize("edges", [(8, 6, 7), (8, 6)], ids=str)
@over_seeds
def test_moved_volumes_stay_in_range(seed, edges):
    torch.manual_seed(seed)
    x = torch.rand(50, 2, *edges)
    moved = Moves((0, 1), 30.0, 0.2)(x)
    assert moved.shape == x.shape
    assert moved.min() >= x.min()
    assert moved.max() <= x.max()
    changed = (moved != x).flatten(1).any(1).double().mean()
    assert 0.8 < changed <= 1
    # Image and mask of a volume move together.
    both = torch.cat([x[:, :1], x[:, :1]], dim=1)
    torch.manual_seed(seed)
    moved = Moves((0, 1), 30.0, 0.2)(both)
    assert torch.equal(moved[:, 0], moved[:, 1])


def test_a_shift_is_a_share_of_the_edge():
    """A slope of 1 a voxel moves by at most a tenth of 20 voxels, and by that on average
    half as much."""
    torch.manual_seed(0)
    x = torch.arange(20.0).expand(400, 1, 4, 4, 20)
    moved = Moves((), 0.0, 0.1)(x)[:, 0, 2, 2, 10] - 10
    assert moved.abs().max() <= 2 + 1e-4
    some = moved[moved != 0]
    assert 0.7 < len(some) / 400 < 0.9
    assert abs(some.abs().mean() - 1) < 0.15


# Features


def test_features_by_hand():
    X = np.zeros((1, 2, 6, 6, 6))
    X[0, 1, 1:4, 1:4, 1:4] = 1
    X[0, 0] = np.where(X[0, 1] > 0, 50, 10)
    X[0, 0, 2, 2, 2] = 104
    row = volume_features(X, 1).iloc[0]
    assert row["log volume"] == np.log(27)
    # A cube of side 3 has 54 faces: 54 / 27^(2/3) = 6.
    assert row["log surface to volume"] == pytest.approx(np.log(6))
    assert row["centre 0"] == 2
    assert row["extent 1"] == pytest.approx(np.sqrt(2 / 3))
    assert row["inside mean"] == 52, "(26 * 50 + 104) / 27"
    assert row["inside rim"] == 50 - 104
    assert row["outside mean"] == 10
    assert row["outside roughness 1"] == row["outside standard deviation"] == 0


@pytest.mark.parametrize("mask_channel", [0, 1, None])
@pytest.mark.parametrize("edges", [(8, 7, 6), (9, 6), (4, 4, 4)], ids=str)
def test_features_are_finite_even_of_empty_masks(edges, mask_channel):
    X = made_up(4, edges)[:, ::-1] if mask_channel == 0 else made_up(4, edges)
    if mask_channel is not None:
        X[0, mask_channel] = 0
        X[1, mask_channel] = 1
    table = volume_features(X, mask_channel)
    assert len(table) == 4
    assert np.isfinite(table.to_numpy()).all()
    if mask_channel is not None:
        assert table["inside mean"][0] == table["log volume"][0] == 0
        assert table["outside mean"][1] == 0


@pytest.mark.parametrize("axis", range(3))
def test_a_flip_changes_only_where_the_centre_lies(phantoms, axis):
    X = phantoms[0][:6]
    table, flipped = volume_features(X, 1), volume_features(np.flip(X, 2 + axis), 1)
    centre = f"centre {axis}"
    assert_allclose(flipped[centre], 15 - table[centre])
    pd.testing.assert_frame_equal(
        flipped.drop(columns=centre), table.drop(columns=centre), rtol=1e-12
    )


def test_features_have_the_scale_of_the_image(phantoms):
    X = phantoms[0][:6].copy()
    table = volume_features(X, 1)
    X[:, 0] = 2 * X[:, 0] + 30
    scaled = volume_features(X, 1)
    for name in table:
        if "percentile" in name or name.endswith(" mean"):
            expected = 2 * table[name] + 30
        elif "standard deviation" in name or "rim" in name:
            expected = 2 * table[name]
        else:
            expected = table[name]
        assert_allclose(scaled[name], expected, atol=1e-6, err_msg=name)


@over_seeds
def test_roughness_tells_how_coarse_a_texture_is(seed):
    """Neighbours in white noise differ by sqrt(2) of its spread, smoothed ones by less."""
    white = np.random.default_rng(seed).normal(size=(1, 1, 20, 20, 20))
    smooth = gaussian_filter(white, (0, 0, 2, 2, 2))
    fine, coarse = (volume_features(X, None).iloc[0] for X in (white, smooth))
    assert fine["inside roughness 1"] == pytest.approx(np.sqrt(2), abs=0.03)
    assert coarse["inside roughness 1"] < 0.5
    assert coarse["inside roughness 4"] > 2 * coarse["inside roughness 1"]
