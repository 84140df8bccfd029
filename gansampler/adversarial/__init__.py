"""The adversarial core: objectives, networks, games, and the one training loop."""

from .batches import balanced_batches, unpaired_patches
from .distributed import is_first, n_processes, share, together, whole
from .games import Game, ImagePool, SynthesisGame, TranslationGame
from .isolation import (
    get_rng_states,
    isolated,
    resolve_device,
    set_rng_states,
    single_thread,
)
from .networks import ConditionalMLP, Critic, ResidualGenerator
from .objectives import OBJECTIVES, Objective
from .plan import History, Plan
from .precision import full_precision, mixed_precision
from .recording import CUDAGraph, Recorder
from .selection import Score, clearly_below, is_finite
from .training import Batch, train

__all__ = [
    "OBJECTIVES",
    "Batch",
    "CUDAGraph",
    "ConditionalMLP",
    "Critic",
    "Game",
    "History",
    "ImagePool",
    "Objective",
    "Plan",
    "Recorder",
    "ResidualGenerator",
    "Score",
    "SynthesisGame",
    "TranslationGame",
    "balanced_batches",
    "clearly_below",
    "full_precision",
    "get_rng_states",
    "is_finite",
    "is_first",
    "isolated",
    "mixed_precision",
    "n_processes",
    "resolve_device",
    "set_rng_states",
    "share",
    "single_thread",
    "together",
    "train",
    "unpaired_patches",
    "whole",
]
