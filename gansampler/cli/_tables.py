"""Tables of CSV files: labels and identifiers as text, features as they are."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ORIGIN = "gansampler_origin"
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
"""What counts as missing in a feature column."""

MAX_WHOLE, MAX_DECIMAL = 20, 10
"""Different numbers that may be labels of classes: whole ones, and others."""

ROWS_OF_CLASS = 5
"""Rows a class, on average, from which on more whole numbers may be labels."""

SEPARATORS = ",;\t"

NAMELESS = r"(Unnamed: \d+)?"
"""Names of columns that have none, and what pandas writes in their place."""


def read_labelled(
    path: Path, target: str, aside: list[str], categories: list[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Read a table; return it, its features, and its labels as text.

    Features that are text are categories, and so are the columns said to be.
    """
    table = _read(path, [target, *aside], categories)
    if len(table) == 0:
        raise ValueError(f"{path} holds no rows below its header.")
    for name in [target, *aside]:
        if name not in table.columns:
            raise ValueError(
                f"{path} has no column {name!r}; it has {some(table.columns)}."
            )
    if target in aside:
        raise ValueError(
            f"column {target!r} is given as --target, and as --id or --group too; a class "
            "names no rows."
        )
    y = table[target]
    unlabelled = y.fillna("") == ""
    if unlabelled.any():
        raise ValueError(
            f"{path}: column {target!r} has no class in {unlabelled.sum()} rows, the first "
            f"is row {unlabelled.argmax() + 1} below the header; drop or label them."
        )
    X = table.drop(columns=[target, *aside])
    _check_features(path, X.drop(columns=ORIGIN, errors="ignore"))
    return table, X, y


def read_synthetic(
    path: Path, target: str, aside: list[str], like: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Series, bool]:
    """Read features and labels, without the columns set aside and without real rows.

    Columns that are text in the table `like` are read as text.

    The flag tells a table that `gansampler oversample` wrote.
    """
    with _readable(path):
        aside = [name for name in aside if name in _header(path)]
    table, X, y = read_labelled(path, target, aside, _text_columns(like))
    is_ours = ORIGIN in table.columns
    if is_ours:
        made = table[ORIGIN] != "real"
        X, y = X.loc[made].drop(columns=ORIGIN), y[made]
    if len(X) == 0:
        raise ValueError(f"{path} holds no synthetic row.")
    return X, y, is_ours


def check_classes(path: Path, y: pd.Series) -> None:
    """Refuse a target that is a quantity, or names rows."""
    import pandas as pd

    from .._frames import names_rows

    n_classes = y.nunique()
    if n_classes > 2 and names_rows(y):
        raise ValueError(
            f"{path}: column {y.name!r} holds another value in nearly every row, which is "
            "no class; give the class column as --target."
        )
    numbers = pd.to_numeric(y, errors="coerce").astype(float)
    is_whole = (numbers % 1 == 0).all()
    most = max(MAX_WHOLE, len(y) / ROWS_OF_CLASS) if is_whole else MAX_DECIMAL
    if numbers.notna().all() and n_classes > most:
        raise ValueError(
            f"{path}: column {y.name!r} holds {n_classes} different numbers in {len(y)} "
            "rows, a quantity and no class; give the class column as --target, or cut the "
            "numbers into classes."
        )


def columns_aside(arguments: argparse.Namespace) -> list[str]:
    """Columns that name rows or patients: no features."""
    return [*arguments.id, *([] if arguments.group is None else [arguments.group])]


def groups_of(table: pd.DataFrame, arguments: argparse.Namespace) -> pd.Series | None:
    """The patient of each row: of --group, or of the first --id if it repeats."""
    if arguments.group is not None:
        n_blank = int((table[arguments.group].str.strip() == "").sum())
        if n_blank:
            raise ValueError(
                f"column {arguments.group!r}, given as --group, is empty in {n_blank} "
                "rows; say whose they are, or drop them."
            )
        return table[arguments.group]
    if not arguments.id:
        return None
    names = table[arguments.id[0]]
    # A row without a name is nobody else's.
    names = names.mask(names.str.strip() == "", [f"row {i}" for i in range(len(names))])
    return None if names.is_unique else names


