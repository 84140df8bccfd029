"""One page for a diagnosis: nothing to load, nothing to run, fit to be printed."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from ._facts import CORRELATED_FEATURES, QUESTIONS, shorten
from ._parts import Column, badge, number, page, table
from ._plots import (
    plot_correlations,
    plot_distances,
    plot_marginals,
    plot_projection,
    plot_training,
)
from ._style import DASH, DPI, SOURCES, TERMS


def html(facts: dict[str, Any], sections: Sequence[str] = ()) -> str:
    """Return the report as the text of one HTML file, with further sections at its end.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    classes = list(facts["classes"].values())
    body = [
        _head(facts, classes),
        _overview(facts),
        *(_class_section(facts, c, i) for i, c in enumerate(classes)),
        *sections,
        _reading(facts),
    ]
    return page("Diagnosis of synthetic rows", body)


def _head(facts: dict[str, Any], classes: list[dict[str, Any]]) -> str:
    n_healthy = sum(c["verdict"] == "healthy" for c in classes)
    n_real = sum(c["n_real"] for c in classes)
    n_synthetic = sum(c["n_synthetic"] for c in classes)
    rows = [{**c, "index": i} for i, c in enumerate(classes)]
    columns: list[Column] = [
        ("Class", "", lambda c: f'<a href="#class-{c["index"]}">{_name(c["class"])}</a>'),
        ("Verdict", "", lambda c: badge(c["verdict"])),
        ("Real rows", "n few", lambda c: f"{c['n_real']:,}"),
        ("Synthetic rows", "n few", lambda c: f"{c['n_synthetic']:,}"),
        ("Meaning and advice", "text most", _meaning),
    ]
    return (
        "<header>\n<h1>Diagnosis of synthetic rows</h1>\n"
        f'<p class="lead">{_count(n_healthy, len(classes))} healthy. '
        f"{n_synthetic:,} synthetic rows against {n_real:,} real rows, "
        f"{facts['n_features']:,} {_plural('feature', facts['n_features'])}.</p>\n"
        f"{table(columns, rows, 'wide')}\n</header>"
    )


def _overview(facts: dict[str, Any]) -> str:
    shown = facts["n_rows_shown"]
    most = max(max(c["n_real"], c["n_synthetic"]) for c in facts["classes"].values())
    limit = f"; {shown:,} rows of either side of a class at most" if most > shown else ""
    parts = [
        _figure(
            plot_projection(facts),
            "png",
            "Real and synthetic rows of each class on two principal components",
            "<b>Rows in two dimensions.</b> Principal components of the normal scores of "
            f"real rows of all classes{limit}. Healthy: orange triangles are spread over "
            "the same region as the blue dots, neither on top of them nor in a part of it "
            "only. What differs in other directions cannot be seen here.",
        )
    ]
    if facts["training"] is not None:
        parts.append(
            _figure(
                plot_training(facts),
                "svg",
                "Losses and held-out scores over training",
                "<b>Training.</b> Losses, faint at each step and as running means, and the "
                "energy score of held-out rows; the vertical line is the step that was "
                "kept, 0 being the start. Healthy: losses level off, and the score at the "
                "line is the lowest but for noise.",
            )
        )
    return f"<section>\n<h2>All classes</h2>\n{''.join(parts)}</section>"


def _class_section(facts: dict[str, Any], c: dict[str, Any], index: int) -> str:
    parts = [
        f'<section class="class" id="class-{index}">\n<h2>Class {_name(c["class"])} '
        f"{badge(c['verdict'])}</h2>\n<p>{_meaning(c, inline=True)}</p>"
    ]
    if c["n_synthetic"] == 0:
        parts.append(
            "<p>There is no synthetic row of this class, so nothing can be measured.</p>"
        )
        return "\n".join([*parts, "</section>"])
    parts += [
        "<h3>Statistics that decide</h3>",
        "<p>Flags mark values outside the band of fresh rows, in colour on the side that "
        "is bad news.</p>",
        _statistics(c, decides=True),
        _class_figures(facts, c),
        _worst_rows(c),
        _features(c),
        "<h3>Other statistics</h3>",
        _statistics(c, decides=False),
    ]
    return "\n".join([*parts, "</section>"])


def _statistics(c: dict[str, Any], *, decides: bool) -> str:
    """Table of the statistics that verdicts rest on, or of the others, by question."""
    head = "".join(
        f'<th scope="col" class="{css}">{text}</th>'
        for text, css in (
            ("Statistic", "most"),
            ("Value", "n"),
            ("95% null band", "n"),
            ("p", "n"),
            ("Flag", ""),
        )
    )
    bodies = []
    for question, statistics in c["statistics"].items():
        title = escape(QUESTIONS.get(question, question))
        rows = [
            f'<tr><th scope="row"><span class="title">{escape(s["title"])}</span>'
            f'<span class="asks">{escape(s["asks"])}</span></th>'
            f'<td class="n">{number(s["value"], s["unit"])}</td>'
            f'<td class="n">{_band(s)}</td><td class="n">{_p(s["p_value"])}</td>'
            f"<td>{_flag(s)}</td></tr>"
            for s in statistics
            if s["decides"] == decides
        ]
        if rows:
            bodies.append(
                '<tbody><tr class="question"><th scope="rowgroup" colspan="5">'
                f"{title}</th></tr>{''.join(rows)}</tbody>"
            )
    return (
        f'<div class="scroll"><table class="wide"><thead><tr>{head}</tr></thead>'
        f"{''.join(bodies)}</table></div>"
    )


