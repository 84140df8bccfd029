"""What pages are made of: the page itself, tables, numbers and badges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import numpy as np

from ._style import BAD, DASH, MINUS, STYLE, TONES

Column = tuple[str, str, Callable[[dict[str, Any]], str]]
"""Heading, CSS class, and what a cell says of a record; cells are HTML."""


def page(title: str, body: Iterable[str]) -> str:
    """Return one HTML file that loads nothing and runs nothing; `body` is HTML."""
    # No script and no request, whatever a feature is called.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        "<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def table(columns: list[Column], records: Iterable[dict[str, Any]], css: str) -> str:
    head = "".join(f'<th scope="col" class="{c}">{text}</th>' for text, c, _ in columns)
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="{c}">{cell(r)}</td>' for _, c, cell in columns)
        + "</tr>"
        for r in records
    )
    return (
        f'<div class="scroll"><table class="{css}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def number(value: float | None, unit: str = "") -> str:
    """Three digits, or a percentage; a dash where there is no number."""
    if value is None or np.isnan(value):
        return DASH
    if np.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if unit == "share":
        return f"{100 * value:.0f}%" if value in (0, 1) else f"{100 * value:.1f}%"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
        return f"{value:,.{min(digits, 3)}f}".replace("-", MINUS)
    return f"{value:.1e}".replace("-", MINUS)


def badge(verdict: str) -> str:
    tone, sign = TONES.get(verdict, BAD)
    return f'<span class="badge {tone}">{sign} {escape(verdict)}</span>'
