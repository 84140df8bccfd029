"""Transforms do nothing at zero strength, something otherwise, and keep what they claim."""

import numpy as np
import pandas as pd
import pytest
from conftest import counts
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.tree import DecisionTreeClassifier

from gansampler.augment import (
    AugmentedOverSampler,
    Blur,
    Compose,
    Crop,
    Elastic,
    Flip,
    Gamma,
    IntensityShift,
    Noise,
    Rotate,
    augmentations_for,
    check_label_invariance,
)
from gansampler.datasets import make_liver_phantoms, phantom_spacing

SPACING = phantom_spacing(20)

NULLS = (
    Flip(p=0),
    Rotate(degrees=0),
    Elastic(displacement=0),
    Crop(fraction=0),
    Noise(std=0),
    Blur(sigma=0),
    IntensityShift(shift=0),
    Gamma(log_gamma=0),
    Compose([]),
)
EFFECTS = tuple(augmentations_for("MR"))
GEOMETRY = ("flip", "rotate", "elastic", "crop")
STRONG = (
    Flip(p=1),
    Rotate(degrees=45),
    Elastic(displacement=8),
    Crop(fraction=0.3),
    Noise(std=30),
    Blur(sigma=6),
    IntensityShift(shift=100),
    Gamma(log_gamma=1),
)
BREAKS = {
    "rotate": {"texture"},
    "noise": {"texture", "heterogeneity"},
    "blur": {"texture", "heterogeneity"},
    "intensity_shift": {"hu"},
    "gamma": {"hu"},
}


def name(transform):
    return transform.name


@pytest.fixture(scope="module")
def phantoms():
    return make_liver_phantoms(30, size=20, random_state=0)


@pytest.fixture(scope="module")
def fine_phantoms():
    return make_liver_phantoms(24, random_state=0)


def features(X):
    """First-order and texture features that no flip changes."""
    rows = []
    for image, mask in X.astype(float):
        inside = mask > 0
        values = image[inside]
        steps = []
        for axis in range(3):
            v, r = np.moveaxis(image, axis, 0), np.moveaxis(inside, axis, 0)
            steps.append(np.abs(v[1:] - v[:-1])[r[1:] & r[:-1]])
        low, median, high = np.percentile(values, [10, 50, 90])
        rows.append(
            {
                "mean": values.mean(),
                "sd": values.std(),
                "low": low,
                "median": median,
                "high": high,
                "size": inside.sum(),
                "lightest": values.max(),
                "rough": np.concatenate(steps).mean(),
            }
        )
    return pd.DataFrame(rows).drop(columns="rough")


def invariance(transform, data, **arguments):
    arguments = {"extractor": features, "spacing": SPACING, "random_state": 0} | arguments
    return check_label_invariance(transform, *data, **arguments)


@pytest.mark.parametrize("transform", NULLS, ids=name)
def test_zero_strength_changes_no_bit(transform, phantoms):
    X = phantoms[0][:4].copy()
    X[:, 0] += np.float32(0.3)
    new = transform(X, spacing=SPACING, random_state=0)
    assert new.dtype == np.float32 and new is not X
    assert np.array_equal(new, X)


@pytest.mark.parametrize("transform", EFFECTS, ids=name)
def test_shape_type_integers_and_mask_stay(transform, phantoms):
    X = phantoms[0][:6]
    X.setflags(write=False)
    new = transform(X, random_state=0)
    assert new.shape == X.shape and new.dtype == np.float32
    assert not np.array_equal(new[:, 0], X[:, 0])
    assert (new[:, 0] == np.rint(new[:, 0])).all()
    assert np.isin(new[:, 1], (0, 1)).all() and new[:, 1].any(axis=(1, 2, 3)).all()
    moved = not np.array_equal(new[:, 1], X[:, 1])
    assert moved == (transform.name in GEOMETRY)


