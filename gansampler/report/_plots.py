"""Pictures of a diagnosis, one function each: facts in, a matplotlib Figure out.

Figures are made directly, without pyplot, so that nothing global is touched. Blue is
real and orange synthetic in every picture (Okabe and Ito's palette, which colour-blind
readers can tell apart), and the two differ in line style or marker as well.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ._facts import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, SYNTHETIC, BETWEEN = "#0072B2", "#D55E00", "#333333"
OTHERS, FAINT, INK = "#C9CDD2", "#E4E6E9", "#333333"
SERIES = ("#333333", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#0072B2")

MINUS = "\N{MINUS SIGN}"

WIDTH = 7.6
"""Inches: the width of a page of text, so that type comes out as large as it is set."""

SMALL, NORMAL = 7.0, 8.0
MAX_LABELS = 16
"""Features named beside a correlation matrix; more names would overlap."""

MAX_STEPS = 250
"""Steps of a drawn distribution function."""

KS_95 = 1.358
"""95% quantile of the Kolmogorov distribution."""


def new_figure(width: float = WIDTH, height: float = 3.0) -> Figure:
    """Return an empty figure of its own."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures and reports need matplotlib, which is not installed. "
            'Install it with: pip install "gansampler[plot]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def plot_distances(facts: dict[str, Any], label: Any, ax: Axes | None = None) -> Figure:
    """Densities of the distances to the nearest row, in normal scores.

    Real to real, synthetic to synthetic and synthetic to real; triangles are the means.
    Healthy curves lie over one another.
    """
    found = of_class(facts, label)["distances"]
    if ax is None:
        ax = new_figure(WIDTH, 2.6).subplots()
    styles = {
        "real_real": ("real to real", REAL, "-"),
        "synthetic_synthetic": ("synthetic to synthetic", SYNTHETIC, "--"),
        "synthetic_real": ("synthetic to real", BETWEEN, "-."),
    }
    longest = max((float(d.max()) for d in found.values() if len(d)), default=0.0)
    grid = np.linspace(0, longest * 1.08 if longest > 0 else 1.0, 400)
    peaks = []
    for name, (text, colour, line) in styles.items():
        distances = found[name]
        if len(distances) < 2:
            text += " (none)" if len(distances) == 0 else " (one)"
            ax.plot([], [], color=colour, linestyle=line, label=text)
        else:
            density = _density(distances, grid)
            ax.plot(grid, density, color=colour, linestyle=line, label=text, linewidth=1.6)
            peaks.append((float(density.max()), float(grid[density.argmax()]), colour))
        if len(distances):
            ax.plot(
                [distances.mean()],
                [0.015],
                marker="^",
                markersize=6,
                color=colour,
                transform=ax.get_xaxis_transform(),
                clip_on=False,
                zorder=3,
                linestyle="none",
            )
    ax.set_xlim(0, float(grid[-1]))
    ax.set_ylim(0, _top(ax, peaks))
    ax.set_yticks([])
    ax.set_xlabel("distance to the nearest row, in normal scores", fontsize=NORMAL)
    ax.set_ylabel("density", fontsize=NORMAL)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        ncols=3,
        frameon=False,
        fontsize=NORMAL,
        borderaxespad=0,
        handlelength=2.6,
    )
    _plain(ax)
    return _figure_of(ax)


def plot_marginals(
    facts: dict[str, Any], label: Any = None, figure: Figure | None = None
) -> Figure:
    """Distribution functions of the worst and of the most predictive features.

    The band is where a synthetic curve lies in 95 of 100 tables of fresh rows. Without a
    label every class gets its rows of panels.
    """
    labels = list(facts["classes"]) if label is None else [label]
    kinds = {
        label: {k: p for k, p in of_class(facts, label)["marginals"].items() if p}
        for label in labels
    }
    n_rows = sum(len(panels) for panels in kinds.values())
    if figure is None:
        figure = new_figure(WIDTH, 0.35 + 1.85 * n_rows)
    columns = max(len(p) for panels in kinds.values() for p in panels.values())
    axes = figure.subplots(n_rows, max(columns, 3), squeeze=False)
    rows = iter(axes)
    for label, by_kind in kinds.items():
        for kind, panels in by_kind.items():
            row = next(rows)
            title = {"worst": "farthest off", "predictive": "most predictive"}[kind]
            if len(labels) > 1:
                title = f"class {shorten(label, 14)}\n{title}"
            row[0].set_ylabel(_escape(title), fontsize=NORMAL)
            for ax in row[len(panels) :]:
                ax.set_axis_off()
            for i, (ax, panel) in enumerate(zip(row, panels, strict=False)):
                _draw_marginal(ax, panel)
                ax.tick_params(labelleft=i == 0)
    handles = [*axes[0, 0].get_lines()[:2]]
    figure.legend(
        handles,
        ["real", "synthetic"],
        loc="outside upper left",
        ncols=2,
        frameon=False,
        fontsize=NORMAL,
        borderaxespad=0.2,
    )
    return figure


