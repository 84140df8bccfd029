"""What all estimators that train in a game share: its parameters, and playing it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from tqdm.auto import tqdm

from ._checkpoint import Checkpoint
from ._warnings import warn
from .adversarial import (
    OBJECTIVES,
    Batch,
    CUDAGraph,
    Game,
    History,
    Objective,
    Plan,
    Recorder,
    Score,
    get_rng_states,
    is_finite,
    is_first,
    n_processes,
    set_rng_states,
    together,
    train,
)


class AdversarialEstimator(BaseEstimator):
    """Base class of estimators with a generator and a critic."""

    _parameter_constraints: dict[str, list[Any]] = {
        "objective": [StrOptions(set(OBJECTIVES)), Objective],
        "penalty": [Interval(Real, 0, None, closed="left"), None],
        "n_critic": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @property
    def _objective(self) -> Objective:
        """The one of that name, or the user's own."""
        given: str | Objective = self.objective
        return OBJECTIVES[given] if isinstance(given, str) else given

    @property
    def _chooses_step(self) -> bool:
        """Whether there are steps to choose from, on held-out rows."""
        return self.early_stopping and self.max_iter > 0

    def _train(
        self,
        game: Game,
        draw_batches: Callable[[int], Iterator[Batch]],
        batch_size: int,
        plan: Plan,
        score: Score | None,
        checkpoint: Checkpoint | None,
    ) -> History:
        """Play the game under a progress bar, with other processes if there are any.

        Where a device has too little memory, it begins again with batches half as large, as
        if they had been so from the start; not where there is a checkpoint.
        """
        device = next(game.generator.parameters()).device
        beginning = _state_of(game), get_rng_states(device)
        with (
            together(device),
            tqdm(
                total=plan.max_iter,
                disable=not (self.verbose and is_first()),
                unit="step",
            ) as bar,
        ):
            history = None
            while history is None:
                try:
                    history = train(
                        game,
                        draw_batches(batch_size),
                        plan,
                        score=score,
                        callback=lambda step, _: bar.update(step - bar.n),
                        checkpoint=checkpoint,
                        recorder=recorder_for(device),
                    )
                except torch.cuda.OutOfMemoryError as error:
                    # A checkpoint is of one batch size, and processes need the same one.
                    fixed = checkpoint is not None or n_processes() > 1
                    if batch_size < 4 or fixed:
                        raise MemoryError(_too_large(game, device, batch_size)) from error
                    batch_size //= 2
                    warn(
                        f"{device} has too little memory for a step with batch_size="
                        f"{2 * batch_size}; training begins again with {batch_size}."
                    )
                if history is None:
                    # Not while the error holds what the step had allocated.
                    _begin_again(game, device, *beginning)
            if checkpoint is not None and is_first():
                checkpoint.remove()
        if not is_finite(game.generator):
            raise ValueError(
                "Training diverged: the generator's weights are not finite after "
                f"{history.n_iter} steps. Lower learning_rate_init."
            )
        return history

    def keep_history_(self, history: History) -> None:
        """Set the attributes that tell what happened in training."""
        self.history_ = history.as_dict()
        self.n_iter_ = history.n_iter
        self.best_iter_ = history.best_step
        self.start_used_ = history.best_step == 0
        self.loss_curve_ = history.losses.get("critic", [])
        self.validation_scores_ = history.scores


def _state_of(game: Game) -> dict[str, Any]:
    """All weights, on the CPU, where memory is not what is short."""
    return {
        name: {key: value.to("cpu", copy=True) for key, value in part.state_dict().items()}
        for name, part in game.parts().items()
    }


def _begin_again(
    game: Game, device: torch.device, state: dict[str, Any], rng_states: list[torch.Tensor]
) -> None:
    """Undo a training, and free what it had."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    gc.collect()
    torch.cuda.empty_cache()
    for name, part in game.parts().items():
        part.load_state_dict(state[name])
    set_rng_states(device, rng_states)


def _too_large(game: Game, device: torch.device, batch_size: int) -> str:
    """What to do where a device has too little memory."""
    networks = sum(
        weight.numel() * weight.element_size()
        for player in (game.generator, game.critic)
        for weight in player.parameters()
    )
    return (
        f"{device} has too little memory for a step with batch_size={batch_size}. "
        "Weights, their gradients, moments and averages take "
        f"{5 * networks / 2**20:.0f} MiB; the rest grows with the batch: make batch_size "
        "smaller, or use device='cpu'. Other processes may hold memory of this device too."
    )


def recorder_for(device: torch.device) -> Recorder | None:
    """What records training steps: CUDA graphs, on a single GPU.

    Unless GANSAMPLER_CUDA_GRAPHS is 0 in the environment; see benchmarks/gpu.md.
    """
    wanted = os.environ.get("GANSAMPLER_CUDA_GRAPHS", "1") != "0"
    if wanted and device.type == "cuda" and n_processes() == 1:
        return CUDAGraph()
    return None


def check_resumable(estimator: Any) -> None:
    """Refuse `checkpoint_dir` where a second run would be another training."""
    seed = estimator.random_state
    if estimator.checkpoint_dir is not None and not isinstance(seed, Integral):
        raise ValueError(
            "checkpoint_dir needs an integer random_state, for another run to be the same "
            f"training; got random_state={seed!r}."
        )
