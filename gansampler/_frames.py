"""Tables as people have them: to numbers and back, in the form they came in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import pandas as pd

MAX_CODES = 10
"""Different numbers in a column of text that may be codes of categories."""

IDENTIFIER_ROWS = 20
"""Rows from which on text that differs in nearly every one of them is taken for a name."""

EXACT = 2.0**53
"""Whole numbers below it are exact as floats."""

DATES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")
"""What `infer_dtype` calls objects that are dates or times."""


def is_polars(table: Any) -> bool:
    """Whether this is a polars DataFrame or Series; does not import polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(table, (polars.DataFrame, polars.Series))


@contextmanager
def naming_the_column(table: Any) -> Iterator[None]:
    """Say which column it is that a table is refused for: infinity, NaN or text in it."""
    try:
        yield
    except ValueError as error:
        where = _refused_column(table, str(error))
        if where is None:
            raise
        raise ValueError(f"{str(error).rstrip('.')}. It is in column {where!r}.") from error


def _refused_column(table: Any, message: str) -> Any:
    import pandas as pd

    try:
        frame = _as_frame(table)
    except ValueError:
        frame = None
    if frame is None:
        return None
    for name, column in frame.items():
        if column.dtype.kind == "c":
            return None
        numbers = pd.to_numeric(column.astype(object), errors="coerce").astype(float)
        found = {
            "infinity": np.isinf(numbers).any(),
            "contains NaN": column.isna().any(),
            "could not convert": (numbers.isna() & column.notna()).any(),
        }
        if any(bad and what in message for what, bad in found.items()):
            return name
    return None


