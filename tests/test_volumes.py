"""VolumeGAN and VolumeGANOverSampler as a user meets them, on phantoms of 16 voxels."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import counts
from imblearn.pipeline import Pipeline
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load as load_tensors
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from gansampler import (
    CopyWarning,
    SmallClassWarning,
    VolumeGAN,
    VolumeGANOverSampler,
    _checkpoint,
)
from gansampler.adversarial import OBJECTIVES
from gansampler.datasets import make_liver_phantoms
from gansampler.volumes._features import volume_features

SHORT = {"max_iter": 3, "channels": 4, "batch_size": 4, "random_state": 0}
PLAIN = {**SHORT, "early_stopping": False}


@pytest.fixture(scope="module")
def stack():
    """Fourteen volumes of one class and eight of the other, read-only."""
    X, y = make_liver_phantoms({"homogeneous": 14, "rim": 8}, size=16, random_state=0)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="module")
def trained(stack):
    """Three steps, the last of which is kept."""
    return VolumeGAN(**PLAIN).fit(*stack)


def check_volumes_drawn(drawn, X):
    """In the range of X, whole numbers, and masks of zeros and ones, none a speck."""
    assert drawn.shape[1:] == X.shape[1:]
    assert drawn.dtype == np.float32
    assert drawn[:, 0].min() >= X[:, 0].min()
    assert drawn[:, 0].max() <= X[:, 0].max()
    assert_array_equal(drawn, np.rint(drawn))
    assert_array_equal(np.unique(drawn[:, 1]), [0, 1])
    smallest = X[:, 1].sum(axis=(1, 2, 3)).min()
    assert drawn[:, 1].sum(axis=(1, 2, 3)).min() >= smallest / 2


# The generator


@pytest.mark.parametrize(
    "prior, expected",
    [
        ("empirical", [7, 4]),
        ("uniform", [6, 5]),
        ({"homogeneous": 0.1, "rim": 0.9}, [1, 10]),
        ({"homogeneous": 0.0, "rim": 1.0}, [0, 11]),
    ],
    ids=str,
)
def test_sample_meets_the_prior(stack, trained, prior, expected):
    volumes, labels = trained.sample(11, prior=prior)
    assert [(labels == c).sum() for c in ("homogeneous", "rim")] == expected
    check_volumes_drawn(volumes, stack[0])


def test_sample_of_given_classes_comes_in_their_order(trained):
    y = np.array(["rim", "homogeneous", "rim"])
    volumes, labels = trained.sample(y=y)
    assert_array_equal(labels, y)
    assert len(volumes) == 3


def test_same_seed_same_bytes_and_nothing_else_is_touched(stack, trained):
    X, y = stack[0].copy(), stack[1].copy()
    np_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    again = VolumeGAN(**PLAIN).fit(X, y)
    assert_array_equal(again.sample(5)[0], trained.sample(5)[0])
    assert_array_equal(again.sample(5)[0], again.sample(5)[0])
    assert_array_equal(np.random.get_state()[1], np_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert_array_equal(X, stack[0])
    other = VolumeGAN(**{**PLAIN, "random_state": 1}).fit(X, y)
    assert (other.sample(5)[0] != trained.sample(5)[0]).any()


def test_the_last_step_is_kept_without_early_stopping(trained):
    assert trained.n_iter_ == trained.best_iter_ == len(trained.loss_curve_) == 3
    assert not trained.start_used_
    assert trained.validation_scores_ == []
    assert np.isfinite(trained.loss_curve_).all()


def test_early_stopping_scores_the_start_and_the_end(stack):
    gan = VolumeGAN(**SHORT).fit(*stack)
    assert gan.history_["score_steps"] == [0, 3]
    assert np.isfinite(gan.validation_scores_).all()
    assert gan.start_used_, "three steps are not enough to beat the start"
    check_volumes_drawn(gan.sample(5)[0], stack[0])


@pytest.mark.parametrize("early_stopping", [True, False])
def test_no_step_is_the_start(stack, early_stopping):
    gan = VolumeGAN(**{**SHORT, "max_iter": 0, "early_stopping": early_stopping})
    gan.fit(*stack)
    assert gan.start_used_
    assert gan.loss_curve_ == []
    assert gan.n_iter_ == gan.best_iter_ == 0
    assert np.isfinite(gan.score_samples(*stack)).all()
    check_volumes_drawn(gan.sample(5)[0], stack[0])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(stack, objective):
    gan = VolumeGAN(**{**PLAIN, "objective": objective, "max_iter": 2}).fit(*stack)
    assert np.isfinite(gan.loss_curve_).all()


def test_drawn_volumes_are_of_their_class(stack):
    """Means and spreads of the lesions, and how far the classes are apart."""
    X, y = stack
    gan = VolumeGAN(**{**SHORT, "max_iter": 0}).fit(X, y)
    drawn, labels = gan.sample(120, prior="uniform")
    real, made = volume_features(X, 1), volume_features(drawn, 1)
    for name in ("inside mean", "inside standard deviation"):
        of_real, of_made = (
            t[name].groupby(c).mean() for t, c in ((real, y), (made, labels))
        )
        # Within 20%: a rim is at most one voxel wide here.
        assert (abs(of_made / of_real - 1) < 0.2).all()
        kept = (of_made["rim"] - of_made["homogeneous"]) / (
            of_real["rim"] - of_real["homogeneous"]
        )
        assert 0.6 < kept < 1.5


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_all_of_the_generator_is_trained(stack, mixed_precision):
    """In bfloat16 too: autocast must not go on with the weights of the first step."""
    made = []
    for max_iter in (1, 6):
        params = {**PLAIN, "max_iter": max_iter, "mixed_precision": mixed_precision}
        gan = VolumeGAN(**params, learning_rate_init=0.05).fit(*stack)
        made.append(dict(gan.generator_.named_parameters()))
    for name, before in made[0].items():
        assert (made[1][name] - before).abs().max() > 0.01, name


def test_scores_are_those_of_the_critic_volume_by_volume(stack):
    X, y = stack
    gan = VolumeGAN(**{**PLAIN, "max_iter": 2}).fit(X, y)
    scores = gan.score_samples(X, y)
    assert scores.shape == (len(X),)
    one_by_one = [gan.score_samples(X[[i]], y[[i]])[0] for i in range(len(X))]
    assert_allclose(scores, one_by_one, rtol=1e-4, atol=1e-5)
    U, codes = gan.scaler_.transform(X), (y == "rim").astype(int)
    with torch.no_grad():
        expected = gan.critic_(torch.as_tensor(U), torch.as_tensor(codes))
    assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(scores, gan.score_samples(X, np.roll(y, 1)))


def test_pickle_and_clone(stack, trained):
    gan = pickle.loads(pickle.dumps(VolumeGAN(**PLAIN, window=np.array([-50, 250]))))
    assert_array_equal(clone(gan).window, [-50, 250])
    again = pickle.loads(pickle.dumps(trained))
    assert_array_equal(again.sample(4)[0], trained.sample(4)[0])
    assert_array_equal(again.score_samples(*stack), trained.score_samples(*stack))
    assert clone(trained).get_params() == trained.get_params()


@pytest.mark.parametrize("max_iter", [0, 3])
def test_file_without_pickle(stack, trained, tmp_path, max_iter):
    X, y = stack
    gan = trained
    if max_iter == 0:
        gan = VolumeGAN(**SHORT | {"max_iter": 0}, mask_channel=None).fit(X[:, :1], y)
    gan.save(tmp_path / "gan")
    loaded = VolumeGAN.load(tmp_path / "gan")
    assert_array_equal(loaded.sample(4)[0], gan.sample(4)[0])
    assert loaded.get_params() == gan.get_params()
    assert loaded.history_ == gan.history_
    seen = X[:, : gan.scaler_.shape_[0]]
    assert_array_equal(loaded.score_samples(seen, y), gan.score_samples(seen, y))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "gan").read_bytes()
    (tmp_path / "gan").write_bytes((tmp_path / "gan").read_bytes()[:-9])
    with pytest.raises(ValueError, match="damaged"):
        VolumeGAN.load(tmp_path / "gan")


def test_parameters_set_after_fit_leave_the_networks(stack, trained, tmp_path):
    gan = pickle.loads(pickle.dumps(trained)).set_params(channels=3, mask_channel=None)
    gan.save(tmp_path / "gan")
    loaded = VolumeGAN.load(tmp_path / "gan")
    assert loaded.get_params() == gan.get_params()
    assert_array_equal(loaded.sample(4)[0], trained.sample(4)[0])
    assert_array_equal(loaded.score_samples(*stack), trained.score_samples(*stack))


def test_groups_are_held_out_together(stack, monkeypatch):
    import gansampler._conditional as module

    seen = []
    choose = module.choose_held_out

    def recorded(codes, groups, fraction, rng):
        seen.append((groups, choose(codes, groups, fraction, rng)))
        return seen[-1][1]

    monkeypatch.setattr(module, "choose_held_out", recorded)
    patients = np.repeat(np.arange(11), 2)
    VolumeGAN(**{**SHORT, "max_iter": 1}).fit(*stack, groups=patients)
    ((groups, held_out),) = seen
    assert held_out.any()
    assert not set(groups[held_out]) & set(groups[~held_out])


@pytest.mark.parametrize("edges", [(15, 17, 20), (16, 16), (5, 4)], ids=str)
@pytest.mark.parametrize("mask_channel", [0, -1, None])
def test_shapes(edges, mask_channel):
    """Slices, edges that no level divides, two image channels, a mask or none."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3, *edges))
    if mask_channel is not None:
        X[:, mask_channel] = 0
        X[:, mask_channel, 1:4, 1:4] = 1
    gan = VolumeGAN(**PLAIN, mask_channel=mask_channel, flips=(0, -1, 1)).fit(X)
    volumes, labels = gan.sample(3)
    assert volumes.shape == (3, 3, *edges)
    assert np.isfinite(volumes).all()
    assert labels.tolist() == [0, 0, 0]
    assert (volumes[:, 1] != np.rint(volumes[:, 1])).any(), "fractions stay fractions"


