"""Losses and penalties against numbers worked out by hand, and what they promise."""

from math import e, inf, log, sqrt

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gansampler.adversarial import OBJECTIVES, Critic
from gansampler.adversarial.objectives import (
    gradient_norms,
    interpolate,
    one_centred_penalty,
    zero_centred_penalty,
)

REAL, FAKE = (0.0, 1.0), (0.0, -2.0)
# softplus(0) = log 2, softplus(t) = log(1 + e^t), softplus(-t) = log(1 + e^t) - t
CROSS_ENTROPY = log(2) + (log(1 + e) + log(1 + e**2) - 3) / 2
# name: (critic loss, generator loss) at the scores above
EXPECTED = {
    "minimax": (CROSS_ENTROPY, -(log(2) + log(1 + e**2) - 2) / 2),
    "non-saturating": (CROSS_ENTROPY, (log(2) + log(1 + e**2)) / 2),
    # ((1 + 0) / 2 + (0 + 4) / 2) / 2 and ((1 + 9) / 2) / 2
    "least-squares": (1.25, 2.5),
    # mean fake - mean real = -1 - 0.5 and - mean fake
    "wasserstein-clip": (-1.5, 1.0),
    "wasserstein-gp": (-1.5, 1.0),
    "wasserstein-zero-gp": (-1.5, 1.0),
}
# the penalty that each adds by default, on a critic with gradient (3, 4), norm 5
PENALTIES = {
    "minimax": 0.0,
    "non-saturating": 0.0,
    "least-squares": 0.0,
    "wasserstein-clip": 0.0,
    "wasserstein-gp": 0.03 * (5 - 1) ** 2,
    "wasserstein-zero-gp": 0.03 * (25 + 25) / 2,
}
every_objective = pytest.mark.parametrize("name", OBJECTIVES)


def scores(*values):
    return torch.tensor(values).float()


def losses(name, real, fake):
    objective = OBJECTIVES[name]
    return objective.critic_loss(real, fake), objective.generator_loss(fake)


def generator_slope(name, score):
    fake = torch.tensor([score], requires_grad=True)
    OBJECTIVES[name].generator_loss(fake).backward()
    return fake.grad.item()


def linear(weight):
    """Critic <weight, x>: its input gradient is `weight` everywhere."""
    return lambda x, y: (x * weight).flatten(1).sum(1)


def quadratic(factor=1.0):
    """Critic factor |x|^2 / 2: its input gradient is factor * x."""
    return lambda x, y: factor * x.flatten(1).square().sum(1) / 2


def codes(x):
    return torch.zeros(len(x), dtype=torch.long)


def test_every_objective_has_expected_numbers():
    assert EXPECTED.keys() == PENALTIES.keys() == OBJECTIVES.keys()


@every_objective
def test_losses_equal_hand_computed_numbers(name):
    critic, generator = losses(name, scores(*REAL), scores(*FAKE))
    expected = EXPECTED[name]
    assert (critic.item(), generator.item()) == pytest.approx(expected, rel=1e-6)


@every_objective
def test_losses_are_means_over_the_batch(name):
    once = losses(name, scores(*REAL), scores(*FAKE))
    thrice = losses(name, scores(*REAL).repeat(3), scores(*FAKE).repeat(3))
    assert_close(thrice, once)


@every_objective
def test_default_penalty_equals_hand_computed_number(name):
    objective = OBJECTIVES[name]
    real, fake = torch.randn(2, 5, 2)
    penalty = objective.penalty(linear(scores(3, 4)), real, fake, codes(real))
    weighted = objective.penalty_weight * penalty.item()
    assert weighted == pytest.approx(PENALTIES[name], rel=1e-5)


@every_objective
@pytest.mark.parametrize("real, fake", [(0.5, 0.5), (0.2, 0.8), (0.9, 0.1)])
def test_players_want_the_opposite_of_each_other(name, real, fake):
    # scores inside (0, 1), beyond which least squares turns back by design
    critic, generator = losses(name, scores(real), scores(fake))
    better_real, _ = losses(name, scores(real + 0.05), scores(fake))
    better_fake, worse_generator = losses(name, scores(real), scores(fake - 0.05))
    assert better_real < critic
    assert better_fake < critic
    assert worse_generator > generator


