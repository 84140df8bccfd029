"""Games: who plays, and what each player loses on one batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .objectives import Objective

Losses = dict[str, Tensor]


class Game(ABC):
    """Two players and their losses.

    Losses are dicts of named terms; a player descends on their sum.
    """

    generator: nn.Module
    critic: nn.Module

    @abstractmethod
    def critic_loss(self, batch: tuple[Tensor, Tensor]) -> Losses: ...

    @abstractmethod
    def generator_loss(self, batch: tuple[Tensor, Tensor]) -> Losses: ...

    def project_(self) -> None:  # noqa: B027 (most games have nothing to enforce)
        """Enforce constraints on the critic after each of its steps."""


class SynthesisGame(Game):
    """Draw samples of a class that the critic takes for real ones of that class.

    Parameters
    ----------
    generator : nn.Module
        Maps (noise, y) to samples and draws its own `noise(n)`.
    critic : nn.Module
        Maps (samples, y) to scores of shape (batch,).
    objective : Objective
    penalty_weight : float, default=None
        None takes the objective's own.
    augment : callable, default=None
        Applied to all that the critic sees, real and generated alike.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        objective: Objective,
        penalty_weight: float | None = None,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.augment = augment or (lambda samples: samples)
        self.generator = generator
        self.critic = critic
        self.objective = objective
        self.penalty_weight = (
            objective.penalty_weight if penalty_weight is None else penalty_weight
        )

    def _fake(self, y: Tensor) -> Tensor:
        noise: Tensor = self.generator.noise(len(y))  # type: ignore[operator]
        return self.augment(self.generator(noise, y))

    def critic_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        real, y = batch
        with torch.no_grad():
            real, fake = self.augment(real), self._fake(y)
        scores = self.critic(torch.cat([real, fake]), torch.cat([y, y]))
        losses = {"critic": self.objective.critic_loss(*scores.chunk(2))}
        if self.penalty_weight:
            penalty = self.objective.penalty(self.critic, real, fake, y)
            losses["penalty"] = self.penalty_weight * penalty
        return losses

    def generator_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        _, y = batch
        return {"generator": self.objective.generator_loss(self.critic(self._fake(y), y))}

    def project_(self) -> None:
        self.objective.project_(self.critic.parameters())
