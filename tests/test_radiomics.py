"""RadiomicsExtractor gives what pyradiomics gives, and leaves everything else alone."""

import logging
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_parameters_default_constructible

import gansampler.radiomics
from gansampler.radiomics import RadiomicsExtractor

pytest.importorskip("radiomics")
sitk = pytest.importorskip("SimpleITK")

RAW = Path(__file__).parents[2] / "shared" / "data" / "sts" / "raw"
SPACING = (3.0, 1.5, 0.5)
FILTERS = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 3.0]}}


def make_volumes(n=3, seed=0, edges=(10, 14, 12), smooth=0.7, n_images=1):
    """Noise, smoothed, with an ellipsoid as the mask in the last channel."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, n_images + 1, *edges), dtype=np.float32)
    radius = np.array([e / 2 for e in edges]).reshape(-1, *[1] * len(edges))
    for volume in X:
        for image in volume[:-1]:
            noise = gaussian_filter(rng.normal(size=edges), smooth)
            image[:] = 100 + 60 * noise / noise.std()
        off = (np.indices(edges) - radius + rng.uniform(0, 1, radius.shape)) / radius
        volume[-1] = (off**2).sum(axis=0) < rng.uniform(0.3, 0.8)
    return X


def direct(image, mask, spacing=None, image_types=None, classes=None, **settings):
    """What pyradiomics gives when it is called without us, diagnostics left out."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    if spacing is not None:
        image, mask = sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask)
        for item in (image, mask):
            item.SetSpacing(spacing[::-1])
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    extractor = RadiomicsFeatureExtractor(**settings)
    if image_types:
        extractor.enableImageTypes(**image_types)
    if classes:
        extractor.disableAllFeatures()
        extractor.enableFeaturesByName(**classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = extractor.execute(image, mask)
    logging.getLogger("radiomics").setLevel(logging.INFO)
    values = {k: float(v) for k, v in features.items() if not k.startswith("diagnostics_")}
    return pd.Series(values)


def direct_table(X, spacing=SPACING, channel=0, **kwargs):
    rows = [direct(v[channel], v[-1].astype(np.uint8), spacing, **kwargs) for v in X]
    return pd.DataFrame(rows).reset_index(drop=True)


# The same values as pyradiomics.


@pytest.mark.parametrize("seed", range(4))
def test_values_and_names_are_those_of_pyradiomics(seed):
    X = make_volumes(seed=seed)
    table = RadiomicsExtractor(spacing=SPACING).fit_transform(X)
    assert table.shape == (3, 107)
    assert (table.dtypes == np.float64).all()
    assert_frame_equal(table, direct_table(X), check_exact=True)


def test_filters_and_settings_reach_pyradiomics():
    X = make_volumes(2)
    extractor = RadiomicsExtractor(
        spacing=SPACING, image_types=FILTERS, settings={"binWidth": 10, "distances": (1, 2)}
    )
    table = extractor.fit_transform(X)
    wanted = direct_table(X, image_types=FILTERS, binWidth=10, distances=[1, 2])
    assert_frame_equal(table, wanted, check_exact=True)
    assert len(table.columns) == 14 + 11 * 93
    assert "wavelet-LLH_glcm_Contrast" in table
    assert "log-sigma-3-0-mm-3D_ngtdm_Busyness" in table
    assert (
        table["original_glcm_Contrast"]
        .ne(RadiomicsExtractor(spacing=SPACING).fit_transform(X)["original_glcm_Contrast"])
        .all()
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"normalize": True, "normalizeScale": 100, "removeOutliers": 3.0},
        {"resampledPixelSpacing": [1.0, 1.0, 2.0]},  # x, y, z
        {"resegmentRange": [60.0, 160.0], "resegmentShape": True},
        {"binCount": 16, "weightingNorm": "euclidean", "geometryTolerance": 1e-3},
        {"force2D": True, "additionalInfo": True},
    ],
)
def test_preprocessing_is_that_of_pyradiomics(settings):
    X = make_volumes(2, edges=(12, 16, 16))
    table = RadiomicsExtractor(spacing=SPACING, settings=settings).fit_transform(X)
    assert_frame_equal(table, direct_table(X, **settings), rtol=1e-9)


