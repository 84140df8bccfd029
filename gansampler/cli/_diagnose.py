"""`gansampler diagnose`: what is wrong with synthetic rows, of any generator."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from ._output import check_report, write_report
from ._tables import (
    check_classes,
    columns_aside,
    groups_of,
    read_labelled,
    read_synthetic,
    some,
)

NOT_HEALTHY = 1


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "diagnose",
        help="tell what is wrong with synthetic rows",
        description="Compare synthetic rows, of any generator, with the real rows it was "
        "trained on, and print a verdict on every class. In a table that `gansampler "
        "oversample` wrote, only the synthetic rows are looked at.",
        epilog="Exit status: 0 all classes are healthy, 1 not all are, 2 bad input. "
        "Example: gansampler diagnose real.csv synthetic.csv --target outcome --report "
        "report.html",
    )
    parser.add_argument(
        "real", metavar="REAL.csv", type=Path, help="what the generator was trained on"
    )
    parser.add_argument(
        "synthetic", metavar="SYNTHETIC.csv", type=Path, help="what it made; same columns"
    )
    parser.add_argument("--target", required=True, metavar="COL", help="the class column")
    parser.add_argument(
        "--id",
        metavar="COL",
        action="append",
        default=[],
        help="a column that names rows: left out; may be given again, the patient first",
    )
    parser.add_argument(
        "--group",
        metavar="COL",
        help="a column of REAL.csv that names patients: a row's own are no neighbours "
        "(default: the first --id, where it names several rows alike)",
    )
    parser.add_argument(
        "--class",
        dest="classes",
        metavar="LABEL",
        action="append",
        help="a class to judge, where not all were to be made; may be given again "
        "(default: all of REAL.csv, or those that `gansampler oversample` added to)",
    )
    parser.add_argument(
        "--holdout", metavar="H.csv", type=Path, help="real rows the generator never saw"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument(
        "--report", metavar="R.html", type=Path, help="write the diagnosis to this page"
    )
    parser.add_argument("--force", action="store_true", help="overwrite R.html")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print verdicts; return 0 where every class is healthy, else 1."""
    check_report(arguments)
    from ..checks import diagnose

    aside = columns_aside(arguments)
    table, X, y = read_labelled(arguments.real, arguments.target, aside)
    check_classes(arguments.real, y)
    X_new, y_new, is_ours = read_synthetic(
        arguments.synthetic, arguments.target, aside, like=X
    )
    X_holdout, y_holdout = None, None
    if arguments.holdout is not None:
        X_holdout, y_holdout, _ = read_synthetic(
            arguments.holdout, arguments.target, aside, like=X
        )
    classes = arguments.classes
    if classes is None:
        # Classes that nothing was added to are not missing from a table of our own.
        classes = sorted(set(y_new if is_ours else y))
    diagnosis = diagnose(
        X,
        y,
        X_new,
        y_new,
        classes=classes,
        X_holdout=X_holdout,
        y_holdout=y_holdout,
        groups=groups_of(table, arguments),
        random_state=arguments.seed,
    )
    print(diagnosis.summary())
    # Of a class that is missing the summary cannot know whether it was meant to be made.
    empty = [label for label in classes if label not in set(y_new)]
    if empty:
        others = " ".join(f"--class {shlex.quote(c)}" for c in sorted(set(y_new)))
        print(
            f"no synthetic row is of class {some(empty)}. If none was to be, judge the "
            f"others alone: {others}"
        )
    if arguments.report is not None:
        write_report(diagnosis, arguments.report)
    return 0 if diagnosis.is_healthy else NOT_HEALTHY
