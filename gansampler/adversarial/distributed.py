"""One training played by several processes, as `torchrun` starts them.

Every process draws the same batches and the same noise, from the same seed, and keeps its
share; gradients are averaged before each step. So the weights are the same everywhere, and
those of one process alone but for rounding. In a single process nothing here does anything.

Gradients are averaged here, and not by `DistributedDataParallel`, which does not expect
that a gradient penalty is derived twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

TIMEOUT = timedelta(minutes=5)
"""How long to wait for another process, at most."""

LEAST_TORCH = "2.8"
"""With 2.4 the end of one group and the start of the next wait for each other."""

_FITS = count()


def n_processes() -> int:
    """How many processes `torchrun` has started, or are in the group there is."""
    if _grouped():
        return dist.get_world_size()
    return int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1


def is_first() -> bool:
    """Whether this is the process that writes files and shows progress."""
    return not _grouped() or dist.get_rank() == 0


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the other processes inside the block, if there are any.

    A group that is there already is used, and left as it is.
    """
    if _grouped() or n_processes() == 1:
        yield
        return
    if not dist.is_available() or torch.__version__ < LEAST_TORCH:
        raise RuntimeError(
            "RANK and WORLD_SIZE ask for training in several processes, which needs torch "
            f"{LEAST_TORCH} or newer, built with torch.distributed; this is "
            f"{torch.__version__}. To train in each process apart, unset them."
        )
    if device.type == "mps":
        raise ValueError(
            "device='mps' trains in one process, as torch has no exchange between several "
            "on it. Unset RANK and WORLD_SIZE, or set device='cpu'."
        )
    from torch.distributed.rendezvous import rendezvous

    with _lost_contact():
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            # Apart from what an earlier fit has left in it.
            store=dist.PrefixStore(f"gansampler {next(_FITS)}", store),
            rank=rank,
            world_size=size,
            timeout=TIMEOUT,
        )
    try:
        yield
    finally:
        dist.destroy_process_group()


def whole(n: int) -> int:
    """Size of the batch of which this process has n."""
    return n * _size()


def share(batch: Tensor) -> Tensor:
    """Rows for this process, of a batch that is the same in all.

    Raises
    ------
    ValueError
        If the batch cannot be shared equally.
    """
    n, rest = divmod(len(batch), _size())
    if rest:
        raise ValueError(
            f"batch_size={len(batch)} must be a multiple of the number of processes, "
            f"{_size()}."
        )
    return batch if _size() == 1 else batch[n * dist.get_rank() :][:n]


def gathered(rows: Tensor) -> Tensor:
    """The batch of which each process has its share; the inverse of `share`."""
    if _size() == 1:
        return rows
    batch = rows.new_zeros((whole(len(rows)), *rows.shape[1:]))
    share(batch).copy_(rows)
    with _lost_contact():
        dist.all_reduce(batch)
    return batch


def average_(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their means over the processes, in place, in one exchange."""
    if _size() == 1:
        return
    tensors = list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    with _lost_contact():
        dist.all_reduce(flat)
    _fill(tensors, flat / _size())


def agreed(value: Any) -> Any:
    """What the first process has, in all of them."""
    if _size() == 1:
        return value
    values = [value]
    with _lost_contact():
        dist.broadcast_object_list(values)
    return values[0]


def start_alike(modules: Iterable[nn.Module]) -> None:
    """Give all processes the weights of the first.

    Raises
    ------
    ValueError
        If they differ by more than rounding: rows, parameters or seeds are not the same.
    """
    if _size() == 1:
        return
    tensors = [value for module in modules for value in module.state_dict().values()]
    own = torch.cat([tensor.flatten().cpu().double() for tensor in tensors]).numpy()
    first = agreed(own)
    alike = own.shape == first.shape and np.allclose(own, first, rtol=1e-3, atol=1e-5)
    answers = [alike] * _size()
    with _lost_contact():
        dist.all_gather_object(answers, alike)
    if not all(answers):
        raise ValueError(
            f"{_size()} processes are to train one generator, but start from different "
            "ones. Give all of them the same rows, parameters and integer random_state; "
            "for a generator each, unset RANK and WORLD_SIZE."
        )
    _fill(tensors, torch.as_tensor(first))


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


def _size() -> int:
    return dist.get_world_size() if _grouped() else 1


@torch.no_grad()
def _fill(tensors: list[Tensor], flat: Tensor) -> None:
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.reshape(tensor.shape))


@contextmanager
def _lost_contact() -> Iterator[None]:
    """Say what it means when an exchange fails."""
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            "Lost contact with another process of this training: it has failed or was "
            "ended, see what it printed. Started again, the training goes on from "
            "checkpoint_dir, if one was given."
        ) from error
