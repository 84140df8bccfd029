"""`gansampler translate`: folders in, a folder and its datasheet out, or nothing."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gansampler import CycleGAN, Datasheet, cli
from gansampler.datasets import make_ct_phantoms, phantom_spacing
from gansampler.io import Geometry, read_volume, write_stack

pytest.importorskip("SimpleITK")
GEOMETRY = Geometry(spacing=phantom_spacing(16), dtype=np.dtype("int16"), modality="CT")


@pytest.fixture
def folders(tmp_path):
    """Clear volumes with masks, and blurred ones, larger, without."""
    clear, _ = make_ct_phantoms(4, kernel="sharp", size=16, random_state=0)
    blurred, _ = make_ct_phantoms(5, kernel="sharp", size=18, random_state=1)
    blurred[:, 0] = np.rint(gaussian_filter(blurred[:, 0], (0, 0.7, 0.7, 0.7)))
    write_stack(tmp_path / "clear", clear, GEOMETRY)
    write_stack(tmp_path / "blurred", blurred[:, :1], GEOMETRY, suffix=".nrrd")
    return tmp_path / "clear", tmp_path / "blurred"


def translate(folders, *arguments):
    out = folders[0].with_name("out")
    given = ["translate", *map(str, folders), "--out", str(out), "--steps", "0", "--quiet"]
    return cli.main([*given, *arguments]), out


def test_volumes_are_written_under_their_names(folders, capsys):
    code, out = translate(folders)
    assert code == 0, capsys.readouterr().err
    images = [f"volume_{i}" for i in range(4)]
    files = [f"{name}{part}.nii.gz" for name in images for part in ("", "_mask")]
    assert sorted(p.name for p in out.iterdir()) == sorted([*files, "datasheet.json"])
    for name in images:
        pair = f"{name}.nii.gz", f"{name}_mask.nii.gz"
        before = read_volume(*(folders[0] / file for file in pair))
        after = read_volume(*(out / file for file in pair))
        assert after.spacing == before.spacing and after.dtype == np.int16
        assert (after.mask == before.mask).all()
        steps = [np.abs(np.diff(v.images[0], axis=2)).mean() for v in (before, after)]
        assert steps[1] < 0.8 * steps[0]
    assert "wrote 4 volumes" in capsys.readouterr().out


def test_datasheet_and_model(folders):
    model = folders[0].with_name("gan.safetensors")
    code, out = translate(
        folders, "--save", str(model), "--licence", "CC0", "--window", "-100", "300"
    )
    assert code == 0
    sheet = Datasheet.from_json((out / "datasheet.json").read_text())
    assert sheet.generator["name"] == "CycleGAN"
    assert sheet.generator["given"] == {"A": "clear", "B": "blurred"}
    assert sheet.source["licence"] == "CC0"
    assert len(sheet.files) == 8
    gan = CycleGAN.load(model)
    assert gan.window_["b"].tolist() == [[-100, 300]]
    image = read_volume(folders[0] / "volume_0.nii.gz").images
    made = read_volume(out / "volume_0.nii.gz").images
    assert (gan.translate(image[None])[0] == made).all()


def test_units_of_the_target(folders):
    stack = np.stack([read_volume(p).images for p in sorted(folders[1].iterdir())])
    units = np.linspace(0, 5, 5)[:, None, None, None, None] + stack / 100
    write_stack(
        folders[1].with_name("suv"), units, Geometry(spacing=GEOMETRY.spacing, unit="GML")
    )
    code, out = translate([folders[0], folders[1].with_name("suv")], "--other-units")
    assert code == 0
    made = read_volume(out / "volume_1.nii.gz")
    assert made.dtype == np.float32 and made.images.max() < 10


@pytest.mark.parametrize("wrong", ["out", "folder", "few", "spacing", "save", "damaged"])
def test_bad_input_leaves_nothing(folders, capsys, wrong):
    clear, blurred = folders
    out, arguments, message = clear.with_name("out"), [], ""
    if wrong == "out":
        out.mkdir()
        message = "out exists"
    elif wrong == "folder":
        folders, message = (clear, clear / "volume_0.nii.gz"), "is no folder"
    elif wrong == "few":
        for path in sorted(blurred.iterdir())[1:]:
            path.unlink()
        message = "holds 1 volume(s), too few"
    elif wrong == "spacing":
        other = Geometry(spacing=(1, 1, 1), dtype=np.dtype("int16"))
        write_stack(blurred, np.ones((1, 1, 16, 16, 16)), other, names=["other"])
        message = "several spacings, in mm: (1.0, 1.0, 1.0), (4.0, 4.0, 4.0)"
    elif wrong == "save":
        (clear / "there").write_text("")
        arguments, message = ["--save", str(clear / "there")], "there exists"
    else:
        (blurred / "volume_1.nrrd").write_text("NRRD")
        message = "volume_1.nrrd"
    code, _ = translate(folders, *arguments)
    assert code == 2
    assert message in capsys.readouterr().err
    left = {"clear", "blurred"} | ({"out"} if wrong == "out" else set())
    assert {p.name for p in clear.parent.iterdir()} == left
