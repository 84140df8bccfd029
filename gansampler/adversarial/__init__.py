"""The adversarial core: objectives, networks, games, and the one training loop."""

from .batches import balanced_batches, unpaired_patches
from .distributed import is_first, n_processes, share, together, whole
from .games import Game, ImagePool, SynthesisGame, TranslationGame
from .isolation import isolated, resolve_device, single_thread
from .networks import ConditionalMLP, Critic, ResidualGenerator
from .objectives import OBJECTIVES, Objective
from .recording import CUDAGraph, Recorder
from .training import Batch, History, Plan, Score, clearly_below, is_finite, train

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
    "is_finite",
    "is_first",
    "isolated",
    "n_processes",
    "resolve_device",
    "share",
    "single_thread",
    "together",
    "train",
    "unpaired_patches",
    "whole",
]
