"""RadiomicsExtractor: volumes and their masks to a table of radiomics features."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, check_memory
from tqdm import tqdm

from ._pyradiomics import Plan, extract, find_names, versions

CLASSES = ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")

MOST_NAMED = 20
"""Volumes that an error message names at most."""


class RadiomicsExtractor(TransformerMixin, BaseEstimator):
    """Measure radiomics features of volumes with pyradiomics [1]_.

    A transformer from volumes, with a mask among their channels, to a table with a row for
    each volume. Values are those of pyradiomics itself, under its names.

    Parameters
    ----------
    spacing : array-like of 3 floats, default=(1, 1, 1)
        Edges of a voxel in mm, in the order of the axes: (depth, height, width). Slices go
        by the last two, and may have only two.
    mask_channel : int, default=-1
        Channel that holds the mask: 1 in the region to measure, 0 elsewhere.
    image_channel : int or "all", default=0
        Channel to measure. "all" measures all but the mask; names then begin with
        `channel0_`, and so on, and the shape, which is the mask's, comes once, with the
        first of them.
    settings : mapping, default=None
        Settings of pyradiomics, such as `{"binWidth": 0.25}`. They are passed on as they
        are: sequences such as `resampledPixelSpacing` have pyradiomics' order, (x, y, z).
    image_types : sequence of str, or mapping of str -> settings, default=("Original",)
        Filters, as `enableImageTypes` of pyradiomics takes them: `{"Original": {},
        "Wavelet": {}, "LoG": {"sigma": [3.0]}}`.
    feature_classes : sequence of str, or mapping of str -> names, default=None
        Classes of features, or some features of each, as `enableFeaturesByName` of
        pyradiomics takes them. None takes all of shape (of slices: shape2D), firstorder,
        glcm, gldm, glrlm, glszm and ngtdm.
    n_jobs : int, default=None
        Volumes to measure at the same time, as in scikit-learn; None is one, unless a
        `joblib.parallel_config` says otherwise.
    empty_mask : {"error", "nan"}, default="error"
        What to do about masks that cannot be measured: empty ones, those of a single
        voxel, and those that pyradiomics refuses, such as a line of voxels. "nan" gives a
        row of NaN.
    memory : str, path-like or joblib.Memory, default=None
        Where to keep what has been measured, by a hash of the volume, the parameters and
        the versions of pyradiomics and what it computes with: no volume is measured twice,
        in cross-validation say. None keeps nothing.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    n_features_out_ : int
        Columns of the table.
    n_features_in_ : int
        Channels of a volume.

    See Also
    --------
    GANOverSampler : Oversamples the table.

    Notes
    -----
    The number type of X is kept, as pyradiomics computes filters in single precision for
    float32 and in double precision for integers and float64.

    Each volume is measured by one thread, so values do not depend on `n_jobs`. Loggers,
    warnings and threads are left as they were.

    The texture classes sort intensities into bins of width `binWidth`, 25 by default. That
    suits CT in Hounsfield units; set it for other units, or everything is in one bin.

    Transforming needs no `fit`; `fit` checks parameters and gives names to columns.

    References
    ----------
    .. [1] van Griethuysen et al. (2017), Computational radiomics system to decode the
       radiographic phenotype, Cancer Research 77, doi 10.1158/0008-5472.CAN-17-0339.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.radiomics import RadiomicsExtractor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(100, 30, size=(4, 2, 12, 12, 12)).astype("float32")
    >>> X[:, 1] = 0
    >>> X[:, 1, 3:9, 3:9, 3:9] = 1
    >>> extractor = RadiomicsExtractor(spacing=(3, 1, 1), settings={"binWidth": 10})
    >>> table = extractor.fit_transform(X)
    >>> table.shape
    (4, 107)
    >>> table["original_shape_VoxelVolume"].tolist()
    [648.0, 648.0, 648.0, 648.0]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "spacing": ["array-like"],
        "mask_channel": [Integral],
        "image_channel": [Integral, StrOptions({"all"})],
        "settings": [Mapping, None],
        "image_types": [list, tuple, Mapping],
        "feature_classes": [list, tuple, Mapping, None],
        "n_jobs": [Integral, None],
        "empty_mask": [StrOptions({"error", "nan"})],
        "memory": [str, os.PathLike, joblib.Memory, None],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        *,
        spacing: ArrayLike = (1, 1, 1),
        mask_channel: int = -1,
        image_channel: int | str = 0,
        settings: Mapping[str, Any] | None = None,
        image_types: Sequence[str] | Mapping[str, Any] = ("Original",),
        feature_classes: Sequence[str] | Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
        empty_mask: str = "error",
        memory: str | os.PathLike[str] | joblib.Memory | None = None,
        verbose: bool = False,
    ) -> None:
        self.spacing = spacing
        self.mask_channel = mask_channel
        self.image_channel = image_channel
        self.settings = settings
        self.image_types = image_types
        self.feature_classes = feature_classes
        self.n_jobs = n_jobs
        self.empty_mask = empty_mask
        self.memory = memory
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> RadiomicsExtractor:
        """Check parameters and volumes, and find the names of the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, depth, height, width)
            As in `transform`.
        y : None
            Not used.

        Returns
        -------
        self : RadiomicsExtractor

        Raises
        ------
        ImportError
            If pyradiomics is not installed.
        ValueError
            As in `transform`.
        """
        volumes = _check_volumes(X)
        plans = self._make_plans(volumes.shape)
        self._check_content(volumes, plans)
        self._plans = plans
        self.n_features_in_ = volumes.shape[1]
        self.n_features_out_ = sum(len(plan.names) for plan in plans)
        return self

    def transform(self, X: ArrayLike) -> pd.DataFrame:
        """Measure volumes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, depth, height, width)
            Volumes in physical units, with their mask; or slices, of shape (n_samples,
            n_channels, height, width). Left as they are.

        Returns
        -------
        DataFrame of shape (n_samples, n_features_out_)
            Features as float64, under pyradiomics' names.

        Raises
        ------
        ImportError
            If pyradiomics is not installed.
        ValueError
            If X has another number of axes or channels, a mask holds anything but 0 and 1,
            or an image NaN or infinity; if pyradiomics refuses parameters; and, with
            `empty_mask="error"`, if a mask cannot be measured.
        """
        self._validate_params()
        volumes = _check_volumes(X)
        plans = self._plans_for(volumes.shape)
        faults = self._check_content(volumes, plans)

        by = versions()
        keys: dict[tuple[int, int], str] = {}
        jobs: dict[str, tuple[np.ndarray, Plan]] = {}  # volumes that are alike come once
        for i, volume in enumerate(volumes):
            for p, plan in enumerate(plans):
                if i not in faults:
                    keys[i, p] = _key(volume, plan, by)
                    jobs.setdefault(keys[i, p], (volume, plan))
        measured = self._measure(jobs)
        for (i, _), key in keys.items():
            if isinstance(refusal := measured[key], str):
                faults[i] = refusal
        self._report(faults)

        values = np.full((len(volumes), sum(len(plan.names) for plan in plans)), np.nan)
        for (i, p), key in keys.items():
            if i not in faults:
                start = sum(len(plan.names) for plan in plans[:p])
                for j, name in enumerate(plans[p].names, start):
                    # In a small tumour a filter may not fit: pyradiomics leaves it out.
                    values[i, j] = measured[key].get(name, np.nan)
        return pd.DataFrame(values, columns=_columns(plans))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns.

        Parameters
        ----------
        input_features : None
            Not used: channels have no names.

        Returns
        -------
        ndarray of str objects, shape (n_features_out_,)
        """
        check_is_fitted(self, "n_features_out_")
        return np.asarray(_columns(self._plans), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        return tags

    def _plans_for(self, shape: tuple[int, ...]) -> list[Plan]:
        """Those of `fit`, if it was called, once they are known to suit."""
        if not hasattr(self, "_plans"):
            return self._make_plans(shape)
        wanted = self.n_features_in_, len(self._plans[0].spacing)
        found = shape[1], len(shape) - 2
        if found != wanted:
            raise ValueError(
                f"X has volumes of {found[0]} channels and {found[1]} axes, but "
                f"RadiomicsExtractor was fitted on volumes of {wanted[0]} channels and "
                f"{wanted[1]} axes."
            )
        return self._plans

    def _make_plans(self, shape: tuple[int, ...]) -> list[Plan]:
        """What to ask pyradiomics for, channel by channel."""
        n_channels, edges = shape[1], shape[2:]
        if n_channels < 2:
            raise ValueError(
                "X has 1 channel, but an image and its mask are two: stack them along "
                "axis 1."
            )
        mask_channel = _from_front(self.mask_channel, n_channels, "mask_channel")
        if self.image_channel == "all":
            channels = [c for c in range(n_channels) if c != mask_channel]
        else:
            channels = [_from_front(self.image_channel, n_channels, "image_channel")]
        if mask_channel in channels:
            raise ValueError(
                f"image_channel={self.image_channel} and mask_channel={self.mask_channel} "
                "are the same channel."
            )
        is_slice = len(edges) == 2
        classes = self.feature_classes
        if classes is None:
            classes = ("shape2D" if is_slice else "shape", *CLASSES[1:])
        features = _by_name(classes, "feature_classes")
        if ("shape" if is_slice else "shape2D") in features:
            raise ValueError(
                "feature_classes may hold 'shape' for volumes and 'shape2D' for slices; "
                f"got {list(features)} for edges {edges}."
            )
        first = Plan(
            channel=channels[0],
            mask_channel=mask_channel,
            spacing=_check_spacing(self.spacing, len(edges)),
            settings=_plain(self.settings or {}),
            image_types=_by_name(self.image_types, "image_types", {}),
            feature_classes=features,
        )
        first = replace(first, names=find_names(first, edges))
        if self.image_channel != "all":
            return [first]
        others = first
        if not first.settings.get("resegmentShape"):
            # The mask is the same for all channels, and so is its shape.
            others = replace(
                first,
                feature_classes={
                    name: some for name, some in features.items() if name[:5] != "shape"
                },
                names=[name for name in first.names if name[:14] != "original_shape"],
            )
        plans = [first] + [replace(others, channel=c) for c in channels[1:]]
        return [
            replace(plan, prefix=f"channel{plan.channel}_") for plan in plans if plan.names
        ]

    def _check_content(self, volumes: np.ndarray, plans: list[Plan]) -> dict[int, str]:
        """Index -> what is wrong with the mask, of volumes that cannot be measured."""
        minimum = plans[0].settings.get("minimumROIDimensions", 2)
        faults: dict[int, str] = {}
        not_binary, not_finite = [], []
        for i, volume in enumerate(volumes):
            mask = volume[plans[0].mask_channel]
            if not np.all((mask == 0) | (mask == 1)):
                not_binary.append(i)
                continue
            if not all(np.isfinite(volume[plan.channel]).all() for plan in plans):
                not_finite.append(i)
            inside = np.nonzero(mask)
            n_voxels = len(inside[0])
            if n_voxels < 2:
                faults[i] = "1 voxel" if n_voxels else "0 voxels"
            elif (n_axes := sum(np.ptp(index) > 0 for index in inside)) < minimum:
                faults[i] = f"{n_voxels} voxels in {n_axes} of {minimum} dimensions needed"
        if not_binary:
            raise ValueError(
                f"The mask, channel {self.mask_channel}, must hold 0 and 1 only; it does "
                f"not in volumes {_some(not_binary)}. Cut it with a threshold first."
            )
        if not_finite:
            raise ValueError(
                f"Images must be finite; volumes {_some(not_finite)} hold NaN or infinity."
            )
        self._report(faults)
        return faults

    def _report(self, faults: dict[int, str]) -> None:
        """Raise an error of the masks that cannot be measured, if that is wanted."""
        if not faults or self.empty_mask == "nan":
            return
        listed = _some([f"{i} ({fault})" for i, fault in sorted(faults.items())])
        raise ValueError(
            f"The masks of {len(faults)} volumes cannot be measured: {listed}. Leave these "
            'volumes out, segment or draw them again, or set empty_mask="nan" to get rows '
            "of NaN for them."
        )

    def _measure(self, jobs: dict[str, tuple[np.ndarray, Plan]]) -> dict[str, Any]:
        """Key -> features, or why pyradiomics refuses, measured or remembered."""
        memory = self.memory
        if isinstance(memory, os.PathLike):
            memory = os.fspath(memory)
        # This process alone reads and writes the memory: joblib's workers can empty one
        # that they start to fill at the same time.
        remember = check_memory(memory).cache(_remember, ignore=["measure"])
        measured = {
            key: remember(key, partial(extract, *_arrays(*job), job[1]))
            for key, job in jobs.items()
            if remember.check_call_in_cache(key, None)
        }
        new = [key for key in jobs if key not in measured]
        results = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")(
            joblib.delayed(extract)(*_arrays(*jobs[key]), jobs[key][1]) for key in new
        )
        for key, result in zip(
            new,
            tqdm(results, "radiomics", len(new), disable=not self.verbose, unit="volume"),
            strict=True,
        ):
            # As it arrives, so that an interrupted call goes on where it was.
            measured[key] = remember(key, partial(_same, result))
        return measured


def _columns(plans: list[Plan]) -> list[str]:
    return [plan.prefix + name for plan in plans for name in plan.names]


def _check_volumes(X: ArrayLike) -> np.ndarray:
    volumes = check_array(
        X,
        dtype="numeric",
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,  # checked channel by channel
        estimator="RadiomicsExtractor",
    )
    if volumes.ndim not in (4, 5):
        raise ValueError(
            "Expected 5D array of shape (n_samples, n_channels, depth, height, width), or "
            f"4D array of slices, got {volumes.ndim}D array instead."
        )
    return volumes


def _check_spacing(spacing: ArrayLike, n_axes: int) -> tuple[float, ...]:
    edges = np.asarray(spacing, dtype=np.float64)
    if edges.shape not in {(3,), (n_axes,)} or not np.all((edges > 0) & (edges < np.inf)):
        raise ValueError(
            "spacing must hold a positive number for each of (depth, height, width); got "
            f"{spacing!r}."
        )
    return tuple(edges[-n_axes:].tolist())


def _from_front(channel: Any, n_channels: int, what: str) -> int:
    if not -n_channels <= channel < n_channels:
        raise ValueError(f"{what}={channel}, but X has {n_channels} channels.")
    return int(channel) % n_channels


def _by_name(names: Any, what: str, default: Any = None) -> dict[str, Any]:
    """Name -> what is wanted of it, from a sequence of names too."""
    if not isinstance(names, Mapping):
        names = dict.fromkeys(names)
    if not names:
        raise ValueError(f"{what} must not be empty.")
    return {
        name: default if wanted is None else wanted
        for name, wanted in _plain(names).items()
    }


def _plain(value: Any) -> Any:
    """Numbers, lists and dicts of Python, as the schema of pyradiomics wants them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _some(items: list[Any]) -> str:
    more = f" and {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
    return ", ".join(str(item) for item in items[:MOST_NAMED]) + more


def _arrays(volume: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Image, of a number type that SimpleITK knows, and mask of one volume."""
    image = volume[plan.channel]
    dtype = {"f2": "f4", "b1": "u1"}.get(image.dtype.str[1:], image.dtype.newbyteorder("="))
    mask = np.ascontiguousarray(volume[plan.mask_channel], dtype=np.uint8)
    return np.ascontiguousarray(image, dtype=dtype), mask


def _key(volume: np.ndarray, plan: Plan, by: str) -> str:
    """A hash of all that the features of a volume depend on."""
    parameters = [plan.settings, plan.image_types, plan.feature_classes, plan.spacing]
    digest = hashlib.sha256(json.dumps([by, parameters], sort_keys=True).encode())
    for array in _arrays(volume, plan):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(array.ravel().data)
    return digest.hexdigest()


def _remember(key: str, measure: Callable[[], Any]) -> Any:
    """What joblib keeps; all that it goes by is the key."""
    return measure()


def _same(result: Any) -> Any:
    return result