@pytest.mark.parametrize("transform", EFFECTS, ids=name)
def test_seeds_rows_and_generators(transform, phantoms):
    X = phantoms[0][:4]
    before = np.random.get_state()[1].copy()
    new = transform(X, random_state=1)
    assert np.array_equal(new, transform(X, random_state=np.random.RandomState(1)))
    assert not np.array_equal(new, transform(X, random_state=2))
    # A row's change depends on its place, not on its neighbours' values.
    assert np.array_equal(new[:2], transform(X[:2], random_state=1))
    assert np.array_equal(before, np.random.get_state()[1])
    twice = transform(np.repeat(X[:1], 4, axis=0), random_state=1)
    assert len(np.unique(twice.reshape(4, -1), axis=0)) > 1


@pytest.mark.parametrize("transform", EFFECTS, ids=name)
def test_mask_may_be_any_channel_or_none(transform, phantoms):
    X = phantoms[0][:3]
    front = transform(X[:, ::-1], mask_channel=0, random_state=0)
    last = transform(X, random_state=0)
    assert np.array_equal(front[:, ::-1], last)
    alone = transform(X[:, :1], mask_channel=None, random_state=0)
    assert alone.shape == X[:, :1].shape
    assert transform(X[:0]).shape == (0, 2, 20, 20, 20)


def test_two_image_channels_move_together_and_only_whole_ones_stay_whole(phantoms):
    X = phantoms[0][:3]
    both = np.concatenate([X[:, :1], X[:, :1] / 7, X[:, 1:]], axis=1)
    turned = Rotate()(both, random_state=0)
    assert np.allclose(turned[:, 0] / 7, turned[:, 1], atol=0.1)
    assert (turned[:, 0] == np.rint(turned[:, 0])).all()
    assert not (turned[:, 1] == np.rint(turned[:, 1])).all()


def test_doubles_stay_doubles_and_integers_become_floats(phantoms):
    X = phantoms[0][:2]
    assert Noise()(X.astype(float), random_state=0).dtype == np.float64
    assert Noise()(X.astype(np.int16), random_state=0).dtype == np.float32


def test_flip_moves_values_and_mask_together(phantoms):
    X = phantoms[0][:5]
    assert np.array_equal(Flip(axes=(2,), p=1)(X), X[..., ::-1])
    new = Flip()(X, random_state=0)
    for image, mask, new_image, new_mask in zip(
        X[:, 0], X[:, 1], new[:, 0], new[:, 1], strict=True
    ):
        assert np.array_equal(np.sort(image[mask > 0]), np.sort(new_image[new_mask > 0]))


def test_rotation_is_in_millimetres_about_the_mask():
    """A ball in anisotropic voxels, off the middle, stays the ball that it was."""
    spacing = (4.0, 1.0, 1.0)
    z, y, x = np.indices((12, 40, 40))
    distance = np.sqrt(16 * (z - 4) ** 2 + (y - 15.0) ** 2 + (x - 22) ** 2)
    ball = distance < 10.5
    X = np.stack([np.where(ball, 50, -1000), ball])[None].astype(np.float32)
    new = Rotate(degrees=60)(X, spacing=spacing, random_state=0)
    overlap = 2 * (new[:, 1] * X[:, 1]).sum() / (new[:, 1].sum() + X[:, 1].sum())
    assert overlap > 0.93
    wrong = Rotate(degrees=60)(X, random_state=0)
    assert (wrong[:, 1] * X[:, 1]).sum() * 2 / (wrong[:, 1].sum() + X[:, 1].sum()) < 0.85


def test_padding_is_the_minimum_or_what_is_given(phantoms):
    X = phantoms[0][:4]
    for transform in (Rotate(degrees=45), Elastic(displacement=8), Crop(fraction=0.3)):
        new = transform(X, spacing=SPACING, random_state=0)
        assert (new.min(axis=(2, 3, 4)) >= X.min(axis=(2, 3, 4))).all()
        assert (new.max(axis=(2, 3, 4)) <= X.max(axis=(2, 3, 4))).all()
        air = clone(transform).set_params(fill=-1000)(X, spacing=SPACING, random_state=0)
        assert (air[:, 0].min(axis=(1, 2, 3)) == -1000).all()
        assert np.isin(air[:, 1], (0, 1)).all()


