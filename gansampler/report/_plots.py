"""Pictures of a diagnosis, one function each: facts in, a matplotlib Figure out.

Figures are made directly, without pyplot, so that nothing global is touched. Blue is
real and orange synthetic in every picture (Okabe and Ito's palette, which colour-blind
readers can tell apart), and the two differ in line style or marker as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._facts import shorten
from ._style import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, SYNTHETIC, BETWEEN = "#0072B2", "#D55E00", "#333333"
OTHERS, FAINT, INK = "#C9CDD2", "#E4E6E9", "#333333"
SERIES = ("#333333", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#0072B2")

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
    grid = np.linspace(0, longest * 1.08 if longest > 0 else 1.0, 500)
    # One kernel for all: a few copies among far rows do not blur their curve.
    width = max(_kernel_width(found["real_real"]), 0.012 * float(grid[-1]))
    curves = []
    for name, (text, colour, line) in styles.items():
        distances = found[name]
        if len(distances) < 2:
            text += " (none)" if len(distances) == 0 else " (one)"
            ax.plot([], [], color=colour, linestyle=line, label=text)
        else:
            density = _density(distances, grid, width)
            ax.plot(grid, density, color=colour, linestyle=line, label=text, linewidth=1.6)
            curves.append((density, colour))
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
    ax.set_ylim(0, _top(ax, grid, curves))
    ax.set_yticks([])
    ax.set_xlabel("distance to the nearest row, in normal scores", fontsize=NORMAL)
    ax.set_ylabel("density", fontsize=NORMAL)
    _legend_above(ax, ncols=3, handlelength=2.6)
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
    titles = {"worst": "Features farthest off", "predictive": "Most predictive others"}
    groups = [
        (titles[kind] + (f" in class {shorten(c, 30)}" if len(labels) > 1 else ""), panels)
        for c in labels
        for kind, panels in of_class(facts, c)["marginals"].items()
        if panels
    ]
    if figure is None:
        figure = new_figure(WIDTH, 0.1 + 2.05 * len(groups))
    n_columns = max(3, *(len(panels) for _, panels in groups))
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(groups), 1)))
    for i, (part, (title, panels)) in enumerate(zip(parts, groups, strict=True)):
        axes = part.subplots(1, n_columns, squeeze=False)[0]
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        for ax, panel in zip(axes, panels, strict=False):
            _draw_marginal(ax, panel)
            ax.tick_params(labelleft=ax is axes[0])
        axes[0].set_ylabel("share of rows", fontsize=NORMAL)
        part.suptitle(_escape(title), x=0.008, ha="left", fontsize=NORMAL, color=INK)
        if i == 0:
            part.legend(
                axes[0].get_lines()[:2],
                ["real", "synthetic"],
                loc="upper right",
                ncols=2,
                frameon=False,
                fontsize=NORMAL,
                borderaxespad=0.2,
                borderpad=0.2,
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
        figure = new_figure(WIDTH, 0.3 + (WIDTH - 0.75 - _label_width(found["names"])) / 3)
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
    bar = figure.colorbar(image, ax=axes, shrink=0.9, aspect=24, pad=0.015, extend="both")
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
    most = max(len(found["real"][c]) + len(found["synthetic"][c]) for c in labels)
    size = float(np.clip(5000 / most, 7, 20))
    for label, ax in zip(labels, axes.flat, strict=False):
        others = [rows for other, rows in found["real"].items() if other != label]
        if others:
            rows = np.concatenate(others)
            _scatter(ax, rows, OTHERS, "o", size / 2, "real, other classes", zorder=1)
        _scatter(ax, found["real"][label], REAL, "o", size, "real", zorder=2)
        synthetic = found["synthetic"][label]
        _scatter(ax, synthetic, SYNTHETIC, "^", size, "synthetic", zorder=3)
        title = f"class {shorten(label, 24)}"
        if len(synthetic) == 0:
            title += ": no synthetic rows"
        ax.set_title(_escape(title), fontsize=NORMAL, color=INK)
        ax.margins(0.06)
        _plain(ax)
    shares = found["explained"]
    text = f"component 1 ({shares[0]:.0%} of the real variance)"
    figure.supxlabel(text, fontsize=NORMAL, color=INK)
    figure.supylabel(f"component 2 ({shares[1]:.0%})", fontsize=NORMAL, color=INK)
    handles, texts = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles[-2:] + handles[:-2],
        texts[-2:] + texts[:-2],
        loc="outside upper left",
        ncols=3,
        frameon=False,
        fontsize=NORMAL,
        borderaxespad=0.2,
        handletextpad=0.1,
        markerscale=1.3,
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
        _legend_above(ax, ncols=4)
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


def _label_width(names: list[str]) -> float:
    """Inches that feature names take beside a matrix."""
    if len(names) > MAX_LABELS:
        return 0.0
    return 0.062 * max(len(shorten(name, 22)) for name in names)


def _kernel_width(values: np.ndarray) -> float:
    """Silverman's rule of thumb, by the smaller of two measures of spread."""
    if len(values) < 2:
        return 0.0
    low, high = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std()), float(high - low) / 1.34)
    return 0.9 * spread * len(values) ** -0.2


