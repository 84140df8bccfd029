"""A training under way, on disk: what was interrupted goes on from there."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ._saving import Arrays, read, write
from ._warnings import warn

SECONDS = 10.0
"""Between two writings."""

KIND = "Training"


class Checkpoint:
    """File of one training, named by what the training depends on.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    *parts : ndarray or JSON-able
        Data and parameters: with any of them different, or another version of this package
        or of torch, it is another training, and has another file.

    Raises
    ------
    ValueError
        If a file for this training is there, but damaged.
    """

    def __init__(self, folder: str | os.PathLike[str], *parts: Any) -> None:
        digest = hashlib.sha256()
        for part in (version("gansampler"), version("torch"), *parts):
            is_array = isinstance(part, np.ndarray)
            label = f"{part.dtype} {part.shape}" if is_array else json.dumps(part)
            digest.update(label.encode())
            if is_array:
                digest.update(np.ascontiguousarray(part).tobytes())
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.path = Path(folder) / f"training-{digest.hexdigest()[:16]}.safetensors"
        self.written = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state that was written last; None if there is none."""
        if not self.path.exists():
            return None
        try:
            tree, arrays = read(self.path, KIND)
        except ValueError as error:
            raise ValueError(f"{error} Delete it to begin that training anew.") from error
        return _joined(tree, arrays)

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write the state if `SECONDS` have gone by."""
        if time.monotonic() - self.written >= SECONDS:
            arrays: Arrays = {}
            try:
                write(self.path, KIND, _split(state(), "", arrays), arrays)
            except OSError as error:
                warn(
                    f"The training goes on, but cannot be kept in {self.path}: {error}",
                )
            self.written = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _split(tree: Any, name: str, arrays: Arrays) -> Any:
    """The tree with every array replaced by its name in `arrays`."""
    if isinstance(tree, dict):
        return {str(key): _split(v, f"{name}/{key}", arrays) for key, v in tree.items()}
    if isinstance(tree, torch.Tensor):
        arrays[name] = tree.cpu().numpy()
        return {"tensor": name}
    if isinstance(tree, np.ndarray):
        arrays[name] = tree
        return {"array": name}
    return tree


def _joined(tree: Any, arrays: Arrays) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {"tensor"}:
        return torch.from_numpy(arrays[tree["tensor"]])
    if tree.keys() == {"array"}:
        return arrays[tree["array"]]
    return {key: _joined(value, arrays) for key, value in tree.items()}
