"""Phantoms are reproducible, look like CT, and hold the classes they name."""

import numpy as np
import pytest
from conftest import counts
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

from gansampler.datasets import make_ct_phantoms, make_liver_phantoms, phantom_spacing

MAKERS = (make_liver_phantoms, make_ct_phantoms)


@pytest.fixture(scope="module")
def liver():
    return make_liver_phantoms(60, random_state=0)


def simple_features(X):
    """A few first-order and texture features of the lesion, alike in all directions."""
    rows = []
    for image, mask in X:
        inside = mask > 0
        a = image[inside].astype(float)
        row = [a.mean(), a.std(), *np.percentile(a, [5, 50, 95]), inside.sum()]
        for step in (1, 2):
            correlations = []
            for axis in range(3):
                moved = np.roll(image, -step, axis)
                both = inside & (np.roll(mask, -step, axis) > 0)
                correlations.append(np.corrcoef(image[both], moved[both])[0, 1])
            row.append(np.mean(correlations))
        rows.append(row)
    return np.array(rows)


def accuracy(model, X, y):
    return cross_val_score(model, X, y, cv=5).mean()


def forest():
    return RandomForestClassifier(100, random_state=0)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", [16, 23])
def test_volumes_are_ct_with_a_mask(make, size):
    X, y = make(8, size=size, random_state=0)
    assert X.shape == (8, 2, size, size, size) and X.dtype == np.float32
    assert y.shape == (8,) and y.dtype.kind == "U"
    image, mask = X[:, 0], X[:, 1]
    assert (image == np.rint(image)).all()
    assert -200 < image.min() and image.max() < 500
    assert set(np.unique(mask)) == {0, 1}
    assert mask.any(axis=(1, 2, 3)).all()
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()
    assert not mask[..., [0, -1]].any()


@pytest.mark.parametrize("make", MAKERS)
def test_a_seed_gives_the_same_volumes_and_leaves_global_generators_alone(make):
    before = np.random.get_state()[1].copy()
    X, y = make(6, size=16, random_state=3)
    again, y_again = make(6, size=16, random_state=np.random.RandomState(3))
    other, _ = make(6, size=16, random_state=4)
    assert np.array_equal(X, again) and np.array_equal(y, y_again)
    assert not np.array_equal(X, other)
    assert np.array_equal(before, np.random.get_state()[1])
    assert len(np.unique(X.reshape(6, -1), axis=0)) == 6


def test_counts_are_by_largest_remainder():
    for n, expected in (
        (60, (30, 18, 12)),
        (10, (5, 3, 2)),
        (7, (4, 2, 1)),
        (3, (1, 1, 1)),
    ):
        _, y = make_liver_phantoms(n, size=16, random_state=0)
        assert counts(y) == dict(
            zip(("homogeneous", "rim", "speckled"), expected, strict=True)
        )
    _, y = make_liver_phantoms(12, weights=(3, 1, 0), size=16, random_state=0)
    assert counts(y) == {"homogeneous": 9, "rim": 3}
    _, y = make_liver_phantoms(10, weights=(0.98, 0.01, 0.01), size=16, random_state=0)
    assert counts(y) == {"homogeneous": 8, "rim": 1, "speckled": 1}
    _, y = make_liver_phantoms({"rim": 4, "speckled": 1}, size=16, random_state=0)
    assert counts(y) == {"rim": 4, "speckled": 1}
    _, y = make_ct_phantoms(5, size=16, random_state=0)
    assert counts(y) == {"smooth": 3, "coarse": 2}


def test_rows_are_in_random_order(liver):
    _, y = liver
    assert (y[1:] != y[:-1]).sum() > 15


def test_spacing_and_sizes_are_those_of_lesions(liver):
    assert phantom_spacing() == (2.0, 2.0, 2.0)
    volume = liver[0][:, 1].sum(axis=(1, 2, 3)) * np.prod(phantom_spacing(32))
    # Spheres of 7 and of 15 mm radius.
    assert 4 / 3 * np.pi * 7**3 < volume.min() and volume.max() < 4 / 3 * np.pi * 15**3
    small, _ = make_liver_phantoms(60, size=16, random_state=0)
    coarse = small[:, 1].sum(axis=(1, 2, 3)) * np.prod(phantom_spacing(16))
    assert coarse.mean() == pytest.approx(volume.mean(), rel=0.1)


