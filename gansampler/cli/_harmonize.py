"""`gansampler harmonize`: take the effects of sites out of the features of a CSV table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._output import (
    add_output_options,
    check_output,
    noted,
    statements,
    write_with_datasheet,
)
from ._tables import read_labelled, read_text, separator, some

if TYPE_CHECKING:
    import pandas as pd

SEEN_BY_ALL = (
    "The effects of sites were estimated from all rows: a model that is tested on some of "
    "them has learned from those. Where models are tested, fit ComBat on training rows."
)


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "harmonize",
        help="take the effects of sites out of the features of a CSV table",
        description="Write the table with features as if all rows were of one site, by "
        "ComBat. All columns are changed but those of --target, --site, --id, --covariate "
        "and --keep. The effects are estimated from all rows given: where a model is to be "
        "tested, harmonize inside folds, in Python.",
        epilog="Example: gansampler harmonize in.csv --target outcome --site hospital "
        "--id patient --covariate age --out out.csv",
    )
    parser.add_argument(
        "table",
        metavar="IN.csv",
        type=Path,
        help="a table with a header; features must be numbers",
    )
    parser.add_argument(
        "--target", required=True, metavar="COL", help="the class column; not looked at"
    )
    parser.add_argument(
        "--site", required=True, metavar="COL", help="a column that names scanners or sites"
    )
    parser.add_argument(
        "--id",
        metavar="COL",
        action="append",
        default=[],
        help="a column that names rows: stays as it is; may be given again",
    )
    parser.add_argument(
        "--keep",
        metavar="COL",
        action="append",
        default=[],
        help="a column that stays as it is, such as a flag; may be given again",
    )
    parser.add_argument(
        "--reference",
        metavar="SITE",
        help="the site to bring the others to (default: the mean of all)",
    )
    parser.add_argument(
        "--covariate",
        metavar="COL",
        action="append",
        default=[],
        help="a column that features depend on and are to go on depending on, such as age: "
        "stays as it is; may be given again",
    )
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the harmonized table and its datasheet."""
    check_output(arguments)
    from .._datasheet import Datasheet
    from .._warnings import GansamplerWarning
    from ..harmonize import ComBat

    path, covariates = arguments.table, arguments.covariate
    aside = [arguments.site, *arguments.id, *arguments.keep]
    table, X, y = read_labelled(path, arguments.target, aside)
    sites = table[arguments.site]
    n_nowhere = int((sites == "").sum())
    if n_nowhere:
        raise ValueError(
            f"{path}: column {arguments.site!r} names no site in {n_nowhere} rows; drop "
            "them, or name theirs."
        )
    unknown = [name for name in covariates if name not in X.columns]
    if unknown:
        raise ValueError(
            f"{path} has no column {unknown[0]!r} to be a covariate; besides the columns "
            f"of other options it has {some(X.columns)}."
        )
    features = X.drop(columns=covariates)
    _check_features(path, features)
    features = features.astype(float)
    known = {
        "sites": sites.to_numpy(),
        "covariates": X[covariates] if covariates else None,
    }
    combat = ComBat(reference_site=arguments.reference)
    with noted(GansamplerWarning) as limits:
        harmonized = combat.fit_transform(features, **known)
    text = read_text(path)
    for name in features:
        is_changed = (harmonized[name] != features[name]).to_numpy()
        text[name] = text[name].astype(object).where(~is_changed, harmonized[name])
    sheet = Datasheet.of(
        combat,
        features,
        # A target with a value of its own in nearly every row has no classes.
        y if y.nunique() <= len(y) / 2 else None,
        given={
            "target": arguments.target,
            "site": arguments.site,
            "covariates": covariates,
            "id": arguments.id,
            "keep": arguments.keep,
        },
        limits=[SEEN_BY_ALL, *limits],
        **statements(arguments),
    ).with_files(path)
    for site, n_rows in sites.value_counts().sort_index().items():
        print(f"site {site}: {n_rows} rows")
    print(f"changed: {some(features.columns)}")
    sep = separator(path)
    write_with_datasheet(
        arguments.out, lambda file: text.to_csv(file, sep=sep, index=False), sheet
    )
    return 0


def _check_features(path: Path, features: pd.DataFrame) -> None:
    """Refuse what cannot be shifted, and what looks like no feature."""
    if features.shape[1] == 0:
        raise ValueError(f"{path} has no feature column besides the covariates.")
    for name, column in features.items():
        if column.dtype.kind not in "iuf":
            raise ValueError(
                f"{path}: column {name!r} holds no numbers, so no site can have shifted "
                "it; give it as --keep if it is to stay, or as --covariate if features "
                "depend on it."
            )
        if column.isna().any():
            raise ValueError(
                f"{path}: column {name!r} is empty in {column.isna().sum()} rows, and "
                "ComBat knows no missing values; fill them, or give it as --keep."
            )
    flags = [name for name, column in features.items() if column.nunique() == 2]
    if flags:
        raise ValueError(
            f"{path}: {_columns(flags)} two values only, and would hold others at every "
            "site; give each as --keep if it is to stay, or as --covariate if features "
            "depend on it."
        )
    names = [name for name, column in features.items() if _looks_like_names(column)]
    if names:
        raise ValueError(
            f"{path}: {_columns(names)} another whole number in every row, as identifiers "
            "do; give each as --id, or as --keep if it is to stay. If it was measured, "
            "write it with decimals: 12.0."
        )


def _looks_like_names(column: pd.Series) -> bool:
    from .._frames import names_rows

    return column.dtype.kind in "iu" and column.is_unique and names_rows(column)


def _columns(names: list[Any]) -> str:
    """Columns as the subject of a sentence, with its verb."""
    quoted = some([repr(name) for name in names])
    return f"column {quoted} holds" if len(names) == 1 else f"columns {quoted} hold"
