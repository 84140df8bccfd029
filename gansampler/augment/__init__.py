"""Conventional augmentation of volumes: a baseline for generators, and for training.

Volumes are arrays of shape (n_samples, channel, depth, height, width) in physical units,
one channel of them a mask. Every transform says what it keeps, and
`check_label_invariance` measures what it does.
"""

from ._base import Compose, Transform
from ._geometry import Crop, Elastic, Flip, Rotate
from ._intensity import Blur, Gamma, IntensityShift, Noise
from ._invariance import LabelInvariance, check_label_invariance
from ._modality import augmentations_for
from ._oversampler import AugmentedOverSampler

__all__ = [
    "AugmentedOverSampler",
    "Blur",
    "Compose",
    "Crop",
    "Elastic",
    "Flip",
    "Gamma",
    "IntensityShift",
    "LabelInvariance",
    "Noise",
    "Rotate",
    "Transform",
    "augmentations_for",
    "check_label_invariance",
]
