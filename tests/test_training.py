"""The training loop: batches, the running average, selection, and isolation."""

import copy
from itertools import count

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from threadpoolctl import threadpool_info
from torch import nn

from gansampler.adversarial import (
    OBJECTIVES,
    Critic,
    Game,
    Plan,
    ResidualGenerator,
    SynthesisGame,
    balanced_batches,
    isolated,
    resolve_device,
    single_thread,
    train,
)

over_seeds = pytest.mark.parametrize("seed", range(5))

# ---------------------------------------------------------------------- batches


def chi_square_is_plausible(drawn, n_cells):
    counts = np.bincount(drawn, minlength=n_cells)
    expected = len(drawn) / n_cells
    statistic = ((counts - expected) ** 2 / expected).sum()
    return statistic <= (chi2.isf(1e-4, n_cells - 1) if n_cells > 1 else 0)


@over_seeds
@pytest.mark.parametrize("class_counts", [(1, 99), (99, 1), (3, 60, 37)])
def test_classes_are_equally_likely_and_rows_belong_to_their_code(seed, class_counts):
    torch.manual_seed(seed)
    codes = torch.repeat_interleave(torch.tensor(class_counts))[torch.randperm(100)]
    samples = torch.arange(100.0).reshape(100, 1, 1).expand(100, 2, 3)
    drawn, y = next(balanced_batches(samples, codes, 20_000))
    rows = drawn[:, 0, 0].long()
    assert drawn.shape == (20_000, 2, 3)
    assert (codes[rows] == y).all()
    assert chi_square_is_plausible(y.numpy(), len(class_counts))
    for code in range(len(class_counts)):
        # within its class every row is equally likely, so none is left out
        position = (codes == code).cumsum(0) - 1
        within = position[rows[y == code]].numpy()
        assert chi_square_is_plausible(within, class_counts[code])


def test_batches_are_endless_and_fresh():
    torch.manual_seed(0)
    batches = balanced_batches(torch.arange(50.0)[:, None], torch.arange(50) % 2, 32)
    drawn = {tuple(next(batches)[0][:, 0].tolist()) for _ in range(20)}
    assert len(drawn) == 20


# ----------------------------------------------------------------- scripted play


