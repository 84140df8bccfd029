"""Held-out rows tell a good generator from a bad one, and from one that copies."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from gansampler import CycleGAN
from gansampler._held_out import HeldOutScore
from gansampler.adversarial import clearly_below
from gansampler.volumes._held_out import DIRECTIONS, MAX_SCORED, HeldOutTranslations

over_seeds = pytest.mark.parametrize("seed", range(5))
N_COLUMNS = 3
COMMON, RARE = range(2)


class Gaussian:
    """The truth by default: class 1 lies at 2, and both have unit variance."""

    def __init__(self, shift=(0.0, 0.0), scale=(1.0, 1.0)):
        self.location = torch.tensor([0.0, 2.0]) + torch.tensor(shift)
        self.scale = torch.tensor(scale)

    def noise(self, n_samples):
        return torch.randn(n_samples, N_COLUMNS)

    def __call__(self, noise, y):
        return self.location[y, None] + self.scale[y, None] * noise


class Copier(Gaussian):
    """Draws rows of a table, moved by a hair or more."""

    def __init__(self, rows, codes, away=0.0):
        super().__init__()
        self.of_class = [torch.as_tensor(rows[codes == c]) for c in np.unique(codes)]
        self.away = away

    def __call__(self, noise, y):
        rows = self.of_class[y[0]]
        at = (torch.special.ndtr(noise[:, 0]) * len(rows)).long()
        return rows[at] + self.away * noise


def table(n_common, n_rare, seed):
    rng = np.random.default_rng(seed)
    codes = np.repeat([COMMON, RARE], [n_common, n_rare])
    return rng.normal(size=(len(codes), N_COLUMNS)) + 2.0 * codes[:, None], codes


def score_of(seed, start=None, held_out=(200, 30), copy_alpha=0.1):
    """The score, and the rows that it takes for those learned from."""
    torch.manual_seed(seed)
    train = table(300, 60, seed)
    score = HeldOutScore(
        train,
        table(*held_out, seed + 100),
        groups=np.arange(360),
        measure=lambda drawn: drawn.double().numpy(),
        copy_alpha=copy_alpha,
        generator=Gaussian() if start is None else start,
        rng=np.random.RandomState(seed),
    )
    return score, train


@over_seeds
@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": (0.8, 0.8)},
        {"scale": (0.5, 0.5)},
        {"scale": (1.6, 1.6)},
        {"shift": (2.0, -2.0)},
    ],
    ids=["moved", "narrow", "wide", "exchanged"],
)
def test_wrong_generators_score_worse_than_the_truth(seed, wrong):
    score, _ = score_of(seed, copy_alpha=None)
    assert clearly_below(score(Gaussian()), score(Gaussian(**wrong)), standard_errors=3)


@over_seeds
def test_the_truth_is_fit_to_be_kept_and_a_copier_is_not(seed):
    score, train = score_of(seed)
    losses = score(Gaussian())
    assert losses.shape == (230,) and np.isfinite(losses).all()
    assert score(Copier(*train)) is None
    assert score(Copier(*train, away=0.02)) is None
    # Other rows of the same distribution, however few, are no copies.
    assert score(Copier(*table(300, 60, seed + 200))) is not None


def test_copies_are_looked_for_in_every_class():
    score, train = score_of(0)
    copier = Copier(*train)

    def copies_rare(noise, y):
        return copier(noise, y) if y[0] == RARE else Gaussian()(noise, y)

    assert score(copies_rare) is None


def test_without_a_copy_check_a_copier_is_scored():
    score, train = score_of(0, copy_alpha=None)
    assert np.isfinite(score(Copier(*train))).all()


def test_a_start_is_always_fit_to_be_kept():
    train = table(300, 60, 0)
    copier = Copier(*train)
    score, _ = score_of(0, start=copier)
    assert score(copier) is not None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_draws_that_are_not_finite_are_not_scored(value):
    score, _ = score_of(0)
    assert score(lambda noise, y: torch.where(noise > 2, value, noise)) is None


@over_seeds
def test_a_rare_class_weighs_as_much_as_a_common_one(seed):
    score, _ = score_of(seed, held_out=(400, 40), copy_alpha=None)
    truth = score(Gaussian())
    lost, error = {}, {}
    for wrong in (COMMON, RARE):
        shift = (1.0 * (wrong == COMMON), 1.0 * (wrong == RARE))
        difference = score(Gaussian(shift=shift)) - truth
        mine = score.codes == wrong
        assert not difference[~mine].any()
        lost[wrong] = difference.mean()
        error[wrong] = difference[mine].std() * np.sqrt(mine.sum()) / len(mine)
    assert abs(lost[RARE] - lost[COMMON]) < 3.5 * np.hypot(*error.values())
    assert 0.5 < lost[RARE] / lost[COMMON] < 2


def test_steps_are_scored_on_the_same_draws():
    score, _ = score_of(0)
    assert_allclose(score(Gaussian()), score(Gaussian()))


# ------------------------------------------------------------------- translations


class Curve(nn.Module):
    """Moves the mean of an image along a line below 0 and another above it."""

    reach = 0

    def __init__(self, dark, bright, moved=0.0):
        super().__init__()
        self.dark, self.bright, self.moved = dark, bright, moved

    def forward(self, x):
        mean = x.mean()
        return x - mean + torch.where(mean < 0, self.dark, self.bright) * mean + self.moved


SAME = Curve(1, 1)
THERE, BACK = Curve(0.1, 1.5), Curve(10, 1 / 1.5)


class OfBrightness(HeldOutTranslations):
    """Mean intensity is all that is measured."""

    def _features(self, X):
        return X.mean(axis=(2, 3))


def scored_translations():
    """Sides that a curve leads between: they differ even in standard deviations."""
    a = np.linspace(-0.5, 0.5, MAX_SCORED)[:, None, None, None] + np.zeros((1, 8, 8))
    b = np.stack([THERE(torch.as_tensor(x)).numpy() for x in a])
    volumes = {"a": a, "b": b}
    gan = CycleGAN(mask_channel=None, window=(-1, 1))
    gan._learn_scales(volumes)
    groups = dict.fromkeys("ab", np.arange(MAX_SCORED))
    held_out = dict.fromkeys("ab", np.ones(MAX_SCORED, dtype=bool))
    rng = np.random.RandomState(0)
    score = OfBrightness(
        volumes, groups, held_out, translate=gan._shown, mask_channel=None, rng=rng
    )
    return lambda *pair: score(dict(zip(DIRECTIONS, pair, strict=True))), volumes


def test_the_true_translation_beats_others():
    score, volumes = scored_translations()
    true = score(THERE, BACK)
    assert true.shape == (MAX_SCORED,)
    by = volumes["b"].std() / volumes["a"].std()
    moved = volumes["b"].mean() - by * volumes["a"].mean()
    others = {
        "identity": (SAME, SAME),
        "swapped": (BACK, THERE),
        "one way": (THERE, SAME),
        "the other": (SAME, BACK),
        "mean and spread": (Curve(by, by, moved), Curve(1 / by, 1 / by, -moved / by)),
    }
    for name, pair in others.items():
        assert clearly_below(true, score(*pair)), name


def test_translations_that_are_not_finite_are_not_scored():
    score, _ = scored_translations()
    assert score(SAME, Curve(1, np.nan)) is None
