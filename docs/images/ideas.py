"""The pictures of the guide.

python docs/images/ideas.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from scipy.special import expit
from scipy.stats import norm, wasserstein_distance

from gansampler import CycleGAN, diagnose
from gansampler.datasets import make_ct_phantoms

HERE = Path(__file__).parent
REAL, MADE, OTHER = "#444444", "#d95f02", "#1b9e77"


def save(figure, name):
    figure.savefig(HERE / f"{name}.png", dpi=110)
    plt.close(figure)


def gradients():
    """What a critic that sees through it teaches a generator; how distances saturate."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    score = np.linspace(-8, 4, 200)
    left.plot(score, expit(score), color=REAL, label="minimax")
    left.plot(score, expit(-score), color=MADE, label="non-saturating")
    left.plot(score, np.ones_like(score), color=OTHER, label="Wasserstein")
    left.set_xlabel("score of a synthetic row (left: seen through)")
    left.set_ylabel("size of gradient")
    left.legend()
    x = np.linspace(-10, 20, 6001)
    shifts = np.linspace(0, 8, 41)
    p = norm.pdf(x)
    divergence = []
    for shift in shifts:
        q = norm.pdf(x, shift)
        middle = (p + q) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [np.where(f > 0, f * np.log(f / middle), 0) for f in (p, q)]
        divergence.append(np.trapezoid(sum(parts) / 2, x))
    points = norm.ppf((np.arange(2000) + 0.5) / 2000)
    earth = [wasserstein_distance(points, points + shift) for shift in shifts]
    right.plot(shifts, divergence, color=REAL, label="Jensen-Shannon")
    right.axhline(np.log(2), color=REAL, ls=":", lw=1)
    right.plot(shifts, np.array(earth) / 4, color=OTHER, label="Wasserstein / 4")
    right.set(xlabel="how far two normal distributions lie apart", ylabel="distance")
    right.legend()
    save(figure, "gradients")


def failures():
    """Six generators of the same class, and what `diagnose` says of each."""
    rng = np.random.default_rng(0)

    def draw(n, classes=0):
        angle = rng.uniform(0, np.pi, n)
        side = np.column_stack([np.cos(angle), np.sin(angle)])
        return side + 3 * classes + rng.normal(0, 0.15, (n, 2))

    n, m = 100, 300
    real, other = draw(n), draw(n, classes=1)
    pairs = rng.integers(n, size=m)
    nearest = np.linalg.norm(real[pairs, None] - real, axis=2).argsort(axis=1)
    mates = nearest[np.arange(m), rng.integers(1, 6, m)]
    weight = rng.uniform(size=(m, 1))
    many = draw(5 * m)
    made = {
        "fresh rows": draw(m),
        "moved copies": real[pairs] + rng.normal(0, 0.005, (m, 2)),
        "SMOTE": real[pairs] + weight * (real[mates] - real[pairs]),
        "a part of the class": many[many[:, 0] > 0.5][:m],
        "independent columns": np.column_stack(
            [rng.permutation(column) for column in draw(m).T]
        ),
        "rows of another class": np.concatenate([draw(m // 2), draw(m // 2, classes=1)]),
    }
    figure, axes = plt.subplots(2, 3, figsize=(9, 5.4), layout="constrained")
    for ax, (name, rows) in zip(axes.flat, made.items(), strict=True):
        # Another class is looked at where its rows may be mixed in.
        known = [real, other] if "another" in name else [real]
        found = diagnose(
            np.concatenate(known),
            np.repeat([0, 1][: len(known)], n),
            rows,
            np.zeros(len(rows), dtype=int),
            classes=[0],
            random_state=0,
        )
        ax.scatter(*rows.T, s=5, c=MADE, alpha=0.6)
        ax.scatter(*real.T, s=12, facecolors="none", edgecolors=REAL, lw=0.7)
        ax.set_title(f"{name}: {found.verdicts_[0]}", fontsize=10)
        ax.set(xticks=[], yticks=[])
    save(figure, "failures")


def kernels():
    """A phantom under a soft kernel, translated to a sharp one, and the truth."""
    train = [make_ct_phantoms(20, kernel=k, random_state=s)[0] for k, s in KERNELS]
    gan = CycleGAN(max_iter=0, random_state=0).fit(*train)
    soft, sharp = (make_ct_phantoms(2, kernel=k, random_state=2)[0] for k, _ in KERNELS)
    made = gan.translate(soft, direction="a->b")
    middle = soft.shape[2] // 2
    images = {"soft kernel": soft, "translated": made, "truth: sharp kernel": sharp}
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
    for ax, (name, volume) in zip(axes, images.items(), strict=False):
        shown = ax.imshow(volume[0, 0, middle], cmap="gray", vmin=-50, vmax=200)
        ax.set_title(name, fontsize=10)
    figure.colorbar(shown, ax=axes[2], label="HU", shrink=0.8)
    error = axes[3].imshow((made - sharp)[0, 0, middle], cmap="coolwarm", vmin=-25, vmax=25)
    axes[3].set_title("translated less truth", fontsize=10)
    figure.colorbar(error, ax=axes[3], label="HU", shrink=0.8)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    save(figure, "kernels")


KERNELS = (("soft", 0), ("sharp", 1))

if __name__ == "__main__":
    gradients()
    failures()
    kernels()