def _class_figures(facts: dict[str, Any], c: dict[str, Any]) -> str:
    label, name = c["class"], escape(shorten(c["class"], 40))
    parts = [
        "<h3>Pictures</h3>",
        _figure(
            plot_distances(facts, label),
            "svg",
            f"Densities of nearest-neighbour distances in class {name}",
            _distance_caption(c),
        ),
        _figure(
            plot_marginals(facts, label),
            "svg",
            f"Distribution functions of some features in class {name}",
            "<b>Features one by one.</b> Share of rows up to each value"
            f"{_which_marginals(c)}; on a logarithmic axis where values span decades. "
            "W1/IQR is the area between the curves on a linear axis, in real interquartile "
            "ranges. Healthy: the orange curve stays in the blue band, which "
            "holds it in 95 of 100 tables of fresh rows, for any one feature; the worst of "
            "many features leave it now and then.",
        ),
    ]
    if facts["n_features"] > 1:
        parts.append(
            _figure(
                plot_correlations(facts, label),
                "png",
                f"Correlation matrices of class {name}",
                _correlation_caption(facts, c),
            )
        )
    return "\n".join(parts)


def _distance_caption(c: dict[str, Any]) -> str:
    found = c["distances"]
    text = (
        "<b>Distance to the nearest row.</b> Triangles are means. Healthy: the three "
        "curves lie over one another, synthetic to real a little to the right in small "
        "classes. A peak of it at zero: copies. Synthetic to synthetic far to the left: "
        "rows repeat one another. Synthetic to real far to the right: rows are unlike the "
        "real ones."
    )
    n, m = len(found["real_real"]), len(found["synthetic_synthetic"])
    if m < 0.8 * n:
        text += (
            f" Here the {m:,} synthetic rows are fewer than the {n:,} real ones, which by "
            "itself moves synthetic to synthetic to the right."
        )
    return text


def _which_marginals(c: dict[str, Any]) -> str:
    n_worst, n_predictive = (len(c["marginals"][k]) for k in ("worst", "predictive"))
    text = f", for the {n_worst} {_plural('feature', n_worst)} farthest off"
    if n_predictive:
        text += f" and the {n_predictive} others that tell most about the class"
    return text


def _correlation_caption(facts: dict[str, Any], c: dict[str, Any]) -> str:
    found = c["correlations"]
    chosen = f"All {len(found['names'])} features"
    listed = ""
    if found["is_subset"]:
        chosen = (
            f"{len(found['names'])} of {facts['n_features']:,} features, the "
            f"{CORRELATED_FEATURES // 2} that tell most about the class and the others "
            "that are farthest off,"
        )
    if len(found["names"]) > 3:
        names = ", ".join(escape(name) for name in found["names"])
        listed = f"<details><summary>Features, from the top</summary>{names}</details>"
    n, m = found["n_real"], found["n_synthetic"]
    chance = ""
    if min(n, m) > 2:
        size = np.sqrt(1 / (n - 1) + 1 / (m - 1))
        chance = f", by chance alone about {size:.2f} either way"
    return (
        f"<b>Rank correlations.</b> {chosen} in the order of a clustering of the real "
        "correlations. Differences beyond one are drawn as one; grey is a constant "
        "feature. Healthy: the first two look alike and the difference shows no blocks, "
        f"only noise{chance}.{listed}"
    )


def _worst_rows(c: dict[str, Any]) -> str:
    columns: list[Column] = [
        ("Synthetic row", "n", lambda r: f"{r['synthetic']:,}"),
        ("Nearest real row", "n", lambda r: f"{r['nearest_real']:,}"),
        ("Distance", "n", lambda r: number(r["distance"])),
        ("Over usual distance", "n", lambda r: number(r["distance_ratio"])),
        ("Copy p", "n", lambda r: _p(r["p_copy"])),
        ("Far p", "n", lambda r: _p(r["p_far"])),
    ]
    return (
        "<h3>Rows most like copies</h3>\n<p>Rows are counted from 0 in the tables given. "
        "The usual distance is the median from a real row to the nearest other. In a class "
        f"of {c['n_real']:,} rows, single rows are tested at {number(c['level'])}.</p>\n"
        f"{table(columns, c['worst_rows'], 'narrow')}"
    )


