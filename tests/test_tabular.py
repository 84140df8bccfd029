"""TabularGAN: sampling, priors, scores, and whether it is a GAN and not only its start."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import make_table
from numpy.testing import assert_array_equal
from scipy.spatial.distance import cdist

from gansampler import SmallClassWarning, TabularGAN
from gansampler.adversarial import OBJECTIVES
from gansampler.metrics import energy_distance

SHORT = {"max_iter": 20, "random_state": 0}


def ring(n, seed, sigma=0.1):
    """Eight Gaussians on a circle of radius 2."""
    rng = np.random.default_rng(seed)
    angle = np.pi / 4 * rng.integers(8, size=n)
    return 2 * np.c_[np.cos(angle), np.sin(angle)] + sigma * rng.normal(size=(n, 2))


def judged_ring(gan, X):
    """Share of draws near a mode, the fewest near any, and energy distance to fresh rows,
    over that of the training rows."""
    modes = 2 * np.c_[np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)]
    rows, _ = gan.sample(2000)
    distance = cdist(rows, modes)
    near = distance.min(axis=1) < 0.3
    covered = np.bincount(distance.argmin(axis=1)[near], minlength=8)
    fresh = [ring(2000, seed) for seed in range(1, 6)]
    ours, real = (np.mean([energy_distance(Z, f) for f in fresh]) for Z in (rows, X))
    return near.mean(), covered.min(), ours / real


@pytest.mark.parametrize("start", ["copula", "normal"])
def test_training_finds_the_modes_that_the_start_misses(start):
    """From one Gaussian, in 1,000 steps: all modes, three quarters of the rows near one."""
    X = ring(2000, seed=0)
    gan = TabularGAN(start=start, n_modes=1, max_iter=1000, random_state=0).fit(X)
    assert not gan.start_used_
    near, fewest, energy = judged_ring(gan, X)
    assert near >= 0.75
    assert fewest >= 2000 / 8 / 4
    assert energy <= 4
    gan.start_used_ = True  # step 0
    near, _, energy = judged_ring(gan, X)
    assert near < 0.5
    assert energy > 8


def test_of_game_and_modes_held_out_rows_choose():
    X = ring(2000, seed=0)
    gan = TabularGAN(max_iter=100, random_state=0).fit(X)
    assert gan.start_used_
    assert len(gan.start_.mode_class) > 1
    near, fewest, energy = judged_ring(gan, X)
    assert near >= 0.9
    assert fewest >= 2000 / 8 / 4
    assert energy <= 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_pass_for_learning(seed):
    """Where the start is the truth, it is kept: no step can clearly beat it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 30)) @ rng.normal(size=(30, 30))
    assert TabularGAN(random_state=seed).fit(X).start_used_


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(objective):
    X, y = make_table((60, 40), 6, seed=0)
    gan = TabularGAN(objective=objective, max_iter=60, early_stopping=False, random_state=0)
    gan.fit(X, y)
    rows, _ = gan.sample(100)
    assert gan.n_iter_ == gan.best_iter_ == len(gan.loss_curve_) == 60
    assert np.isfinite(gan.loss_curve_).all()
    assert ((rows >= X.min()) & (rows <= X.max())).all(axis=None)


@pytest.mark.parametrize(
    "prior, expected",
    [
        ("empirical", [60, 30, 10]),
        ("uniform", [34, 33, 33]),
        ({"a": 0.1, "b": 0.0, "c": 0.9}, [10, 0, 90]),
    ],
    ids=str,
)
def test_sample_meets_the_prior(prior, expected):
    X, y = make_table((60, 30, 10), 5, seed=0, labels=["a", "b", "c"])
    gan = TabularGAN(**SHORT).fit(X, y)
    rows, labels = gan.sample(100, prior=prior)
    assert rows.shape == (100, 5)
    assert [(labels == c).sum() for c in "abc"] == expected


def test_sample_of_given_classes_comes_in_their_order(table):
    gan = TabularGAN(**SHORT).fit(*table)
    y = np.array([1, 0, 0, 1, 1])
    rows, labels = gan.sample(y=y)
    assert_array_equal(labels, y)
    assert len(rows) == 5


def test_full_synthesis_keeps_the_joint_distribution():
    """Marginals by construction, dependence and class shift as the start has them."""
    X, y = make_table((900, 300), 6, seed=0)
    rows, labels = TabularGAN(random_state=0).fit(X, y).sample(4000)
    assert (labels == 1).mean() == 0.25
    difference = rows.corr("spearman") - X.corr("spearman")
    assert np.abs(difference.to_numpy()).max() < 0.12
    spread = X.std()
    for c in (0, 1):
        gap = (rows[labels == c].mean() - X[y == c].mean()) / spread
        assert gap.abs().max() < 0.25


