"""The command line: what it writes, what it refuses, what it leaves behind."""

import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import make_table

from gansampler import Datasheet, cli
from gansampler.cli import _output


@pytest.fixture
def csv(tmp_path):
    X, y = make_table((40, 12), 6, seed=0, labels=["no", "yes"])
    path = tmp_path / "in.csv"
    table = X.assign(grade=y)
    table.insert(0, "patient", [f"p{i}" for i in range(len(X))])
    table.to_csv(path, index=False)
    return path


def oversample(csv, *arguments):
    out = csv.with_name("out.csv")
    given = [str(csv), "--target", "grade", "--id", "patient", "--out", str(out), "--quiet"]
    return cli.main(["oversample", *given, *arguments]), out


def test_oversample_writes_real_rows_then_synthetic_ones(csv, capsys):
    code, out = oversample(csv, "--seed", "3")
    assert code == 0
    before, after = pd.read_csv(csv), pd.read_csv(out)
    assert list(after.columns) == [*before.columns, cli.ORIGIN]
    n = len(before)
    pd.testing.assert_frame_equal(after[:n][before.columns], before, check_exact=True)
    assert (after[cli.ORIGIN][:n] == "real").all()
    assert (after[cli.ORIGIN][n:] == "synthetic class=yes seed=3").all()
    assert after["grade"].value_counts().to_dict() == {"no": 40, "yes": 40}
    assert after["patient"].is_unique
    printed = capsys.readouterr().out
    assert "before: 40 of class no, 12 of class yes" in printed
    assert "passed the copy check" in printed


def test_many_columns_are_written_without_a_warning(tmp_path, capsys):
    X, y = make_table((40, 12), 150, seed=0, labels=["no", "yes"])
    path = tmp_path / "in.csv"
    X.assign(patient=range(len(X)), grade=y).to_csv(path, index=False)
    assert oversample(path)[0] == 0
    assert "fragmented" not in capsys.readouterr().err


def test_oversample_to_a_prior_and_size(csv):
    _, out = oversample(csv, "--target-prior", "no=0.6,yes=0.4", "--target-size", "3")
    shares = pd.read_csv(out)["grade"].value_counts(normalize=True)
    assert shares["yes"] == pytest.approx(0.4, abs=0.01)


def test_categories_and_gaps(csv, capsys):
    table = pd.read_csv(csv)
    rng = np.random.default_rng(0)
    table["code"] = rng.choice(["01", "1.50"], len(table))
    table["stage"] = rng.choice(["I", "II", "3", ""], len(table))
    table["lesions"] = pd.array(rng.integers(1, 9, len(table)), dtype="Int64")
    table.loc[rng.random(len(table)) < 0.2, ["feature_1", "lesions"]] = pd.NA
    table.to_csv(csv, index=False)
    code, out = oversample(csv)
    assert code == 0, capsys.readouterr().err
    before, after = (
        pd.read_csv(path, dtype={"stage": str, "lesions": "Int64"}) for path in (csv, out)
    )
    pd.testing.assert_frame_equal(
        after[before.columns][: len(before)], before, check_exact=True
    )
    text = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in (csv, out)]
    pd.testing.assert_frame_equal(
        text[1][before.columns][: len(before)], text[0], check_exact=True
    )
    made = after[len(before) :]
    assert set(made["stage"].dropna()) <= {"I", "II", "3"}
    assert ".0" not in "".join(pd.read_csv(out, dtype=str)["lesions"].dropna())
    given = [str(csv), str(out), "--target", "grade", "--id", "patient"]
    assert cli.main(["diagnose", *given]) in (0, cli.NOT_HEALTHY)
    assert "class yes" in capsys.readouterr().out


def test_labels_and_identifiers_stay_text(csv):
    table = pd.read_csv(csv)
    table["patient"] = [f"{i:03d}" for i in range(len(table))]
    table["grade"] = np.where(table["grade"] == "no", "NA", "01")
    table.to_csv(csv, index=False)
    code, out = oversample(csv)
    assert code == 0
    after = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert list(after["patient"][: len(table)]) == list(table["patient"])
    assert after["grade"].value_counts().to_dict() == {"NA": 40, "01": 40}


def test_the_output_has_the_mode_of_a_new_file(csv):
    _, out = oversample(csv)
    assert out.stat().st_mode == csv.stat().st_mode


