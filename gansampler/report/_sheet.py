"""A datasheet as a page, or as a section of the page of a diagnosis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from ._facts import shorten
from ._parts import Column, badge, number, page, table

SOURCES = (
    "Gebru T, Morgenstern J, Vecchione B, et al. (2021). Datasheets for datasets. "
    "Communications of the ACM 64(12).",
    "Osuala R, Kushibar K, Garrucho L, et al. (2023). Data synthesis and adversarial "
    "networks: A review and meta-analysis in cancer imaging. Medical Image Analysis 84, "
    "102704.",
)


def datasheet_page(sheet: dict[str, Any]) -> str:
    """Return a datasheet, as `Datasheet.to_dict` gives it, as the text of an HTML file."""
    return page(sheet["title"], [f"<h1>{escape(sheet['title'])}</h1>", *_parts(sheet)])


def datasheet_section(sheet: dict[str, Any]) -> str:
    """Return a datasheet, as `Datasheet.to_dict` gives it, as a section of a page."""
    return "\n".join(
        ['<section class="reading">\n<h2>Datasheet</h2>', *_parts(sheet), "</section>"]
    )


def _parts(sheet: dict[str, Any]) -> list[str]:
    """The datasheet below its heading."""
    source, content, generator = sheet["source"], sheet["content"], sheet["generator"]
    params = {**generator["given"], **generator["params"]}
    return [
        f'<p class="lead">{escape(sheet["title"])}, described at {escape(sheet["created"])}'
        ".</p>",
        _terms(
            ("Intended use", sheet["intended_use"]),
            ("Source", source["name"]),
            ("Licence of the source", source["licence"]),
            ("Shape of the source", " x ".join(f"{n:,}" for n in source["shape"])),
            ("SHA-256 of its values", source["sha256"]),
            ("Files", ", ".join(f"{f['name']}: {f['sha256']}" for f in sheet["files"])),
            (
                "Content",
                f"{content['kind']}; {content['n_real']:,} real, "
                f"{content['n_synthetic']:,} synthetic",
            ),
        ),
        _classes(sheet) if sheet["classes"] else "",
        "<h3>Known limits</h3>\n<ul>"
        + "".join(f"<li>{escape(limit)}</li>" for limit in sheet["limits"])
        + "</ul>",
        f"<h3>Generator</h3>\n<p>{escape(generator['name'])}"
        f"{escape(_listed(', trained: ', generator['training']))}"
        f"{escape(_listed('; seeds: ', sheet['seeds']))}.</p>\n"
        f"<p>{escape(', '.join(_pairs(params)))}.</p>",
        _trust(sheet),
        f"<h3>Versions</h3>\n<p>{escape(', '.join(_pairs(sheet['versions'])))}.</p>",
        "<h3>Form and measures after</h3>\n<ol>"
        + "".join(f"<li>{escape(work)}</li>" for work in SOURCES)
        + "</ol>",
    ]


def _classes(sheet: dict[str, Any]) -> str:
    checks = sheet["checks"]
    rates = {
        _key(r["class"]): r["rate"]
        for r in (checks["copy_check"] or {}).get("acceptance_rate", [])
    }
    verdicts = {
        _key(v["class"]): v["verdict"]
        for v in (checks["diagnosis"] or {}).get("verdicts", [])
    }
    columns: list[Column] = [
        ("Class", "", lambda c: escape(shorten(c["class"], 60))),
        ("Real rows", "n few", lambda c: f"{c['n_real']:,}"),
        ("Synthetic rows", "n few", lambda c: f"{c['n_synthetic']:,}"),
        ("Share before", "n few", lambda c: number(c["prior_before"], "share")),
        ("Share after", "n few", lambda c: number(c["prior_after"], "share")),
        ("Passed copy check", "n", lambda c: number(rates.get(_key(c["class"])), "share")),
        (
            "Verdict",
            "",
            lambda c: (
                badge(verdicts[_key(c["class"])]) if _key(c["class"]) in verdicts else ""
            ),
        ),
    ]
    return table(columns, sheet["classes"], "wide")


def _key(label: Any) -> str:
    """What tells 1 from "1"."""
    return json.dumps(label)


def _trust(sheet: dict[str, Any]) -> str:
    columns: list[Column] = [
        ("Group of measures", "", lambda t: escape(t["group"])),
        ("Answered", "", lambda t: escape(t["answered"])),
        ("How", "text most", lambda t: escape(t["how"])),
    ]
    return f"<h3>SynTRUST</h3>\n{table(columns, sheet['trust'], 'wide')}"


def _terms(*pairs: tuple[str, str]) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{t}</dt><dd>{escape(text)}</dd>" for t, text in pairs if text)
        + "</dl>"
    )


def _listed(lead: str, values: dict[str, Any]) -> str:
    return lead + ", ".join(_pairs(values)) if values else ""


def _pairs(values: dict[str, Any]) -> Iterable[str]:
    for name, value in values.items():
        yield f"{name} {value if isinstance(value, str) else json.dumps(value)}"
