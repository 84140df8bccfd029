"""Volumes from files and to files; files are made here, and real ones read if there."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gansampler.io._read_write as read_write
from gansampler._warnings import GansamplerWarning
from gansampler.io import (
    Geometry,
    Volume,
    crop,
    pad,
    read_stack,
    read_volume,
    reorient,
    resample,
    write_stack,
    write_volume,
)

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")

STS = Path(__file__).parents[2] / "shared" / "data" / "sts"
SPACING, ORIGIN = (3.0, 1.5, 1.0), (-40.0, 12.5, 7.25)
SHAPE = (6, 10, 12)


def rotation(degrees):
    """A rotation about all three axes, in the order (z, y, x)."""
    about = np.deg2rad(degrees)
    result = np.eye(3)
    for i, angle in enumerate(about):
        j, k = [axis for axis in range(3) if axis != i]
        turn = np.eye(3)
        turn[j, j] = turn[k, k] = np.cos(angle)
        turn[j, k], turn[k, j] = -np.sin(angle), np.sin(angle)
        result = result @ turn
    return result


OBLIQUE = rotation((10, -20, 30))


def make_volume(direction=None, dtype="int16", modality="CT", has_mask=False, seed=0):
    rng = np.random.default_rng(seed)
    array = rng.integers(-1000, 1500, (1, *SHAPE)).astype(np.float32)
    if np.dtype(dtype).kind == "f":
        array += rng.random(array.shape, np.float32)
    if has_mask:
        mask = np.zeros((1, *SHAPE), np.float32)
        mask[0, 2:4, 3:7, 4:9] = 1
        array = np.concatenate([array, mask])
    return Volume(
        array,
        spacing=SPACING,
        origin=ORIGIN,
        direction=np.eye(3) if direction is None else direction,
        dtype=dtype,
        modality=modality,
        unit="HU" if modality == "CT" else None,
    )


def assert_same_place(one, other, atol=1e-4):
    np.testing.assert_allclose(one.spacing, other.spacing, atol=atol)
    np.testing.assert_allclose(one.origin, other.origin, atol=atol)
    np.testing.assert_allclose(one.direction, other.direction, atol=1e-6)


def edit(path, **tags):
    """Change tags of a DICOM file; None removes one."""
    dataset = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path)


@pytest.fixture
def series(tmp_path):
    """A folder of six slices, and the volume that is in them."""
    volume = make_volume()
    write_volume(tmp_path / "ct", volume)
    return tmp_path / "ct", volume


def write_rtstruct(path, regions, frame=""):
    """Regions: (number, name, contours of points (z, y, x) in mm)."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dataset.validate_file_meta(meta)
    dataset = pydicom.dataset.FileDataset(
        str(path),
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=False,
        is_little_endian=True,
    )
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "RTSTRUCT"
    names, drawn = [], []
    for number, name, contours in regions:
        item = pydicom.Dataset()
        item.ROINumber, item.ROIName = number, name
        item.ReferencedFrameOfReferenceUID = frame
        names.append(item)
        item = pydicom.Dataset()
        item.ReferencedROINumber = number
        item.ContourSequence = []
        for points in contours:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{x:.6f}" for x in np.asarray(points)[:, ::-1].ravel()]
            item.ContourSequence.append(contour)
        drawn.append(item)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = names, drawn
    dataset.save_as(path)
    return path


def rectangle(volume, k, low, high):
    """Corners in mm of a rectangle on slice k, between (row, column) indices."""
    (y0, x0), (y1, x1) = low, high
    return volume.position([(k, y0, x0), (k, y0, x1), (k, y1, x1), (k, y1, x0)])


# Round trips


@pytest.mark.parametrize("direction", [np.eye(3), OBLIQUE], ids=["upright", "oblique"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("name", ["v.nii.gz", "v.nii", "v.nrrd", "dicom"])
def test_round_trip(tmp_path, name, dtype, direction):
    volume = make_volume(direction, dtype, has_mask=True)
    write_volume(tmp_path / name, volume, tmp_path / "mask.nii.gz")
    back = read_volume(tmp_path / name, tmp_path / "mask.nii.gz")
    assert_same_place(back, volume)
    # DICOM holds 16 bits: half a step of slope, and float32's own rounding.
    step = np.ptp(volume.images) / 65534 if (name, dtype) == ("dicom", "float32") else 0
    np.testing.assert_allclose(back.images, volume.images, atol=0.51 * step)
    np.testing.assert_array_equal(back.mask, volume.mask)
    assert back.array.dtype == np.float32
    assert back.dtype == np.dtype(dtype)
    if name == "dicom":
        assert (back.modality, back.unit) == ("CT", "HU")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float64"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_numbers_stay_of_their_type(tmp_path, dtype, suffix):
    values = np.arange(np.prod(SHAPE)).reshape(1, *SHAPE) % 200
    write_volume(tmp_path / f"v{suffix}", Volume(values, spacing=SPACING, dtype=dtype))
    back = read_volume(tmp_path / f"v{suffix}")
    assert back.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back.array, values)


@pytest.mark.parametrize("dtype", ["bool", "float16"])
def test_types_that_files_lack_are_written_as_the_next(tmp_path, dtype):
    volume = Volume(np.ones((1, *SHAPE)), spacing=SPACING, dtype=dtype)
    write_volume(tmp_path / "v.nrrd", volume)
    assert read_volume(tmp_path / "v.nrrd").dtype in (np.uint8, np.float32)


def test_integers_are_rounded_not_cut(tmp_path):
    volume = Volume(np.full((1, *SHAPE), -1.6), spacing=SPACING, dtype="int16")
    write_volume(tmp_path / "v.nii", volume)
    assert (read_volume(tmp_path / "v.nii").array == -2).all()


@pytest.mark.parametrize("name", ["v.nii.gz", "v.nrrd", "dicom"])
def test_simpleitk_finds_the_same_geometry(tmp_path, name):
    volume = make_volume(OBLIQUE)
    write_volume(tmp_path / name, volume)
    if name == "dicom":
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / name)))
        image = reader.Execute()
    else:
        image = sitk.ReadImage(str(tmp_path / name))
    np.testing.assert_allclose(image.GetSpacing(), volume.spacing[::-1], atol=1e-4)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array[0])
    index = (4, 7, 2)
    place = image.TransformIndexToPhysicalPoint(index[::-1])
    np.testing.assert_allclose(place[::-1], volume.position(index), atol=1e-3)
    np.testing.assert_allclose(volume.index(volume.position(index)), index)