def test_groups(csv):
    code, out = oversample(csv)
    by_id = pd.read_csv(out)
    table = pd.read_csv(csv)
    table["lesion"] = np.arange(len(table)) // 2
    table.to_csv(csv, index=False)
    code, out = oversample(csv, "--group", "lesion", "--force")
    assert code == 0
    assert len(pd.read_csv(out)) == len(by_id)


def test_several_columns_name_rows(csv):
    table = pd.read_csv(csv, dtype=str)
    # Names that synthetic rows could be given by mistake, and two lesions of a patient.
    table["patient"] = [f"synthetic-{i // 2}" for i in range(len(table))]
    table["lesion"] = [f"{i:02d}" for i in range(len(table))]
    table.to_csv(csv, index=False)
    code, out = oversample(csv, "--id", "lesion", "--steps", "0")
    assert code == 0
    after = pd.read_csv(out, dtype=str)
    made = after[cli.ORIGIN] != "real"
    for name in ("patient", "lesion"):
        assert list(after.loc[~made, name]) == list(table[name])
        assert after.loc[made, name].is_unique
        assert not set(after.loc[made, name]) & set(table[name])
    sheet = Datasheet.from_json(csv.with_name("out.datasheet.json").read_text())
    assert sheet.source["n_columns"] == 6
    assert sheet.generator["given"]["id"] == ["patient", "lesion"]
    assert sheet.generator["given"]["group"] == "patient"
    assert diagnose(csv, out, "--id", "lesion") in (0, 1)