def test_crop_moves_but_never_cuts_the_mask(phantoms):
    X = phantoms[0]
    new = Crop(fraction=0.45)(X, random_state=0)
    assert not np.array_equal(new[:, 1], X[:, 1])
    for before, after in zip(X, new, strict=True):
        inside = before[0][before[1] > 0]
        assert np.array_equal(inside, after[0][after[1] > 0])


def test_elastic_keeps_a_lesion_one_piece_and_refuses_to_fold(phantoms):
    with pytest.raises(ValueError, match="folds volumes"):
        Elastic(displacement=9, smoothness=8)(phantoms[0][:1])
    X = phantoms[0]
    new = Elastic(displacement=8)(X, spacing=SPACING, random_state=0)
    ratio = new[:, 1].sum(axis=(1, 2, 3)) / X[:, 1].sum(axis=(1, 2, 3))
    assert 0.5 < ratio.min() < 0.97 and 1.03 < ratio.max() < 2


def test_strengths_are_what_they_say():
    flat = np.zeros((40, 1, 12, 12, 12), dtype=np.float64)
    flat += 0.5
    noisy = Noise(std=10)(flat, mask_channel=None, random_state=0) - flat
    sds = noisy.std(axis=(1, 2, 3, 4))
    assert 0 < sds.min() and 7 < sds.max() < 10.5
    assert abs(noisy.mean()) < 0.1
    shifted = IntensityShift(shift=20)(flat, mask_channel=None, random_state=0) - flat
    assert (shifted.std(axis=(1, 2, 3, 4)) < 1e-9).all()
    assert -20 < shifted.min() < -10 and 10 < shifted.max() < 20
    white = np.random.RandomState(0).normal(size=(40, 1, 12, 12, 12))
    soft = Blur(sigma=2)(white, mask_channel=None, random_state=0)
    finer = Blur(sigma=2)(white, spacing=(4, 4, 4), mask_channel=None, random_state=0)
    assert soft.std() < finer.std() < white.std()
    bent = Gamma(log_gamma=1)(white, mask_channel=None, random_state=0)
    for before, after in zip(white, bent, strict=True):
        assert after.min() == before.min()
        assert after.max() == pytest.approx(before.max(), rel=1e-12)
        order = np.argsort(before, axis=None)
        assert (np.diff(after.ravel()[order]) >= 0).all()


@pytest.mark.parametrize("transform", EFFECTS, ids=name)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_claimed_is_kept(transform, seed, fine_phantoms):
    spacing = phantom_spacing(32)
    result = invariance(transform, fine_phantoms, spacing=spacing, random_state=seed)
    assert result.claimed == transform.keeps
    assert result.violated == frozenset(), str(result)
    assert result.claimed <= result.kept


@pytest.mark.parametrize("transform", STRONG, ids=name)
def test_what_is_not_claimed_breaks_when_strong(transform, fine_phantoms):
    result = invariance(transform, fine_phantoms, spacing=phantom_spacing(32))
    broken = set(result.change.index) - result.kept
    assert broken >= BREAKS.get(transform.name, set()), str(result)
    if transform.name in ("flip", "crop"):
        assert result.change.max() < 1e-12


def test_bending_changes_proportions_and_turning_does_not(fine_phantoms):
    bent, turned = (
        invariance(transform, fine_phantoms, spacing=phantom_spacing(32)).change["geometry"]
        for transform in (Elastic(displacement=8), Rotate(degrees=45))
    )
    assert bent > 0.05 > 0.03 > turned


