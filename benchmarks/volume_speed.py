"""Seconds and memory of a training step, beside MONAI's Generator and Discriminator.

    python benchmarks/volume_speed.py

Both play the same game: WGAN-GP, two steps of the critic, one of the generator, on a batch
of 4 volumes with 2 channels. MONAI is installed into .envs/monai, without its dependencies;
its channels are widened until it has about as many parameters. Every measurement is a fresh
process; the ratio is what to read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HOME = Path(__file__).parent / ".envs" / "monai"
RESULTS = Path(__file__).parent / "results" / "volume_speed.json"
BATCH, N_STEPS = 4, 3


def ours(size: int):
    import torch

    from gansampler.volumes._networks import VolumeCritic, VolumeGenerator
    from gansampler.volumes._start import FieldStart

    rng = np.random.default_rng(0)
    volumes = rng.uniform(-1, 1, (6, 2, size, size, size)).astype(np.float32)
    start = FieldStart(
        n_images=1, has_mask=True, edges=(size,) * 3, n_classes=2, n_rows=len(volumes)
    ).fit(volumes, np.array([0, 0, 0, 1, 1, 1]), 0.5)
    generator = VolumeGenerator(start=start, learned=torch.ones(2), channels=16)
    critic = VolumeCritic(n_channels=2, n_classes=2, edges=(size,) * 3, channels=16)
    return generator, critic


def monai(size: int):
    """MONAI's two networks, unconditional, wrapped as players of the game."""
    import torch
    from monai.networks.nets import Discriminator, Generator
    from torch import nn

    class Player(nn.Module):
        def __init__(self, net, latent=None):
            super().__init__()
            self.net, self.latent = net, latent

        def noise(self, n):
            return torch.randn(n, self.latent)

        def forward(self, x, y):
            out = self.net(x)
            return out if self.latent else out.squeeze(1)

    levels = int(np.log2(size / 4)) if size != 48 else 4
    first = size // 2**levels
    wanted = [sum(p.numel() for p in net.parameters()) for net in ours(size)]

    def widest(make, n_wanted):
        """The widest that has no more parameters."""
        best = make(2)
        for width in range(3, 200):
            net = make(width)
            if sum(p.numel() for p in net.parameters()) > n_wanted:
                break
            best = net
        return best

    generator = widest(
        lambda w: Generator(
            (64,),
            (w, first, first, first),
            channels=[w] * levels + [2],
            strides=[2] * levels + [1],
            num_res_units=1,
        ),
        wanted[0],
    )
    critic = widest(
        lambda w: Discriminator(
            (2, size, size, size),
            channels=[w] * levels,
            strides=[2] * levels,
            num_res_units=1,
            norm=None,
            dropout=None,
            last_act=None,
        ),
        wanted[1],
    )
    return Player(generator, 64), Player(critic)


def measure(name: str, size: int) -> None:
    import torch

    from gansampler.adversarial import (
        OBJECTIVES,
        Plan,
        SynthesisGame,
        balanced_batches,
        train,
    )

    torch.manual_seed(0)
    generator, critic = {"gansampler": ours, "monai": monai}[name](size)
    game = SynthesisGame(generator, critic, OBJECTIVES["wasserstein-gp"])
    volumes = torch.rand(8, 2, size, size, size) * 2 - 1
    batches = balanced_batches(volumes, torch.arange(8) % 2, BATCH)
    ends = []
    plan = Plan(max_iter=N_STEPS + 1, n_critic=2)
    train(game, batches, plan, callback=lambda *_: ends.append(time.perf_counter()))
    print(
        json.dumps(
            {
                "seconds": float(np.median(np.diff(ends))),
                "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "parameters": [
                    sum(p.numel() for p in net.parameters()) for net in (generator, critic)
                ],
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SIZE"), help=argparse.SUPPRESS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[16, 32, 48, 64])
    args = parser.parse_args()
    if args.one:
        measure(args.one[0], int(args.one[1]))
        return
    if not HOME.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(HOME), "monai"], check=True)
    path = os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")])
    found = {}
    print(
        "| size | gansampler, s a step | MONAI, s | ratio | MiB | MONAI, MiB | parameters |"
    )
    print("|---|---|---|---|---|---|---|")
    for size in args.sizes:
        pair = {}
        for name in ("gansampler", "monai"):
            run = subprocess.run(
                [sys.executable, __file__, "--one", name, str(size)],
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=True,
            )
            pair[name] = json.loads(run.stdout.splitlines()[-1])
        found[size] = pair
        a, b = pair["gansampler"], pair["monai"]
        print(
            f"| {size} | {a['seconds']:.2f} | {b['seconds']:.2f} | "
            f"{b['seconds'] / a['seconds']:.1f} | {a['MiB']:.0f} | {b['MiB']:.0f} | "
            f"{sum(a['parameters'])}, {sum(b['parameters'])} |",
            flush=True,
        )
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
