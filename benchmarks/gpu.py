"""What a GPU gives: seconds, memory, and whether it comes to the same as the CPU.

    python benchmarks/gpu.py                          # on a machine with a GPU
    python benchmarks/gpu.py --device cpu --quick     # the same code, anywhere

Writes results/gpu.json and prints its tables. `step`: one generator step with its critic
steps, taken after warming up; `launches`: the same on batches of two rows, where hardly
anything is computed: what is left is the time to launch it. `step with graphs`: replayed as
a CUDA graph. `agreement`: energy distance of drawn to fresh rows of a ring of eight modes,
over that between fresh samples, by five seeds on either device, and on the GPU with graphs:
the spread over seeds is the scale to hold the difference against.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from gansampler import CycleGAN, GANOverSampler, TabularGAN, VolumeGAN
from gansampler.datasets import make_ct_phantoms, make_liver_phantoms
from gansampler.metrics import energy_distance

RESULTS = Path(__file__).parent / "results" / "gpu.json"


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(work, device: str) -> float:
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def peak_mib(device: str) -> float | None:
    if device != "cuda":
        return None
    found = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    return round(found, 1)


@contextmanager
def graphs() -> Iterator[None]:
    """Replay steps as CUDA graphs inside the block; on a CPU this changes nothing."""
    os.environ["GANSAMPLER_CUDA_GRAPHS"] = "1"
    try:
        yield
    finally:
        del os.environ["GANSAMPLER_CUDA_GRAPHS"]


def step_ms(make, fit, device: str, steps: int) -> float:
    """Milliseconds of a step: what `steps` more of them take."""
    taken = [
        seconds(lambda n=n: fit(make(max_iter=n, device=device)), device)
        for n in (2, 2, 2 + steps)
    ]
    return round(1000 * (taken[2] - taken[1]) / steps, 2)


def table(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(n) < n // 4).astype(int))
    factors = rng.normal(size=(n, 10))
    factors[:, :3] += y[:, None]
    X = factors @ rng.normal(scale=0.3, size=(10, d))
    return X + rng.normal(scale=0.5, size=X.shape), y


def tables(device: str, quick: bool) -> list[dict]:
    found = []
    for n, d in [(200, 100)] if quick else [(200, 1000), (5000, 50)]:
        X, y = table(n, d)

        def make(**given):
            return TabularGAN(early_stopping=False, random_state=0, **given)

        sampler = GANOverSampler(device=device, random_state=0)
        sampler.fit_resample(X, y)
        with graphs():
            replayed = step_ms(make, lambda gan, X=X, y=y: gan.fit(X, y), device, 200)
        found.append(
            {
                "table": f"{n} x {d}",
                "fit_resample, s": round(
                    seconds(lambda X=X, y=y, s=sampler: s.fit_resample(X, y), device), 2
                ),
                "step, ms": step_ms(make, lambda gan, X=X, y=y: gan.fit(X, y), device, 50),
                "step with graphs, ms": replayed,
                "launches, ms": step_ms(
                    lambda **given: make(batch_size=2, **given),
                    lambda gan, X=X, y=y: gan.fit(X, y),
                    device,
                    50,
                ),
                "peak, MiB": peak_mib(device),
            }
        )
    return found


def volumes(device: str, quick: bool) -> list[dict]:
    found = []
    for edge in (16,) if quick else (32, 64):
        X, y, *_ = make_liver_phantoms(16, size=edge, random_state=0)
        soft, sharp = (
            make_ct_phantoms(8, kernel=kernel, size=edge, random_state=0)[0]
            for kernel in ("soft", "sharp")
        )
        for mixed in (False, True):
            if mixed and device == "cpu":
                continue
            shared = {"early_stopping": False, "mixed_precision": mixed, "random_state": 0}
            steps = 2 if quick else 20
            found.append(
                {
                    "volumes": f"{edge}^3",
                    "precision": "bfloat16" if mixed else "float32",
                    "VolumeGAN step, ms": step_ms(
                        lambda s=shared, **given: VolumeGAN(**s, **given),
                        lambda gan, X=X, y=y: gan.fit(X, y),
                        device,
                        steps,
                    ),
                    "CycleGAN step, ms": step_ms(
                        lambda s=shared, **given: CycleGAN(**s, **given),
                        lambda gan, a=soft, b=sharp: gan.fit(a, b),
                        device,
                        steps,
                    ),
                    "peak, MiB": peak_mib(device),
                }
            )
    return found


def ring(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.integers(8, size=n) / 8
    return np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.05, (n, 2))


def agreement(device: str, quick: bool) -> dict[str, list[float]]:
    n, steps = (300, 20) if quick else (2000, 2000)
    unit = energy_distance(ring(n, 100), ring(n, 101))

    def ratios(where: str) -> list[float]:
        found = []
        for seed in range(2 if quick else 5):
            # One mode at the start, so that the game has something to learn.
            gan = TabularGAN(max_iter=steps, n_modes=1, device=where, random_state=seed)
            drawn, _ = gan.fit(ring(n, seed)).sample(n)
            found.append(round(energy_distance(ring(n, 102), drawn) / unit, 2))
        return found

    found = {where: ratios(where) for where in dict.fromkeys(["cpu", device])}
    with graphs():
        return found | {f"{device} with graphs": ratios(device)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing kept")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu --quick tries the code without.")
    found = {
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU",
        "torch": torch.__version__,
        "tables": tables(arguments.device, arguments.quick),
        "volumes": volumes(arguments.device, arguments.quick),
        "agreement": agreement(arguments.device, arguments.quick),
    }
    if not arguments.quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
