"""Warnings of this package, named so that they can be filtered one by one."""

import sys
import warnings

PASSED_OVER = {"gansampler", "imblearn", "sklearn", "joblib", "torch", "contextlib"}
"""Packages whose lines say nothing to who is warned."""


class GansamplerWarning(UserWarning):
    """Base class of the warnings below."""


class SmallClassWarning(GansamplerWarning):
    """A class has too few rows to learn its own dependence between columns."""


class CopyWarning(GansamplerWarning):
    """Some returned rows could not be replaced by rows that pass the copy check."""


class DiagnosisWarning(GansamplerWarning):
    """Synthetic rows of a class have a fault; the message says what to change."""


def warn(message: str, category: type[GansamplerWarning] = GansamplerWarning) -> None:
    """Warn of the user's line that led here, through whatever pipeline or search."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in PASSED_OVER:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
