"""GAN oversampling for small, wide, imbalanced tables, with checks of what it makes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._calibration import PriorCorrectedClassifier
    from ._datasheet import Datasheet
    from ._oversampler import GANOverSampler
    from ._tabular import TabularGAN
    from ._warnings import (
        CopyWarning,
        DiagnosisWarning,
        GansamplerWarning,
        SmallClassWarning,
    )
    from .checks import ConformalCopyCheck, Diagnosis, diagnose
    from .harmonize import ComBat, CycleGANHarmonizer
    from .radiomics import RadiomicsExtractor
    from .volumes import CycleGAN, VolumeGAN, VolumeGANOverSampler

__version__ = "0.1.0.dev0"

# Public name -> module that holds it, imported at first use: `import gansampler` alone
# does not load torch.
_HOMES = {
    "ComBat": "harmonize",
    "ConformalCopyCheck": "checks",
    "CopyWarning": "_warnings",
    "CycleGAN": "volumes",
    "CycleGANHarmonizer": "harmonize",
    "Datasheet": "_datasheet",
    "Diagnosis": "checks",
    "DiagnosisWarning": "_warnings",
    "GANOverSampler": "_oversampler",
    "GansamplerWarning": "_warnings",
    "PriorCorrectedClassifier": "_calibration",
    "RadiomicsExtractor": "radiomics",
    "SmallClassWarning": "_warnings",
    "TabularGAN": "_tabular",
    "VolumeGAN": "volumes",
    "VolumeGANOverSampler": "volumes",
    "diagnose": "checks",
}
_MODULES = ["audit", "augment", "datasets", "harmonize", "io", "metrics"]

__all__ = [
    "ComBat",
    "ConformalCopyCheck",
    "CopyWarning",
    "CycleGAN",
    "CycleGANHarmonizer",
    "Datasheet",
    "Diagnosis",
    "DiagnosisWarning",
    "GANOverSampler",
    "GansamplerWarning",
    "PriorCorrectedClassifier",
    "RadiomicsExtractor",
    "SmallClassWarning",
    "TabularGAN",
    "VolumeGAN",
    "VolumeGANOverSampler",
    "__version__",
    "audit",
    "augment",
    "datasets",
    "diagnose",
    "harmonize",
    "io",
    "metrics",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