class Walker(nn.Module):
    """One weight, which its game moves, and a buffer, which the game sets."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("steps", torch.tensor(0))


class Walk(Game):
    """Both weights rise by the learning rate at each step: Adam's step on a slope of 1.

    The generator stops after `stop` steps. Its loss also pulls at the critic, which a
    generator step must not pass on.
    """

    def __init__(self, stop=10**9):
        self.generator, self.critic = Walker(), Walker()
        self.stop = stop
        self.log = []

    def critic_loss(self, batch):
        self.log.append(("critic", batch))
        return {"critic": -self.critic.weight, "penalty": torch.tensor(7.0)}

    def generator_loss(self, batch):
        self.log.append(("generator", batch))
        moves = float(self.generator.steps < self.stop)
        self.generator.steps += 1
        return {"generator": -moves * self.generator.weight + 100 * self.critic.weight}

    def project_(self):
        self.log.append(("project", None))


class Script:
    """A score that returns prepared losses, and notes the weights that it was shown."""

    def __init__(self, losses, game=None):
        self.losses, self.game = iter(losses), game
        self.seen, self.critics = [], []

    def __call__(self, generator):
        self.seen.append(copy.deepcopy(generator))
        if self.game is not None:
            self.critics.append(self.game.critic.weight.item())
        return next(self.losses)


class SteadyPlan(Plan):
    """A constant learning rate, for steps that are easy to count."""

    def learning_rate_at(self, step):
        return self.learning_rate


def play(losses=None, *, game=None, n_critic=1, **plan):
    """Train a walk of unit steps, which is scored at each step."""
    game = Walk() if game is None else game
    score = None if losses is None else Script(losses, game)
    plan = {"score_every": 1, "learning_rate": 1.0} | plan
    history = train(game, count(), SteadyPlan(n_critic=n_critic, **plan), score=score)
    return game, history, score


# --------------------------------------------------------------------- the loop


def test_the_learning_rate_falls_in_the_second_half():
    plan = Plan(max_iter=10, learning_rate=2.0)
    rates = [plan.learning_rate_at(step) for step in range(1, 11)]
    assert rates == pytest.approx([2.0] * 6 + [1.6, 1.2, 0.8, 0.4])


@pytest.mark.parametrize("n_critic", [1, 2, 5])
def test_every_step_of_every_player_gets_a_fresh_batch(n_critic):
    game, _, _ = play(max_iter=4, n_critic=n_critic)
    turns = [player for player, _ in game.log]
    assert turns == 4 * (n_critic * ["critic", "project"] + ["generator"])
    batches = [batch for player, batch in game.log if player != "project"]
    assert batches == list(range((n_critic + 1) * 4))


@pytest.mark.parametrize("n_critic", [1, 3])
def test_players_descend_on_their_own_loss_only(n_critic):
    # the generator's loss would pull the critic down, by 100 to 1
    game, _, _ = play(max_iter=4, n_critic=n_critic, average_half_life=0)
    assert game.critic.weight.item() == pytest.approx(4 * n_critic)
    assert game.generator.weight.item() > 0


def test_history_has_one_loss_per_step_of_every_named_term():
    _, history, _ = play(max_iter=5)
    assert history.n_iter == 5
    assert set(history.losses) == {"critic", "penalty", "generator"}
    assert all(len(values) == 5 for values in history.losses.values())
    assert history.losses["penalty"] == [7.0] * 5
    # taken before each step, and detached
    assert history.losses["critic"] == pytest.approx([0, -1, -2, -3, -4])
    assert history.scores == history.score_steps == []
    assert history.as_dict() == {
        "losses": history.losses,
        "score_steps": [],
        "scores": [],
        "best_step": 5,
        "n_iter": 5,
    }


def test_callback_is_called_after_each_step():
    calls = []
    game, plan = Walk(), Plan(max_iter=3, learning_rate=1.0)
    history = train(
        game, count(), plan, callback=lambda step, h: calls.append((step, h, h.n_iter))
    )
    assert calls == [(step, history, step) for step in (1, 2, 3)]


def test_clipped_critic_stays_in_its_box():
    torch.manual_seed(0)
    game = SynthesisGame(
        ResidualGenerator(
            location=torch.zeros(2, 3),
            scale_tril=torch.eye(3).repeat(2, 1, 1),
            learned=torch.ones(2),
            hidden_layer_sizes=(8,),
        ),
        Critic(in_features=3, n_classes=2, hidden_layer_sizes=(8,)),
        OBJECTIVES["wasserstein-clip"],
    )
    batches = balanced_batches(torch.randn(20, 3), torch.arange(20) % 2, 8)

    def largest(player):
        return max(p.abs().max().item() for p in player.parameters())

    def check(step, history):
        # the last of the critic's steps was projected too, the generator never was
        assert largest(game.critic) <= 0.01 + 1e-9 < largest(game.generator)

    assert largest(game.critic) > 0.01
    history = train(game, batches, Plan(max_iter=5), callback=check)
    assert history.n_iter == 5


# -------------------------------------------------------------- running average


def test_average_of_a_constant_player_is_that_player():
    game = Walk()
    nn.init.constant_(game.generator.weight, 0.3)
    before = game.generator.weight.item()
    play(game=game, max_iter=30, learning_rate=0.0)
    assert game.generator.weight.item() == before


def test_average_equals_hand_computed_numbers():
    # half-life of one step on the walk 1, 2, 3: (0 + 1) / 2, (.5 + 2) / 2, (1.25 + 3) / 2
    _, _, score = play(
        [np.zeros(3)] * 4, max_iter=3, average_half_life=0, n_iter_no_change=9
    )
    shown = [generator.weight.item() for generator in score.seen]
    assert shown == pytest.approx([0, 0.5, 1.25, 2.125])
    game, history, _ = play(max_iter=3, average_half_life=0)
    assert game.generator.weight.item() == pytest.approx(2.125)
    assert history.best_step == history.n_iter == 3


@pytest.mark.parametrize("half_life", [0, 0.1, 1])
def test_average_lies_behind_the_player_but_moves_with_it(half_life):
    n = 40
    _, _, score = play(
        [np.zeros(3)] * (n + 1),
        max_iter=n,
        average_half_life=half_life,
        n_iter_no_change=n + 1,
    )
    steps = np.array(score_steps(score))
    shown = np.array([generator.weight.item() for generator in score.seen])
    assert (shown[1:] < steps[1:]).all() and (np.diff(shown) > 0).all()


def score_steps(score):
    """The step at which each score was taken, which the walk's buffer counts."""
    return [int(generator.steps) for generator in score.seen]