def test_pet_keeps_its_unit_and_zero(tmp_path):
    values = np.random.default_rng(0).gamma(1, 3, (1, *SHAPE)).astype(np.float32)
    values[0, 0] = 0
    volume = Volume(values, spacing=SPACING, modality="PT", unit="GML")
    write_volume(tmp_path / "pet", volume)
    back = read_volume(tmp_path / "pet")
    assert (back.modality, back.unit) == ("PT", "GML")
    assert (back.array[0, 0] == 0).all()
    np.testing.assert_allclose(back.array, values, atol=0.51 * values.max() / 65534)


def test_constant_and_mr_volumes_as_dicom(tmp_path):
    volume = Volume(np.full((1, *SHAPE), 2.5), spacing=SPACING, modality="MR")
    write_volume(tmp_path / "mr", volume)
    back = read_volume(tmp_path / "mr")
    assert (back.array == 2.5).all()
    assert (back.modality, back.unit) == ("MR", None)


def test_large_integers_in_dicom_take_a_slope(tmp_path):
    volume = make_volume(dtype="int32")
    volume = replace(volume, array=volume.array * 100)
    write_volume(tmp_path / "ct", volume)
    back = read_volume(tmp_path / "ct")
    np.testing.assert_allclose(back.array, volume.array, atol=0.51 * 250000 / 65534)


# DICOM series


def test_slices_are_sorted_by_place_and_rescaled_each(series):
    folder, volume = series
    for i, path in enumerate(sorted(folder.iterdir())):
        edit(path, InstanceNumber=99 - i, RescaleSlope=i + 1, RescaleIntercept=-i)
        path.rename(path.with_name(f"{'fbdace'[i]}.dcm"))
    back = read_volume(folder)
    slope = np.arange(1, 7)[:, None, None]
    np.testing.assert_array_equal(back.array[0], volume.array[0] * slope - slope + 1)
    assert back.dtype == np.int16
    assert_same_place(back, volume)


def test_slices_head_first_are_turned(tmp_path):
    """Rows to the left and to the front: slices grow towards the feet."""
    direction = np.diag([-1.0, -1.0, 1.0])
    volume = make_volume(direction)
    write_volume(tmp_path / "ct", volume)
    back = read_volume(tmp_path / "ct")
    assert_same_place(back, volume)
    np.testing.assert_array_equal(back.array, volume.array)


def test_compressed_slices(series):
    folder, volume = series
    for path in folder.iterdir():
        # SimpleITK's own writer: lossless JPEG 2000.
        image = sitk.ReadImage(str(path))
        dataset = pydicom.dcmread(path)
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG2000")
        writer.SetFileName(str(path))
        writer.Execute(image)
        packed = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
        dataset.PixelData = packed.PixelData
        dataset["PixelData"].is_undefined_length = True
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-10"
        dataset.save_as(path)
    assert packed.file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_volume(folder).array, volume.array * 2 - 10)


def test_the_patient_has_the_name_of_the_folder(tmp_path):
    write_volume(tmp_path / "Müller", make_volume())
    assert pydicom.dcmread(tmp_path / "Müller" / "0001.dcm").PatientName == "Müller"


def test_a_lone_slice_has_its_thickness(tmp_path):
    volume = make_volume()
    volume = replace(volume, array=volume.array[:, :1])
    write_volume(tmp_path / "ct", volume)
    assert_same_place(read_volume(tmp_path / "ct"), volume)
    (path,) = (tmp_path / "ct").iterdir()
    edit(path, SliceThickness=None, SpacingBetweenSlices=None)
    with pytest.raises(ValueError, match=r"0001\.dcm is a lone slice"):
        read_volume(tmp_path / "ct")


def test_what_is_no_image_is_passed_over(series):
    folder, volume = series
    (folder / "notes.txt").write_text("no slice")
    (folder / ".hidden.dcm").write_text("no slice")
    (folder / "deeper").mkdir()
    write_rtstruct(folder / "RS.dcm", [])
    np.testing.assert_array_equal(read_volume(folder).array, volume.array)


def test_two_series_are_listed(series, tmp_path):
    folder, volume = series
    write_volume(tmp_path / "other", make_volume(seed=1))
    for path in (tmp_path / "other").iterdir():
        edit(path, SeriesDescription="bone kernel")
        path.rename(folder / f"b{path.name}")
    uids = {pydicom.dcmread(path).SeriesInstanceUID for path in folder.iterdir()}
    message = r"holds 2 series: .*gansampler, 6 slices\); .*bone kernel, 6 slices\)"
    with pytest.raises(ValueError, match=message):
        read_volume(folder)
    (uid,) = uids - {pydicom.dcmread(folder / "0001.dcm").SeriesInstanceUID}
    assert (read_volume(folder, series=uid).array != volume.array).any()
    with pytest.raises(ValueError, match=r"has no series '1\.2'; it has"):
        read_volume(folder, series="1.2")


def test_missing_slices(series):
    (series[0] / "0003.dcm").unlink()
    with pytest.raises(ValueError, match=r"0002\.dcm and 0004\.dcm 6 mm \(1 slices are"):
        read_volume(series[0])


