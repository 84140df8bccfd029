"""Which transforms fit a modality."""

from __future__ import annotations

from collections.abc import Collection

from ._base import KEEPABLE, MODALITIES, SCALED, Transform
from ._geometry import Crop, Elastic, Flip, Rotate
from ._intensity import Blur, Gamma, IntensityShift, Noise

TRANSFORMS: tuple[type[Transform], ...] = (
    Flip,
    Rotate,
    Elastic,
    Crop,
    Noise,
    Blur,
    IntensityShift,
    Gamma,
)


def augmentations_for(
    modality: str = "CT", *, keep: Collection[str] = (), allow: Collection[str] = ()
) -> list[Transform]:
    """Transforms that fit a modality, at their default strengths.

    Parameters
    ----------
    modality : {"CT", "PET", "MR"}, default="CT"
        The values of CT and PET have a scale, so their transforms keep "hu".
    keep : collection of {"hu", "texture", "geometry", "heterogeneity"}, default=()
        What must be kept besides; {"texture"} where the label is told by texture.
    allow : collection of str, default=()
        Names of transforms to take in any case, such as {"gamma"}.

    Returns
    -------
    list of Transform
        In the order flip, rotate, elastic, crop, noise, blur, intensity_shift, gamma.
        The strengths of noise and intensity shift are in HU: set them for other units.

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> from gansampler.augment import augmentations_for
    >>> augmentations_for("CT")
    [Flip(), Rotate(), Elastic(), Crop(), Noise(), Blur()]
    >>> augmentations_for("CT", keep={"texture"})
    [Flip(), Crop()]
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality must be one of {MODALITIES}; got {modality!r}.")
    names = tuple(transform.name for transform in TRANSFORMS)
    for argument, given, known in (("keep", keep, KEEPABLE), ("allow", allow, names)):
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ValueError(f"{argument} may hold {known}; got {unknown} besides.")
    needed = set(keep) | ({"hu"} if modality in SCALED else set())
    return [
        transform()
        for transform in TRANSFORMS
        if transform.name in allow or needed <= transform.keeps
    ]