def _density(values: np.ndarray, grid: np.ndarray, width: float) -> np.ndarray:
    """Gaussian kernel density of values of at least 0, mirrored there."""
    density = np.zeros(len(grid))
    for centres in (values, -values):
        steps = (grid[:, None] - centres) / width
        density += np.exp(-0.5 * np.square(steps)).sum(axis=1)
    return density / (len(values) * width * np.sqrt(2 * np.pi))


def _top(ax: Axes, grid: np.ndarray, curves: list[tuple[np.ndarray, str]]) -> float:
    """Height of the panel; one pile of equal distances does not flatten the others."""
    if not curves:
        return 1.0
    curves = sorted(curves, key=lambda curve: curve[0].max())
    density, colour = curves[-1]
    highest = float(density.max())
    limit = 2.5 * float(curves[-2][0].max()) if len(curves) > 1 else np.inf
    if highest <= limit:
        return 1.08 * highest
    cut = grid[density >= 0.8 * limit]
    on_right = cut[-1] > 0.6 * grid[-1]
    ax.annotate(
        f"goes on to {highest / limit:.1f} times this height",
        (float(cut[0] if on_right else cut[-1]), 1.0),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-6 if on_right else 6, -3),
        textcoords="offset points",
        ha="right" if on_right else "left",
        va="top",
        fontsize=SMALL,
        color=colour,
    )
    return limit


class _Scale(NamedTuple):
    """How values are laid out along an axis."""

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray], np.ndarray]
    kind: str


def _scale_of(values: np.ndarray) -> _Scale:
    """A logarithm for values over many decades, asinh for heavy tails of both signs."""
    low, first, third, high = np.quantile(values, [0.05, 0.25, 0.75, 0.95])
    if values.min() > 0 and high > 100 * low:
        return _Scale(np.log10, lambda z: 10.0**z, "log")
    middle, spread = float(np.median(values)), float(third - first)
    if spread > 0 and high - low > 20 * spread:
        return _Scale(
            lambda v: np.arcsinh((v - middle) / spread),
            lambda z: middle + spread * np.sinh(z),
            "asinh",
        )
    return _Scale(np.asarray, np.asarray, "linear")


