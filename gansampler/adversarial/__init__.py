"""The adversarial core: objectives, networks, games, and the one training loop."""

from .batches import balanced_batches, unpaired_patches
from .games import Game, ImagePool, SynthesisGame, TranslationGame
from .isolation import isolated, resolve_device, single_thread
from .networks import ConditionalMLP, Critic, ResidualGenerator
from .objectives import OBJECTIVES, Objective
from .training import Batch, History, Plan, Score, is_finite, train

__all__ = [
    "OBJECTIVES",
    "Batch",
    "ConditionalMLP",
    "Critic",
    "Game",
    "History",
    "ImagePool",
    "Objective",
    "Plan",
    "ResidualGenerator",
    "Score",
    "SynthesisGame",
    "TranslationGame",
    "balanced_batches",
    "is_finite",
    "isolated",
    "resolve_device",
    "single_thread",
    "train",
    "unpaired_patches",
]
