"""Parts of fitted generators of volumes as JSON and arrays, and back; see `_saving`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from .._saving import Arrays
from ._scaling import VolumeScaler


def scaler_to_json(scaler: VolumeScaler) -> dict[str, Any]:
    """A fitted scaler; the inverse of `scaler_from_json`."""
    return {
        "mask_channel": scaler.mask_channel_,
        "image_channels": scaler.image_channels_,
        "shape": list(scaler.shape_),
        "window": scaler.window_.tolist(),
        "is_integer": scaler.is_integer_.tolist(),
        "smallest_mask": scaler.smallest_mask_,
    }


def scaler_from_json(saved: dict[str, Any]) -> VolumeScaler:
    scaler = VolumeScaler(saved["mask_channel"], None)
    scaler.mask_channel_ = saved["mask_channel"]
    scaler.image_channels_ = saved["image_channels"]
    scaler.shape_ = tuple(saved["shape"])
    scaler.window_ = np.array(saved["window"])
    scaler.is_integer_ = np.array(saved["is_integer"], dtype=bool)
    scaler.smallest_mask_ = saved["smallest_mask"]
    return scaler


def modules_to_arrays(modules: Mapping[str, nn.Module]) -> Arrays:
    """Everything modules hold, by name; the inverse of `load_modules`."""
    return {
        f"{name}.{key}": value.numpy()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def load_modules(modules: Mapping[str, nn.Module], arrays: Arrays) -> None:
    for name, module in modules.items():
        module.load_state_dict(
            {key: torch.from_numpy(arrays[f"{name}.{key}"]) for key in module.state_dict()}
        )
        module.eval()