def _draw_marginal(ax: Axes, panel: dict[str, Any]) -> None:
    pooled = np.concatenate([panel["real"], panel["synthetic"]])
    scale = _scale_of(pooled)
    real, synthetic = scale.forward(panel["real"]), scale.forward(panel["synthetic"])
    pooled = scale.forward(pooled)
    low, high = _limits(pooled)
    if len(synthetic) and len(real):
        half = KS_95 * np.sqrt(1 / len(real) + 1 / len(synthetic))
        x, y = _steps(real, low, high)
        ax.fill_between(
            x,
            np.clip(y - half, 0, 1),
            np.clip(y + half, 0, 1),
            step="post",
            color=REAL,
            alpha=0.13,
            linewidth=0,
        )
    for side, colour, line in ((real, REAL, "-"), (synthetic, SYNTHETIC, (0, (4, 1.2)))):
        x, y = _steps(side, low, high)
        ax.step(x, y, where="post", color=colour, linestyle=line, linewidth=1.3)
    ax.set_xlim(low, high)
    ax.set_ylim(-0.03, 1.03)
    ax.set_yticks([0, 0.5, 1])
    ticks = _ticks(scale, low, high)
    ax.set_xticks(ticks, _tick_labels(scale.backward(ticks)))
    lines = [_escape(line) for line in _two_lines(panel["name"])]
    ax.set_title("\n".join(lines), fontsize=SMALL, color=INK, linespacing=1.15)
    ax.set_xlabel(_under(panel, pooled, low, high), fontsize=SMALL - 0.5)
    _plain(ax)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Range that shows most rows; far ones of a tail are left outside."""
    lowest, low, high, highest = np.quantile(values, [0, 0.05, 0.95, 1])
    if highest <= lowest:
        pad = 0.5 * max(abs(float(lowest)), 1.0)
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
    before, inside = np.searchsorted(values, [low, high], side="right") / len(values)
    x = np.concatenate([[low], np.clip(values[at], low, high), [high]])
    y = np.concatenate(
        [[before], np.clip((at + 1) / len(values), before, inside), [inside]]
    )
    return x, y


def _ticks(scale: _Scale, low: float, high: float) -> np.ndarray:
    """At most three round numbers, as positions on the axis."""
    from matplotlib.ticker import MaxNLocator

    if scale.kind == "asinh":
        values = scale.backward(low + (high - low) * np.array([0.15, 0.5, 0.85]))
        values[np.abs(values) < 0.01 * np.abs(values).max()] = 0.0
        return np.unique(scale.forward(np.array([float(f"{v:.1g}") for v in values])))
    for n_bins in (3, 2, 1):
        locator = MaxNLocator(n_bins, steps=[1, 2, 5, 10], integer=scale.kind == "log")
        ticks = np.asarray(locator.tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        wide = sum(len(text) for text in _tick_labels(scale.backward(ticks)))
        if len(ticks) <= 4 and wide <= 21:
            break
    return ticks


def _tick_labels(ticks: np.ndarray) -> list[str]:
    """Numbers with as few digits as tell them apart."""
    texts: list[str] = []
    for digits in range(2, 16):
        texts = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(texts)) == len(texts):
            break
    short = [re.sub(r"e\+?(-?)0*(\d)", r"e\1\2", text) for text in texts]
    return [text.replace("-", MINUS) for text in short]


def _under(panel: dict[str, Any], pooled: np.ndarray, low: float, high: float) -> str:
    """What a panel says below its axis: how far off, and how many rows are not shown."""
    parts = []
    if not np.isnan(panel["w1_iqr"]):
        shift = f"{panel['w1_iqr']:.2g}".replace("inf", "∞")
        parts.append(f"W1/IQR {shift}")
    n_outside = int(((pooled < low) | (pooled > high)).sum())
    if n_outside:
        parts.append(f"{n_outside} off axis")
    return ", ".join(parts)


def _two_lines(name: str, width: int = 25) -> list[str]:
    """A feature name on at most two lines, each cut in the middle where it is too long."""
    name = " ".join(name.split())
    if len(name) <= width:
        return [name]
    cuts = [i + 1 for i, c in enumerate(name) if c in "_-. " and 4 <= i < len(name) - 5]
    middle = min(cuts, key=lambda i: abs(i - len(name) / 2), default=len(name) // 2)
    return [shorten(name[:middle], width), shorten(name[middle:], width)]


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
    ax: Axes,
    rows: np.ndarray,
    colour: str,
    marker: str,
    size: float,
    text: str,
    zorder: float,
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
        zorder=zorder,
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


def _legend_above(ax: Axes, **style: Any) -> None:
    """The legend in a line over the axes, where it covers nothing."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.01)}
    ax.legend(**place, frameon=False, fontsize=NORMAL, borderaxespad=0, **style)


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
