"""Folders of patients as one stack of volumes, and back."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from volume_files import (
    SHAPE,
    SPACING,
    assert_same_place,
    linear,
    make_volume,
    rectangle,
    write_rtstruct,
)

from gansampler._warnings import GansamplerWarning
from gansampler.io import (
    Geometry,
    Volume,
    read_stack,
    read_volume,
    write_stack,
    write_volume,
)

pytest.importorskip("SimpleITK")


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
