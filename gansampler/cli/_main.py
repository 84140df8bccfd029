"""The command line as a whole: its commands, its exit status, its messages."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from . import _demo, _diagnose, _harmonize, _oversample, _translate

BAD_INPUT = 2
INTERRUPTED = 130

COMMANDS = (_oversample, _diagnose, _harmonize, _translate, _demo)
"""In the order of the help; each module offers `add_parser(commands)` and `run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 on success, 1 on a bad diagnosis, 2 on bad input."""
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return arguments.run(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"gansampler: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("gansampler: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = argparse.ArgumentParser(
        prog="gansampler",
        description="Oversample small, wide, imbalanced tables with a conditional "
        "Wasserstein GAN whose rows pass a copy check.",
        epilog="Exit status: 0 done, 1 diagnosed as not healthy, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"gansampler: warning: {message}", file=sys.stderr)
