"""`gansampler harmonize`: what changes in the table, and what does not."""

import numpy as np
import pandas as pd
import pytest

from gansampler import Datasheet, cli
from gansampler.harmonize import ComBat


@pytest.fixture
def csv(tmp_path):
    """Two sites, the second shifted, with text that numbers would not keep."""
    rng = np.random.default_rng(0)
    site = np.repeat(["01", "2"], 30)
    X = rng.normal(10, 1, size=(60, 4)).round(3)
    X[site == "2"] = (X[site == "2"] * 2 + 5).round(3)
    table = pd.DataFrame(X, columns=[f"f{j}" for j in range(4)]).map(lambda x: f"{x:.3f}")
    table.insert(0, "patient", [f"{i:03d}" for i in range(60)])
    table.insert(3, "centre", site)
    table["age"] = rng.integers(40, 80, 60)
    table["outcome"] = np.where(rng.random(60) < 0.5, "1.0", "0.0")
    path = tmp_path / "in.csv"
    table.to_csv(path, index=False)
    return path


def harmonize(csv, *arguments):
    out = csv.with_name("out.csv")
    given = ["--target", "outcome", "--site", "centre", "--id", "patient"]
    return cli.main(["harmonize", str(csv), *given, "--out", str(out), *arguments]), out


def text(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_only_features_of_other_sites_change(csv, capsys):
    code, out = harmonize(csv, "--reference", "01", "--covariate", "age")
    assert code == 0, capsys.readouterr().err
    before, after = text(csv), text(out)
    assert list(after.columns) == list(before.columns)
    kept = ["patient", "centre", "age", "outcome"]
    pd.testing.assert_frame_equal(after[kept], before[kept], check_exact=True)
    pd.testing.assert_frame_equal(after[:30], before[:30], check_exact=True)
    features = ["f0", "f1", "f2", "f3"]
    expected = ComBat(reference_site="01").fit_transform(
        before[features].astype(float),
        sites=before["centre"].to_numpy(),
        covariates=before[["age"]].astype(float),
    )
    pd.testing.assert_frame_equal(after[features].astype(float), expected, check_exact=True)


def test_identifiers_and_flags_are_kept(csv, capsys):
    kept = {
        "case": range(7000, 7060),
        "sex": ["0", "1"] * 30,
        "name": [f"Patient {i}" for i in range(60)],
    }
    before = text(csv).assign(**kept)
    before.to_csv(csv, index=False)
    arguments = ["--id", "case", "--keep", "sex", "--keep", "name", "--covariate", "age"]
    code, out = harmonize(csv, *arguments)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "changed: f0, f1, f2, f3\n" in printed.out
    same = ["patient", "centre", "age", "outcome", *kept]
    pd.testing.assert_frame_equal(text(out)[same], text(csv)[same], check_exact=True)
    assert (text(out)["f0"] != before["f0"]).all()


def test_whole_numbers_that_were_measured_are_features(csv, capsys):
    counts = np.random.default_rng(0).integers(20, 60, 60)
    volumes = [f"{1000 + 37 * i}.0" for i in range(60)]
    text(csv).assign(count=counts, volume=volumes).to_csv(csv, index=False)
    code, out = harmonize(csv, "--keep", "age")
    assert code == 0, capsys.readouterr().err
    assert (text(out)["volume"] != volumes).all()


def test_the_separator_stays(csv):
    table = text(csv)
    table.to_csv(csv, sep=";", index=False)
    code, out = harmonize(csv, "--covariate", "age")
    assert code == 0
    after = pd.read_csv(out, sep=";", dtype=str)
    assert list(after.columns) == list(table.columns)
    assert list(after["patient"]) == list(table["patient"])


def test_datasheet(csv):
    assert harmonize(csv, "--covariate", "age")[0] == 0
    sheet = Datasheet.from_json(csv.with_name("out.datasheet.json").read_text())
    assert sheet.generator["name"] == "ComBat"
    assert sheet.generator["given"]["covariates"] == ["age"]
    assert sheet.content == {
        "kind": "the rows of the source, changed",
        "n_real": 60,
        "n_synthetic": 0,
    }
    assert [file["name"] for file in sheet.files] == ["in.csv", "out.csv"]
    assert any("protection" in limit for limit in sheet.limits)
    assert any("estimated from all rows" in limit for limit in sheet.limits)
    assert harmonize(csv)[0] == cli.BAD_INPUT
    assert harmonize(csv, "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "change", "message"),
    [
        (["--reference", "3"], {}, "'3' is not among the sites"),
        (["--covariate", "sex"], {}, "no column 'sex' to be a covariate"),
        (["--site", "hospital"], {}, "no column 'hospital'"),
        ([], {"centre": [""] * 5 + ["2"] * 55}, "names no site in 5 rows"),
        ([], {"f1": ["", *["1"] * 59]}, "'f1' is empty in 1 rows"),
        ([], {"stage": ["I", "II"] * 30}, "'stage' holds no numbers"),
        ([], {"sex": ["0", "1"] * 30}, "column 'sex' holds two values only"),
        ([], {"a": ["0", "1"] * 30, "b": ["1", "2"] * 30}, "columns 'a', 'b' hold two"),
        ([], {"sex": ["0", "1"] * 30}, "give each as --keep"),
        ([], {"case": range(7000, 7060)}, "column 'case' holds another whole number"),
        (["--id", "case"], {}, "no column 'case'"),
        (["--keep", "weight"], {}, "no column 'weight'"),
        (["--keep", "age", "--covariate", "age"], {}, "besides the columns of other"),
    ],
    ids=str,
)
def test_bad_input(csv, arguments, change, message, capsys):
    text(csv).assign(**change).to_csv(csv, index=False)
    code, out = harmonize(csv, *arguments)
    assert code == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert not out.exists()