def test_uneven_slices(series):
    x, y, z = pydicom.dcmread(series[0] / "0006.dcm").ImagePositionPatient
    edit(series[0] / "0006.dcm", ImagePositionPatient=[x, y, float(z) + 0.5])
    with pytest.raises(ValueError, match=r"3 mm apart, but .*0006.dcm 3.5 mm \(uneven"):
        read_volume(series[0])


def test_copies_of_a_slice(series):
    (series[0] / "copy.dcm").write_bytes((series[0] / "0002.dcm").read_bytes())
    with pytest.raises(ValueError, match=r"0002\.dcm and copy\.dcm lie at one place"):
        read_volume(series[0])


def test_tilted_gantry(series):
    for i, path in enumerate(sorted(series[0].iterdir())):
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, float(y) + 0.2 * i, z])
    with pytest.raises(ValueError, match=r"shift sideways by up to 1 mm.*gantry"):
        read_volume(series[0])


@pytest.mark.parametrize(
    "tags",
    [
        {"PixelSpacing": [2, 2]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
        {"Rows": 9},
    ],
    ids=str,
)
def test_slices_of_another_grid(series, tags):
    edit(series[0] / "0002.dcm", **tags)
    with pytest.raises(ValueError, match=r"0002\.dcm .*: these slices are no grid"):
        read_volume(series[0])


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"SamplesPerPixel": 3}, "is a colour image"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "is a colour image"),
        ({"NumberOfFrames": 4}, "holds 4 frames"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient missing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not perpendicular"),
        ({"PixelSpacing": [1, 1, 1]}, "2 numbers expected"),
    ],
    ids=str,
)
def test_slices_that_are_none(series, tags, message):
    edit(series[0] / "0002.dcm", **tags)
    with pytest.raises(ValueError, match=rf"0002\.dcm .*{message}"):
        read_volume(series[0])


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.95])
def test_slices_cut_short(series, share):
    path = series[0] / "0004.dcm"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"0004\.dcm .*(cut short|damaged)"):
        read_volume(series[0])


def test_an_empty_file_of_any_name_is_a_lost_slice(series):
    (series[0] / "0007").write_bytes(b"")
    with pytest.raises(ValueError, match="0007 is no DICOM file"):
        read_volume(series[0])


def test_folder_without_images(tmp_path):
    with pytest.raises(ValueError, match="holds no DICOM image"):
        read_volume(tmp_path)


# RTSTRUCT


@pytest.mark.parametrize("direction", [np.eye(3), OBLIQUE], ids=["upright", "oblique"])
def test_contours_hold_the_voxels_whose_centres_are_inside(tmp_path, direction):
    volume = make_volume(direction)
    write_volume(tmp_path / "ct", volume)
    contours = [
        rectangle(volume, 2, (1.6, 2.4), (6.4, 9.6)),
        rectangle(volume, 2, (2.6, 3.4), (4.4, 6.6)),  # a hole
        rectangle(volume, 3, (1.6, 2.4), (3.4, 4.6)),
        rectangle(volume, 3, (5.6, 6.4), (7.4, 8.6)),  # a second part
        volume.position([(4, 0, 0), (4, 0, 6), (4, 6, 0)]) + 1e-3,
        volume.position([(5, 1, 1)]),  # a lone point holds nothing
        rectangle(volume, 9, (1, 1), (5, 5)),  # above the image
    ]
    path = write_rtstruct(tmp_path / "rs.dcm", [(1, "tumour", contours)])
    expected = np.zeros(SHAPE, bool)
    expected[2, 2:7, 3:10] = True
    expected[2, 3:5, 4:7] = False
    expected[3, 2:4, 3:5] = expected[3, 6:8, 7:9] = True
    mask = read_volume(tmp_path / "ct", path).mask
    np.testing.assert_array_equal(mask[[0, 1, 2, 3, 5]], expected[[0, 1, 2, 3, 5]])
    assert mask[4].sum() == pytest.approx(18, abs=5)
    assert mask[4, 1, 1]
    assert not mask[4, 4, 4]


def test_region_is_chosen_by_name_or_number(series, tmp_path):
    folder, volume = series
    square = [rectangle(volume, 2, (1.5, 1.5), (3.5, 3.5))]
    other = [rectangle(volume, 3, (1.5, 1.5), (3.5, 3.5))]
    regions = [(1, "GTV", square), (2, "lung", other), (3, "GTV", other)]
    path = write_rtstruct(tmp_path / "rs.dcm", regions)
    assert read_volume(folder, path, roi="lung").mask[3].any()
    assert read_volume(folder, path, roi=1).mask[2].any()
    listed = r"'GTV' \(number 1\), 'lung' \(number 2\), 'GTV' \(number 3\)"
    for roi, message in (
        (None, f"{listed}; say which"),
        ("GTV", f"more than one region 'GTV', but {listed}"),
        ("heart", f"no region 'heart', but {listed}"),
    ):
        with pytest.raises(ValueError, match=rf"rs\.dcm has {message}"):
            read_volume(folder, path, roi=roi)


def test_contours_that_do_not_fit(series, tmp_path):
    folder, volume = series
    regions = [
        (1, "empty", []),
        (2, "between", [rectangle(volume, 2.5, (1, 1), (5, 5))]),
        (3, "elsewhere", [rectangle(volume, 2, (101, 101), (105, 105))]),
        (4, "upright", [volume.position([(1, 2, 2), (3, 2, 2), (3, 2, 6)])]),
    ]
    path = write_rtstruct(tmp_path / "rs.dcm", regions)
    for roi, message in (
        ("empty", "no closed contour"),
        ("between", "between or across the slices"),
        ("elsewhere", "do not overlap"),
        ("upright", "between or across the slices"),
    ):
        with pytest.raises(ValueError, match=rf"rs\.dcm: region '{roi}' .*{message}"):
            read_volume(folder, path, roi=roi)


