"""CycleGAN: kernels translated, what its terms are for, and MR to CT.

    python benchmarks/cyclegan.py kernels
    python benchmarks/cyclegan.py terms
    python benchmarks/cyclegan.py slices FOLDER

FOLDER holds `ct.npz` and `t1.npz` of the soft-tissue sarcomas. Tables and pictures are
written to results/cyclegan/.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, label

from gansampler import CycleGAN, RadiomicsExtractor
from gansampler.datasets import make_ct_phantoms, phantom_spacing

RESULTS = Path(__file__).parent / "results" / "cyclegan"
TEXTURE = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")
N_TRAIN, N_TEST = 40, 30
SMOOTHING = (0, 2, 2, 2)
"""In voxels: what is left is anatomy, not kernel nor noise."""


def save(name: str, found: dict) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1, default=float))
    print(json.dumps(found, indent=1, default=float))


class Kernels:
    """Soft (a) and sharp (b) phantoms.

    The anatomies to train on differ between the sides; pairs to test on are of others.
    """

    def __init__(self, seed: int) -> None:
        def make(kernel: str, n: int, offset: int) -> np.ndarray:
            return make_ct_phantoms(n, kernel=kernel, random_state=1000 * seed + offset)[0]

        self.train = make("soft", N_TRAIN, 0), make("sharp", N_TRAIN, 1)
        self.inputs = {"a->b": make("soft", N_TEST, 2), "b->a": make("sharp", N_TEST, 3)}
        self.truth = {"a->b": make("sharp", N_TEST, 2), "b->a": make("soft", N_TEST, 3)}
        # Features of the other side, of patients that are not those translated.
        self.others = {"a->b": self.inputs["b->a"], "b->a": self.inputs["a->b"]}
        spacing = phantom_spacing(32)
        self.extract = RadiomicsExtractor(spacing=spacing).fit(self.train[0]).transform

    def measure(self, gan: CycleGAN) -> dict[str, dict[str, float]]:
        return {direction: self._measure(gan, direction) for direction in self.inputs}

    def _measure(self, gan: CycleGAN, direction: str) -> dict[str, float]:
        X, truth = self.inputs[direction], self.truth[direction]
        made = gan.translate(X, direction)
        before, after = self._gaps(X, direction), self._gaps(made, direction)
        error = np.abs(made - truth)[:, 0].mean()
        hu_bias = lesion_means(made) - lesion_means(truth)
        volume = lesion_volumes(made) / lesion_volumes(truth) - 1
        blurred, blurred_truth = (
            gaussian_filter(x[:, 0], SMOOTHING) for x in (made, truth)
        )
        likeness = [
            np.corrcoef(one.ravel(), other.ravel())[0, 1]
            for one, other in zip(blurred, blurred_truth, strict=True)
        ]
        there_and_back = np.abs(gan.reconstruct(X, direction) - X)[:, 0].mean()
        return {
            "texture gap before": before.mean(),
            "texture gap after": after.mean(),
            "texture features closer": (after < before).mean(),
            "paired error before, HU": np.abs(X - truth)[:, 0].mean(),
            "paired error after, HU": error,
            "cycle error, HU": there_and_back,
            "anatomy, correlation with truth": np.mean(likeness),
            "mean, bias in HU": (made - truth)[:, 0].mean(),
            "lesion mean, bias in HU": hu_bias.mean(),
            "lesion mean, scatter in HU": hu_bias.std(),
            "identity error, HU": np.abs(
                gan.translate(self.others[direction], direction) - self.others[direction]
            )[:, 0].mean(),
            "mask voxels changed": (made[:, 1] != X[:, 1]).sum(),
            "segmented volume over that in truth, mean change": volume.mean(),
            "segmented volume over that in truth, mean size of change": np.abs(
                volume
            ).mean(),
        }

    def _gaps(self, X: np.ndarray, direction: str) -> np.ndarray:
        """Absolute standardised difference of each texture feature from the other side."""
        theirs, mine = self.extract(self.others[direction]), self.extract(X)
        names = [n for n in theirs if any(part in n for part in TEXTURE)]
        difference = mine[names].mean() - theirs[names].mean()
        return (difference / theirs[names].std()).abs().to_numpy()


def lesion_means(X: np.ndarray) -> np.ndarray:
    return np.array([image[mask > 0].mean() for image, mask in X])


def lesion_volumes(X: np.ndarray) -> np.ndarray:
    """Voxels of the lesion as a threshold on the smoothed image finds it near the mask.

    The threshold is half way between lesion and liver.
    """
    counts = []
    for image, mask in X:
        near = binary_dilation(mask > 0, iterations=2)
        shell = near & ~binary_dilation(mask > 0)
        smooth = gaussian_filter(image, 1.0)
        level = (np.median(image[mask > 0]) + np.median(image[shell])) / 2
        parts, _ = label(near & (smooth < level))
        counts.append(np.bincount(parts.ravel())[1:].max(initial=0))
    return np.array(counts, dtype=float)


def fitted(kernels: Kernels, **params: object) -> tuple[CycleGAN, float]:
    begin = time.perf_counter()
    gan = CycleGAN(random_state=0, **params).fit(*kernels.train)  # type: ignore[arg-type]
    return gan, time.perf_counter() - begin


def kernels(n_seeds: int = 3) -> None:
    """Defaults, the start alone, every step played, and an ordinary CycleGAN."""
    arms: dict[str, dict[str, object]] = {
        "defaults": {},
        "start alone": {"max_iter": 0, "early_stopping": False},
        "last step": {"early_stopping": False},
        "last step, from the identity": {"early_stopping": False, "start": "identity"},
    }
    found: dict[str, dict] = {name: {} for name in arms}
    for seed in range(n_seeds):
        data = Kernels(seed)
        for name, params in arms.items():
            gan, seconds = fitted(data, **params)
            losses = gan.history_["losses"]
            found[name][seed] = {
                "seconds": seconds,
                "steps": gan.n_iter_,
                "step kept": gan.best_iter_,
                "held-out scores": np.round(gan.validation_scores_, 4).tolist(),
                "cycle loss, first and last 20 steps": [
                    float(np.mean([losses[f"cycle {s}"][part] for s in "ab"]))
                    for part in (slice(None, 20), slice(-20, None))
                ]
                if losses
                else None,
                **data.measure(gan),
            }
            save("kernels", found)


def terms(n_seeds: int = 3) -> None:
    """The same seeds with and without the identity and the cycle term, from the identity.

    Five times the learning rate: at the default nothing has happened after as many steps.
    """
    arms: dict[str, dict[str, float]] = {
        "both": {},
        "no identity": {"identity_weight": 0.0},
        "no cycle": {"cycle_weight": 0.0},
        "neither": {"identity_weight": 0.0, "cycle_weight": 0.0},
    }
    found: dict[str, dict] = {name: {} for name in arms}
    for seed in range(n_seeds):
        data = Kernels(seed)
        for name, params in arms.items():
            gan, _ = fitted(
                data,
                start="identity",
                learning_rate_init=0.001,
                early_stopping=False,
                **params,
            )
            found[name][seed] = data.measure(gan)
            save("terms", found)


def slices(folder: Path) -> None:
    """T1 and CT, from slices of different patients; looked at on patients not trained on.

    The two images of a patient lie over each other only nearly: an error of zero is not to
    be had.
    """
    ct, t1 = (np.load(folder / f"{name}.npz") for name in ("ct", "t1"))
    patients = np.random.RandomState(0).permutation(len(ct["images"]))
    of_ct, of_t1, tested = patients[:12], patients[12:24], patients[24:]

    def axial(data: np.lib.npyio.NpzFile, chosen: np.ndarray, step: int):
        """Slices through tumours, where the image fills the square, and their patients."""
        found, owners = [], []
        for i in chosen:
            for z in range(0, data["images"].shape[1], step):
                inside = data["masks"][i, z].any() and covers(data["valid_box"][i], z)
                if inside and covers(other[id(data)]["valid_box"][i], z):
                    found.append(data["images"][i, z].astype(np.float32)[None])
                    owners.append(i)
        return np.stack(found), np.array(owners)

    def covers(box: np.ndarray, z: int) -> bool:
        (low, high), *plane = box
        return low <= z < high and all(a <= 4 and b >= 44 for a, b in plane)

    other = {id(ct): t1, id(t1): ct}
    X_ct, groups_ct = axial(ct, of_ct, 2)
    X_t1, groups_t1 = axial(t1, of_t1, 2)
    test_ct, _ = axial(ct, tested, 6)
    test_t1, _ = axial(t1, tested, 6)
    window = {"a": (0.0, float(np.quantile(X_t1, 0.995))), "b": (-200.0, 300.0)}
    begin = time.perf_counter()
    gan = CycleGAN(
        mask_channel=None,
        window=window,
        same_units=False,
        start="identity",
        identity_weight=0.0,
        n_blocks=4,
        patch_size=48,
        learning_rate_init=0.0005,
        max_iter=2000,
        n_iter_no_change=40,
        random_state=0,
    ).fit(X_t1, X_ct, groups_a=groups_t1, groups_b=groups_ct)
    seconds = time.perf_counter() - begin
    shown = {
        "a->b": (test_t1, gan.translate(test_t1, "a->b"), test_ct.clip(-200, 300)),
        "b->a": (test_ct, gan.translate(test_ct, "b->a"), test_t1),
    }
    losses = gan.history_["losses"]
    found: dict[str, object] = {
        "slices": [len(X_t1), len(X_ct), len(test_ct)],
        "seconds": seconds,
        "step kept": gan.best_iter_,
        "steps": gan.n_iter_,
        "held-out scores": np.round(gan.validation_scores_, 3).tolist(),
        "losses": {
            name: [float(np.mean(part)) for part in np.array_split(values, 8)]
            for name, values in losses.items()
        },
    }
    for direction, (X, made, truth) in shown.items():
        flat = scaled_alike(X, truth)
        found[direction] = {
            "error after": np.abs(made - truth).mean(),
            "error of the window mapped straight": np.abs(flat - truth).mean(),
            "correlation after": np.corrcoef(made.ravel(), truth.ravel())[0, 1],
            "correlation before": np.corrcoef(X.ravel(), truth.ravel())[0, 1],
        }
    save("slices", found)
    picture(shown, losses)


def scaled_alike(X: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """X with the mean and standard deviation of the truth."""
    return (X - X.mean()) / X.std() * truth.std() + truth.mean()


def picture(shown: dict[str, tuple[np.ndarray, ...]], losses: dict[str, list]) -> None:
    import matplotlib.pyplot as plt

    names = {"a->b": ("T1", "T1 to CT", "CT"), "b->a": ("CT", "CT to T1", "T1")}
    rng = np.random.RandomState(0)
    chosen = np.sort(rng.permutation(len(shown["a->b"][0]))[:6])
    figure, axes = plt.subplots(6, 6, figsize=(11, 11))
    for column, (direction, images) in enumerate(shown.items()):
        for j, (name, stack) in enumerate(zip(names[direction], images, strict=True)):
            low, high = np.quantile(images[2 if j else 0], [0.01, 0.99])
            for row, i in enumerate(chosen):
                place = axes[row, 3 * column + j]
                place.imshow(stack[i, 0], cmap="gray", vmin=low, vmax=high)
                place.set_axis_off()
            axes[0, 3 * column + j].set_title(name)
    figure.tight_layout()
    figure.savefig(RESULTS / "slices.png", dpi=70)
    figure, place = plt.subplots(figsize=(8, 4))
    for name, values in losses.items():
        place.plot(np.convolve(values, np.ones(25) / 25, "valid"), label=name)
    place.set(xlabel="step", ylabel="loss, mean of 25 steps", yscale="log")
    place.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(RESULTS / "slices_losses.png", dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=["kernels", "terms", "slices"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.study == "slices":
        if arguments.folder is None:
            parser.error("slices needs the FOLDER of ct.npz and t1.npz")
        slices(arguments.folder)
    else:
        {"kernels": kernels, "terms": terms}[arguments.study](arguments.seeds)


if __name__ == "__main__":
    main()
