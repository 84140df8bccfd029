"""Volumes from DICOM series, NIfTI and NRRD, and back.

Tuples and matrices are in the order of array indices, (depth, height, width), or (z, y, x)
for an axial scan, and in mm of the patient frame of DICOM: z grows towards the head, y
towards the back, x towards the patient's left. SimpleITK and nibabel print the reverse.

Reading and writing need the extra `imaging`; `Volume` and the functions on it do not.
"""

from ._geometry import Geometry, Volume
from ._read_write import read_volume, write_volume
from ._sampling import crop, pad, reorient, resample
from ._stack import read_stack, write_stack

__all__ = [
    "Geometry",
    "Volume",
    "crop",
    "pad",
    "read_stack",
    "read_volume",
    "reorient",
    "resample",
    "write_stack",
    "write_volume",
]