def test_contours_of_another_patient(series, tmp_path):
    folder, volume = series
    regions = [(1, "GTV", [rectangle(volume, 2, (1, 1), (5, 5))])]
    path = write_rtstruct(tmp_path / "rs.dcm", regions, frame="1.2.3")
    with pytest.raises(ValueError, match="drawn on another image"):
        read_volume(folder, path)
    frame = pydicom.dcmread(folder / "0001.dcm").FrameOfReferenceUID
    write_rtstruct(path, regions, frame=frame)
    assert read_volume(folder, path).mask.any()


def test_masks_that_are_no_rtstruct(series, tmp_path):
    with pytest.raises(ValueError, match=r"0001\.dcm has modality CT; a mask from DICOM"):
        read_volume(series[0], series[0] / "0001.dcm")
    (tmp_path / "rs.dcm").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"rs\.dcm is no DICOM file"):
        read_volume(series[0], tmp_path / "rs.dcm")


# NIfTI and NRRD


def save(path, values, **fields):
    image = sitk.GetImageFromArray(values, **fields)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", ["v.nii.gz", "v.nii", "v.nrrd"])
@pytest.mark.parametrize("share", [0, 0.1, 0.6, 0.999])
def test_files_cut_short(tmp_path, name, share):
    path = tmp_path / name
    write_volume(path, make_volume())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=rf"{name} cannot be read"):
        read_volume(path)


@pytest.mark.parametrize("name", ["v.nii.gz", "v.nii", "v.nrrd"])
def test_files_that_are_something_else(tmp_path, name):
    (tmp_path / name).write_text("something else " * 100)
    with pytest.raises(ValueError, match=rf"{name} cannot be read"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["v.nii.gz", "v.nrrd"])
def test_a_changed_byte_in_packed_files(tmp_path, name):
    path = tmp_path / name
    write_volume(path, make_volume())
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # the checksum's end
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read"):
        read_volume(path)


def test_colours_are_refused(tmp_path):
    values = np.zeros((*SHAPE, 3), np.uint8)
    for name in ("v.nrrd", "v.nii"):
        save(tmp_path / name, values, isVector=True)
        with pytest.raises(ValueError, match=rf"{name} has 3 numbers in a voxel"):
            read_volume(tmp_path / name)


def test_complex_numbers_are_refused(tmp_path):
    save(tmp_path / "v.nii", np.zeros(SHAPE, np.complex64))
    with pytest.raises(ValueError, match=r"v\.nii has 2 numbers in a voxel"):
        read_volume(tmp_path / "v.nii")


def test_dimensions(tmp_path):
    save(tmp_path / "one.nii", np.ones((1, *SHAPE), np.int16), isVector=False)
    assert read_volume(tmp_path / "one.nii").array.shape == (1, *SHAPE)
    save(tmp_path / "two.nii", np.ones((2, *SHAPE), np.int16), isVector=False)
    with pytest.raises(ValueError, match=r"two\.nii has 4 dimensions"):
        read_volume(tmp_path / "two.nii")
    save(tmp_path / "flat.nrrd", np.ones((4, 5), np.int16))
    with pytest.raises(ValueError, match=r"flat\.nrrd has 2 dimensions"):
        read_volume(tmp_path / "flat.nrrd")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused(tmp_path, bad):
    values = np.zeros(SHAPE, np.float32)
    values[0, 0, :2] = bad
    save(tmp_path / "v.nrrd", values)
    with pytest.raises(ValueError, match=r"v\.nrrd holds NaN or infinity in 2 voxels"):
        read_volume(tmp_path / "v.nrrd")


def test_integers_that_float32_would_round_are_refused(tmp_path):
    save(tmp_path / "v.nrrd", np.full(SHAPE, 2**24 + 1, np.int32))
    with pytest.raises(ValueError, match=r"v\.nrrd holds integers beyond 16777216"):
        read_volume(tmp_path / "v.nrrd")