def _features(c: dict[str, Any]) -> str:
    if not any(np.isfinite(f["ks"]) for f in c["worst_features"]):
        return "<h3>Features</h3>\n<p>Too few rows to compare features.</p>"
    columns: list[Column] = [
        ("Feature", "name", lambda f: escape(f["name"])),
        ("W1&#8288;/&#8288;IQR", "n", lambda f: number(f["w1_iqr"])),
        ("KS", "n", lambda f: number(f["ks"])),
        ("Adjusted p", "n", lambda f: _p(f["ks_p_adjusted"])),
        ("Information, real", "n", lambda f: number(f["information_real"])),
        ("Information, synthetic", "n", lambda f: number(f["information_synthetic"])),
    ]
    text = f"<h3>Features farthest off</h3>\n{table(columns, c['worst_features'], 'wide')}"
    if any(np.isfinite(f["information_real"]) for f in c["predictive_features"]):
        text += (
            "\n<h3>Features that tell most about the class</h3>\n"
            f"{table(columns, c['predictive_features'], 'wide')}"
        )
    return text


def _reading(facts: dict[str, Any]) -> str:
    terms = "".join(f"<dt>{t}</dt><dd>{escape(text)}</dd>" for t, text in TERMS.items())
    sources = "".join(f"<li>{escape(source)}</li>" for source in SOURCES)
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    sizes = "; ".join(
        f"class {_name(c['class'])}: {c['n_real']:,} real rows, {c['n_synthetic']:,} "
        f"synthetic, {c['n_judged']:,} of them held one by one against the real ones at "
        f"level {number(c['level'])}"
        for c in facts["classes"].values()
    )
    return (
        '<section class="reading">\n<h2>How to read this</h2>\n'
        '<p class="note"><b>A copy check is not a proof of privacy.</b> It finds rows that '
        "lie closer to a real row than fresh rows would. A row that passes may still tell "
        "something about a patient, and a set of rows more than each of them.</p>\n"
        "<p>Each class gets the verdict of the first rule that holds, copies first. "
        "“Healthy” says that these tests, with this many rows, found nothing; "
        "few rows find little. It does not say that a model trained on the rows "
        "gets better.</p>\n"
        f"<dl>{terms}</dl>\n<h3>Sources</h3>\n"
        f'<ol class="sources">{sources}</ol>\n'
        f"<h3>Settings and versions</h3>\n<p>alpha {facts['alpha']:g}; {sizes}.</p>\n"
        f"<p>{escape(versions)}.</p>\n</section>"
    )


def _meaning(c: dict[str, Any], inline: bool = False) -> str:
    meaning = escape(_sentence(c["meaning"]))
    if c["verdict"] == "healthy":
        return meaning
    if inline:
        return f"{meaning} What to do: {escape(c['advice'])}."
    return f'{meaning}<span class="advice">{escape(_sentence(c["advice"]))}</span>'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _name(label: Any) -> str:
    return escape(shorten(label, 60))


def _count(n: int, total: int) -> str:
    if total == 1:
        return "The class is" if n else "The class is not"
    return f"{n} of {total} classes {'is' if n == 1 else 'are'}"


def _plural(noun: str, n: int) -> str:
    return noun if n == 1 else noun + "s"


def _p(value: float) -> str:
    if np.isnan(value):
        return DASH
    return "&lt;0.001" if value < 0.001 else f"{value:.3f}"


def _band(s: dict[str, Any]) -> str:
    low, high = s["null_low"], s["null_high"]
    if np.isnan(low) and np.isnan(high):
        return DASH
    return f"{number(low, s['unit'])} to {number(high, s['unit'])}"


def _flag(s: dict[str, Any]) -> str:
    text = {"above": "▲ above", "below": "▼ below", "unlikely": "● unlikely"}
    if not s["place"]:
        return ""
    css = "flag bad" if s["is_bad"] else "flag"
    return f'<span class="{css}">{text[s["place"]]}</span>'


def _figure(figure: Any, kind: str, alt: str, caption: str) -> str:
    """Return a picture with its caption; `alt` and `caption` are HTML."""
    with warnings.catch_warnings():
        # A name in a script that the font lacks costs its letters, not the report.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        data, media = _svg(figure) if kind == "svg" else _png(figure)
    width, height = figure.get_size_inches() * 96
    encoded = base64.b64encode(data).decode("ascii")
    return (
        f'<figure><img alt="{alt}" width="{width:.0f}" height="{height:.0f}" '
        f'src="data:{media};base64,{encoded}">'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _png(figure: Any) -> tuple[bytes, str]:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue(), "image/png"


def _svg(figure: Any) -> tuple[bytes, str]:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    # Names that matplotlib draws at random, so that a report comes out the same again.
    names: dict[str, str] = {}
    for name in re.findall(r'id="([a-z]+[0-9a-f]{10})"', text):
        names.setdefault(name, f"i{len(names)}")
    text = re.sub(
        r"\b[a-z]+[0-9a-f]{10}\b", lambda found: names.get(found[0], found[0]), text
    )
    return text.encode(), "image/svg+xml"
