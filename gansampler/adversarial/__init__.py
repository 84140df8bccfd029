"""The adversarial core: objectives, networks, games, and the one training loop."""

from .batches import balanced_batches
from .games import Game, SynthesisGame
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
    "Objective",
    "Plan",
    "ResidualGenerator",
    "Score",
    "SynthesisGame",
    "balanced_batches",
    "is_finite",
    "isolated",
    "resolve_device",
    "single_thread",
    "train",
]
