"""A small real table that ships with the package, and made-up CT volumes."""

from ._load import load_hcc_tace
from ._phantoms import make_ct_phantoms, make_liver_phantoms, phantom_spacing

__all__ = [
    "load_hcc_tace",
    "make_ct_phantoms",
    "make_liver_phantoms",
    "phantom_spacing",
]
