"""Audit: what was found, and the verdict on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MOST_NAMED = 5
"""Features, and shifts, that are named in print."""

EITHER_WAY = "either way"
"""Comparison that is shown and not judged: what the change does in any direction."""


@dataclass(frozen=True)
class Audit:
    """Whether predictions follow the nuisance: the result of an audit.

    Parameters
    ----------
    verdict : {"shortcut", "no shortcut", "undetermined"}
        By the rule that `audit_model` and `find_shortcut` state.
    reason : str
        What the verdict rests on and, if it is undetermined, what would settle it.
    shifts : DataFrame
        Columns `shift`, `low` and `high`, with intervals that hold together at 1 - alpha.
        The index tells the comparison ("soft -> sharp"), the outcome ("predicted" for the
        share of rows predicted as a class, "probability" for its mean probability) and
        the class. See the two functions for what is compared.
    flips : DataFrame or None
        Predictions that changed, in all, by direction of the nuisance, by class predicted
        before and after (a share of those predicted so before) and by true class. Columns
        `flips`, `n`, `rate`, `low` and `high`. None without counterfactuals.
    features : DataFrame or None
        Features that account for the shift, the most responsible first. None where no
        table was seen.
    evidence : Series
        Further numbers by name.
    tolerance : float
        Shift up to which predictions count as left alone.
    alpha : float
        One minus the confidence of the intervals.
    """

    verdict: str
    reason: str
    shifts: pd.DataFrame
    flips: pd.DataFrame | None
    features: pd.DataFrame | None
    evidence: pd.Series
    tolerance: float
    alpha: float

    @property
    def flip_rate(self) -> float:
        """Share of predictions that changed; nan without counterfactuals."""
        return float(self.evidence.get("flip_rate", np.nan))

    @property
    def accuracy(self) -> float:
        """Balanced accuracy on X; nan without y."""
        return float(self.evidence.get("accuracy", np.nan))

    @property
    def accuracy_after(self) -> float:
        """Balanced accuracy on the counterfactuals; nan without them."""
        return float(self.evidence.get("accuracy_after", np.nan))

    def to_frame(self) -> pd.DataFrame:
        """All numbers in one table, features aside.

        Returns
        -------
        DataFrame
            Columns `value`, `low` and `high`; the index names part and quantity.
        """
        rows = {
            ("shift", _joined(name)): (row["shift"], row["low"], row["high"])
            for name, row in _rows(self.shifts)
        }
        if self.flips is not None:
            rows |= {
                ("flips", _joined(name)): (row["rate"], row["low"], row["high"])
                for name, row in _rows(self.flips)
            }
        rows |= {
            ("evidence", str(name)): (value, np.nan, np.nan)
            for name, value in self.evidence.items()
        }
        frame = pd.DataFrame.from_dict(
            rows, orient="index", columns=["value", "low", "high"], dtype=float
        )
        frame.index = pd.MultiIndex.from_tuples(rows, names=["part", "quantity"])
        return frame

    def summary(self) -> str:
        """Verdict and evidence, as text.

        Returns
        -------
        str
        """
        lines = [f"{self.verdict}: {self.reason}"]
        largest = self.shifts.reindex(
            self.shifts["shift"].abs().sort_values(ascending=False, kind="stable").index
        )
        lines += ["shifts" + (", the largest" if len(largest) > MOST_NAMED else "")]
        for name, row in _rows(largest.head(MOST_NAMED)):
            also = f", excess {row['excess']:+.2f}" if "excess" in row else ""
            interval = _with_interval(row, "shift", "+.3f")
            lines.append(f"  {_joined(name)}: {interval}{also}")
        if self.flips is not None:
            lines.append("flips")
            for name, row in _rows(self.flips):
                what = _joined(dict.fromkeys(name))
                lines.append(f"  {what}: {_with_interval(row, 'rate')} of {row['n']:.0f}")
        lines.append("evidence")
        lines += [f"  {name}: {value:.4g}" for name, value in self.evidence.items()]
        if self.features is not None and len(self.features):
            lines.append("features")
            for name, row in _rows(self.features.head(MOST_NAMED)):
                more = len(row.get("members", ())) - 1
                also = f" and {more} like it" if more > 0 else ""
                value = self.features.columns[0]
                lines.append(f"  {name}{also}: {value} {row[value]:+.3f}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()


def judge(
    shifts: pd.DataFrame, tolerance: float, remedy: str, blind: str | None = None
) -> tuple[str, str]:
    """Verdict and reason from simultaneous intervals of the shifts.

    `blind` says why no shift would prove that there is no shortcut.
    """
    judged = shifts[shifts.index.get_level_values("comparison") != EITHER_WAY]
    beyond = (judged["low"] > tolerance) | (judged["high"] < -tolerance)
    if beyond.any():
        name: Any = judged["shift"][beyond].abs().idxmax()
        what = _with_interval(judged.loc[name], "shift", "+.2f")
        return "shortcut", f"{_joined(name)} shifts by {what}, beyond {tolerance:g}."
    if blind:
        return "undetermined", blind
    farthest = judged[["low", "high"]].abs().to_numpy().max()
    if not farthest <= tolerance:
        return "undetermined", (
            f"no shift is beyond {tolerance:g} with its interval, but the intervals reach "
            f"{farthest:.2f}: {remedy}."
        )
    return "no shortcut", f"all shifts lie within {tolerance:g}, with their intervals."


def _rows(frame: pd.DataFrame) -> Iterator[tuple[Any, Any]]:
    yield from frame.iterrows()


def _joined(name: Any) -> str:
    return ", ".join(str(part) for part in name)


def _with_interval(row: Any, value: str, form: str = ".3f") -> str:
    return f"{row[value]:{form}} ({row['low']:{form}} to {row['high']:{form}})"