def test_some_features_in_the_order_asked_for():
    classes = {"glcm": ["Contrast", "Id"], "shape": ["Sphericity"], "firstorder": None}
    X = make_volumes(2)
    table = RadiomicsExtractor(spacing=SPACING, feature_classes=classes).fit_transform(X)
    assert_frame_equal(table, direct_table(X, classes=classes), check_exact=True)
    few = RadiomicsExtractor(spacing=SPACING, feature_classes=["shape"]).fit_transform(X)
    assert len(few.columns) == 14
    assert_frame_equal(
        few, table.reindex(columns=few.columns).combine_first(few), check_exact=True
    )


def test_slices():
    X = make_volumes(3, edges=(20, 24), smooth=1)
    for spacing in (SPACING, SPACING[1:]):
        table = RadiomicsExtractor(spacing=spacing).fit_transform(X)
        classes = {name: [] for name in ["shape2D", *gansampler.radiomics.CLASSES[1:]]}
        wanted = direct_table(X, SPACING[1:], classes=classes)
        assert_frame_equal(table, wanted, check_exact=True)
    assert "original_shape2D_Perimeter" in table
    with pytest.raises(ValueError, match="'shape' for volumes and 'shape2D' for slices"):
        RadiomicsExtractor(feature_classes=["shape"]).fit(X)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int16", ">f4", "uint8"])
def test_number_types(dtype):
    X = make_volumes(2).clip(0, 250).round().astype(dtype)
    table = RadiomicsExtractor(
        spacing=SPACING, image_types={"Original": {}, "Wavelet": {}}
    ).fit_transform(X)
    native = {"float16": "float32", ">f4": "float32"}.get(dtype, dtype)
    wanted = direct_table(X.astype(native), image_types={"Wavelet": {}})
    assert_frame_equal(table, wanted, check_exact=True)


def test_all_image_channels_with_the_mask_first():
    X = make_volumes(2, n_images=2)
    extractor = RadiomicsExtractor(spacing=SPACING, image_channel="all")
    table = extractor.fit_transform(X)
    assert len(table.columns) == len(set(table.columns)) == 107 + 93
    for c in range(2):
        part = table.filter(like=f"channel{c}_").rename(columns=lambda name: name[9:])
        wanted = direct_table(X, channel=c)[part.columns]
        assert_frame_equal(part, wanted, check_exact=True)
    first = RadiomicsExtractor(spacing=SPACING, mask_channel=0, image_channel=-1)
    one = RadiomicsExtractor(spacing=SPACING, image_channel=1).fit_transform(X)
    assert_frame_equal(first.fit_transform(X[:, [2, 0, 1]]), one, check_exact=True)

    resegmented = clone(extractor).set_params(
        settings={"resegmentRange": [60, 160], "resegmentShape": True}
    )
    assert len(resegmented.fit(X).get_feature_names_out()) == 2 * 107
    only_shape = clone(extractor).set_params(feature_classes=["shape"])
    assert only_shape.fit_transform(X).shape == (2, 14)


@pytest.mark.parametrize("patient", ["STS_002", "STS_042"])
@pytest.mark.parametrize(
    ("modality", "ending", "width"), [("T1", "nii.gz", 25), ("PET", "nrrd", 0.5)]
)
def test_files_of_patients(patient, modality, ending, width):
    if not RAW.exists():
        pytest.skip("needs shared/data/sts/raw")
    image, mask = (
        sitk.ReadImage(str(RAW / patient / f"{modality}_{what}.{ending}"))
        for what in ("image", "mask")
    )
    volume = np.stack(
        [sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask).astype(np.float32)]
    )
    extractor = RadiomicsExtractor(
        spacing=image.GetSpacing()[::-1],
        image_types=FILTERS,
        settings={"binWidth": width},
    )
    row = extractor.fit_transform(volume[None]).iloc[0]
    # Files have an origin and a direction too.
    wanted = direct(image, mask, image_types=FILTERS, binWidth=width)
    assert list(row.index) == list(wanted.index)
    assert np.isfinite(row).all()
    assert_array_equal(row, wanted)


