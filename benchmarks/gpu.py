"""What a GPU gives: seconds, memory, and whether it comes to the same as the CPU.

    python benchmarks/gpu.py                          # on a machine with a GPU
    python benchmarks/gpu.py --device cpu --quick     # the same code, anywhere

Writes results/gpu.json and prints it. A step is one generator step with its critic steps,
timed inside a training after it has warmed up. `graphs`: replayed as a CUDA graph. `floor`:
the same replayed on batches of two, where hardly anything is computed. `busy`: time in
kernels, over the time of the step. `agreement`: energy distance of drawn to fresh rows of a
ring of eight modes, over that between fresh samples, by five seeds on either device: the
spread over seeds is the scale to hold the difference against.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from joblib import Parallel, delayed

import gansampler._adversarial
from gansampler import CycleGAN, GANOverSampler, TabularGAN, VolumeGAN
from gansampler.datasets import make_ct_phantoms, make_liver_phantoms
from gansampler.metrics import energy_distance

RESULTS = Path(__file__).parent / "results" / "gpu.json"
WARM_UP = 10
"""Steps before the clock starts."""

PROFILED = 5
"""Steps whose kernels are counted, after the clock has stopped."""


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def graphs(on: bool) -> Iterator[None]:
    """Whether steps are replayed as CUDA graphs inside the block."""
    with patch.dict(os.environ, GANSAMPLER_CUDA_GRAPHS=str(int(on))):
        yield


def measured(fit: Callable[[int], Any], steps: int, device: str) -> dict[str, float]:
    """Milliseconds of a step, its kernels, and peak memory, of a fit of so many steps."""
    train = gansampler._adversarial.train
    found: dict[str, float] = {}
    ends = (WARM_UP, WARM_UP + steps, WARM_UP + steps + PROFILED)
    profiler = torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True
    )
    clock = {}

    def timed(*args, callback, **kwargs):
        def note(step, history):
            callback(step, history)
            if step in ends:
                synchronize()
                clock[step] = time.perf_counter()
            if device == "cuda" and step == ends[1]:
                profiler.start()
            if device == "cuda" and step == ends[2]:
                profiler.stop()

        return train(*args, callback=note, **kwargs)

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with patch("gansampler._adversarial.train", timed):
        fit(ends[-1])
    found["ms"] = round(1000 * (clock[ends[1]] - clock[ends[0]]) / steps, 3)
    if device == "cuda":
        kernels = [e for e in profiler.events() if e.device_type.name == "CUDA"]
        in_kernels = sum(e.device_time for e in kernels) / PROFILED / 1000
        found["kernels"] = round(len(kernels) / PROFILED)
        found["busy"] = round(in_kernels / found["ms"], 2)
        found["peak, MiB"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found


def table(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(n) < n // 4).astype(int))
    factors = rng.normal(size=(n, 10))
    factors[:, :3] += y[:, None]
    X = factors @ rng.normal(scale=0.3, size=(10, d))
    return X + rng.normal(scale=0.5, size=X.shape), y


def tables(device: str, quick: bool) -> dict[str, dict]:
    found = {}
    for n, d in [(200, 100)] if quick else [(200, 1000), (5000, 50)]:
        X, y = table(n, d)

        def step(replayed, batch_size="auto", X=X, y=y):
            gan = TabularGAN(
                early_stopping=False, batch_size=batch_size, device=device, random_state=0
            )
            with graphs(replayed):
                return measured(
                    lambda max_iter: gan.set_params(max_iter=max_iter).fit(X, y),
                    20 if quick else 300,
                    device,
                )

        def seconds(where, X=X, y=y):
            sampler = GANOverSampler(device=where, random_state=0)
            sampler.fit_resample(X, y)
            begin = time.perf_counter()
            sampler.fit_resample(X, y)
            return round(time.perf_counter() - begin, 2)

        found[f"{n} x {d}"] = {
            "single": step(False),
            "graphs": step(True),
            "floor": step(True, 2),
            "fit_resample, s": {where: seconds(where) for where in {device, "cpu"}},
        }
    return found


EIGHT_EACH = dict.fromkeys(["homogeneous", "rim", "speckled"], 8)
VARIANTS = {
    "float32": (False, False),
    "bfloat16": (True, False),
    "float32, graphs": (False, True),
    "bfloat16, graphs": (True, True),
}
"""Whether in half precision, and whether replayed."""


def volumes(device: str, quick: bool) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for edge in (16,) if quick else (32, 64):
        X, y, *_ = make_liver_phantoms(EIGHT_EACH, size=edge, random_state=0)
        soft, sharp = (
            make_ct_phantoms(8, kernel=kernel, size=edge, random_state=0)[0]
            for kernel in ("soft", "sharp")
        )
        start = VolumeGAN(max_iter=0, random_state=0).fit(X, y).start_
        for kind, data in ((VolumeGAN, (X, y)), (CycleGAN, (soft, sharp))):
            of_kind = found[f"{kind.__name__}, {edge}^3"] = {}
            for name, (half, replayed) in VARIANTS.items():
                gan = kind(
                    n_critic={VolumeGAN: 2, CycleGAN: 1}[kind],
                    early_stopping=False,
                    mixed_precision=half,
                    device=device,
                    random_state=0,
                )
                with (
                    graphs(replayed),
                    patch.object(VolumeGAN, "_fit_start", lambda *_, start=start: start),
                ):
                    of_kind[name] = measured(
                        lambda n, gan=gan, data=data: gan.set_params(max_iter=n).fit(*data),
                        2 if quick else 10,
                        device,
                    )
                print(kind.__name__, edge, name, of_kind[name], flush=True)
    return found


def ring(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.integers(8, size=n) / 8
    return np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.05, (n, 2))


def agreement(device: str, quick: bool) -> dict[str, list[float]]:
    n, steps = (300, 20) if quick else (2000, 1000)
    unit = energy_distance(ring(n, 100), ring(n, 101))

    def ratio(where: str, seed: int) -> float:
        # One mode at the start, so that the game has something to learn.
        gan = TabularGAN(max_iter=steps, n_modes=1, device=where, random_state=seed)
        drawn, _ = gan.fit(ring(n, seed)).sample(n)
        return round(energy_distance(ring(n, 102), drawn) / unit, 2)

    seeds = range(2 if quick else 5)
    on_cpu = Parallel(n_jobs=min(len(seeds), os.cpu_count() or 1))(
        delayed(ratio)("cpu", seed) for seed in seeds
    )
    found = {"cpu": on_cpu}
    for replayed in (False, True):
        with graphs(replayed):
            name = f"{device}, graphs" if replayed else device
            found[name] = [ratio(device, seed) for seed in seeds]
    return found


PARTS = {"tables": tables, "volumes": volumes, "agreement": agreement}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing kept")
    parser.add_argument("parts", nargs="*", help=f"of {list(PARTS)}; all by default")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu --quick tries the code without.")
    where = {
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU",
        "torch": torch.__version__,
    }
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if any(found.get(key) != value for key, value in where.items()):
        found = where
    for name in arguments.parts or PARTS:
        found[name] = PARTS[name](arguments.device, arguments.quick)
        print(json.dumps({name: found[name]}, indent=1), flush=True)
        if not arguments.quick:
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
