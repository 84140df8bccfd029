"""Checks of synthetic rows against real ones."""

from ._copy import ConformalCopyCheck

__all__ = ["ConformalCopyCheck"]
