"""Small real tables that ship with the package."""

from ._load import load_hcc_tace

__all__ = ["load_hcc_tace"]
