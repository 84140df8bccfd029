"""All that an interrupted training needs to go on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .games import Game
from .isolation import get_rng_states, set_rng_states
from .selection import Selection


class TrainingState:
    """All that changes from step to step, the random numbers' generators included.

    Buffers that no step has written to are left out: they are what the game starts from,
    which tells of rows and is fitted anew by a run that goes on.
    """

    def __init__(
        self,
        game: Game,
        critic_optimizer: torch.optim.Optimizer,
        generator_optimizer: torch.optim.Optimizer,
        average: nn.Module,
        selection: Selection,
    ) -> None:
        self.modules = {**game.parts(), "average": average}
        self.optimizers = {"critic": critic_optimizer, "generator": generator_optimizer}
        self.selection = selection
        self.device = next(average.parameters()).device
        self.before = {name: _written(module) for name, module in self.modules.items()}

    def as_dict(self) -> dict[str, Any]:
        selection = self.selection.as_dict()
        for name, state in selection.get("kept", {}).items():
            selection["kept"][name] = self._changing(name, state)
        return {
            **{
                name: self._changing(name, module.state_dict())
                for name, module in self.modules.items()
            },
            **{
                f"{name} optimizer": optimizer.state_dict()["state"]
                for name, optimizer in self.optimizers.items()
            },
            "selection": selection,
            "rng": dict(enumerate(get_rng_states(self.device))),
        }

    def _changing(self, name: str, state: dict[str, Any]) -> dict[str, Any]:
        """Of a state of the module, parameters and buffers written to."""
        now = dict(self.modules[name].named_buffers())
        constant = {
            key
            for key, (buffer, version) in self.before[name].items()
            if now[key] is buffer and buffer._version == version
        }
        return {key: value for key, value in state.items() if key not in constant}

    def restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        for name, module in self.modules.items():
            module.load_state_dict(state[name], strict=False)
        for name, optimizer in self.optimizers.items():
            moments = {int(i): moment for i, moment in state[f"{name} optimizer"].items()}
            learning_rate = optimizer.param_groups[0]["lr"]
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
            # Not the copy of it that was just made.
            optimizer.param_groups[0]["lr"] = learning_rate
        self.selection.load(state["selection"])
        set_rng_states(self.device, list(state["rng"].values()))


def _written(module: nn.Module) -> dict[str, tuple[Tensor, int]]:
    """Buffers, and how often each was written to; without those that do not count it."""
    uncounted = {
        id(buffer)
        for part in module.modules()
        if isinstance(part, nn.modules.batchnorm._NormBase)
        for buffer in part.buffers()
    }
    return {
        key: (buffer, buffer._version)
        for key, buffer in module.named_buffers()
        if id(buffer) not in uncounted
    }
