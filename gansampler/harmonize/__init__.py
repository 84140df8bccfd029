"""Harmonization: taking the effects of scanners and hospitals out of the data."""

from typing import TYPE_CHECKING, Any

from ._combat import ComBat
from ._report import HarmonizationReport, harmonization_report

if TYPE_CHECKING:
    from ._cyclegan import CycleGANHarmonizer

__all__ = ["ComBat", "CycleGANHarmonizer", "HarmonizationReport", "harmonization_report"]


def __getattr__(name: str) -> Any:
    if name == "CycleGANHarmonizer":  # the only one that needs torch
        from ._cyclegan import CycleGANHarmonizer

        return CycleGANHarmonizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
