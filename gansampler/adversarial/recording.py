"""A training step recorded once and replayed: what CUDA graphs are for.

A step of small networks is some hundreds of kernels, and to launch them one by one takes
longer than they do. A recorded step launches them all at once, without Python. It does the
same to what is in the same tensors now: what changes from step to step has to be a tensor
that is written to, and nothing may wait for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

Step = Callable[[], dict[str, Tensor]]

WARM_UP = 3
"""Steps before the one that is recorded, in which memory and moments are laid out."""


class Recorder(Protocol):
    """Records what is done on a device, and does it again."""

    def aside(self) -> AbstractContextManager:
        """A context for steps before the recording."""
        ...

    def recording(self) -> AbstractContextManager:
        """A context in which what would be done is recorded."""
        ...

    def replay(self) -> None:
        """Do what was recorded."""
        ...


class CUDAGraph:
    """A recorder of CUDA kernels.

    Steps before the recording run on the stream that it is made on, as PyTorch asks.
    Random numbers are drawn anew at every replay, from the device's generator.
    """

    def __init__(self) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.stream = _recording_stream(torch.cuda.current_device())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Run on the recording's stream, after and before what is on the current one."""
        self.stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            torch.cuda.current_stream().wait_stream(self.stream)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record kernels, and run none of them."""
        # Whatever other threads do on the device is no part of it.
        mode = "thread_local"
        graph = torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode=mode)
        # The stream is left even where the recording cannot be ended.
        with torch.cuda.stream(self.stream), graph:
            yield

    def replay(self) -> None:
        """Launch all that was recorded."""
        self.graph.replay()


@cache
def _recording_stream(device: int) -> torch.cuda.Stream:
    """One for all recordings: matrix products keep a workspace for every stream."""
    return torch.cuda.Stream(device)


class RecordedStep:
    """A step that is recorded after a few calls, and replayed from then on.

    Parameters
    ----------
    step : callable
        Takes nothing, returns losses by name.
    recorder : Recorder
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self.step, self.recorder = step, recorder
        self.n_calls = 0

    def __call__(self) -> dict[str, Tensor]:
        self.n_calls += 1
        if self.n_calls <= WARM_UP:
            with self.recorder.aside():
                losses = self.step()
            return losses
        if self.n_calls == WARM_UP + 1:
            self._record()
        self.recorder.replay()
        # Copies, for the next replay writes to the same tensors.
        return {name: value.clone() for name, value in self.losses.items()}

    def _record(self) -> None:
        failure: BaseException | None = None
        try:
            with self.recorder.recording():
                try:
                    self.losses = self.step()
                except BaseException as error:
                    failure = error
                    raise
        except BaseException:
            # Not that CUDA could not end a recording, in which something had failed.
            if failure is None:
                raise
            raise failure from None
        finally:
            failure = None  # which holds this frame, and with it what the step had made
