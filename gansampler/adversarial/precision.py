"""How many bits networks compute in."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch


def full_precision(device: torch.device) -> Any:
    """A context without autocast: Fourier transforms, coordinates and penalties need it."""
    if device.type == "mps":  # where older versions of torch have no autocast
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def mixed_precision(device: torch.device, half: bool | str) -> Any:
    """A context in which networks compute in bfloat16; "auto": on a CUDA GPU."""
    if half == "auto":
        half = device.type == "cuda"
    if not half or device.type == "mps":
        return nullcontext()
    # A cache would hold the first weights for as long as the game lasts.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
