"""Are volumes drawn by VolumeGAN like real ones? On phantoms, and on real CT, T1 and PET.

    python benchmarks/volumes.py phantoms
    python benchmarks/volumes.py rare
    python benchmarks/volumes.py sarcomas FOLDER

FOLDER holds `ct.npz`, `t1.npz`, `pet.npz` and `patients.csv` of the soft-tissue sarcomas.
Tables and pictures are written to results/volumes/.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import QuantileTransformer

from gansampler import (
    GansamplerWarning,
    RadiomicsExtractor,
    VolumeGAN,
    VolumeGANOverSampler,
    diagnose,
)
from gansampler.augment import AugmentedOverSampler, Flip, Rotate
from gansampler.checks import ConformalCopyCheck
from gansampler.datasets import make_liver_phantoms, phantom_spacing

RESULTS = Path(__file__).parent / "results" / "volumes"
NOISE = 120
"""Standard deviation, in HU, of noise added to phantoms of `rare`: without it, ten volumes
of a class are enough to tell every one of them."""
FIRST_ORDER = ["Mean", "10Percentile", "Median", "90Percentile", "Variance"]
TEXTURE = ["glcm_Contrast", "glcm_Correlation"]


def save(name: str, found: dict) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1, default=float))
    print(json.dumps(found, indent=1, default=float))


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance between Gaussians fitted to two samples of features."""
    a, b = (np.cov(x, rowvar=False) + 1e-6 * np.eye(x.shape[1]) for x in (first, second))
    product = sqrtm(a @ b).real
    shift = first.mean(axis=0) - second.mean(axis=0)
    return float(shift @ shift + np.trace(a + b - 2 * product))


def distance_ratios(real, fresh, made: dict[str, np.ndarray]) -> dict[str, float]:
    """Fréchet distance to real volumes over that of fresh real ones, on normal scores."""
    scores = QuantileTransformer(output_distribution="normal", n_quantiles=len(real))
    scores.fit(np.concatenate([real, fresh]))

    def embed(x):
        return scores.transform(x).clip(-3, 3)

    null = frechet(embed(real), embed(fresh))
    return {name: frechet(embed(real), embed(x)) / null for name, x in made.items()}


def phantoms(seed: int = 0) -> None:
    """Three classes on demand: are they what they should be?"""
    n = {"homogeneous": 40, "rim": 30, "speckled": 30}
    X, y = make_liver_phantoms(n, random_state=seed)
    fresh, y_fresh = make_liver_phantoms(dict.fromkeys(n, 40), random_state=seed + 1)
    extract = RadiomicsExtractor(spacing=phantom_spacing(32)).fit(X).transform
    begin = time.perf_counter()
    gan = VolumeGAN(random_state=seed).fit(X, y)
    fitted = time.perf_counter()
    made, y_made = gan.sample(y=y_fresh)
    drawn = time.perf_counter()

    real, new, others = extract(X), extract(made), extract(fresh)
    forest = RandomForestClassifier(500, random_state=seed).fit(real, y)
    rng = np.random.default_rng(seed)
    noise, blurred = fresh.copy(), fresh.copy()
    copies = X[[rng.choice(np.flatnonzero(y == c)) for c in y_fresh]]
    for i, volume in enumerate(fresh):
        level, spread = volume[0].mean(), volume[0].std()
        noise[i, 0] = rng.normal(level, spread, volume[0].shape).round()
        blurred[i, 0] = gaussian_filter(volume[0], 1.5).round()
    found = {
        "seconds": {"fit": fitted - begin, "a volume": (drawn - fitted) / len(made)},
        "start kept": gan.start_used_,
        "steps": gan.n_iter_,
        "held-out scores": gan.validation_scores_,
        "accuracy on synthetic": float((forest.predict(new) == y_made).mean()),
        "accuracy on fresh real": float((forest.predict(others) == y_fresh).mean()),
    }
    ratios = {}
    for c in n:
        # As many real as others, for distances of the same bias.
        m = int((y == c).sum())
        pick = {
            "ours": new,
            "Gaussian noise": extract(noise),
            "blurred": extract(blurred),
            "copies": extract(copies),
        }
        pick = {k: v.to_numpy()[y_fresh == c][:m] for k, v in pick.items()}
        ratios[c] = distance_ratios(
            real.to_numpy()[y == c], others.to_numpy()[y_fresh == c][:m], pick
        )
    found["Frechet ratio"] = ratios
    found["features"] = feature_table(others, y_fresh, new, y_made).to_dict("records")
    for name, (rows, labels) in {
        "ours": (new, y_made),
        "copies": (extract(copies), y_fresh),
    }.items():
        check = ConformalCopyCheck(random_state=seed).fit(real, y)
        d = diagnose(real, y, rows, labels, random_state=seed)
        found[f"diagnosis of {name}"] = {
            c: {
                "verdict": d.verdicts_[c] if hasattr(d, "verdicts_") else str(d),
                "passed copy check": float(
                    check.accept(rows[labels == c], labels[labels == c]).mean()
                ),
            }
            for c in n
        }
    save("phantoms", found)
    picture("phantoms", X, y, made, y_made, limits=(-50, 300))