def plot_correlations(
    facts: dict[str, Any], label: Any, figure: Figure | None = None
) -> Figure:
    """Rank correlations of real rows, of synthetic rows, and their difference.

    Features are in the order of a clustering of the real correlations; names are written
    where they fit. Grey: a constant feature, or fewer than three rows.
    """
    from matplotlib.colors import Normalize

    found = of_class(facts, label)["correlations"]
    n = len(found["names"])
    if figure is None:
        figure = new_figure(WIDTH, 2.9)
    axes = figure.subplots(1, 3, squeeze=False)[0]
    matrices = {
        f"real ({found['n_real']:,} rows)": found["real"],
        f"synthetic ({found['n_synthetic']:,} rows)": found["synthetic"],
        f"synthetic {MINUS} real": found["synthetic"] - found["real"],
    }
    image: Any = None
    for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
        ax.set_facecolor(FAINT)
        image = ax.imshow(
            np.ma.masked_invalid(matrix),
            cmap="RdBu_r",
            norm=Normalize(-1, 1),
            interpolation="nearest",
        )
        ax.set_title(title, fontsize=NORMAL, color=INK)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        if not np.isfinite(matrix).any():
            _note(ax, "too few rows,\nor constant")
    if n <= MAX_LABELS:
        names = [_escape(shorten(name, 22)) for name in found["names"]]
        axes[0].set_yticks(range(n), names, fontsize=min(SMALL, 100 / n))
        axes[0].tick_params(left=False, colors=INK)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=24, pad=0.015, extend="both")
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.ax.tick_params(labelsize=SMALL, colors=INK, length=2)
    bar.outline.set_visible(False)
    return figure


def plot_projection(facts: dict[str, Any], figure: Figure | None = None) -> Figure:
    """Real and synthetic rows on the two leading principal components of the real ones.

    One panel a class, on the same axes; real rows of the other classes in grey.
    """
    found = facts["projection"]
    labels = list(found["real"])
    n_columns = min(3, len(labels))
    n_rows = -(-len(labels) // n_columns)
    if figure is None:
        figure = new_figure(WIDTH, 0.5 + n_rows * (3.1 if n_columns < 3 else 2.6))
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for ax in axes.flat[len(labels) :]:
        ax.set_axis_off()
    for label, ax in zip(labels, axes.flat, strict=False):
        others = [rows for other, rows in found["real"].items() if other != label]
        real, synthetic = found["real"][label], found["synthetic"][label]
        size = float(np.clip(3000 / (len(real) + len(synthetic) + 1), 7, 26))
        if others:
            _scatter(
                ax, np.concatenate(others), OTHERS, "o", size / 2, "real, other classes"
            )
        _scatter(ax, real, REAL, "o", size, "real")
        _scatter(ax, synthetic, SYNTHETIC, "^", size, "synthetic")
        title = f"class {shorten(label, 24)}"
        if len(synthetic) == 0:
            title += ": no synthetic rows"
        ax.set_title(_escape(title), fontsize=NORMAL, color=INK)
        ax.margins(0.06)
        _plain(ax)
    shares = found["explained"]
    figure.supxlabel(f"component 1 ({shares[0]:.0%} of the real variance)", fontsize=NORMAL)
    figure.supylabel(f"component 2 ({shares[1]:.0%})", fontsize=NORMAL)
    handles, texts = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles,
        texts,
        loc="outside upper left",
        ncols=3,
        frameon=False,
        fontsize=NORMAL,
        borderaxespad=0.2,
    )
    return figure


