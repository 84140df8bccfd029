"""Fitted generators on disk: safetensors for arrays, JSON for the rest, no pickle.

A file is what `safetensors` writes: arrays, and in its header one JSON text with the state
and a SHA-256 digest of the state and the arrays. It is read back only if writing it again
gives the same bytes, so that not one of them can have changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ._files import replacing

VERSION = 5
"""Of the layout of files; raised when an older reader would misread a newer file."""

Arrays = dict[str, np.ndarray]


def write(
    path: str | os.PathLike[str], kind: str, state: dict[str, Any], arrays: Arrays
) -> None:
    """Write a state, JSON-able, and arrays; the file is there whole or as it was before.

    Raises
    ------
    TypeError
        If the state holds what JSON does not know.
    """
    file = {"kind": kind, "version": VERSION, "state": state}
    content = _serialize(file, arrays)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], Arrays]:
    """Read what `write` wrote: the state and the arrays.

    Raises
    ------
    ValueError
        If the file is none of ours, was changed or cut short, holds another kind, or has
        a version that this package does not know.
    """
    content = Path(path).read_bytes()
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        file = json.loads(header["__metadata__"]["gansampler"])["file"]
        arrays = load(content)
        is_whole = _serialize(file, arrays) == content
    # RecursionError: of JSON that is nested to harm.
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a file of gansampler, or is damaged.") from error
    if not is_whole:
        raise ValueError(f"{path} was changed after it was written, or is damaged.")
    if file["version"] != VERSION:
        raise ValueError(
            f"{path} has version {file['version']} of the file layout; this gansampler "
            f"reads version {VERSION}. Install the one that wrote it."
        )
    if file["kind"] != kind:
        raise ValueError(f"{path} holds a {file['kind']}, not a {kind}.")
    return file["state"], arrays


def _serialize(file: dict[str, Any], arrays: Arrays) -> bytes:
    """The bytes of a file; the same for the same content."""
    arrays = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    text = json.dumps(file, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    header = json.dumps({"file": file, "sha256": digest.hexdigest()}, sort_keys=True)
    # One entry only: safetensors writes several in any order.
    return save(arrays, {"gansampler": header})


def labels_to_json(labels: np.ndarray) -> dict[str, Any]:
    """Class labels; the inverse of `labels_from_json`."""
    dtype = "object" if labels.dtype == object else labels.dtype.str
    return {"values": labels.tolist(), "dtype": dtype}


def labels_from_json(saved: dict[str, Any]) -> np.ndarray:
    return np.array(saved["values"], dtype=saved["dtype"])