def test_dataframe_in_dataframe_out(table):
    X, y = table
    X = X.assign(count=np.arange(len(X)) % 5).astype({"feature_0": np.float32})
    rows, _ = TabularGAN(**SHORT).fit(X, y).sample(10)
    assert isinstance(rows, pd.DataFrame)
    assert (rows.dtypes == X.dtypes).all()
    array, _ = TabularGAN(**SHORT).fit(X.to_numpy(), y).sample(10)
    assert isinstance(array, np.ndarray)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_no_steps_keep_the_start(table, early_stopping):
    X, y = table
    gan = TabularGAN(max_iter=0, early_stopping=early_stopping, random_state=0).fit(X, y)
    assert gan.start_used_
    assert len(gan.loss_curve_) == 0
    still = TabularGAN(
        max_iter=1, learning_rate_init=1e-12, early_stopping=False, random_state=0
    ).fit(X, y)
    if not early_stopping:
        np.testing.assert_allclose(gan.sample(50)[0], still.sample(50)[0], rtol=1e-6)


def test_critic_tells_real_rows_from_noise(table):
    """The scores rank rows of the table above rows with independent columns far out."""
    X, y = table
    gan = TabularGAN(max_iter=200, early_stopping=False, random_state=0)
    gan.fit(X.to_numpy(), y)
    rng = np.random.default_rng(0)
    noise = np.column_stack([rng.choice([c.min(), c.max()], len(X)) for _, c in X.items()])
    assert np.median(gan.score_samples(X.to_numpy())) > np.median(gan.score_samples(noise))
    labelled = gan.score_samples(X.to_numpy(), y)
    assert labelled.shape == (len(X),)
    # The class matters to the critic.
    assert not np.allclose(labelled, gan.score_samples(X.to_numpy(), 1 - y))


def test_pickle_gives_the_same_samples_and_scores(table):
    X, y = table
    gan = TabularGAN(**SHORT).fit(X, y)
    again = pickle.loads(pickle.dumps(gan))
    pd.testing.assert_frame_equal(again.sample(20)[0], gan.sample(20)[0], check_exact=True)
    assert_array_equal(again.score_samples(X), gan.score_samples(X))


def test_held_out_rows_are_whole_groups():
    from gansampler._held_out import choose_held_out

    for seed in range(20):
        rng = np.random.RandomState(seed)
        groups = rng.randint(30, size=100)
        codes = (rng.rand(30) < 0.3).astype(int)[groups]
        held_out = choose_held_out(codes, groups, 0.2, rng)
        assert not set(groups[held_out]) & set(groups[~held_out])
        counts = np.bincount(codes)
        assert (np.bincount(codes[held_out], minlength=2) <= np.rint(0.2 * counts)).all()
        assert held_out.any()


def test_verbose_shows_progress(table, capsys):
    TabularGAN(verbose=True, **SHORT).fit(*table)
    assert "step" in capsys.readouterr().err


def test_bad_input(table):
    X, y = table
    gan = TabularGAN(**SHORT).fit(X, y)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        gan.sample(0)
    with pytest.raises(ValueError, match=r"`fit` did not see: \[7\]"):
        gan.sample(y=[0, 7])
    with pytest.raises(ValueError, match="prior names classes"):
        gan.sample(5, prior={0: 0.5, 7: 0.5})
    with pytest.raises(
        ValueError, match="prior must be 'uniform', 'empirical' or a mapping"
    ):
        gan.sample(5, prior="balanced")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        gan.score_samples(X, y[:-1])
    with pytest.raises(ValueError, match="minimum of 2"):
        TabularGAN().fit(X[:1], y[:1])
    with pytest.warns(SmallClassWarning):
        TabularGAN(**SHORT).fit(X[:4], [0, 0, 1, 1])


def test_rows_and_labels_that_ask_for_different_numbers_are_refused(table):
    gan = TabularGAN(max_iter=0, random_state=0).fit(*table)
    assert len(gan.sample(2, y=[0, 1])[0]) == len(gan.sample(y=[0, 1])[0]) == 2
    with pytest.raises(ValueError, match="n_samples=10 and 2 entries in y"):
        gan.sample(10, y=[0, 1])
