"""The command `gansampler`: oversample a CSV file, diagnose one, or see it all done."""

from ._diagnose import NOT_HEALTHY
from ._main import BAD_INPUT, main
from ._tables import ORIGIN

__all__ = ["BAD_INPUT", "NOT_HEALTHY", "ORIGIN", "main"]