def test_non_saturating_keeps_the_gradient_that_minimax_loses():
    # d/ds softplus(-s) = -sigmoid(-s); d/ds -softplus(s) = -sigmoid(s)
    assert generator_slope("non-saturating", -20.0) == pytest.approx(-1, abs=1e-6)
    assert -1e-6 < generator_slope("minimax", -20.0) < 0
    # where the critic is unsure the two agree
    assert generator_slope("non-saturating", 0.0) == generator_slope("minimax", 0.0) == -0.5


@pytest.mark.parametrize("score", [-20.0, -3.0, 0.0, 3.0, 12.0])
def test_non_saturating_and_minimax_point_the_same_way(score):
    assert generator_slope("non-saturating", score) < 0
    assert generator_slope("minimax", score) < 0


@every_objective
@pytest.mark.parametrize("real", [-100.0, 100.0])
@pytest.mark.parametrize("fake", [-100.0, 100.0])
def test_extreme_scores_give_finite_losses_and_gradients(name, real, fake):
    # in float32, where log(1 + exp(100)) written out would overflow
    real = torch.tensor([real], requires_grad=True)
    fake = torch.tensor([fake], requires_grad=True)
    for loss in losses(name, real, fake):
        grads = torch.autograd.grad(loss, (real, fake), allow_unused=True)
        assert loss.isfinite()
        assert all(grad.isfinite() for grad in grads if grad is not None)


def test_gradient_norm_is_per_sample_over_all_other_axes():
    # gradient of sample k is k in each of 1 * 2 * 2 * 2 places: norm k sqrt(8)
    k = torch.arange(1.0, 4.0)
    x = k.reshape(3, 1, 1, 1, 1).expand(3, 1, 2, 2, 2)
    assert_close(gradient_norms(quadratic(), x, codes(x)), k * sqrt(8))
    weight = torch.ones(1, 2, 2, 2)
    assert_close(gradient_norms(linear(weight), x, codes(x)), scores(*[sqrt(8)] * 3))


@pytest.mark.parametrize("widths", [(5,), (7, 6, 5)])
def test_critic_knows_its_gradient_and_the_gradient_of_that(widths):
    torch.manual_seed(0)
    critic = Critic(in_features=4, n_classes=3, hidden_layer_sizes=widths).double()
    x, y = torch.randn(20, 4, dtype=torch.double), torch.arange(20) % 3
    found = []
    for asked in (critic, critic.forward):
        norms = gradient_norms(asked, x, y)
        found.append((norms, *torch.autograd.grad(norms.sum(), weights_of(critic))))
    assert_close(*found)


def weights_of(critic):
    """Of all layers; the gradient does not depend on biases and offsets."""
    return [part.weight for part in critic.modules() if isinstance(part, nn.Linear)]


def test_gradient_norm_is_in_full_precision():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.LeakyReLU(), torch.nn.Linear(8, 1)
    )
    x, y = torch.randn(20, 4), torch.zeros(20, dtype=torch.long)
    expected = gradient_norms(lambda x, _: layers(x).squeeze(1), x, y)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        assert layers(x).dtype == torch.bfloat16
        assert torch.equal(
            gradient_norms(lambda x, _: layers(x).squeeze(1), x, y), expected
        )


def test_gradient_norm_is_that_of_the_samples_class():
    per_class = scores(2, 7)
    x, y = torch.randn(3, 1), torch.tensor([1, 0, 1])
    norms = gradient_norms(lambda x, y: per_class[y] * x[:, 0], x, y)
    assert_close(norms, scores(7, 2, 7))


REAL_X = scores((3, 4), (0, 0))  # norms 5 and 0
FAKE_X = scores((6, 8), (0, 2))  # norms 10 and 2