def test_flat_images_and_filters_that_do_not_fit():
    X = make_volumes(2)
    X[0, 0] = 50
    assert_frame_equal(
        RadiomicsExtractor(spacing=SPACING).fit_transform(X),
        direct_table(X),
        check_exact=True,
    )
    # A small tumour, cropped: the filter fits into one of two volumes.
    X = make_volumes(2, edges=(16, 16, 16))
    X[0, 1] = 0
    X[0, 1, 7:9, 7:9, 7:9] = 1
    settings = {"preCrop": True, "padDistance": 2, "sigma": [7.0]}
    extractor = RadiomicsExtractor(image_types=["LoG"], settings=settings)
    table = extractor.fit_transform(X).filter(like="log-")
    assert table.isna().all(axis=1).tolist() == [True, False]
    assert table.shape == (2, 93)


# Invariants, null and effect.


@pytest.mark.parametrize("seed", range(3))
def test_invariants(seed):
    X = make_volumes(2, seed=seed)
    extractor = RadiomicsExtractor(spacing=SPACING)
    table = extractor.fit_transform(X)

    outside = X.copy()
    outside[:, 0][outside[:, 1] == 0] = -999
    assert_frame_equal(extractor.transform(outside), table, check_exact=True)

    shifted = X.copy()
    shifted[:, 0] += 4 * 25  # whole bins
    texture = [name for name in table if "shape" not in name and "firstorder" not in name]
    assert_allclose(extractor.transform(shifted)[texture], table[texture], rtol=1e-6)

    doubled = clone(extractor).set_params(spacing=np.array(SPACING) * 2).fit_transform(X)
    volume, area = "original_shape_MeshVolume", "original_shape_SurfaceArea"
    assert_allclose(doubled[volume], 8 * table[volume])
    assert_allclose(doubled[area], 4 * table[area])

    inside = [v[0][v[1] == 1].astype(float) for v in X]
    assert_allclose(table["original_firstorder_Mean"], [v.mean() for v in inside])
    n_mm3 = [len(v) * np.prod(SPACING) for v in inside]
    assert_allclose(table["original_shape_VoxelVolume"], n_mm3)


def test_null_and_effect():
    """Rougher texture shows in texture features, and only where there is any."""
    n, features = 20, ["original_glcm_Contrast", "original_ngtdm_Coarseness"]
    extractor = RadiomicsExtractor(feature_classes={"glcm": ["Contrast"], "ngtdm": None})

    def gaps(other):
        a, b = (
            extractor.fit_transform(make_volumes(n, seed=s, smooth=smooth))[features]
            for s, smooth in ((0, 0.7), (1, other))
        )
        return ((b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / n)).to_numpy()

    assert (np.abs(gaps(0.7)) < 3.5).all()
    assert gaps(0.5)[0] > 10


# Work is spread over processes, and kept.


def test_parallel_results_are_the_same():
    X = make_volumes(5)
    X[3, 1] = 0
    one, two = (
        RadiomicsExtractor(
            image_types=FILTERS, settings={"normalize": True}, empty_mask="nan", n_jobs=k
        ).fit_transform(X)
        for k in (1, 2)
    )
    assert_frame_equal(one, two, check_exact=True)
    with joblib.parallel_config("threading", n_jobs=2):
        threads = RadiomicsExtractor(empty_mask="nan").fit_transform(X)
    assert_frame_equal(
        threads, RadiomicsExtractor(empty_mask="nan").fit_transform(X), check_exact=True
    )