def test_a_window_holds_and_so_do_whole_numbers(stack):
    X, y = stack
    gan = VolumeGAN(**PLAIN, window=(50, 120)).fit(X, y)
    volumes, _ = gan.sample(6)
    assert volumes[:, 0].min() == 50
    assert volumes[:, 0].max() == 120
    assert_array_equal(volumes, np.rint(volumes))


def test_no_mask_is_empty_even_if_all_are_drawn_so(stack, trained):
    """Then they are as small as the smallest real one, where they are likeliest."""
    gan = pickle.loads(pickle.dumps(trained))
    with torch.no_grad():
        gan.generator_.last.bias[8:] = -5.0
    volumes, labels = gan.sample(6)
    smallest = stack[0][:, 1].sum(axis=(1, 2, 3)).min()
    assert_array_equal(volumes[:, 1].sum(axis=(1, 2, 3)), smallest)
    assert len(labels) == 6


def test_small_classes(stack):
    X, y = stack
    few = np.r_[np.flatnonzero(y == "homogeneous")[:7], np.flatnonzero(y == "rim")[:1]]
    with pytest.warns(SmallClassWarning, match="'rim': 1"):
        gan = VolumeGAN(**SHORT).fit(X[few], y[few])
    check_volumes_drawn(gan.sample(y=["rim"] * 5)[0], X)
    # Nothing can be held out: the start is kept.
    with pytest.warns(SmallClassWarning):
        assert VolumeGAN(**SHORT).fit(X[:2]).start_used_