def plot_training(facts: dict[str, Any], figure: Figure | None = None) -> Figure:
    """Losses of the training and scores on held-out rows, with the step that was kept.

    Raises
    ------
    ValueError
        If the generator gave no history.
    """
    found = facts["training"]
    if found is None:
        raise ValueError(
            "history_ is empty, so there is no training to plot: set it to the history_ of "
            "the fitted generator."
        )
    has_scores = len(found["scores"]) > 0
    if figure is None:
        figure = new_figure(WIDTH, 4.0 if has_scores else 2.4)
    axes = figure.subplots(1 + has_scores, 1, squeeze=False, sharex=True)[:, 0]
    for i, (name, values) in enumerate(found["losses"].items()):
        colour = SERIES[i % len(SERIES)]
        steps = np.arange(1, len(values) + 1)
        axes[0].plot(steps, values, color=colour, linewidth=0.5, alpha=0.25)
        axes[0].plot(
            steps,
            _smooth(values),
            color=colour,
            linewidth=1.4,
            linestyle=("-", "--", "-.", ":")[i % 4],
            label=_escape(shorten(name)),
        )
    axes[0].set_ylabel("loss", fontsize=NORMAL)
    if has_scores:
        _draw_scores(axes[1], found["score_steps"], found["scores"])
    best = found["best_step"]
    for ax in axes:
        if best is not None:
            text = f"kept: step {best:,}" if ax is axes[0] else None
            ax.axvline(best, color=SYNTHETIC, linewidth=1.2, zorder=0.5, label=text)
        _plain(ax)
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.01),
            ncols=4,
            frameon=False,
            fontsize=NORMAL,
            borderaxespad=0,
        )
    axes[-1].set_xlabel("step of the generator", fontsize=NORMAL)
    return figure


def of_class(facts: dict[str, Any], label: Any) -> dict[str, Any]:
    """Facts about one class.

    Raises
    ------
    ValueError
        If the class was not diagnosed.
    """
    if label not in facts["classes"]:
        raise ValueError(
            f"Class {label!r} was not diagnosed; known are {list(facts['classes'])}."
        )
    return facts["classes"][label]


def _density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel density of values of at least 0, mirrored there.

    The kernel has a least width, so that equal values, all zero for copies, give a peak.
    """
    low, high = np.quantile(values, [0.25, 0.75])
    spreads = [s for s in (values.std(), (high - low) / 1.34) if s > 0]
    width = 0.9 * min(spreads, default=0.0) * len(values) ** -0.2
    width = max(width, 0.012 * float(grid[-1]))
    density = np.zeros(len(grid))
    for centres in (values, -values):
        steps = (grid[:, None] - centres) / width
        density += np.exp(-0.5 * np.square(steps)).sum(axis=1)
    return density / (len(values) * width * np.sqrt(2 * np.pi))


def _top(ax: Axes, peaks: list[tuple[float, float, str]]) -> float:
    """Height of the panel; one pile of equal distances does not flatten the others."""
    if not peaks:
        return 1.0
    peaks = sorted(peaks, key=lambda peak: peak[0])
    highest, where, colour = peaks[-1]
    limit = 2.5 * peaks[-2][0] if len(peaks) > 1 else np.inf
    if highest <= limit:
        return 1.08 * highest
    on_right = where > 0.6 * ax.get_xlim()[1]
    ax.annotate(
        f"peak {highest / limit:.1f} times as high",
        (where, 1.0),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-9 if on_right else 9, -3),
        textcoords="offset points",
        ha="right" if on_right else "left",
        va="top",
        fontsize=SMALL,
        color=colour,
    )
    return limit


def _draw_marginal(ax: Axes, panel: dict[str, Any]) -> None:
    real, synthetic = panel["real"], panel["synthetic"]
    pooled = np.concatenate([real, synthetic])
    low, high = _limits(pooled)
    steps = [(*_steps(side, low, high),) for side in (real, synthetic)]
    if len(synthetic) and len(real):
        half = KS_95 * np.sqrt(1 / len(real) + 1 / len(synthetic))
        x, y = steps[0]
        ax.fill_between(
            x,
            np.clip(y - half, 0, 1),
            np.clip(y + half, 0, 1),
            step="post",
            color=REAL,
            alpha=0.13,
            linewidth=0,
        )
    for (x, y), colour, line in zip(
        steps, (REAL, SYNTHETIC), ("-", (0, (4, 1.2))), strict=True
    ):
        ax.step(x, y, where="post", color=colour, linestyle=line, linewidth=1.3)
    ax.set_xlim(low, high)
    ax.set_ylim(-0.03, 1.03)
    ax.set_yticks([0, 0.5, 1])
    ticks = low + (high - low) * np.array([0.1, 0.5, 0.9])
    ax.set_xticks(ticks, _tick_labels(ticks))
    lines = [_escape(line) for line in _two_lines(panel["name"])]
    title = ax.set_title("\n".join(lines), fontsize=SMALL, color=INK, linespacing=1.15)
    title.set_in_layout(True)
    ax.set_xlabel(_under(panel, pooled, low, high), fontsize=SMALL - 0.5)
    _plain(ax)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Range that shows most rows; far ones of a heavy tail are left outside."""
    lowest, low, high, highest = np.quantile(values, [0, 0.05, 0.95, 1])
    if highest <= lowest:
        pad = max(abs(float(lowest)), 1.0) * 0.5
        return float(lowest) - pad, float(lowest) + pad
    reach = 1.5 * (high - low)
    if reach > 0:
        lowest, highest = max(lowest, low - reach), min(highest, high + reach)
    pad = 0.04 * (highest - lowest)
    return float(lowest - pad), float(highest + pad)


