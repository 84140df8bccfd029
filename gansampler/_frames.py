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