@pytest.mark.parametrize(
    "share, n_iter, halvings",
    [
        # the half-life is a share of the steps done, and one step at least
        (1, 4, 1 / 1 + 1 / 2 + 1 / 3 + 1 / 4),
        (0.5, 6, 1 / 1 + 1 / 1 + 1 / 1.5 + 1 / 2 + 1 / 2.5 + 1 / 3),
        (0, 8, 8),
    ],
)
def test_half_life_grows_so_that_the_start_is_forgotten(share, n_iter, halvings):
    # one jump from 0 to 1: what is missing to 1 is the weight of the start
    game, _, _ = play(game=Walk(stop=1), max_iter=n_iter, average_half_life=share)
    assert 1 - game.generator.weight.item() == pytest.approx(0.5**halvings, rel=1e-3)


class Exchange(Walk):
    """The same, but the critic counts too, and each count is another tensor."""

    def critic_loss(self, batch):
        self.critic.steps = self.critic.steps + 1
        return super().critic_loss(batch)

    def generator_loss(self, batch):
        self.generator.steps = self.generator.steps.clone()
        return super().generator_loss(batch)


walks = pytest.mark.parametrize("walk", [Walk, Exchange])


@walks
def test_buffers_are_copied_not_averaged(walk):
    _, _, score = play([np.zeros(3)] * 7, game=walk(), max_iter=6, n_iter_no_change=9)
    assert score_steps(score) == [0, 1, 2, 3, 4, 5, 6]
    assert score.seen[-1].steps.dtype == torch.int64


def test_average_is_not_trained_but_the_player_stays_trainable():
    game, _, score = play([np.zeros(3)] * 3, max_iter=2)
    assert not any(p.requires_grad for g in score.seen for p in g.parameters())
    assert all(p.requires_grad for p in game.generator.parameters())


# -------------------------------------------------------------------- selection


def scripted(seed, n=100):
    """The floor, and a maker of losses at so many standard errors from others.

    The paired difference is noise whose mean is moved to exactly that many standard
    errors, so that the thresholds, of three and two, can be bracketed.
    """
    rng = np.random.default_rng(seed)

    def away(others, standard_errors, scale=0.1):
        noise = scale * rng.normal(size=n)
        noise -= noise.mean()
        return others + noise + standard_errors * noise.std(ddof=1) / np.sqrt(n)

    return 5 + rng.normal(size=n), away


def assert_kept(game, history, score, step):
    """The weights in the game are those that were scored at that step."""
    kept = history.score_steps.index(step)
    assert history.best_step == step
    assert game.generator.weight.item() == score.seen[kept].weight.item()
    assert game.generator.steps == score.seen[kept].steps
    # beside the start the last critic stays, for the first has learned nothing
    assert game.critic.weight.item() == score.critics[kept if step else -1]


@over_seeds
@pytest.mark.parametrize("effect", [-2.9, 0.0, 3.0])
def test_start_is_kept_when_nothing_clearly_beats_it(seed, effect):
    floor, away = scripted(seed)
    steps = [away(floor, effect) for _ in range(4)]
    game, history, score = play([floor, *steps], max_iter=4)
    assert_kept(game, history, score, 0)
    assert game.generator.weight.item() == 0


@over_seeds
def test_step_clearly_below_the_start_is_kept(seed):
    floor, away = scripted(seed)
    game, history, score = play([floor, away(floor, -3.1)], max_iter=1)
    assert_kept(game, history, score, 1)
    assert game.generator.weight.item() > 0


@over_seeds
def test_clearly_is_told_from_the_paired_difference(seed):
    # rows differ by 1, the difference by 0.01: unpaired it would not be seen
    floor, away = scripted(seed)
    better = away(floor, -3.5, scale=0.01)
    assert floor.mean() - better.mean() < 0.1 * floor.std() / np.sqrt(len(floor))
    _, history, _ = play([floor, better], max_iter=1)
    assert history.best_step == 1


@over_seeds
def test_last_fit_step_is_kept(seed):
    # the second is a little worse than the first, but not clearly
    floor, away = scripted(seed)
    first = away(floor, -50)
    second = away(first, 1.9)
    assert second.mean() > first.mean()
    game, history, score = play([floor, first, second], max_iter=2)
    assert_kept(game, history, score, 2)


@over_seeds
def test_step_clearly_worse_than_the_best_is_not_kept(seed):
    floor, away = scripted(seed)
    best = away(floor, -50)
    worse = away(best, 2.1)
    assert worse.mean() < floor.mean() - 0.3  # though far below the start
    game, history, score = play([floor, best, worse], max_iter=2)
    assert_kept(game, history, score, 1)