def unexpected(*args):
    raise AssertionError("a volume was measured")


@pytest.fixture
def calls(monkeypatch):
    """Volumes measured, in this process."""
    seen = []
    extract = gansampler.radiomics.extract

    def counted(image, mask, plan):
        seen.append(image.sum())
        return extract(image, mask, plan)

    monkeypatch.setattr(gansampler.radiomics, "extract", counted)
    return seen


@pytest.mark.parametrize("kind", [str, Path, joblib.Memory])
def test_a_volume_is_measured_once(tmp_path, calls, kind):
    memory = joblib.Memory(tmp_path, verbose=0) if kind is joblib.Memory else kind(tmp_path)
    X = make_volumes(4)
    extractor = RadiomicsExtractor(spacing=SPACING, memory=memory)
    table = extractor.fit_transform(X)
    assert len(calls) == 4
    assert_frame_equal(clone(extractor).fit_transform(X), table, check_exact=True)
    assert_frame_equal(
        extractor.transform(X[[2, 0]]),
        table.iloc[[2, 0]].reset_index(drop=True),
        check_exact=True,
    )
    assert len(calls) == 4
    changed = X.copy()
    changed[1, 0, 5, 5, 5] += 1
    changed[2, 1, 0, 0, 0] = 1
    extractor.transform(changed)
    assert len(calls) == 6
    for params in (
        {"spacing": (1, 1, 1)},
        {"settings": {"binWidth": 5}},
        {"image_types": ["Wavelet"]},
        {"feature_classes": ["glcm"]},
    ):
        before = len(calls)
        clone(extractor).set_params(**params).fit_transform(X[:1])
        assert len(calls) == before + 1
    assert_frame_equal(
        RadiomicsExtractor(spacing=SPACING).fit_transform(X), table, check_exact=True
    )


def test_what_workers_measured_is_kept(tmp_path, monkeypatch):
    X = make_volumes(4)
    extractor = RadiomicsExtractor(memory=tmp_path, n_jobs=2)
    table = extractor.fit_transform(X)
    monkeypatch.setattr(gansampler.radiomics, "extract", unexpected)
    assert_frame_equal(extractor.set_params(n_jobs=1).transform(X), table, check_exact=True)


