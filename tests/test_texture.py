"""Texture that is brought to what patches of real volumes are like."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from gansampler import SmallClassWarning, VolumeGAN
from gansampler.datasets import make_liver_phantoms
from gansampler.volumes._texture import (
    FEW,
    LEVELS,
    PatchTexture,
    Slices,
    Voxels,
    pooled_histogram,
    quantiles_of,
    squared_distances,
)

EDGES = {2: (24, 22), 3: (12, 14, 13)}


def volumes(n, texture, seed, n_dims=3):
    """Balls filled with a field, in network units: (n, 2, *edges)."""
    rng = np.random.default_rng(seed)
    edges = EDGES[n_dims]
    middle = np.array(edges).reshape(-1, *[1] * n_dims) / 2
    far = np.sqrt(((np.indices(edges) - middle) ** 2).sum(axis=0))
    made = np.zeros((n, 2, *edges), dtype=np.float32)
    for volume in made:
        volume[0] = texture(rng, edges)
        volume[1] = np.clip(rng.uniform(4, 6) - far, -1, 1)
    return made


def smooth(rng, edges):
    field = gaussian_filter(rng.normal(size=edges), 1.5)
    return 0.2 * field / field.std()


def white(rng, edges):
    return 0.2 * rng.normal(size=edges)


def flat_with_specks(rng, edges):
    return np.where(rng.uniform(size=edges) < 0.1, 0.5, 0.01 * rng.normal(size=edges))


def roughness(U):
    """Standard deviation of differences of neighbours, over that of values."""
    inside = U[:, 1] > 0
    both = inside[..., 1:] & inside[..., :-1]
    return np.diff(U[:, 0], axis=-1)[both].std() / U[:, 0][inside].std()


def fitted(U, codes=None, has_mask=True):
    codes = np.zeros(len(U), dtype=int) if codes is None else codes
    texture = PatchTexture(
        has_mask=has_mask,
        n_images=1,
        n_dims=U.ndim - 2,
        n_classes=codes.max() + 1,
        n_rows=len(U),
    )
    return texture.fit(U, codes)


def refined(texture, U, c=0, n_steps=100, seed=0):
    made = U.copy()
    codes = np.full(len(U), c)
    texture.refine(made, codes, n_steps, np.random.RandomState(seed))
    return made


@pytest.mark.parametrize("n_dims", [2, 3])
@pytest.mark.parametrize("wanted, given", [(smooth, white), (white, smooth)])
def test_texture_becomes_as_rough_as_real_one(n_dims, wanted, given):
    real, drawn = volumes(20, wanted, 0, n_dims), volumes(10, given, 1, n_dims)
    made = refined(fitted(real), drawn)
    before, after = (abs(roughness(U) - roughness(real)) for U in (drawn, made))
    assert before > 0.5
    # A length of 1.5 voxels is more than a neighbourhood of three tells all of.
    assert after < 0.35 * before


@pytest.mark.parametrize("texture", [smooth, white, flat_with_specks])
def test_what_is_right_is_left_as_it_is(texture):
    real, drawn = volumes(40, texture, 0), volumes(40, texture, 1)
    made = refined(fitted(real), drawn, n_steps=30)

    def inside(U, values):
        found = [values(u[0], u[1] > 0) for u in U]
        return np.mean(found), np.std(found)

    def spread(image, mask):
        return image[mask].std()

    def steps(image, mask):
        return np.diff(image, axis=-1)[mask[..., 1:] & mask[..., :-1]].std()

    for measure in (spread, steps):
        assert_allclose(inside(made, measure)[0], inside(real, measure)[0], rtol=0.12)


def test_large_regions_come_about_as_near_as_small_ones():
    """A step looks at an eighth of their voxels: there are more of them."""
    rng = np.random.default_rng(0)
    large = np.ones((1, 2, 40, 40, 40), dtype=np.float32)
    large[:, 0] = 0.2 * rng.normal(size=(40, 40, 40))
    real, small = volumes(20, smooth, 0), volumes(10, white, 1)
    texture = fitted(real)
    off = [
        roughness(refined(texture, U, n_steps=30)) - roughness(real) for U in (large, small)
    ]
    before = roughness(large) - roughness(real)
    assert off[1] < 0.15 * before
    assert off[0] < 0.25 * before


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_turned_off_where_it_is_drawn(context):
    X, y = make_liver_phantoms({"homogeneous": 8, "rim": 7}, size=16, random_state=0)
    gan = VolumeGAN(max_iter=0, texture_steps=3, random_state=0).fit(X, y)
    expected, _ = gan.sample(2)
    with context():
        assert_array_equal(gan.sample(2)[0], expected)


def test_what_is_flat_beside_specks_becomes_flat():
    # a Gaussian field has no such parts, whatever its spectrum
    real, drawn = volumes(20, flat_with_specks, 0), volumes(10, white, 1)
    made = refined(fitted(real), drawn)

    def share_flat(U):
        inside = U[:, 1] > 0
        return (np.abs(U[:, 0][inside]) < 0.05).mean(), (U[:, 0][inside] > 0.4).mean()

    assert_allclose(share_flat(made), share_flat(real), atol=0.05)
    assert share_flat(drawn)[0] < 0.5


@pytest.mark.parametrize("has_mask", [True, False])
def test_only_voxels_of_the_mask_are_moved_and_none_out_of_range(has_mask):
    real, drawn = volumes(10, smooth, 0), volumes(5, white, 1)
    made = refined(fitted(real, has_mask=has_mask), drawn)
    of_region = drawn[:, 1] > 0 if has_mask else np.ones_like(drawn[:, 1], dtype=bool)
    assert_array_equal(made[:, 1], drawn[:, 1])
    assert_array_equal(made[:, 0][~of_region], drawn[:, 0][~of_region])
    assert (made[:, 0][of_region] != drawn[:, 0][of_region]).mean() > 0.9
    assert real[:, 0].min() <= made[:, 0][of_region].min()
    assert made[:, 0][of_region].max() <= real[:, 0].max()


def test_each_class_gets_its_own_texture():
    real = np.concatenate([volumes(15, smooth, 0), volumes(15, white, 1)])
    texture = fitted(real, np.repeat([0, 1], 15))
    start = volumes(10, lambda *a: (smooth(*a) + white(*a)) / 2, 2)
    first, second = (roughness(refined(texture, start, c)) for c in (0, 1))
    assert first + 0.5 < second


def test_no_volume_gets_the_statistics_of_one_real_volume():
    """What is drawn varies as real volumes do, and is not nearer to one of them than they
    are to each other."""
    real = volumes(20, smooth, 0)
    texture = fitted(real)
    rng = np.random.RandomState(0)
    known = (texture.mean + texture.deviation)[:, 0].flatten(1).numpy()
    drawn = [texture._draw_statistics(0, rng)[0].flatten().numpy() for _ in range(200)]
    drawn = np.array(drawn)
    assert_allclose(drawn.std(axis=0).mean(), known.std(axis=0, ddof=1).mean(), rtol=0.15)
    among = np.sqrt(((known[:, None] - known) ** 2).sum(-1)) + 1e9 * np.eye(20)
    to_real = np.sqrt(((drawn[:, None] - known) ** 2).sum(-1))
    assert np.median(to_real.min(axis=1)) > 0.8 * np.median(among.min(axis=1))
    assert np.all(np.diff(drawn.reshape(200, -1, len(LEVELS)), axis=-1) >= 0)


def test_a_small_class_varies_as_all_do():
    real = np.concatenate([volumes(15, smooth, 0), volumes(1, white, 1)])
    texture = fitted(real, np.repeat([0, 1], [15, 1]))
    rng = np.random.RandomState(0)
    first, second = (texture._draw_statistics(1, rng) for _ in range(2))
    assert (first - second).abs().max() > 0.01


def test_slices_equal_what_they_are_by_hand():
    mask = np.zeros((5, 5), dtype=bool)
    mask[1:4, 1:4] = True
    voxels, scores = Voxels.of(mask), torch.arange(9.0) ** 2
    assert voxels.depth.tolist() == [1, 1, 1, 1, 2, 1, 1, 1, 1]
    corner, middle = Slices(2)(scores, voxels, torch.tensor([0, 4]))
    by_depth, linear, about, extent = middle.split([7, 6, 3, 4])
    assert by_depth[[0, 1, -1]].tolist() == [16, 12, 20]
    mean = (scores.sum() / 9).item()
    assert_allclose(linear, [16, 15, 12, 7, 16 - mean, mean], rtol=1e-6)
    off = np.abs(np.arange(9) ** 2 - 16)
    assert_allclose(about, [off.sum() / 8, (off**2).sum() / 8, 1 / 8], rtol=1e-6)
    assert extent.tolist() == [64, 48, 32, 16]
    # Of a corner three neighbours are known, which do for means of them, not for more.
    by_depth, linear, about, extent = corner.split([7, 6, 3, 4])
    assert by_depth[[0, 1, -1]].tolist() == [0, -2, 2]
    assert_allclose(about[0], (1 + 9 + 16) / 3)
    assert not linear.isfinite().any() and not extent.isfinite().any()


@pytest.mark.parametrize("edges", [(4, 5), (4, 5, 6)], ids=str)
def test_neighbours_are_those_beside_a_voxel(edges):
    mask = np.random.default_rng(0).uniform(size=edges) < 0.6
    at = np.argwhere(mask)
    found = Voxels.of(mask).neighbours(torch.arange(len(at)))
    for voxel, places in zip(at, found.tolist(), strict=True):
        beside = np.abs(at - voxel).max(axis=1) <= 1
        assert {p for p in places if p < len(at)} == set(np.flatnonzero(beside))
        assert places[len(places) // 2] == np.flatnonzero((at == voxel).all(axis=1))


def test_the_end_of_a_volume_is_no_border():
    assert set(Voxels.of(np.ones((3, 4), dtype=bool)).depth.tolist()) == {5}


def test_what_one_volume_has_is_not_in_the_tails_of_all_and_what_all_have_is():
    rng = np.random.default_rng(0)
    volumes = [rng.normal(0, 1, 5000) for _ in range(9)]
    plain = pooled_histogram(volumes)
    assert_allclose(plain[[0, 128, -1]], [-4, 0, 4], atol=0.6)
    few = rng.choice(5000, 20)
    one = [np.array(values) for values in volumes]
    one[3][few] = 50
    assert_allclose(pooled_histogram(one), plain, atol=0.1)
    for values in one:
        values[few] = 50
    assert pooled_histogram(one)[-1] == pytest.approx(50, rel=0.01)
    assert_array_equal(pooled_histogram([np.zeros(0)]), 0)


def test_distance_is_zero_only_where_ranks_are_met():
    torch.manual_seed(0)
    x = torch.randn(400, 3)
    x[:, 2] = torch.inf
    x[: FEW - 1, 2] = 0.0
    wanted = quantiles_of(x)
    assert wanted[2].isnan().all()
    found = squared_distances(x, torch.nan_to_num(wanted))
    assert found[:2].max() < 2e-3 and found[2] == 0
    moved = squared_distances(x + 0.5, torch.nan_to_num(wanted))
    assert_allclose(moved[:2], 0.25, atol=0.05)
    x.requires_grad_()
    squared_distances(x, torch.nan_to_num(wanted)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("steps", [0, 5])
def test_a_generator_with_textures_is_saved_whole(tmp_path, with_mask, steps):
    X, y = make_liver_phantoms({"homogeneous": 8, "rim": 7}, size=16, random_state=0)
    X, mask_channel = (X, -1) if with_mask else (X[:, :1], None)
    gan = VolumeGAN(
        max_iter=0, texture_steps=steps, mask_channel=mask_channel, random_state=0
    ).fit(X, y)
    gan.save(tmp_path / "gan.safetensors")
    expected, labels = gan.sample(4, prior="uniform")
    loaded = VolumeGAN.load(tmp_path / "gan.safetensors")
    assert_array_equal(loaded.sample(y=labels)[0], expected)


def test_steps_can_be_changed_after_fitting(tmp_path):
    X, y = make_liver_phantoms({"homogeneous": 8, "rim": 7}, size=16, random_state=0)
    plain, _ = VolumeGAN(max_iter=0, texture_steps=0, random_state=0).fit(X, y).sample(2)
    gan = VolumeGAN(max_iter=0, random_state=0).fit(X, y).set_params(texture_steps=0)
    assert_array_equal(gan.sample(2)[0], plain)
    gan.save(tmp_path / "gan.safetensors")
    loaded = VolumeGAN.load(tmp_path / "gan.safetensors")
    for each in (gan, loaded):
        each.set_params(texture_steps=4)
    assert_array_equal(loaded.sample(2)[0], gan.sample(2)[0])


def test_only_what_lies_in_the_mask_changes_with_texture():
    X, y = make_liver_phantoms({"homogeneous": 8, "rim": 7}, size=16, random_state=0)
    params = {"max_iter": 0, "random_state": 0}
    with_texture, plain = (
        VolumeGAN(texture_steps=steps, **params).fit(X, y).sample(1)[0] for steps in (5, 0)
    )
    assert_array_equal(with_texture[:, 1], plain[:, 1])
    inside, other = plain[:, 1] > 0, with_texture[:, 0] != plain[:, 0]
    assert other[inside].mean() > 0.5 and not other[~inside].any()


def speck(edges):
    mask = np.zeros(edges, dtype=np.float32)
    mask[tuple(edge // 2 for edge in edges)] = 1
    return mask


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda X: np.concatenate([X[:, :1], X], axis=1), id="two images"),
        pytest.param(lambda X: X[:, :, 4], id="slices"),
        pytest.param(lambda X: X.clip(0, 1) * X[:, 1:], id="image of the mask"),
        pytest.param(
            lambda X: np.stack([X[:, 0], [speck(X.shape[2:])] * len(X)], axis=1),
            id="masks of a voxel",
        ),
        pytest.param(
            lambda X: np.stack([X[:, 0], np.ones_like(X[:, 0])], axis=1),
            id="nothing outside",
        ),
    ],
)
def test_volumes_that_have_no_patches_are_drawn_all_the_same(change):
    rng = np.random.default_rng(0)
    X = np.zeros((15, 2, 8, 8, 8), dtype=np.float32)
    X[:, 0] = rng.normal(0, 50, X[:, 0].shape).round()
    X[:, 1, 2:6, 2:6, 2:6] = 1
    X = change(X)
    gan = VolumeGAN(max_iter=0, texture_steps=5, random_state=0)
    with pytest.warns(SmallClassWarning):
        gan.fit(X, np.repeat([0, 1], [14, 1]))
    made, _ = gan.sample(4, prior="uniform")
    assert made.shape[1:] == X.shape[1:]
    assert_array_equal(made, made.round())
    assert made.min() >= X.min() and made.max() <= X.max()
