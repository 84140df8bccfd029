"""Tissues around a mask, bent to go around another."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import iqr

from gansampler import SmallClassWarning, VolumeGAN
from gansampler.volumes._anatomy import move_between, moved, n_moves, without_lesion
from gansampler.volumes._scaling import reach, signed_distance

EDGES = [(28, 24), (24, 20, 22)]


def ball(edges, radius, off=0.0):
    at = np.indices(edges) - np.reshape(edges, (-1, *[1] * len(edges))) / 2
    at[0] -= off
    return (at**2).sum(axis=0) < radius**2


def as_shapes(*masks):
    """Signed distances, (1, n_masks, *edges)."""
    return torch.as_tensor(signed_distance(np.stack(masks)))[None]


def deformed(shapes, mask, noise):
    """Shapes where their own mask, the last one, is about where another is."""
    edges = mask.shape[2:]
    own, other = (distances * reach(edges) for distances in (shapes[:, -1:], mask))
    return moved(shapes, move_between(own, other, noise, (1,) * len(edges)))


def overlap(a, b):
    """Dice coefficient."""
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("edges", EDGES, ids=str)
def test_moved_by_whole_voxels_is_shifted(edges):
    volume = torch.randn(2, 3, *edges)
    move = torch.zeros(2, len(edges), *edges)
    move[:, 1] = 2 * 2 / edges[1]
    found = moved(volume, move).movedim(3, -1)
    expected = volume.movedim(3, -1)
    assert_allclose(found[..., :-2], expected[..., 2:], atol=1e-4)
    assert_allclose(found[..., -1], expected[..., -1], atol=1e-4)


@pytest.mark.parametrize("edges", EDGES, ids=str)
def test_nothing_is_moved_where_masks_agree_and_noise_is_none(edges):
    shapes = as_shapes(ball(edges, 9), ball(edges, 5))
    found = deformed(shapes, shapes[:, -1:], torch.zeros(1, n_moves(len(edges))))
    assert_allclose(found, shapes, atol=1e-3)


@pytest.mark.parametrize("edges", EDGES, ids=str)
@pytest.mark.parametrize("radius, off", [(3.5, 0), (8, 0), (5, 3)])
def test_the_mask_is_brought_to_the_other_and_what_lies_around_it_along(edges, radius, off):
    """A shell around the mask stays a shell: it has its hole still."""
    own, other = ball(edges, 5), ball(edges, radius, off)
    shell = ball(edges, 7) & ~own
    shapes, mask = as_shapes(shell, own), as_shapes(other)
    found = deformed(shapes, mask, torch.zeros(1, n_moves(len(edges))))[0].numpy() > 0
    assert overlap(found[1], other) > max(0.85, overlap(own, other))
    assert overlap(found[0], other) < 0.25
    grown = (mask[0, 0].numpy() > -0.3) & ~other
    assert found[0][grown].mean() > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_noise_bends_what_is_far_and_breaks_nothing(seed):
    edges = (32, 32, 32)
    bone = ball(edges, 3, -9) & ~ball(edges, 1.5, -9)
    shapes = as_shapes(bone, ball(edges, 5, 6))
    noise = torch.randn(
        1, n_moves(len(edges)), generator=torch.Generator().manual_seed(seed)
    )
    found = deformed(shapes, shapes[:, -1:], noise)[0].numpy() > 0
    assert overlap(found[1], shapes[0, 1].numpy() > 0) > 0.85
    assert 0.01 < 1 - overlap(found[0], bone) < 1
    assert 0.4 < found[0].sum() / bone.sum() < 2.5


def limbs(n, seed=0):
    """Limbs in air with a bone that each has elsewhere, and a tumour: (n, 2, *edges)."""
    rng = np.random.default_rng(seed)
    edges = (24, 24, 24)
    X = np.full((n, 2, *edges), -1000, dtype=np.float32)
    height, width = np.indices(edges)[1:] - 11.5
    for image, mask in X:
        angle = rng.uniform(0, 2 * np.pi)
        far = np.hypot(height - 6 * np.sin(angle), width - 6 * np.cos(angle))
        limb = np.hypot(height, width) < rng.uniform(9.5, 11)
        mask[:] = ball(edges, rng.uniform(2.5, 4))
        image[limb] = 50
        image[far < 2.5] = 700
        image += rng.normal(0, 10, edges)
    return X.round()


def test_drawn_limbs_have_bones_as_real_ones_have():
    X = limbs(16)
    gan = VolumeGAN(max_iter=0, random_state=0).fit(X, np.zeros(16))
    made, _ = gan.sample(16)

    def of_bone(volumes):
        return (volumes[:, 0] > 400).mean(axis=(1, 2, 3))

    assert of_bone(made).mean() == pytest.approx(of_bone(X).mean(), rel=0.25)
    assert of_bone(made).min() > 0.5 * of_bone(X).min()
    # Each of them has its bone elsewhere.
    places = (made[:, 0] > 400).mean(axis=1)
    assert (places > 0.5).mean(axis=0).max() < 0.8
    # Air is empty.
    assert (made[:, 0, :, :2, :2] < -900).mean() > 0.99


def test_tissues_are_those_of_the_class():
    X, y = limbs(16), np.random.RandomState(0).permutation(np.repeat([0, 1], [11, 5]))
    bone = (X[:, 0] > 400) & (y == 1)[:, None, None, None]
    X[:, 0][bone] = 50
    with pytest.warns(SmallClassWarning):
        gan = VolumeGAN(max_iter=0, random_state=0).fit(X, y)
    made, labels = gan.sample(20, prior="uniform")
    share = (made[:, 0] > 400).mean(axis=(1, 2, 3))
    assert share[labels == 0].min() > 0.02 and share[labels == 1].max() < 0.002


def in_capsules(n, edges=(24, 24, 24), off=0.1, seed=0):
    """Lesions of 200 somewhere in tissue of 50, in capsules of 600: (n, 2, *edges)."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, 2, *edges), dtype=np.float32)
    for image, mask in X:
        at = np.indices(edges) - np.reshape(edges, (-1, *[1] * len(edges))) / 2
        at -= rng.uniform(-off, off, (len(edges), *[1] * len(edges))) * min(edges)
        far, radius = np.sqrt((at**2).sum(axis=0)), rng.uniform(4, 6)
        mask[:] = far < radius
        image[:] = rng.normal(50, 5, edges)
        image[(far >= radius) & (far < radius + 2.5)] = 600
        image[far < radius] += 150
    return X.round()


