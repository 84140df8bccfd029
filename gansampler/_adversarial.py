"""What all estimators that train in a game share: its parameters, and playing it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from tqdm.auto import tqdm

from ._checkpoint import Checkpoint
from .adversarial import (
    OBJECTIVES,
    Batch,
    CUDAGraph,
    Game,
    History,
    Plan,
    Recorder,
    Score,
    is_finite,
    is_first,
    n_processes,
    together,
    train,
)


class AdversarialEstimator(BaseEstimator):
    """Base class of estimators with a generator and a critic."""

    _parameter_constraints: dict[str, list[Any]] = {
        "objective": [StrOptions(set(OBJECTIVES))],
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
    def _chooses_step(self) -> bool:
        """Whether there are steps to choose from, on held-out rows."""
        return self.early_stopping and self.max_iter > 0

    def _train(
        self,
        game: Game,
        batches: Iterator[Batch],
        plan: Plan,
        score: Score | None,
        checkpoint: Checkpoint | None,
        recorder: Recorder | None = None,
    ) -> History:
        """Play the game under a progress bar, with other processes if there are any."""
        device = next(game.generator.parameters()).device
        with (
            together(device),
            tqdm(
                total=plan.max_iter,
                disable=not (self.verbose and is_first()),
                unit="step",
            ) as bar,
        ):
            try:
                history = train(
                    game,
                    batches,
                    plan,
                    score=score,
                    callback=lambda step, _: bar.update(step - bar.n),
                    checkpoint=checkpoint,
                    recorder=recorder,
                )
            except torch.cuda.OutOfMemoryError as error:
                raise MemoryError(self._too_large(game, device)) from error
            if checkpoint is not None and is_first():
                checkpoint.remove()
        if not is_finite(game.generator):
            raise ValueError(
                "Training diverged: the generator's weights are not finite after "
                f"{history.n_iter} steps. Lower learning_rate_init."
            )
        return history

    def _too_large(self, game: Game, device: torch.device) -> str:
        """What to do where a device has too little memory."""
        networks = sum(
            weight.numel() * weight.element_size()
            for player in (game.generator, game.critic)
            for weight in player.parameters()
        )
        return (
            f"{device} has too little memory for a step with batch_size="
            f"{self.batch_size!r}. Weights, their gradients, moments and averages take "
            f"{5 * networks / 2**20:.0f} MiB; the rest grows with the batch: halve "
            "batch_size until it fits, or use device='cpu'. Other processes may hold "
            "memory of this device too."
        )

    def keep_history_(self, history: History) -> None:
        """Set the attributes that tell what happened in training."""
        self.history_ = history.as_dict()
        self.n_iter_ = history.n_iter
        self.best_iter_ = history.best_step
        self.start_used_ = history.best_step == 0
        self.loss_curve_ = history.losses.get("critic", [])
        self.validation_scores_ = history.scores


def recorder_for(device: torch.device) -> Recorder | None:
    """What records the steps of small networks: CUDA graphs, where they are asked for.

    By GANSAMPLER_CUDA_GRAPHS=1 in the environment, on one GPU; see benchmarks/gpu.md.
    """
    asked_for = os.environ.get("GANSAMPLER_CUDA_GRAPHS") == "1"
    if asked_for and device.type == "cuda" and n_processes() == 1:
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