def test_files_that_are_not_there_or_not_known(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.nii does not exist"):
        read_volume(tmp_path / "none.nii")
    write_volume(tmp_path / "v.nii", make_volume())
    with pytest.raises(FileNotFoundError, match=r"none\.dcm does not exist"):
        read_volume(tmp_path / "v.nii", tmp_path / "none.dcm")
    (tmp_path / "slice.dcm").touch()
    with pytest.raises(ValueError, match=r"slice\.dcm is no volume: .* folder"):
        read_volume(tmp_path / "slice.dcm")
    with pytest.raises(ValueError, match="is no folder"):
        read_volume(tmp_path / "v.nii", series="1.2")
    with pytest.raises(ValueError, match="give mask="):
        read_volume(tmp_path / "v.nii", roi="GTV")


# Masks in image files


def test_labels(tmp_path):
    image = make_volume()
    write_volume(tmp_path / "v.nii.gz", image)
    labels = np.zeros((1, *SHAPE))
    labels[0, 1], labels[0, 2] = 1, 255
    write_volume(tmp_path / "labels.nrrd", replace(image, array=labels))
    with pytest.raises(ValueError, match=r"labels\.nrrd has more than one .*: 0, 1, 255"):
        read_volume(tmp_path / "v.nii.gz", tmp_path / "labels.nrrd")
    volume = read_volume(tmp_path / "v.nii.gz", tmp_path / "labels.nrrd", roi=255)
    np.testing.assert_array_equal(volume.mask, labels[0] == 255)
    for roi in (3, "tumour", 0):
        with pytest.raises(ValueError, match=r"has no label .*; it has 0, 1, 255"):
            read_volume(tmp_path / "v.nii.gz", tmp_path / "labels.nrrd", roi=roi)
    write_volume(
        tmp_path / "labels.nrrd",
        replace(image, array=labels * (labels > 1)),
        overwrite=True,
    )
    volume = read_volume(tmp_path / "v.nii.gz", tmp_path / "labels.nrrd")
    np.testing.assert_array_equal(volume.mask, labels[0] == 255)


def test_masks_on_another_grid_or_empty(tmp_path):
    image = make_volume()
    write_volume(tmp_path / "v.nii", image)
    ones = np.ones((1, *SHAPE))
    for wrong in (
        replace(image, array=ones[:, :-1]),
        replace(image, array=ones, spacing=(3, 1.5, 1.02)),
        replace(image, array=ones, origin=(-40, 12.5, 8)),
        replace(image, array=ones, direction=OBLIQUE),
    ):
        write_volume(tmp_path / "m.nii", wrong, overwrite=True)
        with pytest.raises(
            ValueError, match=r"m\.nii does not lie on the grid of .*v\.nii"
        ):
            read_volume(tmp_path / "v.nii", tmp_path / "m.nii")
    write_volume(tmp_path / "m.nii", replace(image, array=0 * ones), overwrite=True)
    with pytest.raises(ValueError, match=r"m\.nii is empty"):
        read_volume(tmp_path / "v.nii", tmp_path / "m.nii")


# Writing


def test_nothing_is_overwritten_unasked(tmp_path):
    first, second = make_volume(), make_volume(seed=1)
    for name in ("v.nii", "v.nrrd", "dicom"):
        write_volume(tmp_path / name, first)
        with pytest.raises(FileExistsError, match=f"{name} exists"):
            write_volume(tmp_path / name, second)
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, first.array)
        write_volume(tmp_path / name, second, overwrite=True)
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, second.array)
    # Slices of a longer volume do not stay behind.
    short = replace(first, array=first.array[:, :2])
    write_volume(tmp_path / "dicom", short, overwrite=True)
    assert read_volume(tmp_path / "dicom").shape[0] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dicom", "v.nii", "v.nrrd"]


def test_folders_that_hold_other_things_stay(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("all of it")
    (tmp_path / "file").write_text("text")
    (tmp_path / "v.nii").mkdir()
    for name, message in (
        ("thesis", "more than slices"),
        ("file", "is a file"),
        ("v.nii", "choose another name"),
    ):
        with pytest.raises(FileExistsError, match=message):
            write_volume(tmp_path / name, make_volume(), overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "all of it"
    (tmp_path / "empty").mkdir()
    write_volume(tmp_path / "empty", make_volume())
    assert len(list((tmp_path / "empty").iterdir())) == SHAPE[0]


@pytest.mark.parametrize("name", ["v.nii", "dicom"])
def test_an_interrupted_writer_leaves_what_was_there(tmp_path, name, monkeypatch):
    volume = make_volume()
    write_volume(tmp_path / name, volume)

    def fail(path, volume):
        if name == "dicom":
            path.mkdir()
            path = path / "0001.dcm"
        path.write_bytes(b"half")
        raise OSError("disk full")

    for writer in ("write_image", "write_series"):
        monkeypatch.setattr(read_write, writer, fail)
    with pytest.raises(OSError, match="disk full"):
        write_volume(tmp_path / name, volume, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, volume.array)


def test_volumes_that_cannot_be_written(tmp_path):
    plain, masked = make_volume(), make_volume(has_mask=True)
    bad = plain.array.copy()
    bad[0, 0, 0, 0] = np.nan
    three = np.concatenate([plain.array, masked.array])
    left_handed = np.diag([1.0, 1.0, -1.0])
    for name, volume, mask, message in (
        ("v.nii", replace(plain, array=bad), None, r"v\.nii was not written.*NaN"),
        ("v.nii", replace(plain, dtype="uint8"), None, "do not fit uint8; use dataclasses"),
        ("v.nii", masked, None, "give a path for it"),
        ("v.nii", plain, "m.nii", "has no mask"),
        ("v.nii", masked, "m", "a mask is written as"),
        ("v.nii", replace(plain, array=three), None, "holds one image; the volume has 2"),
        ("v.png", plain, None, r"\.png is not written"),
        ("dicom", replace(plain, modality=None), None, "needs a modality of CT, MR, PT"),
        ("dicom", replace(plain, direction=left_handed), None, "left-handed"),
    ):
        with pytest.raises(ValueError, match=message):
            write_volume(tmp_path / name, volume, mask and tmp_path / mask)
    with pytest.raises(FileNotFoundError, match=r"the folder of .* does not exist"):
        write_volume(tmp_path / "none" / "v.nii", plain)
    assert not list(tmp_path.iterdir())


# Volumes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spacing": (1, 1)}, "spacing must be three numbers"),
        ({"spacing": (1, 1, 0)}, "spacing must be positive"),
        ({"spacing": "wide"}, "spacing must be three numbers"),
        ({"origin": (0, 0, np.nan)}, "origin must be three numbers"),
        ({"direction": np.ones((3, 3))}, "perpendicular"),
        ({"direction": np.eye(2)}, "perpendicular"),
        ({"dtype": "complex64"}, "dtype must be"),
        ({"array": np.zeros((4, 4, 4))}, "array must have the shape"),
        ({"array": np.full((2, 4, 4, 4), 0.5)}, "must be a mask"),
    ],
)
def test_bad_volumes(changes, message):
    with pytest.raises(ValueError, match=message):
        Volume(**{"array": np.zeros((1, 4, 4, 4)), "spacing": (1, 1, 1), **changes})


def test_parts_of_a_volume():
    volume = make_volume(OBLIQUE, has_mask=True)
    assert volume.images.shape == (1, *SHAPE)
    assert volume.mask.dtype == bool
    assert volume.shape == SHAPE
    assert type(volume.geometry) is Geometry
    assert_same_place(volume.geometry, volume)
    np.testing.assert_allclose(volume.center, volume.position((2.5, 4.5, 6)))
    assert make_volume().mask is None
    np.testing.assert_allclose(
        make_volume().center, make_volume().position((2.5, 4.5, 5.5))
    )


