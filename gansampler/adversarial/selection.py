"""Which step to keep: one that held-out rows clearly prefer to the start."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from .distributed import agreed
from .games import Game
from .plan import History, Plan

Score = Callable[[nn.Module], np.ndarray | None]


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