def test_the_first_id_groups_rows_as_group_does(csv):
    table = pd.read_csv(csv)
    table.assign(patient=np.arange(len(table)) // 2).to_csv(csv, index=False)
    tables = []
    for arguments in ((), ("--group", "patient")):
        assert oversample(csv, *arguments, "--steps", "40", "--force")[0] == 0
        tables.append(csv.with_name("out.csv").read_text())
        sheet = Datasheet.from_json(csv.with_name("out.datasheet.json").read_text())
        assert not any("No groups" in limit for limit in sheet.limits)
    assert tables[0] == tables[1]


def test_rows_without_an_id_are_nobody_elses(csv, capsys):
    table = pd.read_csv(csv, dtype=str)
    assert oversample(csv, "--steps", "0")[0] == 0
    expected = pd.read_csv(csv.with_name("out.csv")).drop(columns="patient")
    blank = np.arange(len(table)) % 3 == 0
    table.assign(patient=table["patient"].mask(blank, "")).to_csv(csv, index=False)
    assert oversample(csv, "--steps", "0", "--force")[0] == 0
    found = pd.read_csv(csv.with_name("out.csv")).drop(columns="patient")
    pd.testing.assert_frame_equal(found, expected)
    capsys.readouterr()
    assert oversample(csv, "--group", "patient", "--force")[0] == cli.BAD_INPUT
    assert f"is empty in {blank.sum()} rows" in capsys.readouterr().err


def test_the_target_names_no_rows(csv, capsys):
    assert oversample(csv, "--id", "grade")[0] == cli.BAD_INPUT
    assert "'grade' is given as --target, and as --id" in capsys.readouterr().err


def test_an_existing_file_is_kept_without_force(csv, capsys):
    out = csv.with_name("out.csv")
    out.write_text("precious")
    code, _ = oversample(csv)
    assert code == cli.BAD_INPUT
    assert out.read_text() == "precious"
    assert "--force" in capsys.readouterr().err
    code, _ = oversample(csv, "--force")
    assert code == 0
    assert out.read_text() != "precious"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_nothing_is_left_half_written(csv, error, monkeypatch):
    def fail(self, path, **kwargs):
        with open(path, "w") as file:
            file.write("half a")
        raise error

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    code, _ = oversample(csv)
    assert code == (130 if error is KeyboardInterrupt else cli.BAD_INPUT)
    assert [path.name for path in csv.parent.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("steps, is_terminal", [(40, False), (0, True), (40, True)])
def test_progress_is_shown_on_a_terminal_only(csv, steps, is_terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    out = csv.with_name("out.csv")
    given = ["--target", "grade", "--id", "patient", "--out", str(out)]
    assert cli.main(["oversample", str(csv), *given, "--steps", str(steps)]) == 0
    assert ("step/s" in capsys.readouterr().err) == (is_terminal and steps > 0)


def test_an_interrupted_report_says_what_was_written(csv, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gansampler.report.html", interrupt)
    code, out = oversample(csv, "--report", str(csv.with_name("r.html")))
    assert code == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"gansampler: interrupted; {out} and its datasheet had been written"
    assert out.exists()
    assert not csv.with_name("r.html").exists()


def test_a_datasheet_is_written_beside_the_table(csv, capsys):
    stated = ["--licence", "CC BY 4.0", "--intended-use", "a test", "--source", "made up"]
    code, out = oversample(csv, "--target-prior", "no=0.6,yes=0.4", *stated)
    home = csv.with_name("out.datasheet.json")
    assert code == 0
    assert f"wrote {out} and its datasheet {home}" in capsys.readouterr().out
    sheet = Datasheet.from_json(home.read_text())
    assert (sheet.title, sheet.source["name"]) == ("out.csv", "made up")
    assert (sheet.source["licence"], sheet.intended_use) == ("CC BY 4.0", "a test")
    assert sheet.content["n_synthetic"] == (pd.read_csv(out)[cli.ORIGIN] != "real").sum()
    assert sheet.generator["given"] == {"target": "grade", "id": ["patient"], "group": None}
    for path, file in zip((csv, out), sheet.files, strict=True):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert file == {"name": path.name, "sha256": digest}


def test_a_datasheet_is_kept_without_force(csv, capsys):
    home = csv.with_name("out.datasheet.json")
    home.write_text("precious")
    code, out = oversample(csv)
    assert code == cli.BAD_INPUT
    assert home.read_text() == "precious"
    assert not out.exists()
    assert f"{home} exists" in capsys.readouterr().err


def test_no_table_without_its_datasheet(csv, monkeypatch):
    def fail(self, path):
        raise OSError("disk full")

    monkeypatch.setattr(Datasheet, "to_json", fail)
    assert oversample(csv)[0] == cli.BAD_INPUT
    assert [path.name for path in csv.parent.iterdir()] == ["in.csv"]


def test_a_folder_is_no_output(csv, capsys):
    csv.with_name("out.csv").mkdir()
    assert oversample(csv, "--force")[0] == cli.BAD_INPUT
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::gansampler.CopyWarning")
def test_copies_let_through_are_a_known_limit(csv, monkeypatch, capsys):
    table = pd.read_csv(csv)
    real = table.loc[table["grade"] == "yes"].filter(like="feature").to_numpy()

    def copy_rows(self, codes, rng):
        return real[rng.randint(len(real), size=len(codes))]

    monkeypatch.setattr("gansampler._tabular.TabularGAN.draw_", copy_rows)
    assert oversample(csv)[0] == 0
    limits = Datasheet.from_json(csv.with_name("out.datasheet.json").read_text()).limits
    assert any("28 of 28 synthetic rows" in limit for limit in limits)
    assert "28 of 28 synthetic rows" in capsys.readouterr().err


NAMES = [f"Patient {i}" for i in range(52)]


@pytest.mark.parametrize(
    "arguments, change, message",
    [
        (["--target", "outcome"], None, "has no column 'outcome'; it has patient"),
        (["--id", "case"], None, "has no column 'case'"),
        (["--target-prior", "no=0.5,maybe=0.5"], None, "y does not hold: ['maybe']"),
        (["--target-prior", "half"], None, "got 'half'"),
        (["--target-prior", "no=0.9,yes=0.4"], None, "sum"),
        (["--target-size", "0.5"], None, "target_size"),
        (["--steps", "-1"], None, "max_iter"),
        ([], {"name": NAMES}, "column 'name' holds another text in nearly every row"),
        ([], {"dose": ["12,5", *range(51)]}, "numbers with decimal commas"),
        ([], {"feature_1": [np.inf, *range(51)]}, "infinity"),
        ([], {"grade": ""}, "'grade' has no class in 52 rows"),
        ([], {"grade": "no"}, "holds one class only, 'no'"),
        ([], {"dose": ["high", *range(51)]}, "holds the text 'high' among numbers"),
        ([], {"dose": ["high", *[1, 2, 3] * 17]}, "holds the text 'high' among numbers"),
        (["--target-prior", "no=0.6,no=0.4"], None, "each class once"),
        (["--target-prior", "no=0,6;yes=0,4"], None, "with decimal points"),
        ([], {"grade": np.arange(52) / 7}, "'grade' holds another value in nearly every"),
        ([], {"grade": np.arange(52) // 2}, "holds 26 different numbers in 52 rows, a qu"),
        ([], {"grade": np.arange(52) // 4 / 2}, "holds 13 different numbers in 52 rows"),
        ([], {"gansampler_origin": "real"}, "give the table of real rows"),
    ],
    ids=str,
)
def test_bad_input(csv, arguments, change, message, capsys):
    if change:
        pd.read_csv(csv).assign(**change).to_csv(csv, index=False)
    code, out = oversample(csv, *arguments)
    assert code == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_files_that_cannot_be_read(csv, capsys):
    missing = csv.with_name("missing.csv")
    assert oversample(missing)[0] == cli.BAD_INPUT
    assert f"there is no file {missing}" in capsys.readouterr().err
    csv.write_bytes(b"")
    assert oversample(csv)[0] == cli.BAD_INPUT
    assert "not a readable CSV" in capsys.readouterr().err


def test_what_is_said_of_a_missing_folder_is_shown(csv, monkeypatch, capsys):
    def fail(self, path):
        raise FileNotFoundError("there is no folder out; create it first.")

    monkeypatch.setattr(Datasheet, "to_json", fail)
    assert oversample(csv, "--steps", "0")[0] == cli.BAD_INPUT
    assert "there is no folder out; create it first." in capsys.readouterr().err


@pytest.mark.parametrize(
    "rewrite, message",
    [
        (lambda text: text.replace(",", "|"), "separated by '|'; save it with commas"),
        (lambda text: text.replace(",", ";").replace(".", ","), "decimal commas"),
        (lambda text: text.replace("feature_1", "feature_0", 1), "called 'feature_0'"),
        (lambda text: text.replace("feature_1", "", 1), "column 3 has no name. If it"),
        (lambda text: text.replace("feature_1", "Unnamed: 0", 1), "column 3 has no name"),
        (lambda text: text.replace("\n", ",1\n").replace(",1\n", "\n", 1), "more fields"),
        (lambda text: text.splitlines()[0] + "\n", "no rows below its header"),
        (lambda text: text.replace("feature_1", "größe").encode("latin-1"), "UTF-8"),
    ],
)
def test_files_that_would_be_misread(csv, rewrite, message, capsys):
    changed = rewrite(csv.read_text())
    csv.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    code, out = oversample(csv)
    assert code == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_read_and_written(csv, separator, capsys):
    assert oversample(csv, "--steps", "0")[0] == 0
    expected = pd.read_csv(csv.with_name("out.csv"))
    table = pd.read_csv(csv, dtype=str).rename(columns={"feature_1": "size, mm"})
    table.to_csv(csv, sep=separator, index=False)
    code, out = oversample(csv, "--steps", "0", "--force")
    assert code == 0, capsys.readouterr().err
    after = pd.read_csv(out, sep=separator)
    assert list(after.columns) == [*table.columns, cli.ORIGIN]
    np.testing.assert_array_equal(after, expected)


def test_separators_within_quotes_do_not_count(csv):
    header, rows = csv.read_text().split("\n", 1)
    header = header.replace("feature_1", f'"{"; " * 20}"')
    csv.write_text(f"{header}\n{rows}")
    code, out = oversample(csv, "--steps", "0")
    assert code == 0
    assert "; " * 20 in pd.read_csv(out).columns


def test_help_and_version():
    for argument in ("--help", "--version"):
        command = [sys.executable, "-m", "gansampler.cli", argument]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout


@pytest.mark.parametrize("command", ["oversample", "diagnose", "harmonize", "translate"])
def test_help_of_a_command_shows_how_to_call_it(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Example: gansampler {command} " in printed


def test_no_steps_keep_the_start(csv, capsys):
    assert oversample(csv, "--steps", "0")[0] == 0
    sheet = Datasheet.from_json(csv.with_name("out.datasheet.json").read_text())
    assert sheet.to_dict()["generator"]["params"]["max_iter"] == 0


def test_demo(capsys):
    assert cli.main(["demo", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for phrase in ("CC BY 4.0", "10.1038/s41597-023-01928-3", "before: 72", "after: 72"):
        assert phrase in printed
    for phrase in ("passed the copy check", "no resampling", "GANOverSampler"):
        assert phrase in printed
    assert "nan" not in printed


# Diagnosis


@pytest.fixture
def tables(tmp_path):
    """Paths of a real table, of fresh rows of the same kind, and of copies."""
    # Two halves of one table: rows of one distribution.
    X, y = make_table((80, 80), 6, seed=0, labels=["no", "yes"])
    table = X.assign(grade=y, patient=[f"p{i}" for i in range(len(X))])
    real, fresh = table[: len(X) // 2], table[len(X) // 2 :]
    paths = [tmp_path / name for name in ("real.csv", "fresh.csv", "copies.csv")]
    for path, rows in zip(paths, (real, fresh, real), strict=True):
        rows.to_csv(path, index=False)
    return paths


def diagnose(real, synthetic, *arguments):
    given = [str(real), str(synthetic), "--target", "grade", "--id", "patient"]
    return cli.main(["diagnose", *given, *arguments])


def test_exit_code_tells_healthy_from_not(tables, capsys):
    real, fresh, copies = tables
    assert diagnose(real, fresh) == 0
    assert "class no: healthy" in capsys.readouterr().out
    assert diagnose(real, copies) == 1
    assert "class yes: memorizing" in capsys.readouterr().out


def test_groups_and_holdout_are_read(tables, capsys):
    real, fresh, copies = tables
    assert diagnose(real, fresh, "--group", "patient", "--holdout", str(copies)) in (0, 1)


def test_report_of_a_diagnosis(tables, capsys):
    real, _, copies = tables
    report = real.with_name("report.html")
    assert diagnose(real, copies, "--report", str(report)) == 1
    assert "memorizing" in report.read_text()
    assert diagnose(real, copies, "--report", str(report)) == cli.BAD_INPUT
    assert "exists" in capsys.readouterr().err
    assert diagnose(real, copies, "--report", str(report), "--force") == 1
    assert sorted(path.name for path in real.parent.iterdir()) == [
        "copies.csv",
        "fresh.csv",
        "real.csv",
        "report.html",
    ]


def test_a_class_that_was_not_to_be_made_is_not_judged(tables, capsys):
    real, fresh, _ = tables
    table = pd.read_csv(fresh)
    table[table["grade"] == "yes"].to_csv(fresh, index=False)
    assert diagnose(real, fresh) == 1
    printed = capsys.readouterr().out
    assert "class no: collapsed" in printed
    assert "no synthetic row is of class no. " in printed
    assert "--class yes\n" in printed
    assert diagnose(real, fresh, "--class", "yes") == 0
    printed = capsys.readouterr().out
    assert "class no" not in printed
    assert "--class" not in printed
    assert diagnose(real, fresh, "--class", "yes", "--class", "no") == 1


def test_what_oversample_wrote_can_be_diagnosed(csv, capsys):
    report = csv.with_name("report.html")
    _, out = oversample(csv, "--target-size", "3", "--report", str(report))
    printed = capsys.readouterr().out
    assert "class yes: " in printed
    assert "</html>" in report.read_text()
    assert "<h2>Datasheet</h2>" in report.read_text()
    assert diagnose(csv, out) in (0, 1)
    # Its real rows are not taken for copies: 60 of 156 synthetic rows a class, say.
    assert "memorizing" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "stage"], "no column 'stage'"),
        (["--report", "nowhere/r.html"], "does not exist"),
        (["--group", "clinic"], "no column 'clinic'"),
        (["--class", "maybe"], "classes names ['maybe'], of which there is no real"),
        (["--target", "feature_0"], "another value in nearly every row"),
    ],
)
def test_bad_diagnoses_are_refused(tables, capsys, arguments, message):
    real, fresh, _ = tables
    given = ["diagnose", str(real), str(fresh), "--target", "grade", "--id", "patient"]
    assert cli.main([*given, *arguments]) == cli.BAD_INPUT
    assert message in capsys.readouterr().err


def test_other_columns_and_classes_are_refused(tables, capsys):
    real, fresh, _ = tables
    table = pd.read_csv(fresh)
    table.drop(columns="feature_2").to_csv(fresh, index=False)
    assert diagnose(real, fresh) == cli.BAD_INPUT
    assert "feature_2" in capsys.readouterr().err
    table.assign(grade="maybe").to_csv(fresh, index=False)
    assert diagnose(real, fresh) == cli.BAD_INPUT
    assert "maybe" in capsys.readouterr().err


def test_a_report_without_matplotlib_is_refused_before_the_work(
    tables, capsys, monkeypatch
):
    real, fresh, _ = tables
    monkeypatch.setattr(_output, "find_spec", lambda name: None)
    report = real.with_name("report.html")
    assert diagnose(real, fresh, "--report", str(report)) == cli.BAD_INPUT
    assert "gansampler[plot]" in capsys.readouterr().err
