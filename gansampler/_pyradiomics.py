"""pyradiomics, called so that it disturbs nothing else in the process."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

LOGGERS = ("radiomics", "pykwalify", "pykwalify.core")

# Loggers and thread settings belong to the process, so threads take turns. They lose
# little: pyradiomics holds the interpreter's lock most of the time.
_LOCK = threading.RLock()

Features = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """What to ask pyradiomics for, in one image channel.

    `names` are pyradiomics' own, `prefix` comes before them in the table, and `spacing`
    has the order of the axes.
    """

    channel: int
    mask_channel: int
    spacing: tuple[float, ...]
    settings: dict[str, Any]
    image_types: dict[str, Any]
    feature_classes: dict[str, Any]
    names: Sequence[str] = ()
    prefix: str = ""


def _pyradiomics() -> Any:
    """The module of pyradiomics that extracts, loaded when it is first needed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from radiomics import featureextractor
    except ImportError as error:
        raise ImportError(
            "RadiomicsExtractor needs pyradiomics and SimpleITK. Install them with: "
            'pip install "gansampler[radiomics]"'
        ) from error
    return featureextractor


def versions() -> str:
    _pyradiomics()
    import pywt
    import radiomics
    import SimpleITK

    parts = [radiomics.__version__, SimpleITK.Version.VersionString(), pywt.__version__]
    return " ".join(parts)


class _Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _undisturbed() -> Iterator[list[str]]:
    """Quiet and on one thread within, as it was after; gives what is logged within."""
    featureextractor = _pyradiomics()
    import SimpleITK

    process = SimpleITK.ProcessObject
    messages = _Messages()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    with (
        _LOCK,
        warnings.catch_warnings(),
        # Of 1 / 0 and its like pyradiomics makes something itself; and it takes whatever a
        # feature raises for a failure, so what raises errors would change values.
        np.errstate(all="ignore"),
        threadpool_limits(1, user_api="blas"),
    ):
        warnings.simplefilter("ignore")
        kept = [(lg, lg.handlers[:], lg.level, lg.propagate) for lg in loggers]
        n_threads = process.GetGlobalDefaultNumberOfThreads()
        is_shown = process.GetGlobalWarningDisplay()
        # That of the geometry is set for the whole process, by pyradiomics' settings.
        tolerance = featureextractor.geometryTolerance
        coordinates = process.GetGlobalDefaultCoordinateTolerance()
        direction = process.GetGlobalDefaultDirectionTolerance()
        try:
            for logger in loggers:
                logger.handlers = [messages]
                logger.setLevel(logging.WARNING)
                logger.propagate = False
            process.SetGlobalDefaultNumberOfThreads(1)
            process.SetGlobalWarningDisplay(False)
            yield messages.texts
        finally:
            for logger, handlers, level, propagate in kept:
                logger.handlers = handlers
                logger.setLevel(level)
                logger.propagate = propagate
            process.SetGlobalDefaultNumberOfThreads(n_threads)
            process.SetGlobalWarningDisplay(is_shown)
            featureextractor.geometryTolerance = tolerance
            process.SetGlobalDefaultCoordinateTolerance(coordinates)
            process.SetGlobalDefaultDirectionTolerance(direction)


def extract(image: np.ndarray, mask: np.ndarray, plan: Plan) -> Features | str:
    """Features of one volume by name, or why pyradiomics refuses to measure it."""
    with _undisturbed():
        try:
            return _execute(image, mask, plan)
        except ValueError as error:
            return str(error)


def _execute(image: np.ndarray, mask: np.ndarray, plan: Plan) -> Features:
    import SimpleITK

    settings = {**plan.settings, "additionalInfo": False}
    extractor = _pyradiomics().RadiomicsFeatureExtractor(**settings)
    extractor.disableAllImageTypes()
    extractor.enableImageTypes(**plan.image_types)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(**plan.feature_classes)
    pair = [SimpleITK.GetImageFromArray(array) for array in (image, mask)]
    for item in pair:
        item.SetSpacing(plan.spacing[::-1])
    return {name: float(value) for name, value in extractor.execute(*pair).items()}


def find_names(plan: Plan, edges: tuple[int, ...]) -> list[str]:
    """Names of all features that volumes with such edges can have, in pyradiomics' order.

    Made-up volumes are measured: a small one for the features of each class, and one filled
    by its mask for what each filter makes.

    Raises
    ------
    ValueError
        If pyradiomics refuses the parameters, or a filter makes nothing of such volumes.
    """
    rng = np.random.RandomState(0)
    with _undisturbed() as messages:
        _check_parameters(plan)
        small = rng.normal(100, 10, size=(4,) * len(edges))
        small_plan = replace(plan, settings={}, image_types={"Original": {}})
        names = list(_execute(small, np.ones(small.shape, dtype=np.uint8), small_plan))
        shape_names = [name for name in names if name.startswith("original_shape")]
        suffixes = [name.removeprefix("original") for name in names[len(shape_names) :]]

        image = rng.normal(100, 10, size=edges).astype(np.float32)
        mask = np.ones(edges, dtype=np.uint8)
        settings = {**plan.settings, "minimumROIDimensions": 1}
        for setting in ("minimumROISize", "resegmentRange"):
            settings.pop(setting, None)
        makes: list[str] = []
        for image_type, custom in plan.image_types.items():
            del messages[:]
            probe = replace(
                plan,
                settings=settings,
                image_types={image_type: custom},
                feature_classes={"firstorder": ["Mean"]},
            )
            reason: Any = None
            try:
                found = list(_execute(image, mask, probe))
            except Exception as error:
                found, reason = [], error
            n_wanted = 1
            if image_type == "LoG":
                n_wanted = len({**settings, **custom}.get("sigma") or [None])
            if len(found) < n_wanted:
                reason = reason or " ".join(messages) or "sigma is not set"
                raise ValueError(
                    f"pyradiomics cannot make images of type {image_type!r} from volumes "
                    f"of shape {edges}: {reason}"
                )
            makes += [name.removesuffix("_firstorder_Mean") for name in found]
    return shape_names + [make + suffix for make in makes for suffix in suffixes]


def _check_parameters(plan: Plan) -> None:
    """Let pyradiomics check parameters by its schema: it ignores what it does not know."""
    from pykwalify.errors import PyKwalifyException

    parameters = {
        "setting": plan.settings,
        "imageType": plan.image_types,
        "featureClass": plan.feature_classes,
    }
    try:
        _pyradiomics().RadiomicsFeatureExtractor(parameters)
    except (PyKwalifyException, TypeError, ValueError) as error:
        raise ValueError(
            "pyradiomics refuses settings, image_types or feature_classes: "
            f"{getattr(error, 'msg', error)}"
        ) from error