def test_values_are_those_described(liver):
    X, y = liver
    image, inside = X[:, 0], X[:, 1] > 0
    outside = image[~inside]
    assert 102 < np.median(outside) < 109
    means = {label: image[y == label][inside[y == label]].mean() for label in set(y)}
    assert 60 < means["homogeneous"] < 75
    high = {
        label: np.percentile(image[y == label][inside[y == label]], 97) for label in set(y)
    }
    assert high["homogeneous"] < 120 < 140 < high["rim"] < 190 < high["speckled"]


def test_classes_can_be_told_by_features_but_not_by_a_voxel(liver):
    X, y = liver
    assert accuracy(forest(), simple_features(X), y) > 0.95
    middle = X[:, 0, 10:22:2, 10:22:2, 10:22:2].reshape(len(X), -1)
    stump = DecisionTreeClassifier(max_depth=2, random_state=0)
    best = max(accuracy(stump, middle[:, [j]], y) for j in range(0, middle.shape[1], 4))
    assert best < 0.8


@pytest.mark.parametrize("kernel", ["soft", "sharp"])
def test_textures_can_be_told_with_either_kernel(kernel):
    X, y = make_ct_phantoms(60, kernel=kernel, random_state=0)
    assert accuracy(forest(), simple_features(X), y) > 0.9


def test_kernels_show_the_same_patients():
    soft, y, truth = make_ct_phantoms(10, return_truth=True, random_state=0)
    sharp, y_sharp, truth_sharp = make_ct_phantoms(
        10, kernel="sharp", return_truth=True, random_state=0
    )
    assert truth.shape == (10, 1, 32, 32, 32) and truth.dtype == np.float32
    assert np.array_equal(truth, truth_sharp) and np.array_equal(y, y_sharp)
    assert np.array_equal(soft[:, 1], sharp[:, 1])
    noise = [(X[:, 0] - truth[:, 0]).astype(float) for X in (soft, sharp)]
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] > 0.7
    assert 9 < noise[0].std() < 15 and noise[1].std() > 2 * noise[0].std()
    # Noise of the soft kernel goes on from voxel to voxel, that of the sharp does not.
    lag1 = [np.corrcoef(n[..., 1:].ravel(), n[..., :-1].ravel())[0, 1] for n in noise]
    assert lag1[0] > 0.2 > 0 > lag1[1]


def test_sharp_edges_overshoot():
    """Between kernels the same noise nearly cancels in means over many voxels."""
    n = {"smooth": 8}
    sharp, _, truth = make_ct_phantoms(n, kernel="sharp", return_truth=True, random_state=0)
    soft, _ = make_ct_phantoms(n, random_state=0)
    mask = sharp[:, 1] > 0
    edge = mask & ~np.all([np.roll(mask, s, a) for s in (-1, 1) for a in (1, 2, 3)], axis=0)
    # The lesion is darker than the liver: its edge is darker still, or brighter if blurred.
    assert (
        sharp[:, 0][edge].mean()
        < truth[:, 0][edge].mean() - 2
        < soft[:, 0][edge].mean() - 2
    )


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (make_liver_phantoms, {"size": 8}, "size must be at least 16"),
        (make_liver_phantoms, {"weights": (1, 1)}, "weights must be 3 numbers"),
        (make_liver_phantoms, {"weights": (1, -1, 1)}, "none negative"),
        (make_liver_phantoms, {"weights": (0, 0, 0)}, "not all 0"),
        (make_liver_phantoms, {"weights": (1, np.nan, 1)}, "weights must be"),
        (make_liver_phantoms, {"n_samples": 2}, "too few for 3 classes"),
        (make_liver_phantoms, {"n_samples": {"ring": 2}}, "n_samples may hold"),
        (make_liver_phantoms, {"n_samples": {"rim": -2}}, "n_samples may hold"),
        (make_ct_phantoms, {"kernel": "B30f"}, "kernel must be one of"),
        (make_ct_phantoms, {"size": 15}, "size must be at least 16"),
    ],
)
def test_errors_say_what_is_wrong(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
