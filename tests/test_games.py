"""The players and what each loses: conditioning, isolation of players, named terms."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gansampler.adversarial import (
    OBJECTIVES,
    ConditionalMLP,
    Critic,
    ResidualGenerator,
    SynthesisGame,
)

every_objective = pytest.mark.parametrize("name", OBJECTIVES)
over_seeds = pytest.mark.parametrize("seed", range(3))
FEATURES, N_CLASSES = 3, 2


def make_generator(*, n_classes=N_CLASSES, zero=True):
    """Same Gaussian for every class; with `zero=False` a residual that is at work."""
    generator = ResidualGenerator(
        location=torch.zeros(n_classes, FEATURES),
        scale_tril=torch.eye(FEATURES).repeat(n_classes, 1, 1),
        learned=torch.ones(n_classes),
        hidden_layer_sizes=(8, 6),
    )
    if not zero:
        nn.init.normal_(generator.residual.last.weight)
    return generator


def make_critic():
    return Critic(in_features=FEATURES, n_classes=N_CLASSES, hidden_layer_sizes=(8, 6))


def make_batch(n=16):
    return torch.randn(n, FEATURES), torch.arange(n) % N_CLASSES


def state(module):
    return copy.deepcopy(module.state_dict())


def assert_same_state(module, before):
    assert_close(dict(module.state_dict()), dict(before), rtol=0, atol=0)


def descend(player, losses):
    optimizer = torch.optim.Adam(player.parameters(), lr=0.01)
    sum(losses.values()).backward()
    optimizer.step()


class Point(nn.Module):
    """A generator without parameters: always (0, 1)."""

    def noise(self, n_samples):
        return torch.zeros(n_samples, 2)

    def forward(self, z, y):
        return z + torch.tensor([0.0, 1.0])


class Slope(nn.Module):
    """A critic with input gradient (3, 4), which has norm 5."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, x, y):
        return x @ self.weight


@over_seeds
@pytest.mark.parametrize("make", [lambda: make_generator(zero=False), make_critic])
def test_outputs_change_with_the_class_and_with_nothing_else(seed, make):
    torch.manual_seed(seed)
    network, (x, y) = make(), make_batch()
    swapped = y.clone()
    swapped[::2] = 1 - y[::2]
    with torch.no_grad():
        outputs, others = network(x, y), network(x, swapped)
    changed = (outputs != others).reshape(len(x), -1).any(1)
    assert changed[::2].all()
    assert not changed[1::2].any()


@over_seeds
def test_class_offset_equals_concatenated_one_hot_code(seed):
    torch.manual_seed(seed)
    net = ConditionalMLP(
        in_features=3, out_features=2, n_classes=4, hidden_layer_sizes=(5, 7)
    )
    x, y = torch.randn(9, 3), torch.randint(4, (9,))
    weight = torch.cat([net.first.weight, net.class_offset.weight.T], dim=1)
    one_hot = nn.functional.one_hot(y, 4).float()
    first = torch.cat([x, one_hot], dim=1) @ weight.T + net.first.bias
    assert_close(net(x, y), net.last(net.hidden(first)))


@pytest.mark.parametrize("sizes, n_linear", [((4,), 2), ((4, 5), 3), ((4, 5, 6), 4)])
def test_every_hidden_layer_size_makes_a_layer(sizes, n_linear):
    critic = Critic(in_features=3, n_classes=2, hidden_layer_sizes=sizes)
    linear = [m for m in critic.modules() if isinstance(m, nn.Linear)]
    assert len(linear) == n_linear
    assert sorted(m.out_features for m in linear) == sorted((*sizes, 1))
    assert critic(torch.randn(7, 3), torch.zeros(7, dtype=torch.long)).shape == (7,)


def test_a_class_that_is_not_learned_stays_at_its_gaussian():
    generator = make_generator(zero=False)
    z = torch.randn(4, FEATURES)
    generator.learned[1] = 0
    assert not torch.equal(generator(z, torch.zeros(4, dtype=torch.long)), z)
    assert torch.equal(generator(z, torch.ones(4, dtype=torch.long)), z)


def test_untrained_generator_is_the_class_gaussian():
    # small integers, so that the arithmetic is exact in float32
    generator = ResidualGenerator(
        location=torch.tensor([[1.0, 2.0], [10.0, 20.0]]),
        scale_tril=torch.tensor([[[1.0, 0.0], [2.0, 3.0]], [[4.0, 0.0], [5.0, 6.0]]]),
        learned=torch.ones(2),
        hidden_layer_sizes=(8,),
    )
    z, y = torch.tensor([[1.0, -1.0], [1.0, -1.0], [0.0, 2.0]]), torch.tensor([0, 1, 1])
    # (1 + 1, 2 + 2 - 3), (10 + 4, 20 + 5 - 6), (10 + 0, 20 + 12)
    expected = [[2.0, 1.0], [14.0, 19.0], [10.0, 32.0]]
    assert generator(z, y).tolist() == expected
    descend(generator, {"any": generator(z, y).square().sum()})
    assert (generator(z, y) != torch.tensor(expected)).all()


@over_seeds
def test_noise_is_standard_normal(seed):
    torch.manual_seed(seed)
    noise = make_generator().noise(20_000)
    assert noise.shape == (20_000, FEATURES)
    # standard error of a mean or covariance is at most sqrt(2 / 20000) = 0.01
    assert_close(noise.mean(0), torch.zeros(FEATURES), atol=0.05, rtol=0)
    assert_close(noise.T.cov(), torch.eye(FEATURES), atol=0.05, rtol=0)