def test_range_and_mean_stay_where_hu_is_kept(phantoms):
    X, _ = phantoms
    inside = X[:, 1] > 0
    for transform in augmentations_for("CT"):
        new = transform(X, spacing=SPACING, random_state=0)
        mean = new[:, 0][new[:, 1] > 0].mean()
        assert mean == pytest.approx(X[:, 0][inside].mean(), abs=2), transform
        # Noise adds to the range, at most five of its standard deviations.
        margin = 50 if transform.name == "noise" else 0
        assert X[:, 0].min() - margin <= new[:, 0].min()
        assert new[:, 0].max() <= X[:, 0].max() + margin


def test_invariance_names_what_gamma_breaks(phantoms):
    result = invariance(Gamma(log_gamma=0.6), phantoms)
    assert {"mean", "median"} <= set(result.broken_features)
    assert "size" not in result.broken_features and result.ccc["size"] == 1
    assert result.ccc[result.broken_features].is_monotonic_increasing
    assert result.accuracy > 0.9 and result.probability_shift > 0.01
    text = str(result)
    assert "Gamma(log_gamma=0.6)" in text and "mean: " in text
    assert "hu: not claimed, not kept" in text and "geometry: claimed, kept" in text


def test_invariance_finds_nothing_in_a_flip(phantoms):
    result = invariance(Flip(p=1), phantoms)
    assert result.broken_features == [] and result.ccc.min() > 1 - 1e-9
    assert result.flip_rate == 0 and result.probability_shift < 1e-9
    assert result.accuracy == result.accuracy_after
    assert result.kept == {"hu", "texture", "geometry", "heterogeneity"}


def test_invariance_sees_labels_flip(phantoms):
    """Blur so strong that speckles are gone, by a tree and by the default."""
    tree = DecisionTreeClassifier(random_state=0)
    for classifier in (None, tree):
        result = invariance(Blur(sigma=12), phantoms, classifier=classifier)
        assert result.flip_rate > 0.1 and result.probability_shift > 0.1
        assert result.accuracy_after < result.accuracy
    mild = invariance(Blur(sigma=2), phantoms)
    assert mild.probability_shift < result.probability_shift


def test_lins_coefficient_is_his():
    """Values by hand: a shift by one standard deviation gives 2 / 3."""
    X = np.zeros((4, 1, 2, 2, 2), dtype=np.float32)
    X[:, 0, 0, 0, 0] = [0, 2, 0, 2]
    y = [0, 0, 1, 1]

    def first(X):
        return X[:, 0, 0, 0, 0]

    def shift(X):
        return X + 1

    result = check_label_invariance(shift, X, y, extractor=first, mask_channel=None)
    assert result.ccc.to_dict() == {"feature_0": pytest.approx(2 / 3)}
    assert result.claimed == frozenset() and np.isnan(result.change["geometry"])
    assert "geometry: not claimed, not measured" in str(result)
    negative = check_label_invariance(
        lambda X: 2 - X, X, y, extractor=first, mask_channel=None
    )
    assert negative.ccc["feature_0"] == pytest.approx(-1)