def linear(direction, mask_radius=None):
    """A volume whose values are a linear function of the place."""
    volume = make_volume(direction, "float32")
    index = np.stack(np.indices(SHAPE), axis=-1)
    values = volume.position(index) @ (1.0, -2.0, 0.5)
    if mask_radius is None:
        return replace(volume, array=values[None])
    off = volume.position(index) - volume.position((2.5, 4.5, 5.5))
    mask = np.linalg.norm(off, axis=-1) < mask_radius
    return replace(volume, array=np.stack([values, mask]))


@pytest.mark.parametrize("direction", [np.eye(3), OBLIQUE], ids=["upright", "oblique"])
def test_resampled_values_are_at_their_places(direction):
    volume = linear(direction, 5)
    fine = resample(volume, (1.5, 1.5, 0.5), size=(8, 6, 10))
    index = np.stack(np.indices(fine.shape), axis=-1)
    expected = fine.position(index) @ (1.0, -2.0, 0.5)
    np.testing.assert_allclose(fine.array[0], expected, atol=1e-4)
    np.testing.assert_allclose(fine.center, volume.center, atol=1.5)
    np.testing.assert_allclose(
        fine.position((np.array(fine.shape) - 1) / 2), volume.center, atol=1e-9
    )
    assert fine.spacing == (1.5, 1.5, 0.5)


def test_resample_covers_the_volume():
    volume = linear(OBLIQUE)
    coarse = resample(volume, (6, 3, 4))
    assert coarse.shape == (3, 5, 3)
    middle = [v.position((np.array(v.shape) - 1) / 2) for v in (volume, coarse)]
    np.testing.assert_allclose(*middle)
    same = resample(volume, SPACING)
    np.testing.assert_allclose(same.array, volume.array, atol=1e-4)
    assert_same_place(same, volume)


def test_coarser_spacing_smooths_and_finer_does_not():
    """White noise keeps its variance where no smoothing is due."""
    rng = np.random.default_rng(0)
    noise = Volume(rng.normal(size=(1, 40, 40, 40)), spacing=(1, 1, 1))
    every_fourth = resample(noise, (4, 4, 4), size=(9, 9, 9), center=(19, 19, 19))
    sigma = np.sqrt(15) / np.sqrt(8 * np.log(2))
    expected = (1 / (2 * np.sqrt(np.pi) * sigma)) ** 1.5
    # On voxels, no interpolation takes part.
    assert every_fourth.array.std() == pytest.approx(expected, rel=0.1)
    on_voxels = resample(noise, (0.5, 1, 1), size=(41, 20, 20), center=(20, 19.5, 19.5))
    np.testing.assert_allclose(
        on_voxels.array[:, ::2], noise.array[:, 10:31, 10:30, 10:30], atol=1e-6
    )


def test_beyond_the_volume_is_air():
    volume = make_volume(has_mask=True)
    cube = resample(volume, SPACING, size=(10, 12, 13))
    index = np.stack(np.indices(cube.shape), axis=-1)
    at = volume.index(cube.position(index))
    is_outside = ((at < -0.5) | (at > np.array(SHAPE) - 0.5)).any(-1)
    assert (cube.array[0][is_outside] == -1000).all()
    assert not cube.mask[is_outside].any()
    assert cube.mask.sum() == volume.mask.sum()
    for modality, value in (("PT", 0), ("MR", 0)):
        cube = resample(replace(volume, modality=modality), SPACING, size=(10, 12, 13))
        assert (cube.array[0][is_outside] == value).all()
    cube = resample(volume, SPACING, size=(10, 12, 13), pad_value=7)
    assert (cube.array[0][is_outside] == 7).all()
    unknown = replace(volume, modality=None)
    with pytest.raises(ValueError, match="modality None is not known; give pad_value"):
        resample(unknown, SPACING, size=(10, 10, 10))
    assert resample(unknown, SPACING, size=(2, 2, 2)).shape == (2, 2, 2)


def test_crop_takes_voxels_as_they_are():
    volume = make_volume(OBLIQUE, has_mask=True)
    cropped = crop(volume, (2, 4, 5))
    np.testing.assert_array_equal(cropped.array, volume.array[:, 2:4, 3:7, 4:9])
    np.testing.assert_allclose(cropped.origin, volume.position((2, 3, 4)))
    around = crop(volume, (1, 1, 1), center=volume.position((5, 9, 11)))
    assert around.array[0].item() == volume.array[0, 5, 9, 11]
    wide = crop(volume, (2, 30, 5))
    np.testing.assert_array_equal(wide.array[:, :, 10:20], volume.array[:, 2:4, :, 4:9])
    assert (wide.array[0, :, :10] == -1000).all()
    assert (wide.array[1, :, 20:] == 0).all()
    far = crop(volume, (2, 2, 2), center=volume.position((50, 50, 50)), pad_value=1)
    assert (far.images == 1).all()


def test_pad_grows_on_all_sides():
    volume = make_volume(OBLIQUE, has_mask=True)
    padded = pad(volume, (9, 4, 12))
    assert padded.shape == (9, 10, 12)
    np.testing.assert_array_equal(padded.array[:, 1:7], volume.array)
    assert (padded.array[0, [0, 7, 8]] == -1000).all()
    np.testing.assert_allclose(padded.position((1, 0, 0)), volume.position((0, 0, 0)))
    with pytest.raises(ValueError, match="give pad_value"):
        pad(replace(volume, modality=None), (9, 9, 9))


