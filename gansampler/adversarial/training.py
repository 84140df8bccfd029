"""The one loop that plays every game."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .distributed import agreed, average_, is_first, start_alike
from .games import Game, Losses
from .plan import History, Plan
from .recording import RecordedStep, Recorder
from .selection import Score, Selection
from .state import TrainingState

Batch = tuple[Tensor, Tensor]


class Checkpoint(Protocol):
    """Where the state of a training is kept, for another run to go on from."""

    def load(self) -> dict[str, Any] | None: ...

    def save(self, state: Callable[[], dict[str, Any]]) -> None: ...


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
