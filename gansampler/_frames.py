"""Tables as people have them: pandas or polars in, the same out."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def is_polars(table: Any) -> bool:
    """Whether this is a polars DataFrame or Series; does not import polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(table, (polars.DataFrame, polars.Series))


def polars_to_pandas(table: Any) -> Any:
    """A polars DataFrame or Series as a pandas one of numpy columns."""
    import pandas as pd

    if hasattr(table, "columns"):
        return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
    return pd.Series(table.to_numpy(), name=table.name or None)


class TableFormat:
    """What a table came as, to give rows made from it the same form.

    Holds names and dtypes, no data. An array has no format: its rows stay an array.
    """

    def __init__(self, table: Any) -> None:
        self.is_frame = hasattr(table, "columns")
        self.is_polars = is_polars(table)
        self.dtypes: Any = getattr(table, "dtypes", None)
        self.columns = list(table.columns) if self.is_frame else []
        if self.is_frame and not self.is_polars:
            # The Index itself, which may have levels and a name.
            self.columns = table.columns

    def to_json(self) -> dict[str, Any] | None:
        """Names and dtypes as text; None for an array.

        Raises
        ------
        TypeError
            If names of columns are neither text nor numbers.
        """
        if not self.is_frame:
            return None
        names = [getattr(name, "item", lambda name=name: name)() for name in self.columns]
        if not all(isinstance(name, (str, int, float)) for name in names):
            raise TypeError("Only names of columns that are text or numbers can be saved.")
        return {
            "is_polars": self.is_polars,
            "columns": names,
            "dtypes": [str(dtype) for dtype in self.dtypes],
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any] | None) -> TableFormat:
        if saved is None:
            return cls(np.empty((0, 0)))
        names, dtypes = saved["columns"], saved["dtypes"]
        if saved["is_polars"]:
            import polars as pl

            schema = {n: getattr(pl, t) for n, t in zip(names, dtypes, strict=True)}
            return cls(pl.DataFrame(schema=schema))
        import pandas as pd

        columns = {j: pd.Series(dtype=dtype) for j, dtype in enumerate(dtypes)}
        return cls(pd.DataFrame(columns).set_axis(names, axis=1))

    def build(self, rows: np.ndarray) -> Any:
        """Rows, shape (n, d), in the form of the table."""
        if not self.is_frame:
            return rows
        if self.is_polars:
            import polars as pl

            named = {name: rows[:, j] for j, name in enumerate(self.columns)}
            return pl.DataFrame(named).cast(
                dict(zip(self.columns, self.dtypes, strict=True))
            )
        import pandas as pd

        return pd.DataFrame(rows, columns=self.columns).astype(self.dtypes)
