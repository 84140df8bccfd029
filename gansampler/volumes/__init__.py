"""Generators of 3D images with their masks."""

from ._cyclegan import CycleGAN
from ._gan import VolumeGAN
from ._oversampler import VolumeGANOverSampler

__all__ = ["CycleGAN", "VolumeGAN", "VolumeGANOverSampler"]