class TableFormat:
    """What a table came as: to take it to numbers, and to give rows the same form.

    In numbers every column is one of floats: a category is its code, a missing value NaN.
    Names, dtypes and categories are held, no rows. An array of numbers without categories
    has no format: it stays as it is.

    Parameters
    ----------
    table : {array-like, sparse matrix, dataframe of pandas or polars} of shape (n, d)
    categorical_features : "auto" or array-like
        As `GANOverSampler` has it.

    Attributes
    ----------
    categories : dict of int -> list
        Categories of column j, in the order of their codes.

    Raises
    ------
    ValueError
        If a column is neither numeric nor categorical, is a date, or names rows; if
        `categorical_features` names no column.
    """

    def __init__(self, table: Any, categorical_features: Any = "auto") -> None:
        if type(table).__name__ == "LazyFrame":
            raise TypeError(
                "X is a LazyFrame, whose rows are not there yet; call .collect()."
            )
        self.is_polars = is_polars(table)
        self.is_frame = _is_frame(table)
        self.columns: Any = table.columns if self.is_frame else []
        self.dtypes: list[Any] = list(table.dtypes) if self.is_frame else []
        self.categories: dict[int, list[Any]] = {}
        self.none_columns: set[int] = set()  # whose missing values are None, not NaN
        frame = None
        if self.is_frame or not _is_numeric(table) or not _is_empty(categorical_features):
            frame = _as_frame(table)
        if frame is None:
            return
        if frame.shape[1] == 0:
            shape = tuple(frame.shape)
            raise ValueError(
                f"X has 0 feature(s) ({shape=}) while a minimum of 1 is required."
            )
        _refuse_dates(frame)
        for j in _categorical_columns(frame, categorical_features, list(self.columns)):
            column = frame.iloc[:, j]
            if isinstance(categorical_features, str):
                refuse_numbers(column)
            self.categories[j] = _categories(column)
            blanks = column[column.isna()]
            if self.is_polars or (len(blanks) and blanks.iloc[0] is None):
                self.none_columns.add(j)
        self._check_numeric(frame)
        if not self.is_frame:
            self.dtypes = list(frame.dtypes)

    @property
    def is_plain(self) -> bool:
        """Whether the table is an array of numbers, which needs no format."""
        return not self.is_frame and not self.categories

    def learn_categories(self, table: Any) -> None:
        """Learn the categories that another table has besides, and those it could have."""
        frame = _as_frame(table) if self.categories else None
        if frame is None or not self._fits(table, frame):
            return
        for j, known in self.categories.items():
            column = frame.iloc[:, j]
            found = column.dropna().unique().tolist()
            if str(column.dtype) == "category":
                found += column.cat.categories.tolist()
            self.categories[j] = list(dict.fromkeys([*known, *found]))

    def to_numbers(
        self,
        table: Any,
        name: str = "X",
        remedy: str = "Replace it, or learn from rows that have it",
    ) -> Any:
        """A table like the one learned from, in numbers, as a DataFrame if it is one.

        Raises
        ------
        ValueError
            If it holds a category that is not known; `remedy` says what to do.
        """
        frame = None if self.is_plain else _as_frame(table)
        if frame is None or not self._fits(table, frame):
            return table  # for the caller, who may refuse it
        _refuse_dates(frame)
        is_number = [j not in self.categories for j in range(frame.shape[1])]
        numbers = np.empty(frame.shape)
        numbers[:, is_number] = frame.loc[:, is_number].to_numpy(float, na_value=np.nan)
        for j, categories in self.categories.items():
            numbers[:, j] = _codes(frame.iloc[:, j], categories, name, remedy)
        return frame.__class__(numbers, columns=frame.columns) if self.is_frame else numbers

    def build(self, rows: np.ndarray) -> Any:
        """Rows in numbers, shape (n, d), in the form of the table."""
        if self.is_plain:
            return rows
        import pandas as pd

        frame = pd.DataFrame(rows)
        for j in np.flatnonzero(np.abs(rows).max(axis=0, initial=0) >= EXACT).tolist():
            frame[j] = within_dtype(rows[:, j], self.dtypes[j])
        for j, categories in self.categories.items():
            values = np.empty(len(categories) + 1, dtype=object)
            values[:-1] = categories
            values[-1] = None if j in self.none_columns else np.nan
            chosen = values[np.nan_to_num(rows[:, j], nan=-1).astype(int)]
            frame[j] = pd.Series(chosen, dtype=object)
        if self.is_polars:
            return self._build_polars(frame)
        if self.is_frame:
            frame = frame.astype(dict(enumerate(self.dtypes)))
            # In one block a dtype: columns are added to many with a warning of pandas.
            return frame.set_axis(self.columns, axis=1).copy()
        common = np.result_type(*map(_numpy_dtype, self.dtypes))
        return frame.astype(dict(enumerate(self.dtypes))).to_numpy(common)

    def _build_polars(self, frame: pd.DataFrame) -> Any:
        import polars as pl

        return pl.DataFrame(
            [
                pl.Series(name, frame[j].to_numpy(float), nan_to_null=True).cast(dtype)
                if dtype.is_numeric()
                else pl.Series(name, frame[j].tolist(), dtype=dtype)
                for j, (name, dtype) in enumerate(
                    zip(self.columns, self.dtypes, strict=True)
                )
            ]
        )

    def stack(self, table: Any, rows: np.ndarray) -> Any:
        """The table, untouched, followed by rows in numbers."""
        new = self.build(rows)
        if self.is_polars:
            return table.vstack(new)
        if self.is_frame:
            import pandas as pd

            return pd.concat([table, new], ignore_index=True)
        if sparse.issparse(table):
            return sparse.vstack([table, table.__class__(new)], format=table.format)
        if isinstance(table, np.ndarray):
            return np.concatenate([table, new])
        return [*table, *new.tolist()]

    def _fits(self, table: Any, frame: pd.DataFrame) -> bool:
        if self.is_frame and _is_frame(table):
            return list(table.columns) == list(self.columns)
        return frame.shape[1] == len(self.dtypes)

    def _check_numeric(self, frame: pd.DataFrame) -> None:
        from pandas.api.types import is_complex_dtype, is_numeric_dtype

        for j, (name, dtype) in enumerate(frame.dtypes.items()):
            if j in self.categories:
                continue
            if not is_numeric_dtype(dtype) or is_complex_dtype(dtype):
                raise ValueError(
                    f"Column {name!r} of dtype {dtype} is not numeric: could not convert "
                    "it to float. Name it in categorical_features if it holds categories."
                )

    def to_json(self) -> dict[str, Any] | None:
        """Names, dtypes and categories as text; None for an array of numbers.

        Raises
        ------
        TypeError
            If names of columns or categories are neither text nor numbers.
        """
        if self.is_plain:
            return None
        return {
            "is_frame": self.is_frame,
            "is_polars": self.is_polars,
            "columns": [_json_scalar(name, "names of columns") for name in self.columns],
            "dtypes": [_dtype_to_json(dtype) for dtype in self.dtypes],
            "categories": [
                [j, [_json_scalar(value, "categories") for value in categories]]
                for j, categories in self.categories.items()
            ],
            "none_columns": sorted(self.none_columns),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any] | None) -> TableFormat:
        format_ = cls(np.empty((0, 0)))
        if saved is None:
            return format_
        format_.is_frame, format_.is_polars = saved["is_frame"], saved["is_polars"]
        format_.columns = saved["columns"]
        format_.dtypes = [_dtype_from_json(dtype) for dtype in saved["dtypes"]]
        format_.categories = dict(saved["categories"])
        format_.none_columns = set(saved["none_columns"])
        return format_