def feature_table(real, y_real, made, y_made) -> pd.DataFrame:
    """Means of features in each class, and their difference in standard errors."""
    names = [f"original_firstorder_{f}" for f in FIRST_ORDER]
    names += [f"original_{f}" for f in TEXTURE]
    rows = []
    for c in np.unique(y_real):
        for name in names:
            a, b = real.loc[y_real == c, name], made.loc[y_made == c, name]
            error = np.sqrt(a.var() / len(a) + b.var() / len(b))
            rows.append(
                {
                    "class": str(c),
                    "feature": name.removeprefix("original_"),
                    "real": a.mean(),
                    "synthetic": b.mean(),
                    "ratio": b.mean() / a.mean(),
                    "difference / s.e.": (b.mean() - a.mean()) / error,
                    "difference / s.d.": (b.mean() - a.mean()) / a.std(),
                }
            )
    return pd.DataFrame(rows)


def rare(max_iter: int, n_seeds: int = 40) -> None:
    """Ten real ones of the rare class: what do more of them do for a classifier?

    `more real` is what the others strive for: as many fresh real ones as they draw.
    """
    path = RESULTS / "rare.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["seed"])
    counts = {"homogeneous": 40, "rim": 30, "speckled": 10}
    extractor = RadiomicsExtractor(spacing=phantom_spacing(32), settings={"binWidth": 25})
    for seed in set(range(n_seeds)) - set(done["seed"]):
        X, y = make_liver_phantoms(counts, random_state=100 + seed)
        test, y_test = make_liver_phantoms(
            dict.fromkeys(counts, 60), random_state=500 + seed
        )
        missing = {c: max(counts.values()) - n for c, n in counts.items()}
        more, y_more = make_liver_phantoms(missing, random_state=900 + seed)
        rng = np.random.default_rng(seed)
        for volumes in (X, test, more):
            volumes[:, 0] += rng.normal(0, NOISE, volumes[:, 0].shape).round()
        augmented = AugmentedOverSampler(transforms=[Flip(), Rotate()], random_state=seed)
        ours = VolumeGANOverSampler(max_iter=max_iter, random_state=seed)
        arms = {
            "none": (X, y),
            "augmentation": augmented.fit_resample(X, y),
            "ours": ours.fit_resample(X, y),
            "more real": (np.concatenate([X, more]), np.concatenate([y, y_more])),
        }
        features = extractor.fit_transform(test)
        row = {"seed": seed}
        for name, (X_res, y_res) in arms.items():
            forest = RandomForestClassifier(random_state=seed)
            forest.fit(extractor.transform(X_res), y_res)
            row[name] = balanced_accuracy_score(y_test, forest.predict(features))
        done = pd.concat([done, pd.DataFrame([row])])
        RESULTS.mkdir(parents=True, exist_ok=True)
        done.to_csv(path, index=False)
        print(row, flush=True)
    for name in ("none", "augmentation", "ours", "more real"):
        print(name, interval(done[name]), "gain", interval(done[name] - done["none"]))
    print("ours over augmentation", interval(done["ours"] - done["augmentation"]))


def interval(values: pd.Series) -> str:
    half = student.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values))
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