def test_an_interrupted_call_goes_on(tmp_path, monkeypatch, calls):
    X = make_volumes(4)
    extractor = RadiomicsExtractor(memory=tmp_path).fit(X)
    counted = gansampler.radiomics.extract

    def interrupted(image, mask, plan):
        if len(calls) == 2:
            raise KeyboardInterrupt
        return counted(image, mask, plan)

    with monkeypatch.context() as patch:
        patch.setattr(gansampler.radiomics, "extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extractor.transform(X)
    extractor.transform(X)
    assert len(calls) == 4


def test_volumes_that_are_alike_are_measured_once(calls):
    X = make_volumes(2)[[0, 1, 0, 0]]
    table = RadiomicsExtractor().fit_transform(X)
    assert len(calls) == 2
    assert_array_equal(table.iloc[2], table.iloc[0])
    assert (table.iloc[1] != table.iloc[0]).any()


# Everything else is left alone.


def state_of_process():
    """What pyradiomics and its parts share with the rest of the process."""
    from radiomics import featureextractor

    process = sitk.ProcessObject
    return {
        "threads": process.GetGlobalDefaultNumberOfThreads(),
        "warnings": process.GetGlobalWarningDisplay(),
        "tolerance": process.GetGlobalDefaultCoordinateTolerance(),
        "direction": process.GetGlobalDefaultDirectionTolerance(),
        "module": featureextractor.geometryTolerance,
        "errors": np.geterr(),
        "filters": len(warnings.filters),
        **{
            name: (len(logger.handlers), logger.level, logger.propagate, logger.disabled)
            for name in ("root", "radiomics", "pykwalify", "pykwalify.core")
            for logger in [logging.getLogger(None if name == "root" else name)]
        },
    }


def test_state_is_left_as_found(capfd, caplog):
    X = make_volumes(2)
    extractor = RadiomicsExtractor(
        image_types=FILTERS, settings={"geometryTolerance": 0.5, "binCount": 8}
    )
    with np.errstate(all="raise"):
        before = state_of_process()
        X[0, 0] = 50  # flat: pyradiomics divides by zero, and logs it
        table = extractor.fit_transform(X)
        with pytest.raises(ValueError, match="binWidht"):
            RadiomicsExtractor(settings={"binWidht": 1}).fit(X)
        assert state_of_process() == before
    assert_frame_equal(
        table, direct_table(X, (1, 1, 1), image_types=FILTERS, binCount=8), rtol=1e-9
    )
    capfd.readouterr()
    caplog.clear()
    extractor.fit_transform(X)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_state_of_workers_is_left_as_found(capfd):
    X = make_volumes(4)
    with joblib.parallel_config("loky", n_jobs=2):
        parallel = joblib.Parallel()
        before = parallel(joblib.delayed(state_of_process)() for _ in range(4))
        capfd.readouterr()
        RadiomicsExtractor(image_types=FILTERS).fit_transform(X)
        after = parallel(joblib.delayed(state_of_process)() for _ in range(4))
    assert capfd.readouterr() == ("", "")
    for state in after:
        assert state in before


def test_input_is_not_modified():
    X = make_volumes(2)
    kept = X.copy()
    X.setflags(write=False)
    settings = {"sigma": [1.0], "binWidth": np.float32(5)}
    extractor = RadiomicsExtractor(image_types=["LoG"], settings=settings)
    extractor.fit_transform(X)
    assert_array_equal(X, kept)
    assert settings == {"sigma": [1.0], "binWidth": np.float32(5)}
    assert extractor.settings is settings
    table = RadiomicsExtractor().fit_transform(X)
    strided = np.asfortranarray(np.repeat(X, 2, axis=-1))[..., ::2]
    assert_frame_equal(RadiomicsExtractor().fit_transform(strided), table, check_exact=True)
    assert_frame_equal(
        RadiomicsExtractor().fit_transform(X.tolist()).round(3),
        table.round(3),
        check_exact=True,
    )


# As a part of scikit-learn.


def test_conventions(tmp_path):
    X = make_volumes(3)
    extractor = RadiomicsExtractor(spacing=SPACING, memory=tmp_path, empty_mask="nan")
    check_parameters_default_constructible("RadiomicsExtractor", RadiomicsExtractor())
    assert RadiomicsExtractor(**extractor.get_params()).get_params() == (
        extractor.get_params()
    )
    assert not get_tags(extractor).requires_fit
    with pytest.raises(ValueError, match="not fitted"):
        extractor.get_feature_names_out()
    unfitted = extractor.transform(X)
    table = extractor.fit(X).transform(X)
    assert_frame_equal(unfitted, table, check_exact=True)
    assert extractor.n_features_in_ == 2
    assert extractor.n_features_out_ == 107
    assert_array_equal(extractor.get_feature_names_out(), table.columns)
    assert extractor.get_feature_names_out().dtype == object
    again = pickle.loads(pickle.dumps(extractor))
    assert_frame_equal(again.transform(X), table, check_exact=True)
    assert not hasattr(clone(extractor), "n_features_out_")
    for container in ("default", "pandas", "polars"):
        made = clone(extractor).set_output(transform=container).fit_transform(X)
        assert list(made.columns) == list(table.columns)
        assert_array_equal(made.to_numpy(), table.to_numpy())
    bigger = make_volumes(2, edges=(12, 15, 13))
    assert extractor.transform(bigger).shape == (2, 107)


def test_pipeline_in_cross_validation(tmp_path, calls):
    """After a step that makes volumes of rows, before a sampler of rows."""
    X = np.concatenate([make_volumes(18, 0, smooth=0.7), make_volumes(9, 1, smooth=1.2)])
    y = np.repeat(["rough", "smooth"], [18, 9])
    pipeline = make_pipeline(
        FunctionTransformer(np.reshape, kw_args={"shape": (-1, *X.shape[1:])}),
        RadiomicsExtractor(spacing=SPACING, settings={"binWidth": 10}, memory=tmp_path),
        StandardScaler(),
        RandomOverSampler(random_state=0),
        LogisticRegression(),
    )
    rows = X.reshape(len(X), -1)
    scores = cross_val_score(pipeline, rows, y, cv=3, scoring="roc_auc")
    assert scores.mean() > 0.9
    assert len(calls) == len(X)
    names = pipeline.fit(rows, y)["radiomicsextractor"].get_feature_names_out()
    assert_array_equal(pipeline["standardscaler"].feature_names_in_, names)


def test_progress_bar(capsys):
    RadiomicsExtractor(verbose=True).fit_transform(make_volumes(2))
    assert "2/2" in capsys.readouterr().err


# What is wrong is said before anything is measured.


@pytest.fixture
def nothing_measured(monkeypatch):
    monkeypatch.setattr(gansampler.radiomics, "extract", unexpected)


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_masks_that_cannot_be_measured(method):
    X = make_volumes(5)
    X[1, 1] = 0
    X[3, 1] = 0
    X[3, 1, 2, 3, 4] = 1
    X[4, 1] = 0
    X[4, 1, 2, 3, :] = 1
    with pytest.raises(ValueError) as error:
        getattr(RadiomicsExtractor(), method)(X)
    assert str(error.value) == (
        "The masks of 3 volumes cannot be measured: 1 (0 voxels), 3 (1 voxel), 4 (12 "
        "voxels in 1 of 2 dimensions needed). Leave these volumes out, segment or draw "
        'them again, or set empty_mask="nan" to get rows of NaN for them.'
    )


def test_rows_of_nan():
    X = make_volumes(5)
    X[1, 1] = 0
    X[3, 1] = 0
    X[3, 1, 2, 3, 4] = 1
    table = RadiomicsExtractor(empty_mask="nan").fit_transform(X)
    assert table.isna().all(axis=1).tolist() == [False, True, False, True, False]
    whole = table.iloc[[0, 2, 4]].reset_index(drop=True)
    assert_frame_equal(
        whole, RadiomicsExtractor().fit_transform(X[[0, 2, 4]]), check_exact=True
    )
    X[:, 1] = 0
    table = RadiomicsExtractor(empty_mask="nan").fit_transform(X)
    assert table.shape == (5, 107)
    assert table.isna().all(axis=None)


def test_masks_that_pyradiomics_refuses_later():
    X = make_volumes(3)
    X[1, 0] = 0
    extractor = RadiomicsExtractor(settings={"resegmentRange": [20, 300]})
    with pytest.raises(ValueError, match=r"of 1 volumes .*: 1 \(Resegmentation excluded"):
        extractor.fit_transform(X)
    table = extractor.set_params(empty_mask="nan").fit_transform(X)
    assert table.isna().all(axis=1).tolist() == [False, True, False]


def test_long_lists_are_cut():
    X = make_volumes(30)
    X[:, 1] = 0
    with pytest.raises(ValueError, match=r"19 \(0 voxels\) and 10 more"):
        RadiomicsExtractor().fit(X)


def edited(**changes):
    X = make_volumes(3)
    for channel, value in changes.items():
        X[2, int(channel[-1]), 5, 5, 5] = value
    return X


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({}, edited(c1=0.5), "0 and 1 only; it does not in volumes 2"),
        ({}, edited(c1=np.nan), "0 and 1 only; it does not in volumes 2"),
        ({}, edited(c0=np.nan), "volumes 2 hold NaN or infinity"),
        ({}, edited(c0=-np.inf), "volumes 2 hold NaN or infinity"),
        ({}, np.ones((4, 3)), "Expected 5D array .* got 2D array instead"),
        ({}, np.ones((4, 2, 1, 3, 3, 3)), "got 6D array instead"),
        ({}, make_volumes(2)[:, :1], "X has 1 channel"),
        ({}, make_volumes(2)[:0], "0 sample"),
        ({"mask_channel": 2}, make_volumes(2), "mask_channel=2, but X has 2 channels"),
        ({"image_channel": -3}, make_volumes(2), "image_channel=-3, but X has 2"),
        ({"image_channel": 1}, make_volumes(2), "are the same channel"),
        ({"image_channel": "both"}, make_volumes(2), "'image_channel' parameter"),
        ({"empty_mask": "skip"}, make_volumes(2), "'empty_mask' parameter"),
        ({"n_jobs": 1.5}, make_volumes(2), "'n_jobs' parameter"),
        ({"image_types": "Wavelet"}, make_volumes(2), "'image_types' parameter"),
        ({"spacing": (1, 1)}, make_volumes(2), "spacing must hold a positive number"),
        ({"spacing": (1, 0, 1)}, make_volumes(2), "spacing must hold a positive number"),
        ({"spacing": (1, np.nan, 1)}, make_volumes(2), "spacing must hold a positive"),
        ({"settings": {"binWidht": 5}}, make_volumes(2), "Key 'binWidht' was not defined"),
        ({"settings": {"binWidth": -5}}, make_volumes(2), "binWidth"),
        ({"image_types": ["Wavelets"]}, make_volumes(2), "Wavelets is not recognized"),
        ({"image_types": []}, make_volumes(2), "image_types must not be empty"),
        ({"image_types": ["LoG"]}, make_volumes(2), "'LoG' .*: sigma is not set"),
        (
            {"image_types": {"LoG": {"sigma": [1.0, 99.0]}}},
            make_volumes(2),
            r"'LoG' from volumes of shape \(10, 14, 12\): applyLoG: sigma\(99\)",
        ),
        (
            {"settings": {"resampledPixelSpacing": [1.0, 1.0]}},
            make_volumes(2),
            "cannot make images of type 'Original' .* Wrong dimensionality",
        ),
        ({"feature_classes": []}, make_volumes(2), "feature_classes must not be empty"),
        ({"feature_classes": ["glcn"]}, make_volumes(2), "glcn is not recognized"),
        ({"feature_classes": {"glcm": ["Kontrast"]}}, make_volumes(2), "Kontrast"),
        ({"feature_classes": ["shape2D"]}, make_volumes(2), "'shape2D' for slices"),
    ],
)
def test_errors(params, X, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(RadiomicsExtractor(**params), method)(X)


@pytest.mark.usefixtures("nothing_measured")
def test_volumes_unlike_those_of_fit():
    extractor = RadiomicsExtractor().fit(make_volumes(2))
    with pytest.raises(ValueError, match=r"3 channels and 3 axes.* 2 channels and 3 axes"):
        extractor.transform(make_volumes(2, n_images=2))
    with pytest.raises(ValueError, match="2 channels and 2 axes"):
        extractor.transform(make_volumes(2, edges=(12, 12)))


def test_without_the_extra():
    code = """
import sys
import numpy as np
sys.modules["radiomics"] = None
from gansampler.radiomics import RadiomicsExtractor
X = np.ones((2, 2, 5, 5, 5))
for method in "fit", "transform":
    try:
        getattr(RadiomicsExtractor(), method)(X)
    except ImportError as error:
        print(error)
print("torch" in sys.modules, "SimpleITK" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.count('pip install "gansampler[radiomics]"') == 2, run.stderr
    assert run.stdout.endswith("False False\n")