@over_seeds
def test_steps_are_compared_with_the_best_not_with_the_last_kept(seed):
    # otherwise losses could creep up for ever, never clearly at any one step
    floor, away = scripted(seed)
    best = away(floor, -50)
    kept = away(best, 1.5)
    crept = away(best, 3.0)
    compared_with_kept = crept - kept
    assert compared_with_kept.mean() < 2 * compared_with_kept.std(ddof=1) / 10
    game, history, score = play([floor, best, kept, crept], max_iter=3)
    assert_kept(game, history, score, 2)


@over_seeds
def test_best_moves_on_with_better_steps(seed):
    floor, away = scripted(seed)
    first = away(floor, -50)
    best = away(first, -50)
    # no worse than the first, but clearly worse than the best
    game, history, score = play([floor, first, best, away(first, 0)], max_iter=3)
    assert_kept(game, history, score, 2)


@over_seeds
@pytest.mark.parametrize("n_iter_no_change", [1, 3])
def test_training_stops_after_so_many_refusals_in_a_row(seed, n_iter_no_change):
    floor, away = scripted(seed)
    better = away(floor, -50)
    refused = [floor] * n_iter_no_change
    # a refusal too few, then a kept step, which starts the count again
    steps = [*refused[1:], better, *refused]
    game, history, score = play(
        [floor, *steps], max_iter=50, n_iter_no_change=n_iter_no_change
    )
    assert history.n_iter == len(steps) == 2 * n_iter_no_change
    assert len(history.losses["generator"]) == history.n_iter
    assert_kept(game, history, score, n_iter_no_change)


@over_seeds
def test_unfit_step_is_never_kept(seed):
    floor, away = scripted(seed)
    better = away(floor, -50)
    game, history, score = play([floor, better, None, None], max_iter=3)
    assert_kept(game, history, score, 1)
    assert np.isnan(history.scores).tolist() == [False, False, True, True]
    game, history, score = play([floor, None, better, None], max_iter=3)
    assert_kept(game, history, score, 2)
    # and counts as refused
    game, history, score = play([floor, None, None], max_iter=50, n_iter_no_change=2)
    assert_kept(game, history, score, 0)
    assert history.n_iter == 2


@pytest.mark.parametrize("n_rows", [0, 1, 2])
def test_start_is_kept_on_fewer_than_two_held_out_rows(n_rows):
    # one row has no standard error; none has no mean, which is unknown and no warning
    game, history, score = play([np.full(n_rows, 5.0), np.zeros(n_rows)], max_iter=1)
    assert_kept(game, history, score, 1 if n_rows == 2 else 0)
    expected = [5.0, 0.0] if n_rows else [np.nan, np.nan]
    assert history.scores == pytest.approx(expected, nan_ok=True)


@over_seeds
def test_kept_weights_are_not_touched_by_later_steps(seed):
    floor, away = scripted(seed)
    steps = [away(floor, -50), *[floor] * 5]
    game, history, score = play([floor, *steps], max_iter=6, average_half_life=0)
    assert_kept(game, history, score, 1)
    assert game.generator.weight.item() == pytest.approx(0.5)
    assert game.critic.weight.item() == pytest.approx(1.0)
    # though both walked on
    assert score.seen[-1].weight.item() == pytest.approx(5.0, abs=0.1)
    assert score.critics[-1] == pytest.approx(6.0)


def test_history_holds_the_mean_score_of_every_scored_step():
    floor = np.array([1.0, 3.0])
    _, history, _ = play([floor, floor + 1, None, floor - 1], max_iter=3)
    assert history.score_steps == [0, 1, 2, 3]
    assert history.scores == pytest.approx([2.0, 3.0, np.nan, 1.0], nan_ok=True)
    assert history.best_step == 3


@pytest.mark.parametrize(
    "score_every, max_iter, expected",
    [
        (2, 6, [0, 2, 4, 6]),
        # the last step is scored in any case
        (4, 10, [0, 4, 8, 10]),
        (20, 5, [0, 5]),
        # steps 30, 40 and 50 pass a tenth of 3, 4 and 5
        (2, 56, [0, *range(2, 31, 2), 33, 36, 39, 42, 46, 50, 55, 56]),
    ],
)
def test_scores_are_taken_more_rarely_in_a_long_training(score_every, max_iter, expected):
    _, history, score = play(
        [np.zeros(3)] * 100,
        score_every=score_every,
        max_iter=max_iter,
        n_iter_no_change=100,
    )
    assert history.score_steps == score_steps(score) == expected
    assert len(history.scores) == len(expected)
    assert history.n_iter == max_iter


