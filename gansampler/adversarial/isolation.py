"""Run torch without leaving a trace in the caller's generators or thread settings."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from threadpoolctl import threadpool_limits

# Generators and thread counts are the process's: fits in several Python threads take turns.
_ALONE = threading.RLock()


@contextmanager
def single_thread() -> Iterator[None]:
    """Use one thread inside the block, and as many as before after it.

    One thread gives the same bytes whatever the number of cores or of sibling processes,
    and is the fastest for tables and networks of this size.
    """
    with _ALONE:
        n_threads = torch.get_num_threads()
        try:
            with threadpool_limits(1):
                torch.set_num_threads(1)
                yield
        finally:
            torch.set_num_threads(n_threads)


@contextmanager
def isolated(seed: int, device: torch.device, n_threads: int | None = 1) -> Iterator[None]:
    """Seed torch inside the block, on one thread; put its generators back after it.

    With n_threads=None on as many threads as there are, for networks that are worth it.
    """
    with _ALONE if n_threads is None else single_thread(), _current(device):
        states = get_rng_states(device)
        try:
            torch.default_generator.manual_seed(seed)
            for module in _rng_modules(device)[1:]:
                module.manual_seed(seed)
            yield
        finally:
            set_rng_states(device, states)


def get_rng_states(device: torch.device) -> list[torch.Tensor]:
    """States of the generators drawn from: the CPU's, and that of the device."""
    return [module.get_rng_state() for module in _rng_modules(device)]


def set_rng_states(device: torch.device, states: list[torch.Tensor]) -> None:
    """Put back what `get_rng_states` took."""
    for module, state in zip(_rng_modules(device), states, strict=True):
        module.set_rng_state(state)


def _rng_modules(device: torch.device) -> list[Any]:
    return [torch, *{"cuda": [torch.cuda], "mps": [torch.mps]}.get(device.type, [])]


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is a CUDA GPU where there is one, else the CPU.

    Of several GPUs, processes that torchrun, joblib or dask started take one in turn.

    Raises
    ------
    ValueError
        If the named device is not available on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(name, False):
        raise ValueError(
            f"device={name!r} is not available on this machine; available are "
            f"{[known for known, there in available.items() if there]} and 'auto', which "
            "takes a GPU only where there is one."
        )
    if name == "cuda" and torch.cuda.device_count() > 1:
        number = _worker_number()
        if number is not None:
            return torch.device("cuda", number % torch.cuda.device_count())
    return torch.device(name)


def _worker_number() -> int | None:
    """Place of this process among those that torchrun, joblib or dask started, from 0."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    places: tuple[int, ...] = getattr(multiprocessing.current_process(), "_identity", ())
    return places[-1] - 1 if places else None


def _current(device: torch.device) -> Any:
    """A context in which "cuda" means this GPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
