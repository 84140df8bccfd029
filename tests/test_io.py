"""Volumes from files and to files; files are made here, and real ones read if there."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from volume_files import OBLIQUE, SHAPE, SPACING, assert_same_place, linear, make_volume

import gansampler.io._read_write as read_write
from gansampler.io import (
    Geometry,
    Volume,
    crop,
    pad,
    read_stack,
    read_volume,
    reorient,
    resample,
    write_volume,
)

sitk = pytest.importorskip("SimpleITK")

STS = Path(__file__).parents[2] / "shared" / "data" / "sts"


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


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    volume = make_volume()
    write_volume(tmp_path / "dicom", volume)

    def fail(self, target):
        raise OSError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="no such luck"):
            write_volume(tmp_path / "dicom", make_volume(seed=1), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["dicom"]
    np.testing.assert_array_equal(read_volume(tmp_path / "dicom").array, volume.array)


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


@pytest.mark.parametrize("direction", [np.eye(3), OBLIQUE], ids=["upright", "oblique"])
def test_resampled_values_are_at_their_places(direction):
    volume = linear(direction, 5)
    fine = resample(volume, (1.5, 1.5, 0.5), size=(8, 6, 10))
    index = np.stack(np.indices(fine.shape), axis=-1)
    expected = fine.position(index) @ (1.0, -2.0, 0.5)
    np.testing.assert_allclose(fine.array[0], expected, atol=1e-4)
    np.testing.assert_allclose(fine.center, volume.center, atol=1.5)
    off = volume.index(fine.position((np.array(fine.shape) - 1) / 2))
    assert np.abs(off - volume.index(volume.center)).max() <= 0.5 + 1e-9
    given = resample(volume, (1.5, 1.5, 0.5), size=(8, 6, 10), center=volume.center)
    np.testing.assert_allclose(
        given.position((np.array(fine.shape) - 1) / 2), volume.center, atol=1e-9
    )
    assert fine.spacing == (1.5, 1.5, 0.5)


def test_resample_covers_the_volume():
    volume = linear(OBLIQUE)
    coarse = resample(volume, (6, 3, 4))
    assert coarse.shape == (3, 5, 3)
    # From one voxel to the next, two and four on: none is interpolated.
    np.testing.assert_allclose(volume.index(coarse.origin), (1, 1, 2), atol=1e-9)
    fine = resample(volume, (2, 0.6, 0.7))
    middle = [v.position((np.array(v.shape) - 1) / 2) for v in (volume, fine)]
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


def noise_and_box(extent, first=9, seed=0):
    """White noise, and a box of `extent` voxels in it."""
    rng = np.random.default_rng(seed)
    array = np.zeros((2, 36, 37, 38))
    array[0] = rng.normal(0, 20, array.shape[1:])
    array[(1, *(slice(first, first + n) for n in extent))] = 1
    return Volume(array, spacing=(1, 1, 1), modality="CT")


@pytest.mark.parametrize("extent", [(11, 11, 11), (12, 11, 10), (10, 12, 12)])
@pytest.mark.parametrize("size", [(16, 16, 16), (17, 16, 17), (15, 15, 15)])
def test_at_the_spacing_of_the_volume_no_value_changes(extent, size):
    volume = noise_and_box(extent)
    cube = resample(volume, (1, 1, 1), size=size)
    np.testing.assert_array_equal(cube.array, crop(volume, size).array)
    assert cube.mask.sum() == volume.mask.sum()
    np.testing.assert_array_equal(cube.images[0][cube.mask], volume.images[0][volume.mask])


@pytest.mark.parametrize("spacing, expected", [(3, 2.28), (2, 4.75), (1, 20)])
def test_smoothing_does_not_depend_on_parity(spacing, expected):
    sd = []
    for edge in (17, 18):
        for size in (8, 9):
            cubes = [
                resample(noise_and_box([edge] * 3, seed=i), [spacing] * 3, size=[size] * 3)
                for i in range(4)
            ]
            sd.append(np.concatenate([c.images[0][c.mask] for c in cubes]).std())
    np.testing.assert_allclose(sd, expected, rtol=0.05)


def test_covering_smooths_all_shapes_alike():
    noise = noise_and_box((2, 2, 2)).images
    inner = [
        resample(Volume(noise[:, :n, :n, :n], spacing=(1, 1, 1)), (2, 2, 2)).array[
            :, 1:-1, 1:-1, 1:-1
        ]
        for n in (33, 34, 35, 36)
    ]
    np.testing.assert_allclose([values.std() for values in inner], 4.75, rtol=0.05)


def test_masks_do_not_grow_by_ties():
    """Half a voxel off, and twice as fine, edges of a mask lie halfway between voxels."""
    volume = noise_and_box((11, 11, 11))
    halfway = resample(volume, (1, 1, 1), size=(20, 11, 11), center=(14, 14, 14))
    assert halfway.mask.sum() == pytest.approx(11**3, abs=1)
    fine = resample(volume, (0.5, 0.5, 0.5), size=(40, 40, 40))
    # As large in mm, but for edges, which are rounded off.
    assert fine.mask.sum() == pytest.approx(22**3, rel=0.03)


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
    """The cubes were rounded to whole HU, and centred between voxels."""
    cubes = np.load(STS / "ct.npz")
    patients = ["STS_002", "STS_042"]
    rows = [cubes["patient"].tolist().index(patient) for patient in patients]
    folders = [STS / "raw" / patient / "CT" for patient in patients]
    files = [
        [folder / part for folder in folders] for part in ("image", Path("mask", "RS.dcm"))
    ]
    X, geometry = read_stack(*files, roi="GTV_Mass_CT")
    for row, image, mask, own, place in zip(rows, *files, X, geometry, strict=True):
        volume = read_volume(image, mask, roi="GTV_Mass_CT")
        center = cubes["center_mm"][row]
        found = resample(volume, (3, 3, 3), size=(48, 48, 48), center=center)
        np.testing.assert_allclose(found.images[0], cubes["images"][row], atol=0.51)
        np.testing.assert_array_equal(found.mask, cubes["masks"][row])
        # Of their own accord grids start on a voxel, half of one away at most.
        np.testing.assert_allclose(
            volume.index(place.position((23.5, 23.5, 23.5))),
            volume.index(center),
            atol=0.501,
        )
        assert own[1].sum() == pytest.approx(cubes["masks"][row].sum(), rel=0.02)
        inside = [own[0][own[1] > 0], cubes["images"][row][cubes["masks"][row] > 0]]
        assert inside[0].mean() == pytest.approx(inside[1].mean(), abs=1)


@needs_sts
def test_real_series_survive_a_round_trip(tmp_path):
    raw = STS / "raw" / "STS_042" / "CT"
    volume = read_volume(raw / "image", raw / "mask" / "RS.dcm")
    write_volume(tmp_path / "ct", volume, tmp_path / "mask.nrrd")
    back = read_volume(tmp_path / "ct", tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(back.array, volume.array)
    assert_same_place(back, volume)
    assert (back.dtype, back.modality, back.unit) == (np.int16, "CT", "HU")