# ------------------------------------------------------------------- checkpoints


class Kept:
    """A checkpoint in memory, which ends the training after a step."""

    def __init__(self, last):
        self.last, self.state = last, None

    def load(self):
        return self.state

    def save(self, state):
        self.state = copy.deepcopy(state())
        if self.state["selection"]["history"]["n_iter"] == self.last:
            raise InterruptedError


@walks
@pytest.mark.parametrize("best", [0, 2, 4])
def test_a_training_goes_on_with_the_buffers_that_steps_write_to(walk, best):
    floor, away = scripted(0)
    steps = [away(floor, -50 * (step == best)) for step in range(5)]
    expected, history, _ = play([floor, *steps[1:]], game=walk(), max_iter=4)
    assert history.best_step == best

    kept = Kept(last=3)
    plan = SteadyPlan(max_iter=4, n_critic=1, learning_rate=1.0, score_every=1)
    scores = iter([floor, *steps[1:4], floor, steps[4]])
    with pytest.raises(InterruptedError):
        train(walk(), count(), plan, score=lambda g: next(scores), checkpoint=kept)
    game = walk()
    again = train(game, count(), plan, score=lambda g: next(scores), checkpoint=kept)
    assert again == history
    for player in ("generator", "critic"):
        ours, theirs = (getattr(g, player).state_dict() for g in (game, expected))
        assert ours == theirs


def test_a_checkpoint_leaves_out_what_no_step_writes_to():
    kept, floor = Kept(last=1), np.zeros(3)
    with pytest.raises(InterruptedError):
        train(Walk(), count(), Plan(max_iter=4), score=lambda g: floor, checkpoint=kept)
    moved, unmoved = {"weight", "steps"}, {"weight"}
    assert kept.state["generator"].keys() == kept.state["average"].keys() == moved
    assert kept.state["critic"].keys() == unmoved
    states = kept.state["selection"]["kept"]
    assert {name: {*state} for name, state in states.items()} == {
        "average": moved,
        "critic": unmoved,
    }


class NormedWalk(Walk):
    """The generator looks at batches, too."""

    def __init__(self):
        super().__init__()
        self.generator.norm = nn.BatchNorm1d(2)

    def generator_loss(self, batch):
        self.generator.norm(torch.ones(8, 2))
        return super().generator_loss(batch)


def test_a_checkpoint_holds_the_statistics_of_batches():
    """Their buffers do not count what is written to them."""
    kept = Kept(last=1)
    with pytest.raises(InterruptedError):
        train(NormedWalk(), count(), Plan(max_iter=4), checkpoint=kept)
    assert {"norm.running_mean", "norm.running_var"} <= kept.state["generator"].keys()


# -------------------------------------------------------------------- isolation

CPU = torch.device("cpu")
contexts = pytest.mark.parametrize(
    "context", [single_thread, lambda: isolated(0, CPU)], ids=["single_thread", "isolated"]
)


@pytest.fixture
def three_threads():
    """A number of threads that neither block nor machine is likely to choose."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@contexts
@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_put_back(context, fails, three_threads):
    pools = threadpool_info()
    try:
        with context():
            assert torch.get_num_threads() == 1
            assert all(pool["num_threads"] == 1 for pool in threadpool_info())
            torch.set_num_threads(2)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert torch.get_num_threads() == 3
    assert threadpool_info() == pools


@pytest.mark.parametrize("fails", [False, True])
def test_generator_of_random_numbers_is_put_back(fails):
    before = torch.get_rng_state()
    try:
        with isolated(3, CPU):
            torch.randn(10)
            assert not torch.equal(torch.get_rng_state(), before)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert torch.equal(torch.get_rng_state(), before)


def test_same_seed_gives_same_draws_whatever_was_drawn_before():
    def draw(seed):
        with isolated(seed, CPU):
            return torch.randn(5)

    first = draw(1)
    torch.randn(7)
    assert torch.equal(draw(1), first)
    assert not torch.equal(draw(2), first)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_unavailable_device_is_an_error(name):
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps}[name]
    if backend.is_available():
        pytest.skip(f"{name} is available")
    with pytest.raises(ValueError, match=f"device='{name}' is not available"):
        resolve_device(name)


def test_auto_takes_cuda_only_where_there_is_one():
    assert resolve_device("cpu") == CPU
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