@pytest.mark.parametrize(
    "penalty, critic, real, fake, expected",
    [
        (one_centred_penalty, linear(scores(3, 4)), REAL_X, FAKE_X, (5 - 1) ** 2),
        (zero_centred_penalty, linear(scores(3, 4)), REAL_X, FAKE_X, (25 + 25) / 2),
        # equal real and fake: every interpolate is that point
        (one_centred_penalty, quadratic(), REAL_X, REAL_X, ((5 - 1) ** 2 + 1) / 2),
        (one_centred_penalty, quadratic(), FAKE_X, FAKE_X, (9**2 + 1) / 2),
        (zero_centred_penalty, quadratic(), REAL_X, FAKE_X, (25 / 2 + 104 / 2) / 2),
        (one_centred_penalty, linear(scores(0.6, 0.8)), REAL_X, FAKE_X, 0),
        (zero_centred_penalty, linear(scores(0, 0)), REAL_X, FAKE_X, 0),
    ],
)
def test_penalties_equal_hand_computed_numbers(penalty, critic, real, fake, expected):
    # the epsilon in the root moves a zero norm to 1e-6
    value = penalty(critic, real, fake, codes(real)).item()
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    "penalty, expected",
    [
        # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w| = 2 * 4 * (3, 4) / 5
        (one_centred_penalty, (4.8, 6.4)),
        # d |w|^2 / dw = 2 w
        (zero_centred_penalty, (6.0, 8.0)),
    ],
)
def test_penalty_gradient_in_weights_of_linear_critic(penalty, expected):
    weight = scores(3, 4).requires_grad_()
    penalty(linear(weight), REAL_X, FAKE_X, codes(REAL_X)).backward()
    assert_close(weight.grad, scores(*expected))


@pytest.mark.parametrize(
    "penalty, expected",
    [
        # norms a r with r = 10, 2 and a = 2: mean of 2 (a r - 1) r = (380 + 12) / 2
        (one_centred_penalty, 196.0),
        # a^2 mean r^2 with mean r^2 = 52: 2 a * 52
        (zero_centred_penalty, 208.0),
    ],
)
def test_penalty_gradient_in_weight_of_quadratic_critic(penalty, expected):
    factor = torch.tensor(2.0, requires_grad=True)
    penalty(quadratic(factor), FAKE_X, FAKE_X, codes(FAKE_X)).backward()
    assert factor.grad.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("penalty", [one_centred_penalty, zero_centred_penalty])
def test_second_derivative_is_finite_at_zero_gradient(penalty):
    # the bare root has an infinite slope there, and inf * 0 is nan
    x = torch.zeros(3, 2)
    factor = torch.tensor(1.0, requires_grad=True)
    weight = torch.zeros(2, requires_grad=True)
    penalty(quadratic(factor), x, x, codes(x)).backward()
    penalty(linear(weight), x, x, codes(x)).backward()
    assert factor.grad.isfinite()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("penalty", [one_centred_penalty, zero_centred_penalty])
def test_penalties_leave_no_gradient_on_the_samples(penalty):
    # a penalty must not train the generator that made `fake`
    real, fake = REAL_X.clone().requires_grad_(), FAKE_X.clone().requires_grad_()
    factor = torch.tensor(1.0, requires_grad=True)
    penalty(quadratic(factor), real, fake, codes(real)).backward()
    assert real.grad is None and fake.grad is None
    assert factor.grad != 0


@pytest.mark.parametrize("seed", range(3))
def test_interpolates_lie_on_the_segments(seed):
    torch.manual_seed(seed)
    shape = (500, 1, 2, 2, 2)
    real, fake = torch.full(shape, 3.0), torch.full(shape, 1.0)
    points = interpolate(real, fake)
    weight = (points.flatten(1) - 1) / 2
    assert points.shape == shape
    # one weight for all axes of a sample, another for each sample
    assert_close(weight, weight[:, :1].expand_as(weight))
    assert len(weight[:, 0].unique()) > 450
    assert 0 <= weight.min() < 0.05 and 0.95 < weight.max() <= 1
    # mean of 500 uniform draws: standard error 0.013
    assert weight.mean().item() == pytest.approx(0.5, abs=0.065)


@every_objective
def test_only_clipping_projects_the_weights(name):
    parameters = [nn.Parameter(torch.tensor(v)) for v in (-1.0, -0.01, 0.005, 2.0, inf)]
    OBJECTIVES[name].project_(parameters)
    clipped = (-0.01, -0.01, 0.005, 0.01, 0.01)
    expected = clipped if name == "wasserstein-clip" else (-1.0, -0.01, 0.005, 2.0, inf)
    assert [p.item() for p in parameters] == pytest.approx(expected, rel=1e-6)
    assert all(p.requires_grad for p in parameters)
