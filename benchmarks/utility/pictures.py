"""Pictures of the report: ranks, gains of tables, doses and reliability."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from inference import interval

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BLUE, ORANGE, GREY = "#2a6f97", "#d1603d", "#8a8a8a"


def comparison(c, focus: str, per_unit: Callable, out: Path) -> None:
    """All pictures of one variant."""
    stem = re.sub(r"\W+", "-", c.name)
    critical_difference_diagram(
        *c.ranks("auc"), f"Mean rank, ROC AUC: {c.name}", out / f"{stem}-ranks.png"
    )
    arms = [a for a in dict.fromkeys([focus, "smote-5"]) if a in c.arms]
    if arms:
        forest(
            per_unit(c.gains("auc"))[arms],
            f"Gain in ROC AUC over none: {c.name}",
            out / f"{stem}-gains.png",
        )
    doses(c, per_unit, out / f"{stem}-doses.png")


def save(figure, path: Path) -> None:
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def critical_difference_diagram(
    ranks: pd.Series, cd: float, title: str, path: Path
) -> None:
    """Arms on a line by mean rank; bars join those closer than the critical difference."""
    ranks, n = ranks.sort_values(), len(ranks)
    half = (n + 1) // 2
    low, high = np.floor(ranks.min()), max(np.ceil(ranks.max()), np.floor(ranks.min()) + 1)
    bars = cliques(ranks.to_numpy(), cd)
    depth = 0.6 + 0.25 * len(bars)
    figure, axes = plt.subplots(figsize=(8, 0.25 * (half + len(bars)) + 1.2))
    axes.axis("off")
    axes.plot([low, high], [0, 0], color="black", lw=1)
    for tick in np.arange(low, high + 1):
        axes.plot([tick, tick], [0, 0.15], color="black", lw=1)
        axes.text(tick, 0.25, f"{tick:g}", ha="center", va="bottom")
    margin = 0.04 * (high - low)
    for i, (arm, rank) in enumerate(ranks.items()):
        left = i < half
        y = -depth - 0.5 * (i if left else n - 1 - i)
        edge = low - margin if left else high + margin
        axes.plot([rank, rank, edge], [0, y, y], color=GREY, lw=0.8)
        label = f"{arm}  {rank:.2f}" if left else f"{rank:.2f}  {arm}"
        axes.text(edge, y, f" {label} ", ha="right" if left else "left", va="center")
    for i, (a, b) in enumerate(bars):
        pad = 0.004 * (high - low)
        axes.plot([a - pad, b + pad], [-0.3 - 0.25 * i] * 2, color=BLUE, lw=3)
    axes.plot([low, min(low + cd, high)], [1.3, 1.3], color="black", lw=1.5)
    axes.text(low, 1.4, f"critical difference {cd:.2f}", va="bottom")
    axes.set_title(title, pad=18)
    save(figure, path)


def cliques(ranks: np.ndarray, cd: float) -> list[tuple[float, float]]:
    """Widest runs of ranks within the critical difference, of two arms or more."""
    runs: list[tuple[float, float]] = []
    for first in ranks:
        last = ranks[ranks <= first + cd].max()
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


def forest(gains: pd.DataFrame, title: str, path: Path) -> None:
    """Gain of one or two arms on every unit, with the mean and its interval below."""
    gains = gains.sort_values(gains.columns[0]).dropna()
    y = np.arange(len(gains)) + 1
    figure, axes = plt.subplots(figsize=(7, 0.24 * len(gains) + 1.8))
    axes.axvline(0, color="black", lw=0.8)
    for arm, colour, shift in zip(gains, (BLUE, ORANGE), (0.0, -0.7), strict=False):
        axes.plot(gains[arm], y, "o", color=colour, ms=5, label=arm, alpha=0.9)
        mean, half = interval(gains[arm].to_numpy())
        axes.errorbar(mean, -0.6 + shift, xerr=half, fmt="D", color=colour, capsize=3)
    axes.axhline(0.2, color=GREY, lw=0.5)
    axes.set_yticks([-0.9, *y], ["mean, 95% interval", *gains.index])
    axes.set_ylim(-2, len(gains) + 1)
    axes.set_xlabel("gain")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_title(title)
    save(figure, path)


DOSE = re.compile(r"(?P<generator>[^+@]+)(\+(?P<extra>[\d.]+))?(@(?P<prior>[\d.]+))?")


def doses(c, per_unit: Callable, path: Path) -> None:
    """Gains in AUC and corrected log-loss, by rows added and by target prior."""
    parsed = {arm: DOSE.fullmatch(arm).groupdict() for arm in c.arms}
    arms = pd.DataFrame(parsed).T.fillna({"extra": 0, "prior": 0.5})
    if not arms["generator"].duplicated().any():
        return
    arms[["extra", "prior"]] = arms[["extra", "prior"]].astype(float)
    axes_of = {
        "majority added, as a multiple": ("extra", arms[arms["prior"] == 0.5], "generator"),
        "target prior": ("prior", arms, ["generator", "extra"]),
    }
    rows = {"auc": "gain in ROC AUC", "log_loss_corrected": "change of log-loss, corrected"}
    figure, axes = plt.subplots(2, 2, figsize=(9, 7), sharey="row", layout="constrained")
    for i, (metric, ylabel) in enumerate(rows.items()):
        gains = per_unit(c.gains(metric))
        for j, (xlabel, (dose, group, by)) in enumerate(axes_of.items()):
            axes[i, j].axhline(0, color="black", lw=0.8)
            axes[i, j].set(xlabel=xlabel, ylabel=ylabel if j == 0 else "")
            for k, (name, mine) in enumerate(group.groupby(by)):
                if len(mine) < 2:
                    continue
                mine = mine.sort_values(dose)
                found = [interval(gains[arm].dropna().to_numpy()) for arm in mine.index]
                means, halves = np.transpose(found)
                label = name if isinstance(name, str) else f"{name[0]}+{name[1]:g}"
                x = mine[dose] + 0.01 * k * (1 if dose == "extra" else 0.03)
                axes[i, j].errorbar(x, means, yerr=halves, fmt="o-", capsize=3, label=label)
            if axes[i, j].get_legend_handles_labels()[0]:
                axes[i, j].legend(frameon=False)
    figure.suptitle(f"Dose and response: {c.name}")
    save(figure, path)


def reliability_curves(bins: pd.DataFrame, focus: str, out: Path) -> None:
    """Share of the minority by predicted probability, before and after correction."""
    for (collection, variant), mine in bins.groupby(["collection", "variant"]):
        if variant == "permuted":
            continue
        names = mine["classifier"].unique()
        figure, axes = plt.subplots(
            2,
            len(names),
            figsize=(2.6 * len(names), 5.6),
            sharex=True,
            sharey=True,
            layout="constrained",
        )
        for i, corrected in enumerate((False, True)):
            for j, name in enumerate(names):
                ax = axes[i, j]
                ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
                for arm, colour in zip(
                    ("none", "smote-5", focus), (GREY, ORANGE, BLUE), strict=True
                ):
                    chosen = mine[
                        (mine["arm"] == arm)
                        & (mine["classifier"] == name)
                        & (mine["corrected"] == corrected)
                        & (mine["n"] >= 20)
                    ]
                    ax.plot(
                        chosen["p"] / chosen["n"],
                        chosen["y"] / chosen["n"],
                        "o-",
                        color=colour,
                        ms=3,
                        label=arm,
                    )
                ax.set_aspect("equal")
                if i == 0:
                    ax.set_title(name)
            axes[i, 0].set_ylabel("corrected" if corrected else "as predicted")
        axes[0, 0].legend(frameon=False, fontsize=8)
        figure.supxlabel(
            "predicted probability of the rarer class, mean of bins of 20 rows or more"
        )
        figure.supylabel("its share")
        save(figure, out / f"{collection}-{variant}-reliability.png")