class Extractor(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.mean_ = X.mean()
        return self

    def transform(self, X):
        return features(X) - self.mean_


def test_extractors_may_be_transformers_and_claims_are_checked(phantoms):
    extractor = Extractor()
    result = invariance(Noise(), phantoms, extractor=extractor)
    assert list(result.ccc.index) == list(features(phantoms[0][:1]).columns)
    assert not hasattr(extractor, "mean_")

    class Liar(IntensityShift):
        keeps = frozenset({"hu"})

    result = invariance(Liar(shift=200), phantoms)
    assert result.violated == {"hu"}
    assert "hu: claimed, not kept" in str(result)


def test_invariance_is_reproducible_and_says_what_is_wrong(phantoms):
    X, _ = phantoms
    first, second = (invariance(Noise(), phantoms, random_state=5) for _ in range(2))
    assert first.ccc.equals(second.ccc)
    assert first.probability_shift == second.probability_shift
    with pytest.raises(ValueError, match=r"not finite everywhere: \['feature_0'\]"):
        invariance(Flip(), phantoms, extractor=lambda X: np.full(len(X), np.nan))
    with pytest.raises(ValueError, match="one row for each volume"):
        invariance(Flip(), phantoms, extractor=lambda X: np.zeros((3, 2)))
    with pytest.raises(ValueError, match="two classes at least"):
        invariance(Flip(), (X[:3], ["a", "a", "b"]))
    with pytest.raises(ValueError, match="two classes at least"):
        invariance(Flip(), (X[:3], ["a", "a", "a"]))
    with pytest.raises(ValueError, match="30 volumes and y 2 labels"):
        invariance(Flip(), (X, ["a", "b"]))


def test_modalities_choose_and_refuse(phantoms):
    def names(*args, **kwargs):
        return [transform.name for transform in augmentations_for(*args, **kwargs)]

    ct = ["flip", "rotate", "elastic", "crop", "noise", "blur"]
    assert names("CT") == names("PET") == ct
    assert names("MR") == [*ct, "intensity_shift", "gamma"]
    assert names("CT", allow={"gamma"}) == [*ct, "gamma"]
    assert names("CT", keep={"texture"}) == ["flip", "crop"]
    assert names("MR", keep={"heterogeneity"}) == ["flip", "crop", "intensity_shift"]
    with pytest.raises(ValueError, match="modality must be one of"):
        augmentations_for("US")
    with pytest.raises(ValueError, match=r"allow may hold .* got \['gama'\]"):
        augmentations_for("CT", allow={"gama"})
    with pytest.raises(ValueError, match="keep may hold"):
        augmentations_for("CT", keep={"colour"})

    X = phantoms[0][:2]
    for refused in (Gamma(), IntensityShift(), Compose([Gamma()], modality=None)):
        with pytest.raises(ValueError, match=r"scale\. If that is wanted, pass allow="):
            Compose([Flip(), refused])(X)
    with pytest.raises(ValueError, match=r"Gamma\(\) changes .* allow=\{'gamma'\}"):
        Compose([Gamma()])(X)
    Compose([Gamma()], allow={"gamma"})(X, random_state=0)
    Compose([Gamma()], modality="MR")(X, random_state=0)
    Gamma()(X, random_state=0)
    with pytest.raises(TypeError, match="is no Transform"):
        Compose([np.abs])(X)


def test_compose_applies_all_in_order(phantoms):
    X = phantoms[0][:3]
    both = Compose([Flip(p=1), Crop()])
    rng = np.random.RandomState(0)
    by_hand = Crop()(Flip(p=1)(X, random_state=rng), random_state=rng)
    assert np.array_equal(both(X, random_state=0), by_hand)
    assert both.keeps == {"hu", "texture", "geometry", "heterogeneity"}
    assert Compose([Noise(), Elastic()]).keeps == {"hu"}
    assert np.array_equal(clone(both)(X, random_state=0), by_hand)


@pytest.mark.parametrize(
    ("transform", "arguments", "message"),
    [
        (Flip(axes=(3,)), {}, "axes may hold 0, 1 and 2"),
        (Flip(p=2), {}, "'p' parameter of Flip"),
        (Noise(std=-1), {}, "'std' parameter of Noise"),
        (Crop(fraction=0.5), {}, "'fraction' parameter of Crop"),
        (Flip(), {"spacing": (1, 1)}, "spacing must be three positive numbers"),
        (Flip(), {"spacing": (1, 1, 0)}, "spacing must be three positive numbers"),
        (Flip(), {"mask_channel": 2}, "mask_channel=2 is not there"),
        (Flip(), {"mask_channel": 0}, "Channel 0 is no mask"),
    ],
)
def test_errors_say_what_is_wrong(transform, arguments, message, phantoms):
    with pytest.raises(ValueError, match=message):
        transform(phantoms[0][:1], **arguments)


def test_volumes_must_be_volumes(phantoms):
    with pytest.raises(ValueError, match=r"shape \(n_samples, channel, depth"):
        Flip()(phantoms[0][:, 0])
    with pytest.raises(ValueError, match="NaN"):
        Flip()(np.full((1, 2, 3, 3, 3), np.nan))


def test_a_mask_that_vanishes_is_an_error_and_an_empty_one_is_not():
    X = np.zeros((1, 2, 8, 8, 8))
    X[0, 0] = np.random.RandomState(0).normal(size=(8, 8, 8))
    assert not Elastic()(X, random_state=0)[:, 1].any()
    # Single voxels far apart: turned by 45 degrees, none is half full.
    X[0, 1, 0, 0, 0] = X[0, 1, 7, 7, 7] = 1

    class Turn(Rotate):
        def draw(self, volume, frame, rng):
            return {"degrees": np.array([45.0, 0.0, 0.0])}

    with pytest.raises(ValueError, match="left a mask empty in each of 10 draws"):
        Turn()(X, random_state=0)


def test_oversampler_adds_changed_copies_of_the_class(phantoms):
    X, y = phantoms
    sampler = AugmentedOverSampler(spacing=SPACING, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert counts(y_res) == {"homogeneous": 15, "rim": 15, "speckled": 15}
    n = len(X)
    assert X_res.dtype == X.dtype and np.array_equal(X_res[:n], X)
    assert np.array_equal(y_res[:n], y)
    assert not sampler.is_synthetic_[:n].any() and sampler.is_synthetic_[n:].all()
    assert np.array_equal(y[sampler.sample_indices_], y_res)
    # Rows take turns.
    used = counts(sampler.sample_indices_[n:])
    for label in ("rim", "speckled"):
        times = [used.get(i, 0) for i in np.flatnonzero(y == label).tolist()]
        assert max(times) - min(times) <= 1
    assert len(np.unique(X_res.reshape(len(X_res), -1), axis=0)) == len(X_res)
    again = clone(sampler).fit_resample(X, y)[0]
    assert np.array_equal(again, X_res)
    other = clone(sampler).set_params(random_state=1).fit_resample(X, y)[0]
    assert not np.array_equal(other, X_res)


def test_oversampler_takes_strategies_transforms_and_labels(phantoms):
    X, y = phantoms
    codes = (y == "speckled").astype(int)
    sampler = AugmentedOverSampler(transforms=[Flip(p=1)], sampling_strategy={1: 17})
    X_res, y_res = sampler.fit_resample(X, codes)
    assert counts(y_res) == {0: 24, 1: 17}
    mirrored = X[sampler.sample_indices_[30:], :, ::-1, ::-1, ::-1]
    assert np.array_equal(X_res[30:], mirrored)
    nothing = AugmentedOverSampler(sampling_strategy={0: 24, 1: 6})
    X_res, y_res = nothing.fit_resample(X, codes)
    assert np.array_equal(X_res, X) and not nothing.is_synthetic_.any()


def test_oversampler_errors_say_what_is_wrong(phantoms):
    X, y = phantoms
    with pytest.raises(ValueError, match=r"allow=\{'gamma'\}"):
        AugmentedOverSampler(transforms=[Gamma()]).fit_resample(X, y)
    AugmentedOverSampler(transforms=[Gamma()], allow={"gamma"}).fit_resample(X, y)
    with pytest.raises(ValueError, match="transforms must be given"):
        AugmentedOverSampler(modality=None).fit_resample(X, y)
    with pytest.raises(ValueError, match="X must have shape"):
        AugmentedOverSampler().fit_resample(X[:, 0], y)
    with pytest.raises(ValueError, match="not there beside an image"):
        AugmentedOverSampler().fit_resample(X[:, :1], y)
    with pytest.raises(ValueError, match="greater or equal"):
        AugmentedOverSampler(sampling_strategy={"rim": 2}).fit_resample(X, y)