def sarcomas(folder: Path, max_iter: int, seed: int = 0) -> None:
    """Real cubes around soft-tissue sarcomas, by size of the tumour."""
    y = pd.read_csv(folder / "patients.csv")["large"].map({0: "small", 1: "large"})
    found = {}
    # Window, what is shown of it, and bins of texture: HU, arbitrary units, SUV.
    settings: dict[str, tuple] = {
        "ct": ((-1000, 1000), (-200, 300), 25),
        "t1": (None, (0, 1500), 25),
        "pet": (None, (0, 6), 0.25),
    }
    for modality, (window, limits, width) in settings.items():
        data = np.load(folder / f"{modality}.npz")
        X = np.stack([data["images"], data["masks"]], axis=1).astype(np.float32)
        begin = time.perf_counter()
        gan = VolumeGAN(window=window, max_iter=max_iter, random_state=seed).fit(
            X, y.to_numpy()
        )
        seconds = time.perf_counter() - begin
        made, y_made = gan.sample(40, prior="uniform")
        extract = (
            RadiomicsExtractor(spacing=(3, 3, 3), settings={"binWidth": width})
            .fit(X)
            .transform
        )
        real, new = extract(X), extract(made)
        found[modality] = {
            "seconds": seconds,
            "start kept": gan.start_used_,
            "held-out scores": gan.validation_scores_,
            "largest correlation around masks": {
                "real with other real": nearest(X, X),
                "drawn with real": nearest(made, X),
                "drawn with other drawn": nearest(made, made),
                "rotated with real": nearest(Rotate()(X, random_state=seed), X),
            },
            "features": feature_table(real, y.to_numpy(), new, y_made).to_dict("records"),
        }
        picture(modality, X, y.to_numpy(), made, y_made, limits=limits)
        histograms(modality, X, y.to_numpy(), made, y_made, limits)
    save("sarcomas", found)


def nearest(volumes: np.ndarray, others: np.ndarray) -> float:
    """Median of the largest correlation with another volume, outside of both masks."""
    largest = []
    for volume in volumes:
        found = []
        for other in others:
            outside = (volume[1] == 0) & (other[1] == 0)
            if outside.any() and not np.shares_memory(volume, other):
                found.append(np.corrcoef(volume[0][outside], other[0][outside])[0, 1])
        largest.append(max(found))
    return float(np.median(largest))


def picture(name, X, y, made, y_made, *, limits, n=6) -> None:
    """Mid-slices, a row of real ones over a row of synthetic ones for each class."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    classes = np.unique(y)
    figure, axes = plt.subplots(2 * len(classes), n, figsize=(1.6 * n, 3.3 * len(classes)))
    for i, c in enumerate(classes):
        for row, (volumes, labels, kind) in enumerate(
            [(X, y, "real"), (made, y_made, "synthetic")]
        ):
            for ax, volume in zip(axes[2 * i + row], volumes[labels == c], strict=False):
                middle = volume.shape[1] // 2
                ax.imshow(volume[0, middle], cmap="gray", vmin=limits[0], vmax=limits[1])
                if volume[1, middle].any():
                    ax.contour(volume[1, middle], [0.5], colors="tab:red", linewidths=0.7)
            axes[2 * i + row, 0].set_title(f"{c}, {kind}", fontsize=8, loc="left")
    for ax in axes.flat:
        ax.axis("off")
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(RESULTS / f"{name}.png", dpi=70)
    plt.close(figure)


def histograms(name, X, y, made, y_made, limits) -> None:
    """Intensities inside and outside the mask, real over synthetic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    classes = np.unique(y)
    figure, axes = plt.subplots(len(classes), 2, figsize=(7, 2.5 * len(classes)))
    bins = np.linspace(*limits, 80)
    for row, c in zip(axes, classes, strict=True):
        for ax, inside in zip(row, (1, 0), strict=True):
            for volumes, labels, kind in [(X, y, "real"), (made, y_made, "synthetic")]:
                mine = volumes[labels == c]
                values = mine[:, 0][mine[:, 1] == inside]
                ax.hist(values, bins, density=True, histtype="step", label=kind)
            ax.set_title(f"{c}, {'inside' if inside else 'outside'}", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(RESULTS / f"{name}-histograms.png", dpi=70)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=["phantoms", "rare", "sarcomas"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument(
        "--max-iter", type=int, default=0, help="of rare and sarcomas; 0: the start alone"
    )
    args = parser.parse_args()
    warnings.simplefilter("ignore", GansamplerWarning)
    if args.part == "sarcomas":
        if args.folder is None:
            parser.error(
                "sarcomas needs the folder of ct.npz, t1.npz, pet.npz and patients.csv"
            )
        sarcomas(args.folder, args.max_iter)
    elif args.part == "rare":
        rare(args.max_iter)
    else:
        phantoms()


if __name__ == "__main__":
    main()