def _is_frame(table: Any) -> bool:
    """Whether this is a DataFrame of pandas or polars; other tables are taken as arrays."""
    return hasattr(table, "columns") and (is_polars(table) or hasattr(table, "iloc"))


def _is_numeric(table: Any) -> bool:
    """Whether this is an array of numbers, or a list that makes one."""
    if not isinstance(getattr(table, "dtype", None), np.dtype):
        table = np.asarray(table, dtype=None if hasattr(table, "__array__") else object)
        if table.dtype == object and table.ndim == 2:
            return all(isinstance(value, Real) for value in table.ravel())
    return table.dtype.kind in "biufc"


def _is_empty(categorical_features: Any) -> bool:
    """Whether this names no column of an array of numbers."""
    return isinstance(categorical_features, str) or len(categorical_features) == 0


def _as_frame(table: Any) -> pd.DataFrame | None:
    """The table as a DataFrame of pandas; None if it has not two dimensions.

    Columns of objects get the dtype that their values have.
    """
    import pandas as pd

    if is_polars(table):
        columns = {name: table[name].to_numpy() for name in table.columns}
        return _inferred(pd.DataFrame(columns))
    if _is_frame(table):
        if not table.columns.is_unique:
            twice = table.columns[table.columns.duplicated()].tolist()
            raise ValueError(f"Columns of X have the same name: {twice[:5]}; rename them.")
        return _inferred(table)
    if sparse.issparse(table):
        table = table.toarray()
    elif not hasattr(table, "__array__"):
        table = np.asarray(table, dtype=object)
    table = np.asarray(table)
    if table.ndim != 2:
        return None
    return _inferred(pd.DataFrame(table, dtype=table.dtype))


