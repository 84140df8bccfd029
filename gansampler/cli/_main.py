"""The command line as a whole: its commands, its exit status, its messages."""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from . import _demo, _diagnose, _harmonize, _oversample, _translate

BAD_INPUT = 2
INTERRUPTED = 130

COMMANDS = (_oversample, _diagnose, _harmonize, _translate, _demo)
"""In the order of the help; each module offers `add_parser(commands)` and `run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments after the name of the command; None takes those of the process.

    Returns
    -------
    int
        0 on success, 1 if `diagnose` finds a class that is not healthy, 2 on bad input,
        130 if interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return arguments.run(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"gansampler: {_described(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as stop:
        what = str(stop) or "nothing was written"
        print(f"gansampler: interrupted; {what}", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = _Command(
        prog="gansampler",
        description="Oversample small, wide, imbalanced tables with a conditional "
        "Wasserstein GAN whose rows pass a copy check.",
        epilog="Exit status: 0 done, 1 diagnosed as not healthy, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        required=True,
        metavar="COMMAND",
        parser_class=_Command,
    )
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


class _Command(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Help, **settings)


class _Help(argparse.HelpFormatter):
    """Leaves the options in an example in one piece."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        wrap = partial(textwrap.fill, initial_indent=indent, subsequent_indent=indent)
        return wrap(text, width, break_on_hyphens=False)


def _described(error: Exception) -> str:
    """What Python says of files that are not there, in plain words."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"there is no file {error.filename}."
    return str(error)


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"gansampler: warning: {message}", file=sys.stderr)
