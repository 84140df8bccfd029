"""DICOM series and the contours of RTSTRUCT; files are made here."""

import locale
from dataclasses import replace

import numpy as np
import pytest
from volume_files import (
    OBLIQUE,
    SHAPE,
    assert_same_place,
    make_volume,
    rectangle,
    write_rtstruct,
)

from gansampler.io import read_volume, write_volume

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")


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


@pytest.fixture
def locale_kept():
    """The locale as it was, for the writer of GDCM leaves it at "C"."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.usefixtures("locale_kept")
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
