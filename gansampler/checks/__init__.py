"""Checks of synthetic rows: copies, fidelity, and the ways in which a generator fails."""

from ._copy import ConformalCopyCheck
from ._diagnose import diagnose, diagnose_classes
from ._diagnosis import Diagnosis
from ._selection import choose, is_faithful

__all__ = [
    "ConformalCopyCheck",
    "Diagnosis",
    "choose",
    "diagnose",
    "diagnose_classes",
    "is_faithful",
]