def test_reorient_moves_no_voxel():
    for order in ((0, 1, 2), (1, 2, 0), (2, 1, 0)):
        for signs in ((1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, -1)):
            volume = linear(OBLIQUE[:, order] * signs)
            turned = reorient(volume)
            np.testing.assert_allclose(turned.direction, OBLIQUE)
            index = np.stack(np.indices(turned.shape), axis=-1)
            expected = turned.position(index) @ (1.0, -2.0, 0.5)
            np.testing.assert_allclose(turned.array[0], expected, atol=1e-4)


def test_bad_sizes_and_spacings():
    volume = make_volume(has_mask=True)
    for call, message in (
        (lambda: crop(volume, (1, 2)), "size must be three numbers"),
        (lambda: crop(volume, (1, 2, 0)), "size must be three whole numbers"),
        (lambda: crop(volume, (1, 2, 2.5)), "size must be three whole numbers"),
        (lambda: resample(volume, (1, 1, -1)), "spacing must be positive"),
        (lambda: resample(volume, (1, 1, 1), center=(0, 0, 0)), "center needs a size"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_empty_masks():
    volume = make_volume(has_mask=True)
    empty = volume.array.copy()
    empty[1] = 0
    with pytest.raises(ValueError, match="the mask is empty"):
        crop(replace(volume, array=empty), (2, 2, 2))
    speck = empty.copy()
    speck[1, 3, 3, 3] = 1
    with pytest.raises(ValueError, match="empty at the new spacing"):
        resample(replace(volume, array=speck), (9, 9, 9))


# Stacks


@pytest.fixture
def patients(tmp_path):
    """Three patients in DICOM with RTSTRUCT: folders, masks, volumes."""
    folders, masks, volumes = [], [], []
    for i in range(3):
        volume = make_volume(seed=i)
        volume = replace(volume, origin=(10.0 * i, 0, 0))
        folders.append(tmp_path / f"patient_{i}")
        write_volume(folders[-1], volume)
        contours = [rectangle(volume, k, (2.5, 3.5), (6.5, 8.5)) for k in (2, 3)]
        path = tmp_path / f"rs_{i}.dcm"
        masks.append(write_rtstruct(path, [(1, "GTV", contours)]))
        volumes.append(volume)
    return folders, masks, volumes


def test_stack_and_back(patients, tmp_path):
    folders, masks, volumes = patients
    X, geometry = read_stack(folders, masks, roi="GTV", spacing=SPACING, size=(4, 6, 7))
    assert X.shape == (3, 2, 4, 6, 7)
    assert X.dtype == np.float32
    for i, volume in enumerate(volumes):
        expected = volume.array[0, 1:5, 2:8, 3:10]
        np.testing.assert_allclose(X[i, 0], expected, atol=1e-3)
        assert X[i, 1].sum() == 2 * 4 * 5
        assert geometry[i].origin == pytest.approx(tuple(volume.position((1, 2, 3))))
        assert (geometry[i].modality, geometry[i].dtype) == ("CT", np.int16)

    for suffix in (".nii.gz", ".nrrd", ""):
        folder = tmp_path / f"out{suffix}"
        paths = write_stack(folder, X, geometry, names=list("abc"), suffix=suffix)
        assert [path.name for path in paths] == [f"{name}{suffix}" for name in "abc"]
        written = [folder / f"{name}_mask{suffix or '.nii.gz'}" for name in "abc"]
        X_back, back = read_stack(
            paths, written, spacing=SPACING, size=(4, 6, 7), pad_value=-1000
        )
        np.testing.assert_allclose(X_back[:, 0], np.rint(X[:, 0]), atol=1e-3)
        np.testing.assert_array_equal(X_back[:, 1], X[:, 1])
        for one, other in zip(back, geometry, strict=True):
            assert_same_place(one, other)
            assert one.dtype == np.int16


def test_synthetic_volumes_share_a_geometry(tmp_path):
    X = np.random.default_rng(0).normal(size=(11, 1, 4, 5, 6))
    paths = write_stack(tmp_path / "new", X, Geometry(spacing=(3, 3, 3)))
    assert paths[10].name == "volume_10.nii.gz"
    np.testing.assert_array_equal(read_volume(paths[3]).array, X[3].astype(np.float32))
    with pytest.raises(FileExistsError, match=r"volume_00\.nii\.gz exists"):
        write_stack(tmp_path / "new", X, Geometry(spacing=(3, 3, 3)))
    X, _ = read_stack(paths, spacing=(3, 3, 3), size=(4, 4, 4), pad_value=0)
    assert X.shape == (11, 1, 4, 4, 4)


def test_stack_turns_every_patient_alike(tmp_path):
    volume = linear(np.eye(3), 5)
    other = Volume(
        np.flip(volume.array, 3).swapaxes(1, 2),
        spacing=(1.5, 3, 1),
        origin=volume.position((0, 0, SHAPE[2] - 1)),
        direction=np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]),
    )
    for i, v in enumerate((volume, other)):
        write_volume(tmp_path / f"{i}.nrrd", v, tmp_path / f"{i}_mask.nrrd")
    X, geometry = read_stack(
        [tmp_path / "0.nrrd", tmp_path / "1.nrrd"],
        [tmp_path / "0_mask.nrrd", tmp_path / "1_mask.nrrd"],
        spacing=(2, 2, 2),
        size=(8, 8, 8),
        pad_value=0,
    )
    np.testing.assert_allclose(X[0], X[1], atol=1e-4)
    assert_same_place(*geometry)