@pytest.mark.parametrize("params", [{}, {"early_stopping": False}], ids=str)
def test_same_bytes_after_interruptions(stack, tmp_path, monkeypatch, params):
    class Stopped(Exception):
        pass

    def stop_after(n_steps):
        steps = iter(range(1, 1000))

        class Stopping(_checkpoint.Checkpoint):
            def save(self, state):
                self.written = -np.inf
                super().save(state)
                if next(steps) == n_steps:
                    raise Stopped

        monkeypatch.setattr("gansampler.volumes._gan.Checkpoint", Stopping)

    params = {**SHORT, "max_iter": 6, "window": np.array([-100, 300]), **params}
    whole = VolumeGAN(**params).fit(*stack)
    gan = VolumeGAN(checkpoint_dir=tmp_path, **params)
    for n_steps in (3, 1):
        stop_after(n_steps)
        with pytest.raises(Stopped):
            gan.fit(*stack)
        assert len(list(tmp_path.iterdir())) == 1
    stop_after(None)
    gan.fit(*stack)
    assert list(tmp_path.iterdir()) == [], "done: nothing to go on with"
    np.testing.assert_equal(gan.history_, whole.history_)
    assert_array_equal(gan.sample(4)[0], whole.sample(4)[0])
    with pytest.raises(ValueError, match="checkpoint_dir needs an integer random_state"):
        gan.set_params(random_state=None).fit(*stack)


