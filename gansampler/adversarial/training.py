"""The one loop that plays every game."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .distributed import agreed, average_, is_first, start_alike
from .games import Game, Losses
from .isolation import get_rng_states, set_rng_states
from .recording import RecordedStep, Recorder

READ_AT_ONCE = 100
"""Steps whose losses are read from the device together, at most."""

Batch = tuple[Tensor, Tensor]
Score = Callable[[nn.Module], np.ndarray | None]


class Checkpoint(Protocol):
    """Where the state of a training is kept, for another run to go on from."""

    def load(self) -> dict[str, Any] | None: ...

    def save(self, state: Callable[[], dict[str, Any]]) -> None: ...


@dataclass(frozen=True)
class Plan:
    """How fast and how long to train; steps are generator steps.

    The learning rate is constant for the first half of `max_iter` and falls linearly to
    zero in the second: at a constant rate the generator goes on circling the data.
    Scores are taken every `score_every` steps, and more rarely, by a tenth of the steps
    done, in a long training. The half-life of the generator's running average is a share
    of the steps done: it forgets the start, and smooths the more the longer it lasts.

    Parameters
    ----------
    max_iter : int
        Largest number of steps.
    n_critic : int, default=2
        Critic steps for each generator step.
    learning_rate : float, default=0.002
        Of Adam, for all players, in the first half.
    betas : (float, float), default=(0, 0.99)
        Decay of Adam's first and second moment.
    average_half_life : float, default=0.1
        Half-life of the running average, as a share of the steps done.
    score_every : int, default=20
        Steps from one held-out score to the next, at first.
    n_iter_no_change : int, default=10
        Scores in a row without progress after which training stops.
    """

    max_iter: int
    n_critic: int = 2
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.0, 0.99)
    average_half_life: float = 0.1
    score_every: int = 20
    n_iter_no_change: int = 10

    def learning_rate_at(self, step: int) -> float:
        """Of both players at a step, counted from 1."""
        return self.learning_rate * min(1.0, 2 * (1 - (step - 1) / self.max_iter))

    def share_of_newest_at(self, step: int) -> float:
        """Weight that the generator of a step has in the running average."""
        return 1 - 0.5 ** (1 / max(self.average_half_life * step, 1.0))


@dataclass
class History:
    """What happened: losses by name, one a step; held-out scores; the step kept."""

    losses: dict[str, list[float]] = field(default_factory=dict)
    score_steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_step: int = 0
    n_iter: int = 0

    def __post_init__(self) -> None:
        self._unread: list[Losses] = []

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        self.read()
        return dataclasses.asdict(self)

    def record(self, step: int, losses: Losses) -> None:
        """Note the losses of a step, without waiting for the device to have them."""
        self.n_iter = step
        self._unread.append(losses)
        if len(self._unread) == READ_AT_ONCE:
            self.read()

    def read(self) -> None:
        """Wait for the losses that were noted."""
        if not self._unread:
            return
        names = list(self._unread[0])
        rows = torch.stack([torch.stack([*noted.values()]) for noted in self._unread])
        for name, values in zip(names, rows.T.tolist(), strict=True):
            self.losses.setdefault(name, []).extend(values)
        self._unread.clear()


def train(
    game: Game,
    batches: Iterator[Batch],
    plan: Plan,
    *,
    score: Score | None = None,
    callback: Callable[[int, History], object] | None = None,
    checkpoint: Checkpoint | None = None,
    recorder: Recorder | None = None,
) -> History:
    """Play a game and leave its best generator, averaged over steps, in the game.

    Every player gets a fresh batch at every step. The running average of the generator
    is what is scored and kept. Where several processes play, each with its share of every
    batch, the first one decides and keeps the state.

    Parameters
    ----------
    game : Game
    batches : iterator of (samples, class codes)
    plan : Plan
    score : callable, default=None
        Maps a generator to losses of held-out rows, shape (n_held_out,), on which step 0
        and later steps are compared, or to None where it is not fit to be kept. Without
        `score` the last step is kept.
    callback : callable, default=None
        Called with (step, history) after each step; `history.read()` makes sure of its
        losses.
    checkpoint : Checkpoint, default=None
        Offered the state after each step; a training whose state it holds goes on from
        there, to the same end.
    recorder : Recorder, default=None
        Records a step and replays it: CUDA graphs. Only for games and batches that draw
        and compute on the device alone.
    """
    start_alike(game.parts().values())
    device = next(game.generator.parameters()).device
    # Tensors, so that a recorded step follows them.
    learning_rate = torch.tensor(plan.learning_rate, device=device)
    share_of_newest = torch.ones((), device=device)
    critic_optimizer, generator_optimizer = (
        torch.optim.Adam(
            player.parameters(),
            lr=learning_rate,
            betas=plan.betas,
            fused=device.type != "mps",
            foreach=False if device.type == "mps" else None,
            capturable=recorder is not None,
        )
        for player in (game.critic, game.generator)
    )
    # Buffers are the generator's own: always the newest, and a large start is there once.
    buffers = {id(buffer): buffer for buffer in game.generator.buffers()}
    average = copy.deepcopy(game.generator, buffers).requires_grad_(False)
    history = History()
    selection = Selection(score, average, game.critic, plan, history)
    state = TrainingState(game, critic_optimizer, generator_optimizer, average, selection)
    if checkpoint is not None:
        state.restore(agreed(checkpoint.load()))

    def play() -> Losses:
        for _ in range(plan.n_critic):
            losses = _critic_step(game, next(batches), critic_optimizer)
        losses |= _descend(game.generator_loss(next(batches)), generator_optimizer)
        _update_average(average, game.generator, share_of_newest)
        return losses

    play_step = play if recorder is None else RecordedStep(play, recorder)
    for step in range(history.n_iter + 1, plan.max_iter + 1):
        learning_rate.fill_(plan.learning_rate_at(step))
        share_of_newest.fill_(plan.share_of_newest_at(step))
        losses = play_step()
        history.record(step, losses)
        if callback is not None:
            callback(step, history)
        if selection.finished(step):
            break
        if checkpoint is not None and is_first():
            checkpoint.save(state.as_dict)

    selection.restore(game)
    history.read()
    return history


def _critic_step(game: Game, batch: Batch, optimizer: torch.optim.Optimizer) -> Losses:
    losses = _descend(game.critic_loss(batch), optimizer)
    game.project_()
    return losses


def _descend(losses: Losses, optimizer: torch.optim.Optimizer) -> Losses:
    optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    losses = {name: value.detach() for name, value in losses.items()}
    parameters = optimizer.param_groups[0]["params"]
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    average_([*losses.values(), *gradients])
    optimizer.step()
    return losses


@torch.no_grad()
def _update_average(average: nn.Module, current: nn.Module, share: Tensor) -> None:
    """Exponential average of parameters; buffers are shared, unless one was exchanged."""
    for mean, value in zip(average.parameters(), current.parameters(), strict=True):
        mean.lerp_(value, share.to(mean.dtype))
    for buffer, state in zip(average.buffers(), current.buffers(), strict=True):
        if buffer is not state:
            buffer.copy_(state)


class TrainingState:
    """All that changes from step to step, the random numbers' generators included.

    Buffers that no step has written to are left out: they are what the game starts from,
    which tells of rows and is fitted anew by a run that goes on.
    """

    def __init__(
        self,
        game: Game,
        critic_optimizer: torch.optim.Optimizer,
        generator_optimizer: torch.optim.Optimizer,
        average: nn.Module,
        selection: Selection,
    ) -> None:
        self.modules = {**game.parts(), "average": average}
        self.optimizers = {"critic": critic_optimizer, "generator": generator_optimizer}
        self.selection = selection
        self.device = next(average.parameters()).device
        self.before = {name: _written(module) for name, module in self.modules.items()}

    def as_dict(self) -> dict[str, Any]:
        selection = self.selection.as_dict()
        for name, state in selection.get("kept", {}).items():
            selection["kept"][name] = self._changing(name, state)
        return {
            **{
                name: self._changing(name, module.state_dict())
                for name, module in self.modules.items()
            },
            **{
                f"{name} optimizer": optimizer.state_dict()["state"]
                for name, optimizer in self.optimizers.items()
            },
            "selection": selection,
            "rng": dict(enumerate(get_rng_states(self.device))),
        }

    def _changing(self, name: str, state: dict[str, Any]) -> dict[str, Any]:
        """Of a state of the module, parameters and buffers written to."""
        now = dict(self.modules[name].named_buffers())
        constant = {
            key
            for key, (buffer, version) in self.before[name].items()
            if now[key] is buffer and buffer._version == version
        }
        return {key: value for key, value in state.items() if key not in constant}

    def restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        for name, module in self.modules.items():
            module.load_state_dict(state[name], strict=False)
        for name, optimizer in self.optimizers.items():
            moments = {int(i): moment for i, moment in state[f"{name} optimizer"].items()}
            learning_rate = optimizer.param_groups[0]["lr"]
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
            # Not the copy of it that was just made.
            optimizer.param_groups[0]["lr"] = learning_rate
        self.selection.load(state["selection"])
        set_rng_states(self.device, list(state["rng"].values()))


def _written(module: nn.Module) -> dict[str, tuple[Tensor, int]]:
    """Buffers, and how often each was written to; without those that do not count it."""
    uncounted = {
        id(buffer)
        for part in module.modules()
        if isinstance(part, nn.modules.batchnorm._NormBase)
        for buffer in part.buffers()
    }
    return {
        key: (buffer, buffer._version)
        for key, buffer in module.named_buffers()
        if id(buffer) not in uncounted
    }


class Selection:
    """Early stopping on held-out rows, with step 0 as the floor.

    A step is fit to be kept when its held-out losses are below those of step 0 by three
    standard errors of the paired difference, for there are many steps to look at and
    noise must not pass for learning, and not above those of the best step so far by two;
    the last such step is kept, since held-out rows see detail later than the critic does.
    `n_iter_no_change` scores in a row that are not fit to be kept end the training. With
    fewer than two held-out rows nothing can be told, and step 0 is kept.
    """

    def __init__(
        self,
        score: Score | None,
        average: nn.Module,
        critic: nn.Module,
        plan: Plan,
        history: History,
    ) -> None:
        self.score, self.average, self.critic = score, average, critic
        self.plan, self.history = plan, history
        self.n_refused = 0
        self.next_step = plan.score_every
        if score is not None:
            floor = agreed(score(average))
            assert floor is not None, "the start is always fit to be kept"
            self.floor = self.best = floor
            self._keep(0)
            self._note(0, floor)

    def finished(self, step: int) -> bool:
        """Score this step if it is time to, and say whether training should end."""
        if self.score is None or step < min(self.next_step, self.plan.max_iter):
            return False
        self.next_step = step + max(self.plan.score_every, step // 10)
        losses = agreed(self.score(self.average))
        self._note(step, losses)
        if losses is None or not self._fit_to_keep(losses):
            self.n_refused += 1
            return self.n_refused >= self.plan.n_iter_no_change
        self.n_refused = 0
        self._keep(step)
        if losses.mean() < self.best.mean():
            self.best = losses
        return False

    def _fit_to_keep(self, losses: np.ndarray) -> bool:
        beats_start = clearly_below(losses, self.floor, standard_errors=3)
        return beats_start and not clearly_below(self.best, losses)

    def _note(self, step: int, losses: np.ndarray | None) -> None:
        self.history.score_steps.append(step)
        if losses is None or len(losses) == 0:
            self.history.scores.append(np.nan)
        else:
            self.history.scores.append(float(losses.mean()))

    def _keep(self, step: int) -> None:
        self.history.best_step = step
        players = {"average": self.average, "critic": self.critic}
        self.kept = {name: copy.deepcopy(p.state_dict()) for name, p in players.items()}

    def as_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"history": self.history.as_dict()}
        if self.score is not None:
            state |= {
                "floor": self.floor,
                "best": self.best,
                "n_refused": self.n_refused,
                "next_step": self.next_step,
                "kept": dict(self.kept),
            }
        return state

    def load(self, state: dict[str, Any]) -> None:
        vars(self.history).update(state["history"])
        if self.score is not None:
            self.floor, self.best = state["floor"], state["best"]
            self.n_refused, self.next_step = state["n_refused"], state["next_step"]
            self.kept = state["kept"]

    def restore(self, game: Game) -> None:
        """Load the kept step, or the last one where nothing was scored."""
        if self.score is None:
            self.history.best_step = self.history.n_iter
            game.generator.load_state_dict(self.average.state_dict())
            return
        # Not strictly: what was read again lacks what no step changes.
        game.generator.load_state_dict(self.kept["average"], strict=False)
        # Beside the start the last critic stays: the first has learned nothing yet.
        if self.history.best_step > 0 or not is_finite(game.critic):
            game.critic.load_state_dict(self.kept["critic"], strict=False)


def is_finite(module: nn.Module) -> bool:
    """Whether every parameter is a finite number."""
    return all(bool(value.isfinite().all()) for value in module.parameters())


def clearly_below(
    losses: np.ndarray, others: np.ndarray, *, standard_errors: float = 2
) -> bool:
    """Whether paired losses of held-out rows are lower, by so many standard errors."""
    difference = losses - others
    if len(difference) < 2:
        return False
    standard_error = difference.std(ddof=1) / np.sqrt(len(difference))
    return bool(difference.mean() < -standard_errors * standard_error)