def with_text_of_real_rows(result: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Real rows as they stand in the file, and synthetic rows below."""
    import pandas as pd

    text = read_text(path)
    new = result.iloc[len(text) :].astype(object)
    return pd.concat([text, new.where(new.notna(), "")], ignore_index=True)


def read_text(path: Path) -> pd.DataFrame:
    """Read a table as it stands in the file: 01 and 1.50 are not 1 and 1.5."""
    import pandas as pd

    return pd.read_csv(path, sep=separator(path), dtype=str, keep_default_na=False)


def separator(path: Path) -> str:
    """What separates fields: the one of `SEPARATORS` most often in the header, unquoted."""
    import csv

    import pandas as pd

    # As one field: no text holds the separator given.
    line = pd.read_csv(
        path, sep="\x1f", quoting=csv.QUOTE_NONE, header=None, nrows=1, dtype=str
    )
    unquoted = re.sub(r'"[^"]*("|$)', "", str(line.iloc[0, 0]))
    return max(SEPARATORS, key=unquoted.count)


def counts(when: str, y: pd.Series) -> str:
    """A line on how many rows there are of each class."""
    counts = y.value_counts().sort_index()
    return f"{when}: " + ", ".join(f"{n} of class {label}" for label, n in counts.items())


def _read(path: Path, as_text: list[str], categories: list[str] | None) -> pd.DataFrame:
    """Read a table whose labels and identifiers stay the text they are, 007 and NA too.

    Whole numbers stay whole beside missing values.
    """
    import pandas as pd

    with _readable(path):
        header = _header(path)
        missing = {name: MISSING for name in header if name not in as_text}
        dtype = {name: str for name in [*as_text, *(categories or [])] if name in header}
        table = pd.read_csv(
            path,
            sep=separator(path),
            dtype=dtype,
            keep_default_na=False,
            na_values=missing,
            dtype_backend="numpy_nullable",
        )
    if len(table) and not isinstance(table.index, pd.RangeIndex):
        raise ValueError(
            f"{path}: rows have more fields than the header, which begins with "
            f"{header[0]!r}. It must be the first line and name every column; lines must "
            "not end in a separator."
        )
    return table


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    import pandas as pd

    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8; save it so: {error}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is not a readable CSV table: {error}") from error


def _header(path: Path) -> list[str]:
    """Names of the columns: each of them has one, of its own."""
    import pandas as pd

    row = pd.read_csv(
        path,
        sep=separator(path),
        header=None,
        nrows=1,
        dtype=str,
        keep_default_na=False,
    )
    names: list[str] = row.iloc[0].tolist()
    if len(names) == 1 and "|" in names[0]:
        raise ValueError(
            f"{path}: fields are separated by '|'; save it with commas, semicolons or tabs."
        )
    nameless = [i for i, name in enumerate(names, 1) if re.fullmatch(NAMELESS, name)]
    if nameless:
        raise ValueError(
            f"{path}: column {nameless[0]} has no name. If it numbers the rows, "
            "leave it out (of pandas: to_csv(..., index=False)), or name it and give it "
            "as --id."
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: two columns are called {twice[0]!r}; rename one.")
    return names


def _check_features(path: Path, X: pd.DataFrame) -> None:
    """Refuse infinite numbers, and columns of text that are no categories."""
    import numpy as np

    from .._frames import names_rows, refuse_numbers

    if X.shape[1] == 0:
        raise ValueError("the table has no feature column.")
    for name in X.select_dtypes("number"):
        n_infinite = int(np.isinf(X[name].to_numpy(dtype=float, na_value=np.nan)).sum())
        if n_infinite:
            raise ValueError(
                f"{path}: column {name!r} holds infinity in {n_infinite} rows; mend them, "
                "or leave the fields empty if the values are missing."
            )
    for name in _text_columns(X):
        try:
            refuse_numbers(X[name], max_codes=0)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if names_rows(X[name]):
            raise ValueError(
                f"{path}: column {name!r} holds another text in nearly every row; give it "
                "as --id if it names rows, as --group if it names patients, or drop it."
            )


def _text_columns(X: pd.DataFrame) -> list[str]:
    return X.select_dtypes(["string", "object"]).columns.tolist()


def some(names: Any) -> str:
    """List the first names, and say how many more there are."""
    names = [str(name) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