@pytest.mark.parametrize("has_mask", [True, False])
def test_a_checkpoint_holds_nothing_of_the_start(stack, tmp_path, monkeypatch, has_mask):
    X, y = stack
    params = {**SHORT, "mask_channel": -1 if has_mask else None}
    gan = VolumeGAN(**params, checkpoint_dir=tmp_path)
    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint.Checkpoint, "remove", lambda self: None)
    gan.fit(X if has_mask else X[:, :1], y)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    weights = load_tensors(content)
    assert weights["/generator/code.weight"].shape == gan.generator_.code.weight.shape
    start = gan.generator_.start.state_dict()
    told = {name: value for name, value in start.items() if value.unique().numel() > 4}
    assert told.keys() >= {"mean", "components", "location"}
    assert ("rows" in told) == has_mask
    for name, value in told.items():
        assert value.numpy().tobytes() not in content, name


def test_verbose_shows_progress(stack, capsys):
    VolumeGAN(verbose=True, **PLAIN).fit(*stack)
    assert "3/3" in capsys.readouterr().err


def with_(X, where, value):
    X = X.copy()
    X[where] = value
    return X


@pytest.mark.parametrize(
    "change, params, message",
    [
        (lambda X: X[:, 0, 0, 0], {}, "stack of volumes of shape"),
        (lambda X: X.astype(str), {}, "must hold numbers"),
        (lambda X: with_(X, (3, 0, 1, 1, 1), np.nan), {}, r"Volumes \[3\] hold NaN"),
        (lambda X: with_(X, (3, 0, 1, 1, 1), np.inf), {}, r"Volumes \[3\] hold NaN"),
        (lambda X: X.astype(float) * 1e40, {}, "too large for float32"),
        (lambda X: X[..., :3], {}, "edges of 4 voxels or more"),
        (lambda X: X[:, :0], {"mask_channel": None}, "one channel or more"),
        (lambda X: X[:1], {}, "1 sample"),
        (lambda X: X[:, :1], {}, "mask_channel=-1 is not there beside an image"),
        (lambda X: X, {"mask_channel": 2}, "mask_channel=2 is not there"),
        (lambda X: X, {"mask_channel": 0}, "hold values other than 0 and 1"),
        (lambda X: with_(X, (5, 1), 0), {}, r"masks of volumes \[5\] are empty"),
        (lambda X: X, {"window": (10, 10)}, "window must be a pair"),
        (lambda X: X, {"window": [(0, 1), (0, 1)]}, "window must be a pair"),
        (lambda X: X, {"flips": (3,)}, r"flips=\(3,\) names axes \[3\]"),
        (lambda X: X, {"flips": ("width",)}, "names axes"),
        (lambda X: X, {"max_iter": -1}, "max_iter"),
        (lambda X: X, {"device": "tpu"}, "device"),
    ],
)
@pytest.mark.parametrize("estimator", [VolumeGAN, VolumeGANOverSampler])
def test_bad_volumes(stack, change, params, message, estimator):
    X, y = change(stack[0]), stack[1]
    bad = estimator(**{**SHORT, **params})
    fit = getattr(bad, "fit_resample", bad.fit)
    with pytest.raises(ValueError, match=message):
        fit(X, y[: len(X)])