def _inferred(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of objects with the dtype of their values; text stays as it is."""
    from pandas.api.types import is_string_dtype

    inferred, frame = frame.infer_objects(), frame.copy(deep=False)
    for j, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O" and not is_string_dtype(inferred.iloc[:, j]):
            frame.isetitem(j, inferred.iloc[:, j].array)
    return frame


def _refuse_dates(frame: pd.DataFrame) -> None:
    for j, (name, dtype) in enumerate(frame.dtypes.items()):
        if dtype.kind not in "biuf" and _is_date(frame.iloc[:, j]):
            raise ValueError(
                f"Column {name!r} holds dates or times ({dtype}); turn it into a "
                "number, days since a reference date, say, or drop it."
            )


def _is_date(column: pd.Series) -> bool:
    from pandas.api.types import infer_dtype

    values: Any = column
    if str(column.dtype) == "category":
        values = column.cat.categories
    if values.dtype.kind in "mM" or "period" in str(values.dtype):
        return True
    return values.dtype.kind == "O" and infer_dtype(values, skipna=True) in DATES


def _categorical_columns(
    frame: pd.DataFrame, categorical_features: Any, names: list[Any]
) -> list[int]:
    """Positions of the categorical columns; `names` are those that the table came with."""
    from pandas.api.types import is_bool_dtype, is_object_dtype, is_string_dtype

    n_columns = frame.shape[1]
    if isinstance(categorical_features, str):
        if categorical_features != "auto":
            raise ValueError(
                "categorical_features must be 'auto', a mask, positions or names; got "
                f"{categorical_features!r}."
            )
        return [
            j
            for j, dtype in enumerate(frame.dtypes)
            if str(dtype) == "category"
            or is_object_dtype(dtype)
            or is_string_dtype(dtype)
            or is_bool_dtype(dtype)
        ]
    wanted = np.asarray(categorical_features)
    if wanted.size == 0:
        return []
    if wanted.dtype.kind == "b" and len(wanted) == n_columns:
        return np.flatnonzero(wanted).tolist()
    if (
        wanted.dtype.kind in "iu"
        and wanted.ndim == 1
        and np.all((-n_columns <= wanted) & (wanted < n_columns))
    ):
        return sorted({int(j) % n_columns for j in wanted})
    positions = {name: j for j, name in enumerate(names)}
    unknown = wanted.tolist()
    if wanted.ndim == 1:
        unknown = [name for name in unknown if name not in positions]
    if unknown:
        raise ValueError(
            f"categorical_features must be a mask, positions or names of {n_columns} "
            f"columns; {unknown[:5]} are none of them."
        )
    return sorted({positions[name] for name in wanted.tolist()})


def _categories(column: pd.Series) -> list[Any]:
    """Observed categories of a column: sorted, or as they come where they cannot be."""
    import pandas as pd

    if str(column.dtype) == "category":
        column = column.cat.remove_unused_categories()
    try:
        categories = pd.Categorical(column).categories.tolist()
    except (TypeError, IndexError, NotImplementedError) as error:  # a dict, say
        raise TypeError(
            f"Column {column.name!r}: argument must be a string or a number; {error}."
        ) from error
    if names_rows(column):
        raise ValueError(
            f"Column {column.name!r} holds {categories[0]!r} and another category in "
            "nearly every row: it names rows. Drop it, or turn it into numbers if it is a "
            "quantity."
        )
    return categories


def refuse_numbers(column: pd.Series, max_codes: int = MAX_CODES) -> None:
    """Refuse a column of text that holds numbers and not categories.

    Up to `max_codes` different ones are taken for codes, of grades say, unless they have
    decimal commas.
    """
    import pandas as pd

    if str(column.dtype) in ("category", "bool", "boolean"):
        return
    text = column.dropna().astype(str)
    numbers = pd.to_numeric(text.str.replace(",", "."), errors="coerce")
    other = text[numbers.isna()]
    if len(other) > len(text) / 2:
        return
    name = f"Column {column.name!r} holds"
    if len(other) and numbers.nunique() > max_codes:
        raise ValueError(
            f"{name} the text {other.iloc[0]!r} among numbers; mend it, or leave it out if "
            "the value is missing. If they are codes, say so by categorical_features."
        )
    if not len(other) and text.str.contains(",", regex=False).any():
        raise ValueError(
            f"{name} numbers with decimal commas, as text; read them with decimal=',' in "
            "pandas.read_csv, or write them with points."
        )
    if not len(other) and numbers.nunique() > max_codes:
        raise ValueError(
            f"{name} numbers as text; turn them into numbers with pandas.to_numeric, or "
            "say by categorical_features that they are codes."
        )


def names_rows(column: pd.Series) -> bool:
    """Whether nearly every value of a column is its own, as names of patients are."""
    n_present = int(column.notna().sum())
    return n_present >= IDENTIFIER_ROWS and column.nunique() > 0.9 * n_present


def within_dtype(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Floats that can be cast: those at the end of a type of integers may be beyond it."""
    if getattr(dtype, "kind", "") not in "iu":
        return values
    info = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
    highest = float(info.max)
    if highest > info.max:
        highest = np.nextafter(highest, 0)
    return np.clip(values, info.min, highest)


def _codes(column: pd.Series, categories: list[Any], side: str, remedy: str) -> np.ndarray:
    """Code of each value, NaN where it is missing."""
    import pandas as pd

    codes = pd.Index(categories, dtype=object).get_indexer(column.astype(object))
    known = (codes >= 0) | column.isna().to_numpy()
    if not known.all():
        unknown = column[~known].iloc[0]
        raise ValueError(
            f"{side} holds {unknown!r} in column {column.name!r}, where only these "
            f"categories are known: {categories[:10]}. {remedy}."
        )
    return np.where(codes >= 0, codes, np.nan)


def _numpy_dtype(dtype: Any) -> np.dtype:
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def _json_scalar(value: Any, what: str) -> Any:
    value = getattr(value, "item", lambda: value)()
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"Only {what} that are text or numbers can be saved.")
    return value


def _dtype_to_json(dtype: Any) -> Any:
    """A dtype as text, with the categories of those that have them."""
    if str(dtype) == "category":
        values = [_json_scalar(value, "categories") for value in dtype.categories]
        return {"pandas": "category", "categories": values, "ordered": dtype.ordered}
    if hasattr(dtype, "base_type"):
        name = str(dtype.base_type())
        return {
            "polars": name,
            "categories": list(dtype.categories) if name == "Enum" else None,
        }
    return str(dtype)


def _dtype_from_json(saved: Any) -> Any:
    if isinstance(saved, str):
        import pandas as pd

        return pd.api.types.pandas_dtype(saved)
    if "pandas" in saved:
        import pandas as pd

        return pd.CategoricalDtype(saved["categories"], saved["ordered"])
    import polars as pl

    # Types only: a file must not be able to call anything.
    dtype = getattr(pl, saved["polars"], None)
    if not (isinstance(dtype, type) and issubclass(dtype, pl.DataType)):
        raise ValueError(f"{saved['polars']!r} is no dtype of polars.")
    return pl.Enum(saved["categories"]) if dtype is pl.Enum else dtype
