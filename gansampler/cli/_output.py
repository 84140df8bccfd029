"""What commands write: tables, their datasheets and reports, whole or not at all."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import replacing

if TYPE_CHECKING:
    from .._datasheet import Datasheet


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that make a data set: where it goes, and what is said of it."""
    parser.add_argument(
        "--out",
        required=True,
        metavar="OUT.csv",
        type=Path,
        help="what to write; a datasheet, OUT.datasheet.json, is written beside it",
    )
    add_statement_options(parser)
    parser.add_argument("--force", action="store_true", help="overwrite files")


def add_statement_options(parser: argparse.ArgumentParser) -> None:
    """Options for what only the user knows of a data set."""
    parser.add_argument(
        "--source", metavar="TEXT", help="datasheet: what the real data are"
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="datasheet: licence of the real data"
    )
    parser.add_argument(
        "--intended-use", metavar="TEXT", help="datasheet: what the result is made for"
    )


def check_output(arguments: argparse.Namespace) -> None:
    """Find out before the work that neither OUT.csv nor its datasheet may be written."""
    check_writable(arguments.out, "--out", arguments.force)
    check_writable(datasheet_path(arguments.out), "--out", arguments.force)


def datasheet_path(out: Path) -> Path:
    """Where the datasheet of a file goes."""
    return out.with_suffix(".datasheet.json")


def statements(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the user states of a data set, as `Datasheet.of` takes it."""
    return {
        "title": arguments.out.name,
        "source": arguments.source or arguments.table.name,
        "licence": arguments.licence,
        "intended_use": arguments.intended_use,
    }


def write_with_datasheet(
    out: Path, write: Callable[[Path], object], sheet: Datasheet
) -> Datasheet:
    """Write a file, and its datasheet beside it: both or none.

    `write` is given the path to write to. The datasheet that is returned names the file.
    """
    home = datasheet_path(out)
    with replacing(home) as beside, replacing(out) as path:
        write(path)
        sheet = sheet.with_files(path)
        sheet.to_json(beside)
    print(f"wrote {out} and its datasheet {home}")
    return sheet


def shows_progress(arguments: argparse.Namespace) -> bool:
    """Whether there is something to show, and somebody to look at it."""
    return not arguments.quiet and arguments.steps > 0 and sys.stderr.isatty()


@contextmanager
def after(written: object) -> Iterator[None]:
    """An interruption says what was written before it."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{written} had been written") from None


@contextmanager
def noted(category: type[Warning]) -> Iterator[list[str]]:
    """Messages of the warnings of a category, which are shown as well."""
    messages: list[str] = []
    show = warnings.showwarning

    def note(message: Any, *rest: Any, **named: Any) -> None:
        if isinstance(message, category):
            messages.append(str(message))
        show(message, *rest, **named)

    warnings.showwarning = note
    try:
        yield messages
    finally:
        warnings.showwarning = show


def check_writable(path: Path, option: str, force: bool) -> None:
    """Refuse what is there, unless forced, and folders that are not."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; choose another {option}.")
    if path.exists() and not force:
        raise ValueError(f"{path} exists; choose another {option}, or give --force.")
    if not path.parent.is_dir():
        raise ValueError(f"the folder of {option}, {path.parent}, does not exist.")


def check_report(arguments: argparse.Namespace) -> None:
    """Find out before the work, not after it, that the report cannot be written."""
    if arguments.report is not None:
        check_writable(arguments.report, "--report", arguments.force)
        if find_spec("matplotlib") is None:
            raise ValueError(
                "--report needs matplotlib for its pictures: pip install gansampler[plot]"
            )


def write_report(diagnosis: Any, path: Path, sheet: Datasheet | None = None) -> None:
    """Write the page of a diagnosis, with a datasheet where there is one."""
    from ..report import datasheet_section, facts, html

    sections = [] if sheet is None else [datasheet_section(sheet.to_dict())]
    with replacing(path) as temporary:
        text = html(facts(diagnosis), sections)
        temporary.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {path}")