def test_the_gaussian_is_not_trained():
    names = {name for name, _ in make_generator().named_parameters()}
    assert names and all(name.startswith("residual.") for name in names)


@every_objective
def test_critic_step_leaves_the_generator_alone(name):
    torch.manual_seed(0)
    generator, critic = make_generator(zero=False), make_critic()
    game = SynthesisGame(generator, critic, OBJECTIVES[name])
    generator_before, critic_before = state(generator), state(critic)
    descend(critic, game.critic_loss(make_batch()))
    assert all(p.grad is None for p in generator.parameters())
    assert_same_state(generator, generator_before)
    assert (critic.first.weight != critic_before["first.weight"]).any()


@every_objective
def test_generator_step_leaves_the_critic_alone(name):
    torch.manual_seed(0)
    generator, critic = make_generator(), make_critic()
    game = SynthesisGame(generator, critic, OBJECTIVES[name])
    before = state(critic)
    descend(generator, game.generator_loss(make_batch()))
    assert_same_state(critic, before)
    assert (generator.residual.last.weight != 0).any()


@every_objective
def test_one_step_of_a_player_improves_its_loss(name):
    # both signs at once: a player that climbs its loss would train happily
    for player in ("critic", "generator"):
        torch.manual_seed(1)
        game = SynthesisGame(make_generator(), make_critic(), OBJECTIVES[name])
        loss = getattr(game, f"{player}_loss")
        batch = make_batch(64)

        def value(loss=loss, batch=batch):
            torch.manual_seed(2)  # the same noise before and after
            return sum(loss(batch).values())

        before = value().item()
        optimizer = torch.optim.SGD(getattr(game, player).parameters(), lr=1e-2)
        value().backward()
        optimizer.step()
        assert value().item() < before


# penalty on a gradient of norm 5: (5 - 1)^2 and 5^2
PENALTIES = dict.fromkeys(OBJECTIVES, 25.0) | {"wasserstein-gp": 16.0}
DEFAULT_WEIGHTS = {"wasserstein-gp": 0.03, "wasserstein-zero-gp": 0.03}


@every_objective
@pytest.mark.parametrize("weight", [None, 0, 0.0, 2.0])
def test_penalty_weight_scales_the_named_penalty_term(name, weight):
    game = SynthesisGame(Point(), Slope(), OBJECTIVES[name], penalty_weight=weight)
    losses = game.critic_loss((torch.randn(4, 2), torch.zeros(4, dtype=torch.long)))
    used = DEFAULT_WEIGHTS.get(name, 0) if weight is None else weight
    terms = {key: value.item() for key, value in losses.items() if key != "critic"}
    assert terms == pytest.approx({"penalty": used * PENALTIES[name]} if used else {})
    assert all(value.dim() == 0 for value in losses.values())


@pytest.mark.parametrize("weight", [None, 0.0, 2.0])
def test_losses_compare_real_with_fake(weight):
    # scores: real (1, 0) @ (3, 4) = 3, fake (0, 1) @ (3, 4) = 4; whatever the penalty
    game = SynthesisGame(Point(), Slope(), OBJECTIVES["wasserstein-gp"], weight)
    batch = torch.tensor([[1.0, 0.0]] * 3), torch.zeros(3, dtype=torch.long)
    assert game.critic_loss(batch)["critic"].item() == 4 - 3
    generator_loss = game.generator_loss(batch)
    assert {k: v.item() for k, v in generator_loss.items()} == {"generator": -4}


def test_both_players_see_the_classes_of_the_batch():
    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def noise(self, n_samples):
            return torch.zeros(n_samples, 1)

        def forward(self, x, y):
            self.seen.append(y.tolist())
            return x

    class Scores(Recorder):
        def forward(self, x, y):
            return super().forward(x, y)[:, 0]

    game = SynthesisGame(Recorder(), Scores(), OBJECTIVES["least-squares"])
    batch = torch.zeros(3, 1), torch.tensor([1, 0, 1])
    game.critic_loss(batch)
    game.generator_loss(batch)
    assert game.generator.seen == [[1, 0, 1], [1, 0, 1]]
    assert game.critic.seen == [[1, 0, 1, 1, 0, 1], [1, 0, 1]]


@every_objective
def test_the_critic_sees_nothing_that_was_not_augmented(name):
    class Seeing(Slope):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, x, y):
            self.seen.append(x.detach())
            return super().forward(x, y)

    # Reals are 0 and fakes (0, 1): what is beyond 10 was moved, once.
    game = SynthesisGame(Point(), Seeing(), OBJECTIVES[name], 1.0, lambda x: x + 10)
    batch = torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
    real, fake = torch.tensor([10.0, 10.0]), torch.tensor([10.0, 11.0])
    game.critic_loss(batch)
    assert game.critic.seen[0].tolist() == [*[real.tolist()] * 3, *[fake.tolist()] * 3]
    for penalised in game.critic.seen[1:]:
        assert ((penalised >= real) & (penalised <= fake)).all()
    game.critic.seen.clear()
    game.generator_loss(batch)
    assert [x.tolist() for x in game.critic.seen] == [[fake.tolist()] * 3]


@every_objective
def test_projection_is_that_of_the_objective_and_of_the_critic_only(name):
    generator, critic = make_generator(zero=False), make_critic()
    generator_before, critic_before = state(generator), state(critic)
    SynthesisGame(generator, critic, OBJECTIVES[name]).project_()
    assert_same_state(generator, generator_before)
    if name == "wasserstein-clip":
        assert max(p.abs().max().item() for p in critic.parameters()) <= 0.01 + 1e-9
    else:
        assert_same_state(critic, critic_before)