@pytest.mark.parametrize("edges", [(24, 24, 24), (25, 23, 27), (32, 30)], ids=str)
def test_what_lies_around_real_masks_lies_around_drawn_ones(edges):
    X = in_capsules(20, edges, off=0.1)
    gan = VolumeGAN(max_iter=0, random_state=0).fit(X, np.zeros(20))
    made, _ = gan.sample(20)

    def of_capsule(volumes):
        """Share of the capsule near the mask, and of what is near it that is capsule."""
        far = -signed_distance(volumes[:, 1]) * reach(edges)
        near, bright = (far > 0) & (far < 3), (volumes[:, 0] > 300) & (far > 0)
        return (near & bright).sum() / bright.sum(), (near & bright).sum() / near.sum()

    assert_allclose(of_capsule(made), of_capsule(X), atol=0.12)


@pytest.mark.parametrize("edges", [(24, 24, 24), (40, 40)], ids=str)
@pytest.mark.parametrize("off", [0.0, 0.15])
def test_no_real_lesion_is_left_outside_the_mask(edges, off):
    X = in_capsules(20, edges, off)
    X[:, 0][X[:, 0] > 400] = 50
    gan = VolumeGAN(max_iter=0, texture_steps=0, random_state=0).fit(X, np.zeros(20))
    made, _ = gan.sample(30)
    left = (made[:, 0] > 125) & (made[:, 1] == 0)
    assert left.sum() < 0.003 * made[:, 1].sum()


def test_a_lesion_is_replaced_by_what_is_nearest():
    image = np.array([[1.0, 2, 9, 9, 3, 4]])
    distances = np.array([[-1.0, -0.3, 0.3, 0.3, -0.3, -1]])
    assert without_lesion(image, distances, 0.0).tolist() == [[1, 2, 2, 3, 3, 4]]
    assert without_lesion(image, distances, 0.5).tolist() == [[1, 1, 1, 4, 4, 4]]
    everywhere = np.ones_like(distances)
    assert_array_equal(without_lesion(image, everywhere, 0.5), image)
    assert_array_equal(image, [[1, 2, 9, 9, 3, 4]])


def test_what_is_finer_than_tissues_is_not_strewn_among_them():
    """Two voxels in a hundred are of something else; the others have noise of 5."""
    rng = np.random.default_rng(0)
    X = rng.normal(50, 5, (20, 2, 16, 16, 16)).astype(np.float32)
    X[:, 1] = ball((16, 16, 16), 4)
    X[:, 0][rng.uniform(size=X[:, 0].shape) < 0.02] = 300
    gan = VolumeGAN(max_iter=0, random_state=0).fit(X.round(), np.zeros(20))
    outside = gan.sample(10)[0][:, 0, :3]
    assert (outside > 100).mean() < 0.001
    assert outside.std() == pytest.approx(5, rel=0.2)


def test_noise_around_is_that_of_the_class_and_of_the_patient():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [20, 10]))
    X = np.zeros((30, 2, 16, 16, 16), dtype=np.float32)
    X[:, 1] = ball((16, 16, 16), 4)
    spread = np.where(y == 1, 15, 3) * rng.lognormal(0, 0.3, 30)
    X[:, 0] = rng.normal(0, spread[:, None, None, None], X[:, 0].shape).round()
    gan = VolumeGAN(max_iter=0, random_state=0).fit(X, y)
    made, labels = gan.sample(40, prior="uniform")
    found = made[:, 0, :3].std(axis=(1, 2, 3))
    for c in (0, 1):
        mine = found[labels == c]
        assert mine.mean() == pytest.approx(spread[y == c].mean(), rel=0.25)
        assert mine.std() > 0.4 * spread[y == c].std()


def test_tissues_are_as_bright_and_as_noisy_as_in_their_patient():
    X = in_capsules(24)
    plain = np.arange(24) % 2 == 1
    X[plain, 0] = np.where(X[plain, 0] > 400, 50, X[plain, 0])
    X[plain, 0] += np.random.default_rng(0).normal(20, 25, X[plain, 0].shape).round()
    made, _ = VolumeGAN(max_iter=0, random_state=0).fit(X, np.zeros(24)).sample(40)
    from_plain = (made[:, 0] > 400).mean(axis=(1, 2, 3)) < 0.01
    far = made[:, 0, :3].reshape(40, -1)
    assert 10 < from_plain.sum() < 30
    for statistic in (np.median, iqr):
        of_volume = statistic(far, axis=1)
        assert of_volume[from_plain].min() > 1.2 * of_volume[~from_plain].max()
