"""The command `gansampler`: oversample, diagnose, harmonize, translate, demo."""

from ._diagnose import NOT_HEALTHY
from ._main import BAD_INPUT, main
from ._tables import ORIGIN

__all__ = ["BAD_INPUT", "NOT_HEALTHY", "ORIGIN", "main"]
