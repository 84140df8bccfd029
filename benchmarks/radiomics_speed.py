"""Seconds that RadiomicsExtractor takes for a volume, beside pyradiomics called directly.

    python benchmarks/radiomics_speed.py

Not called `radiomics.py`: that would hide pyradiomics, which imports as `radiomics`, from
every script in this folder.

Volumes are smoothed noise with an ellipsoid of a quarter of the edge as the mask. The ways
take turns within each repeat, so that what else the machine does hits all of them; read the
ratios. Worker processes are started, and pyradiomics is loaded, before the clock is.
`remembered` is a second call with `memory`.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy.ndimage import gaussian_filter

from gansampler.radiomics import RadiomicsExtractor

SPACING = (3.0, 1.0, 1.0)
TYPES = {
    "original": {"Original": {}},
    "with wavelet and LoG": {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 3.0]}},
}


def make_volumes(n: int, edge: int) -> np.ndarray:
    rng = np.random.default_rng(edge)
    X = np.empty((n, 2, edge, edge, edge), dtype=np.float32)
    off = np.indices(X.shape[2:]) - (edge - 1) / 2
    for volume in X:
        noise = gaussian_filter(rng.normal(size=volume.shape[1:]), 1)
        volume[0] = 100 + 80 * noise / noise.std()
        axes = edge / 4 * rng.uniform(0.9, 1.1, size=(3, 1, 1, 1))
        volume[1] = ((off / axes) ** 2).sum(axis=0) < 1
    return X


def call_directly(X: np.ndarray, image_types: dict) -> np.ndarray:
    extractor = RadiomicsFeatureExtractor(additionalInfo=False)
    extractor.disableAllImageTypes()
    extractor.enableImageTypes(**image_types)
    rows = []
    for image, mask in X:
        pair = [sitk.GetImageFromArray(a) for a in (image, mask.astype(np.uint8))]
        for item in pair:
            item.SetSpacing(SPACING[::-1])
        rows.append([float(value) for value in extractor.execute(*pair).values()])
    return np.array(rows)


def compare(
    edge: int, image_types: dict, n: int, repeats: int, folder: str
) -> dict[str, list[float]]:
    """Seconds a volume of each way, repeat by repeat."""
    X = make_volumes(n, edge)

    def extractor(**params: object) -> RadiomicsExtractor:
        made = RadiomicsExtractor(spacing=SPACING, image_types=image_types, **params)
        return made.fit(X)

    remembering = extractor(memory=folder)
    ways: dict[str, Callable[[np.ndarray], object]] = {
        "pyradiomics": lambda X: call_directly(X, image_types),
        "n_jobs=1": extractor().transform,
        "n_jobs=2": extractor(n_jobs=2).transform,
        "remembered": remembering.transform,
    }
    wanted = call_directly(X, image_types)
    for way in ways.values():
        np.testing.assert_allclose(way(X), wanted, rtol=1e-9)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way(X)
            seconds[name].append((time.perf_counter() - start) / n)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    print("| edge | images | way | seconds a volume | times pyradiomics |")
    print("|---|---|---|---|---|")
    for edge in (32, 48):
        for label, image_types in TYPES.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds = compare(edge, image_types, args.volumes, args.repeats, folder)
            direct = seconds["pyradiomics"]
            for name, runs in seconds.items():
                ratio = statistics.median(
                    run / base for run, base in zip(runs, direct, strict=True)
                )
                median = statistics.median(runs)
                print(f"| {edge} | {label} | {name} | {median:.3g} | {ratio:.2g} |")


if __name__ == "__main__":
    main()
