"""Games: who plays, and what each player loses on one batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from .distributed import gathered, share, whole
from .objectives import Objective

Losses = dict[str, Tensor]


class Game(ABC):
    """Two players and their losses.

    Losses are dicts of named terms; a player descends on their sum.
    """

    generator: nn.Module
    critic: nn.Module

    @abstractmethod
    def critic_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        """What the critic loses on a batch, penalty included."""

    @abstractmethod
    def generator_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        """What the generator loses on a batch, critic held fixed."""

    def project_(self) -> None:  # noqa: B027 (most games have nothing to enforce)
        """Enforce constraints on the critic after each of its steps."""

    def parts(self) -> dict[str, nn.Module]:
        """All that a training changes, by name."""
        return {"critic": self.critic, "generator": self.generator}


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
        noise: Tensor = self.generator.noise(whole(len(y)))  # type: ignore[operator]
        return self.augment(self.generator(share(noise), y))

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


class TranslationGame(Game):
    """Translate between two sides without pairs: CycleGAN (Zhu et al. 2017).

    Each side has a critic, that tells what was translated to it from its own. A generator
    also pays for what does not come back from the other side (cycle-consistency) and for
    what it changes on the side it translates to (identity), both in L1.

    Parameters
    ----------
    translators : dict of "a->b" and "b->a" -> nn.Module
        Map samples of one side to the other, in their shape.
    critics : dict of "a" and "b" -> nn.Module
        Map samples to scores of shape (batch, ...), one for each patch they look at.
    objective : Objective
    penalty_weight : float, default=None
        None takes the objective's own.
    cycle_weight, identity_weight : float
    pools : dict of side -> ImagePool, default=None
        Translations that critics see again; None shows them the newest only.
    """

    def __init__(
        self,
        translators: dict[str, nn.Module],
        critics: dict[str, nn.Module],
        objective: Objective,
        penalty_weight: float | None = None,
        *,
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        pools: dict[str, nn.Module] | None = None,
    ) -> None:
        self.generator: nn.ModuleDict = nn.ModuleDict(translators)
        self.critic: nn.ModuleDict = nn.ModuleDict(critics)
        self.pools = nn.ModuleDict(pools or {})
        self.objective = objective
        self.penalty_weight = (
            objective.penalty_weight if penalty_weight is None else penalty_weight
        )
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight

    def critic_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        a, b = batch
        with torch.no_grad():
            fakes = {"a": self.generator["b->a"](b), "b": self.generator["a->b"](a)}
        losses = {}
        for side, real in zip(("a", "b"), batch, strict=True):
            critic, fake = self.critic[side], fakes[side]
            if side in self.pools:
                fake = share(self.pools[side](gathered(fake)))
            scores = critic(torch.cat([real, fake])).chunk(2)
            losses[f"critic {side}"] = self.objective.critic_loss(*scores)
            if self.penalty_weight:
                penalty = self.objective.penalty(_mean_score(critic), real, fake, real)
                losses[f"penalty {side}"] = self.penalty_weight * penalty
        return losses

    def generator_loss(self, batch: tuple[Tensor, Tensor]) -> Losses:
        a, b = batch
        a_to_b, b_to_a = self.generator["a->b"], self.generator["b->a"]
        in_b, same_b = a_to_b(torch.cat([a, b])).chunk(2)
        in_a, same_a = b_to_a(torch.cat([b, a])).chunk(2)
        losses = {
            "generator a->b": self.objective.generator_loss(self.critic["b"](in_b)),
            "generator b->a": self.objective.generator_loss(self.critic["a"](in_a)),
            "cycle a": self.cycle_weight * l1_loss(b_to_a(in_b), a),
            "cycle b": self.cycle_weight * l1_loss(a_to_b(in_a), b),
            "identity a": self.identity_weight * l1_loss(same_a, a),
            "identity b": self.identity_weight * l1_loss(same_b, b),
        }
        return losses

    def project_(self) -> None:
        self.objective.project_(self.critic.parameters())

    def parts(self) -> dict[str, nn.Module]:
        return {**super().parts(), "pools": self.pools}


def _mean_score(critic: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """One score a sample, as penalties want it, from one for each patch."""
    return lambda x, _: critic(x).flatten(1).mean(1)


class ImagePool(nn.Module):
    """Earlier fakes, half of which stand in for new ones (Shrivastava et al. 2017).

    Parameters
    ----------
    size : int
        Images kept, at least as many as there are in a batch.
    shape : tuple of int
        Of one image, channels first.

    Notes
    -----
    ``(batch, *shape)`` -> ``(batch, *shape)``
    """

    images: Tensor
    n_filled: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("n_filled", torch.zeros((), dtype=torch.long))

    def forward(self, new: Tensor) -> Tensor:
        # Nothing here waits for the device to know how full the pool is.
        size, new = len(self.images), new.to(self.images)
        full = self.n_filled >= size
        next_empty = (self.n_filled + torch.arange(len(new), device=new.device)) % size
        any_place = torch.rand(size, device=new.device).argsort()[: len(new)]
        at = torch.where(full, any_place, next_empty)
        swapped = torch.rand(len(new), device=new.device) < 0.5
        swapped = swapped.reshape(-1, *[1] * (new.dim() - 1))
        old = self.images[at]
        self.images[at] = torch.where(swapped | ~full, new, old)
        self.n_filled.add_(len(new)).clamp_(max=size)
        return torch.where(swapped & full, old, new)