def test_masks_beyond_their_cubes_are_told(patients):
    folders, masks, _ = patients
    with pytest.warns(GansamplerWarning, match="3 of 3 masks reach beyond .*patient_0"):
        read_stack(folders, masks, spacing=SPACING, size=(2, 2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_stack(folders, masks, spacing=SPACING, size=(2, 4, 5))


def test_stacks_that_do_not_go_together(patients, tmp_path):
    folders, masks, volumes = patients
    pet = tmp_path / "pet"
    write_volume(pet, replace(volumes[1], modality="PT", unit="BQML"))
    write_volume(tmp_path / "v.nii", volumes[0])
    for call, message in (
        (lambda: read_stack([folders[0], pet]), r"pet has modality PT, .*patient_0 has CT"),
        (lambda: read_stack([tmp_path / "v.nii"]), r"v\.nii: what air is"),
        (lambda: read_stack(folders, masks[:2]), "masks has 2 entries for 3"),
        (lambda: read_stack(folders, masks, roi=["GTV"]), "roi has 1 entries for 3"),
        (lambda: read_stack(str(folders[0])), "paths must be a sequence"),
        (lambda: read_stack([]), "paths is empty"),
        (lambda: read_stack(folders, masks, roi="lung"), r"rs_0\.dcm has no region"),
        (
            lambda: read_stack(folders, masks, spacing=(30, 30, 30)),
            "patient_0: the mask is empty at the new spacing",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    gml = tmp_path / "gml"
    write_volume(gml, replace(volumes[1], modality="PT", unit="GML"))
    with pytest.raises(ValueError, match=r"gml has unit GML, .*pet has BQML"):
        read_stack([pet, gml])


def test_bad_arguments_of_write_stack(tmp_path):
    X, where = np.zeros((2, 2, 4, 4, 4)), Geometry(spacing=(1, 1, 1))
    half = X.copy()
    half[1, 1] = 0.5
    for call, message in (
        (lambda: write_stack(tmp_path, X[0], where), "X must have the shape"),
        (lambda: write_stack(tmp_path, X, [where]), "1 entries for 2 volumes"),
        (lambda: write_stack(tmp_path, X, where, names=["a", "a"]), "2 different names"),
        (lambda: write_stack(tmp_path, X, where, names=["a", "a_mask"]), "with _mask"),
        (lambda: write_stack(tmp_path, half, where), "volume 1 of X: .* mask"),
        (lambda: write_stack(tmp_path, X, where, suffix=".png"), "is not written"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert not list(tmp_path.iterdir())


# Without the extra


@pytest.mark.parametrize("missing", ["SimpleITK", "pydicom"])
def test_missing_packages_are_named(tmp_path, missing):
    write_volume(tmp_path / "v.nii", make_volume())
    write_volume(tmp_path / "ct", make_volume())
    path = tmp_path / ("v.nii" if missing == "SimpleITK" else "ct")
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from gansampler.io import read_volume\n"
        f"try: read_volume({str(path)!r})\n"
        "except ImportError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f'{missing}: pip install "gansampler[imaging]"' in result.stdout


# Real files

needs_sts = pytest.mark.skipif(
    not (STS / "raw" / "reference.json").exists(), reason="needs shared/data/sts"
)
FILES = {
    "CT": ("CT/image", "CT/mask/RS.dcm"),
    "MR_T1": ("T1_image.nii.gz", "T1_mask.nii.gz"),
    "PET": ("PET_image.nrrd", "PET_mask.nrrd"),
}


@needs_sts
@pytest.mark.parametrize("modality", FILES)
@pytest.mark.parametrize("patient", ["STS_002", "STS_042"])
def test_real_files_equal_the_reference(patient, modality):
    reference = json.loads((STS / "raw" / "reference.json").read_text())[patient][modality]
    path, mask = (STS / "raw" / patient / name for name in FILES[modality])
    volume = read_volume(path, mask)
    image = volume.array[0].astype(float)
    assert list(volume.shape) == reference["shape_zyx"]
    # The reference is rounded to four digits.
    np.testing.assert_allclose(volume.spacing, reference["spacing_zyx_mm"], atol=1e-4)
    np.testing.assert_allclose(volume.origin, reference["origin_zyx_mm"], atol=1e-4)
    for value, key in (
        (image.min(), "min"),
        (image.max(), "max"),
        (image.mean(), "mean"),
        (image.std(), "std"),
        (image[volume.mask].mean(), "mean_in_mask"),
    ):
        assert value == pytest.approx(reference[key], abs=1e-4), key
    assert volume.mask.sum() == reference["mask_voxels"]
    inside = np.argwhere(volume.mask)
    box = [inside.min(0).tolist(), (inside.max(0) + 1).tolist()]
    assert box == reference["mask_bbox_zyx"]


@needs_sts
def test_real_series_become_the_cubes_that_were_made_of_them():
    """The cubes were rounded to whole HU."""
    cubes = np.load(STS / "ct.npz")
    patients = ["STS_002", "STS_042"]
    rows = [cubes["patient"].tolist().index(patient) for patient in patients]
    X, geometry = read_stack(
        [STS / "raw" / patient / "CT/image" for patient in patients],
        [STS / "raw" / patient / "CT/mask/RS.dcm" for patient in patients],
        roi="GTV_Mass_CT",
    )
    np.testing.assert_allclose(X[:, 0], cubes["images"][rows], atol=0.51)
    np.testing.assert_array_equal(X[:, 1], cubes["masks"][rows])
    centers = [g.position((23.5, 23.5, 23.5)) for g in geometry]
    np.testing.assert_allclose(centers, cubes["center_mm"][rows], atol=1e-3)


@needs_sts
def test_real_series_survive_a_round_trip(tmp_path):
    raw = STS / "raw" / "STS_042" / "CT"
    volume = read_volume(raw / "image", raw / "mask" / "RS.dcm")
    write_volume(tmp_path / "ct", volume, tmp_path / "mask.nrrd")
    back = read_volume(tmp_path / "ct", tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(back.array, volume.array)
    assert_same_place(back, volume)
    assert (back.dtype, back.modality, back.unit) == (np.int16, "CT", "HU")