def test_bad_arguments(stack, trained):
    X, y = stack
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        trained.sample(0)
    with pytest.raises(ValueError, match=r"`fit` did not see: \['lobed'\]"):
        trained.sample(y=["rim", "lobed"])
    with pytest.raises(ValueError, match="prior names classes"):
        trained.sample(5, prior={"rim": 0.5, "lobed": 0.5})
    with pytest.raises(ValueError, match=r"shape \(1, 16, 16, 16\); those fitted have"):
        trained.score_samples(X[:, :1], y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        trained.score_samples(X, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        VolumeGAN(**PLAIN).fit(X, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        VolumeGANOverSampler(**PLAIN).fit_resample(X, y[:-1])
    with pytest.raises(ValueError, match="groups has 3 entries for 22 rows"):
        VolumeGAN(**PLAIN).fit(X, y, groups=[1, 2, 3])


# The sampler


@pytest.mark.parametrize(
    "params, expected",
    [
        ({}, (14, 14)),
        ({"sampling_strategy": {"rim": 9}}, (14, 9)),
        ({"sampling_strategy": 0.75}, (14, 10)),
        ({"target_prior": {"homogeneous": 0.4, "rim": 0.6}}, (14, 21)),
        ({"target_prior": "uniform", "target_size": 1.5}, (17, 16)),
        ({"target_prior": "empirical", "target_size": 1.5}, (21, 12)),
        ({"target_size": 2.0}, (22, 22)),
    ],
    ids=str,
)
def test_counts_are_met(stack, params, expected):
    X, y = stack
    sampler = VolumeGANOverSampler(**{**PLAIN, "max_iter": 1}, checks=(), **params)
    X_new, y_new = sampler.fit_resample(X, y)
    assert (counts(y_new)["homogeneous"], counts(y_new)["rim"]) == expected
    assert_array_equal(sampler.is_synthetic_, np.arange(len(y_new)) >= len(y))
    assert_array_equal(X_new[: len(X)], X)
    check_volumes_drawn(X_new[len(X) :], X)


@pytest.mark.parametrize("dtype", [np.float64, np.int16, np.uint8, np.float16])
def test_volumes_given_come_first_and_keep_their_type(stack, dtype):
    X, y = (stack[0].clip(0, 250) + (dtype is np.float64) * 0.1).astype(dtype), stack[1]
    X[:, 1] = stack[0][:, 1]
    before = X.copy()
    # The window is wider than the type of integers, which must not wrap round.
    sampler = VolumeGANOverSampler(**PLAIN, checks=(), window=(-600, 400))
    X_new, y_new = sampler.fit_resample(X, y)
    assert X_new.dtype == dtype
    assert X_new[: len(X)].tobytes() == X.tobytes() == before.tobytes()
    assert_array_equal(y_new[: len(y)], y)
    made = X_new[len(X) :, 0].astype(float)
    assert abs(made.mean() - X[:, 0].astype(float).mean()) < 20


def test_what_is_known_after_it(stack):
    X, y = stack
    patients = np.arange(22) // 2
    sampler = VolumeGANOverSampler(**SHORT, target_size=2.0)
    X_new, _ = sampler.fit_resample(X, pd.Series(y, name="kind"), groups=patients)
    made = {"homogeneous": 8, "rim": 14}
    assert dict(sampler.sampling_strategy_) == made
    assert set(sampler.acceptance_rate_) == set(made)
    assert all(0.5 < rate <= 1 for rate in sampler.acceptance_rate_.values())
    assert set(sampler.diagnosis_.verdicts_) == set(made)
    assert_array_equal(sampler.groups_resampled_[:22], patients)
    assert_array_equal(sampler.groups_resampled_[22:], np.arange(11, 33))
    assert sampler.history_ == sampler.gan_.history_
    assert isinstance(sampler.gan_, VolumeGAN)
    again = pickle.loads(pickle.dumps(sampler))
    assert_array_equal(again.gan_.sample(3)[0], sampler.gan_.sample(3)[0])
    assert_array_equal(clone(sampler).fit_resample(X, y, groups=patients)[0], X_new)


def test_nothing_to_add_trains_nothing(stack):
    rows = np.r_[np.flatnonzero(stack[1] == "rim"), np.arange(22)]
    X, y = stack[0][rows], stack[1][rows]
    keep = np.r_[0:8, 8 + np.flatnonzero(stack[1] == "homogeneous")[:8]]
    sampler = VolumeGANOverSampler(**SHORT)
    X_new, y_new = sampler.fit_resample(X[keep], y[keep])
    assert_array_equal(X_new, X[keep])
    assert_array_equal(y_new, y[keep])
    assert sampler.gan_ is None
    assert sampler.diagnosis_ is None


def test_copies_are_caught(stack, monkeypatch):
    """A generator that returns its training volumes, moved by less than one HU."""
    X, y = stack

    def copied(self, codes, rng):
        labels = self.classes_[codes]
        rows = [rng.choice(np.flatnonzero(y == label)) for label in labels]
        volumes = X[rows].copy()
        volumes[:, 0] += rng.normal(0, 0.2, volumes[:, 0].shape)
        return volumes

    sampler = VolumeGANOverSampler(**PLAIN, copy_alpha=0.25)
    sampler.fit_resample(X, y)
    assert sampler.acceptance_rate_["rim"] > 0.5, "what is drawn is no copy"
    monkeypatch.setattr(VolumeGAN, "draw_", copied)
    with pytest.warns(CopyWarning, match="look like copies of real rows"):
        sampler.fit_resample(X, y)
    assert sampler.acceptance_rate_["rim"] < 0.1
    # Nobody asked.
    for params in ({"copy_alpha": None}, {"checks": ["fidelity"]}):
        clone(sampler).set_params(**params).fit_resample(X, y)


def test_distances_are_measured_between_the_features_asked_for(stack):
    seen = []

    def means(X):
        seen.append(len(X))
        inside = X[:, 1] > 0
        values = [x[0][m] for x, m in zip(X, inside, strict=True)]
        return np.array([[v.mean(), v.std(), len(v)] for v in values])

    sampler = VolumeGANOverSampler(**PLAIN, extractor=means)
    sampler.fit_resample(*stack)
    assert 22 in seen
    assert set(sampler.diagnosis_.verdicts_) == {"rim"}
    for bad in (lambda X: means(X) * np.nan, lambda X: means(X)[1:], lambda X: X):
        with pytest.raises(ValueError, match="extractor must give a row of finite"):
            clone(sampler).set_params(extractor=bad).fit_resample(*stack)


def test_params_are_those_of_the_generator_and_the_sampler(stack):
    sampler = VolumeGANOverSampler(**SHORT, window=(0, 200), shrinkage=0.3)
    sampler.set_params(rotation=1.0, checks=())
    sampler.fit_resample(*stack)
    for name in VolumeGAN().get_params():
        if name != "random_state":
            assert getattr(sampler.gan_, name) == getattr(sampler, name), name
    assert clone(sampler).get_params() == sampler.get_params()
    with pytest.raises(ValueError, match=r"got \['privacy'\] besides"):
        sampler.set_params(checks=["privacy"]).fit_resample(*stack)


@pytest.mark.parametrize("checks", [(), ("memorization", "fidelity")], ids=str)
def test_radiomics_pipeline(checks):
    """Volumes in, cross-validated scores out; test folds are left alone."""
    pytest.importorskip("radiomics")
    from gansampler import RadiomicsExtractor

    X, y = make_liver_phantoms({"homogeneous": 16, "rim": 12}, size=16, random_state=1)
    extractor = RadiomicsExtractor(spacing=(4, 4, 4), feature_classes=["firstorder"])
    pipeline = Pipeline(
        [
            ("gan", VolumeGANOverSampler(**PLAIN, checks=checks)),
            ("features", extractor),
            ("scale", StandardScaler()),
            ("clf", LogisticRegression()),
        ]
    )
    if checks:
        pipeline.set_params(gan__extractor=extractor.fit_transform)
    scores = cross_val_score(pipeline, X, y, cv=2, scoring="roc_auc")
    # The classes differ by 40 HU in their means.
    assert scores.min() > 0.9
    assert pipeline.fit(X, y).predict(X).shape == y.shape


def test_no_warning_of_numpy_or_torch_on_constant_images():
    X = np.zeros((12, 2, 8, 8, 8), dtype=np.float32)
    X[:, 1, 2:6, 2:6, 2:6] = 1
    y = np.arange(12) % 3 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SmallClassWarning)
        X_new, _ = VolumeGANOverSampler(**PLAIN, checks=()).fit_resample(X, y)
    assert (X_new[:, 0] == 0).mean() > 0.5


# The start


def test_classes_vary_in_their_means_as_real_volumes_do():
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1], 20)
    texture = np.array([gaussian_filter(rng.standard_normal((12,) * 3), 1) for _ in y])
    means = 100 + np.where(y, 40, 4) * rng.standard_normal(len(y))
    texture *= 20 / texture.std()
    X = np.zeros((len(y), 2, 12, 12, 12), dtype=np.float32)
    X[:, 1, 3:9, 3:9, 3:9] = 1
    X[:, 0] = texture + means[:, None, None, None]
    drawn, labels = VolumeGAN(max_iter=0, random_state=0).fit(X, y).sample(y=y)

    def spread(volumes, mine):
        inside = volumes[mine, 1] > 0
        return np.std([v[m].mean() for v, m in zip(volumes[mine, 0], inside, strict=True)])

    for c in (0, 1):
        ratio = spread(drawn, labels == c) / spread(X, y == c)
        # Where one class lends another its spread, it is several times too large or small.
        assert 0.6 < ratio < 1.6
