"""`gansampler oversample`: bring a CSV table to a class prior."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._output import (
    add_output_options,
    after,
    check_output,
    check_report,
    noted,
    shows_progress,
    statements,
    write_report,
    write_with_datasheet,
)
from ._tables import (
    ORIGIN,
    check_classes,
    columns_aside,
    counts,
    groups_of,
    read_labelled,
    separator,
    with_text_of_real_rows,
)

if TYPE_CHECKING:
    import pandas as pd


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "oversample",
        help="bring a CSV table to a class prior",
        description="Write the rows of IN.csv followed by synthetic ones. The column "
        f"{ORIGIN} of the output says 'real', or the class and seed a row was made from. "
        "Give it training rows alone: synthetic rows know of all rows given, so a model "
        "must not be tested on any of those.",
        epilog="Example: gansampler oversample in.csv --target outcome --id patient "
        "--target-prior no=0.6,yes=0.4 --out out.csv --report report.html",
    )
    parser.add_argument(
        "table",
        metavar="IN.csv",
        type=Path,
        help="a table with a header; columns of text are categories, empty fields are "
        "missing values",
    )
    parser.add_argument("--target", required=True, metavar="COL", help="the class column")
    parser.add_argument(
        "--id",
        metavar="COL",
        action="append",
        default=[],
        help="a column that names rows: kept for real rows, not learned from; new names "
        "for synthetic ones. May be given again, the patient first",
    )
    parser.add_argument(
        "--group",
        metavar="COL",
        help="a column that names patients: their rows are held out together (default: "
        "the first --id, where it names several rows alike)",
    )
    parser.add_argument(
        "--target-prior",
        metavar="PRIOR",
        help="'uniform', 'empirical', or class=probability pairs like 'no=0.6,yes=0.4' "
        "(default: every class as large as the largest)",
    )
    parser.add_argument(
        "--target-size",
        metavar="FACTOR",
        type=_parse_size,
        help="rows to return, as a multiple of the rows given, or 'extended': twice "
        "the fewest that reach the prior (default: the fewest)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=2000,
        help="most training steps; 0 keeps the start, which takes a fraction of the time "
        "(default: 2000)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    add_output_options(parser)
    parser.add_argument(
        "--report", metavar="R.html", type=Path, help="write the diagnosis to this page"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the table with synthetic rows below, its datasheet, and a report."""
    check_output(arguments)
    check_report(arguments)
    from .._datasheet import Datasheet
    from .._groups import extend_groups
    from .._oversampler import GANOverSampler
    from .._warnings import CopyWarning

    aside = columns_aside(arguments)
    table, X, y = read_labelled(arguments.table, arguments.target, aside)
    _check_rows_to_learn_from(arguments.table, table, y)
    sampler = GANOverSampler(
        target_prior=_parse_prior(arguments.target_prior),
        target_size=arguments.target_size,
        max_iter=arguments.steps,
        verbose=shows_progress(arguments),
        random_state=arguments.seed,
    )
    groups = groups_of(table, arguments)
    with noted(CopyWarning) as limits:
        X_new, y_new = sampler.fit_resample(X, y, groups=groups)
    # Copies are of one block, to which columns are added without a warning of pandas.
    result = X_new.copy().assign(**{arguments.target: y_new})
    synthetic = sampler.is_synthetic_
    for name in aside:
        result[name] = extend_groups(table[name], synthetic.sum())
    result = with_text_of_real_rows(result[table.columns], arguments.table).copy()
    result[ORIGIN] = "real"
    result.loc[synthetic, ORIGIN] = [
        f"synthetic class={label} seed={arguments.seed}" for label in y_new[synthetic]
    ]
    sheet = Datasheet.of(
        sampler,
        X,
        y,
        given={
            "target": arguments.target,
            "id": arguments.id,
            "group": None if groups is None else groups.name,
        },
        limits=limits,
        **statements(arguments),
    ).with_files(arguments.table)
    print(counts("before", y), counts("after", y_new), sep="\n")
    for label, rate in sampler.acceptance_rate_.items():
        print(f"class {label}: {rate:.0%} of the drawn rows passed the copy check")
    if sampler.diagnosis_ is not None:
        print(sampler.diagnosis_.summary())
    sep = separator(arguments.table)
    sheet = write_with_datasheet(
        arguments.out, lambda path: result.to_csv(path, sep=sep, index=False), sheet
    )
    if arguments.report is not None:
        if sampler.diagnosis_ is None:
            print("no row was made: no report was written")
        else:
            with after(f"{arguments.out} and its datasheet"):
                write_report(sampler.diagnosis_, arguments.report, sheet)
    return 0


def _check_rows_to_learn_from(path: Path, table: pd.DataFrame, y: pd.Series) -> None:
    """Refuse synthetic rows, and a target that holds no classes."""
    from .._warnings import warn

    if y.nunique() == 1:
        raise ValueError(
            f"{path}: column {y.name!r} holds one class only, {y.iloc[0]!r}; give a table "
            "of two classes or more."
        )
    spelling = y.str.strip().str.casefold()
    alike = y.groupby(spelling).unique().map(list)
    for labels in alike[alike.map(len) > 1]:
        warn(f"Classes {labels} differ in case or blanks only; mend them if they are one.")

    if ORIGIN in table.columns:
        raise ValueError(
            f"{path} has a column {ORIGIN!r}, as this command writes it: give the table of "
            "real rows, or rename the column."
        )
    check_classes(path, y)


def _parse_size(text: str) -> float | str:
    try:
        return text if text == "extended" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor 'extended'"
        ) from None


def _parse_prior(text: str | None) -> Any:
    if text is None or text in ("uniform", "empirical"):
        return text
    prior = {}
    for pair in text.split(","):
        name, equals, share = pair.rpartition("=")
        try:
            if not equals or name.strip() in prior:
                raise ValueError
            prior[name.strip()] = float(share)
        except ValueError:
            raise ValueError(
                "--target-prior must be 'uniform', 'empirical' or pairs like "
                f"'no=0.6,yes=0.4', each class once, with decimal points; got {text!r}."
            ) from None
    return prior