def _steps(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Distribution function of sorted values, from one end of the panel to the other."""
    if not len(values):
        return np.empty(0), np.empty(0)
    at = np.linspace(0, len(values) - 1, min(len(values), MAX_STEPS)).round().astype(int)
    x = np.concatenate([[low], np.clip(values[at], low, high), [high]])
    inside = np.searchsorted(values, high, side="right") / len(values)
    y = np.concatenate(
        [[np.searchsorted(values, low) / len(values)], (at + 1) / len(values)]
    )
    y = np.append(y, inside)
    return x, np.minimum(y, inside)


def _under(panel: dict[str, Any], pooled: np.ndarray, low: float, high: float) -> str:
    """What a panel says below its axis: how far off, and how many rows are not shown."""
    parts = []
    if not np.isnan(panel["w1_iqr"]):
        parts.append(f"W1/IQR {panel['w1_iqr']:.2g}")
    n_outside = int(((pooled < low) | (pooled > high)).sum())
    if n_outside:
        parts.append(f"{n_outside} off axis")
    return ", ".join(parts)


def _tick_labels(ticks: np.ndarray) -> list[str]:
    """Numbers with as few digits as tell them apart."""
    for digits in range(2, 12):
        texts = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(texts)) == len(texts):
            break
    return [text.replace("e+", "e").replace("-", MINUS) for text in texts]


def _two_lines(name: str) -> list[str]:
    """A feature name on at most two lines, cut in the middle where that is too little."""
    width = 24
    name = shorten(name, 2 * width - 2)
    if len(name) <= width:
        return [name]
    cuts = [i + 1 for i, c in enumerate(name) if c in "_-. " and 6 <= i < len(name) - 6]
    middle = min(cuts, key=lambda i: abs(i - len(name) / 2), default=0)
    if max(middle, len(name) - middle) > width:
        return textwrap.wrap(shorten(name, 2 * width - 2), width)[:2]
    return [name[:middle], name[middle:]]


def _draw_scores(ax: Axes, steps: np.ndarray, scores: np.ndarray) -> None:
    ax.plot(
        steps,
        scores,
        color=INK,
        marker="o",
        markersize=3,
        linewidth=1.2,
        label="held-out score",
    )
    failed = steps[np.isnan(scores)]
    if len(failed):
        ax.plot(
            failed,
            np.full(len(failed), 0.04),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="x",
            markersize=5,
            color=SYNTHETIC,
            label="failed the copy check",
        )
    ax.set_ylabel("energy score\n(lower is better)", fontsize=NORMAL)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over a fiftieth of the steps."""
    width = max(1, len(values) // 50)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _scatter(
    ax: Axes, rows: np.ndarray, colour: str, marker: str, size: float, text: str
) -> None:
    ax.scatter(
        rows[:, 0],
        rows[:, 1],
        s=size,
        c=colour,
        marker=marker,
        alpha=0.6,
        linewidths=0,
        label=text,
    )


def _note(ax: Axes, text: str) -> None:
    ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL,
        color=INK,
    )


def _plain(ax: Axes) -> None:
    """Axes that leave the ink to the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#9AA0A6")
    ax.tick_params(labelsize=SMALL, colors=INK, length=2.5, width=0.6)
    ax.xaxis.label.set_color(INK)
    ax.yaxis.label.set_color(INK)


def _escape(text: str) -> str:
    """Text as it is: a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def _figure_of(ax: Axes) -> Any:
    return ax.figure
