"""How long to train, and what happened."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch

from .games import Losses

READ_AT_ONCE = 100
"""Steps whose losses are read from the device together, at most."""


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
