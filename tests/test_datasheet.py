"""Datasheets: what they say, that they come back, and that they are the same again."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_table, quick
from imblearn.over_sampling import SMOTE
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from gansampler import Datasheet, GANOverSampler, SmallClassWarning, TabularGAN
from gansampler._provenance import digest, plain
from gansampler.augment import AugmentedOverSampler
from gansampler.datasets import make_liver_phantoms

WHEN = "2020-02-03T04:05:06+00:00"


@pytest.fixture(scope="module")
def fitted():
    """A sampler after `fit_resample`, and what it was given."""
    X, y = make_table((30, 14), 5, seed=0, labels=["no", "yes"])
    sampler = quick(target_prior={"no": 0.5, "yes": 0.5}, max_iter=3)
    sampler.fit_resample(X, y, groups=np.arange(len(y)))
    return sampler, X, y


def limits_of(*arguments, **named):
    return "\n".join(Datasheet.of(*arguments, **named).limits)


def test_what_it_says(fitted):
    sampler, X, y = fitted
    sheet = Datasheet.of(sampler, X, y, source="a table", licence="CC0", created=WHEN)
    assert sheet.created == WHEN
    assert sheet.source["shape"] == [44, 5]
    assert [sheet.source[f"n_{what}"] for what in ("rows", "columns", "classes")] == [
        44,
        5,
        2,
    ]
    assert [c["class"] for c in sheet.classes] == ["no", "yes"]
    assert sheet.classes[1] == {
        "class": "yes",
        "n_real": 14,
        "n_synthetic": 16,
        "prior_before": 14 / 44,
        "prior_after": 0.5,
    }
    assert sheet.content["n_synthetic"] == 16
    assert sheet.generator["params"]["target_prior"] == {"no": 0.5, "yes": 0.5}
    assert sheet.generator["params"].keys() == sampler.get_params().keys()
    assert sheet.generator["training"]["n_iter"] == sampler.gan_.n_iter_
    assert sheet.seeds == {"random_state": 0, "generator": sampler.gan_.random_state}
    rates = sheet.checks["copy_check"]["acceptance_rate"]
    assert rates == [{"class": "yes", "rate": sampler.acceptance_rate_["yes"]}]
    diagnosis = sheet.checks["diagnosis"]
    assert diagnosis["verdicts"][0]["verdict"] == sampler.diagnosis_.verdicts_["yes"]
    assert len(diagnosis["statistics"]) == len(sampler.diagnosis_.statistics_)
    assert sheet.intended_use == "not stated"
    assert {
        "gansampler",
        "torch",
        "numpy",
        "scikit-learn",
        "python",
    } <= sheet.versions.keys()
    assert sheet.limits[0].startswith("A copy check is not a proof of privacy")
    assert {t["answered"] for t in sheet.trust} <= {"in part", "no"}
    assert [t["group"] for t in sheet.trust] == [
        "thoroughness",
        "reproducibility",
        "usefulness",
        "scalability",
        "tenability",
    ]


def test_json_comes_back_and_is_stable(fitted, tmp_path):
    sheet = Datasheet.of(*fitted, created=WHEN)
    text = sheet.to_json(tmp_path / "sheet.json")
    assert Datasheet.from_json((tmp_path / "sheet.json").read_text()) == sheet
    assert Datasheet.of(*fitted, created=WHEN).to_json() == text
    later = Datasheet.of(*fitted)
    assert replace(later, created=WHEN) == sheet
    assert "NaN" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no datasheet"),
        ('{"title": "x"}', "no datasheet: it lacks, or has besides, .*'checks'"),
    ],
)
def test_other_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Datasheet.from_json(text)


def test_other_formats_are_refused(fitted):
    found = Datasheet.of(*fitted).to_dict()
    with pytest.raises(ValueError, match="another format"):
        Datasheet.from_json(json.dumps({**found, "format": 99}))


def test_summary_and_page(fitted, tmp_path):
    sheet = Datasheet.of(*fitted, title="<b>table</b>", intended_use="a & b", created=WHEN)
    for phrase in ("a & b", "share 0.318 before, 0.500 after", "passed the copy check"):
        assert phrase in sheet.summary()
    page = sheet.to_html(tmp_path / "sheet.html")
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == page
    assert "<b>table" not in page
    assert "a &amp; b" in page
    assert all(group in page for group in ("thoroughness", "tenability"))


def test_what_went_wrong_is_a_known_limit():
    X, y = make_table((40, 5), 4, seed=1)
    sampler = quick(checks=(), random_state=None, max_iter=2)
    with pytest.warns(SmallClassWarning):
        sampler.fit_resample(X, y)
    limits = limits_of(sampler, X, y, limits=["and this"])
    for phrase in (
        "Class 1 has 5 real rows",
        "No copy check was made",
        "was not diagnosed",
        "No groups were given",
        "comes from the start",
        "other shares than in the source",
        "no integer",
        "and this",
    ):
        assert phrase in limits


def test_nothing_made():
    X, y = make_table((10, 10), 4, seed=1)
    sampler = quick()
    sampler.fit_resample(X, y)
    sheet = Datasheet.of(sampler, X, y)
    assert "No synthetic row was made." in sheet.limits
    assert sheet.generator["training"] == {}
    assert Datasheet.from_json(sheet.to_json()) == sheet
    assert "Datasheet" in sheet.to_html()


def test_rows_drawn_from_a_generator(fitted):
    _, X, y = fitted
    gan = TabularGAN(max_iter=2, random_state=0).fit(X, y)
    _, y_new = gan.sample(10, prior="uniform")
    sheet = Datasheet.of(gan, X, y, y_new=y_new, checks={"auc": np.float32(0.5)})
    assert sheet.content == {
        "kind": "synthetic rows only",
        "n_real": 0,
        "n_synthetic": 10,
    }
    assert [c["prior_after"] for c in sheet.classes] == [0.5, 0.5]
    assert sheet.checks["auc"] == 0.5
    assert "Auc" in sheet.trust[0]["how"]


def test_rows_changed(fitted):
    _, X, y = fitted
    sheet = Datasheet.of(StandardScaler().fit(X), X, y, given={"site": "centre"})
    assert sheet.generator["name"] == "StandardScaler"
    assert sheet.generator["given"] == {"site": "centre"}
    assert sheet.content["kind"] == "the rows of the source, changed"
    assert sheet.seeds == {}
    assert "protection" in sheet.limits[0]
    assert Datasheet.of(StandardScaler().fit(X), X).classes == []
    assert "not needed" in sheet.summary()


def test_volumes():
    X, y = make_liver_phantoms({"rim": 4, "speckled": 3}, size=16, random_state=0)
    sampler = AugmentedOverSampler(random_state=0)
    sampler.fit_resample(X, y)
    sheet = Datasheet.of(sampler, X, y)
    assert sheet.source["shape"] == [7, 2, 16, 16, 16]
    assert sheet.source["n_columns"] is None
    assert sheet.checks["copy_check"] is None
    assert any("Synthetic rows are those of the source" in limit for limit in sheet.limits)


def test_samplers_of_others_say_which_rows_they_made(fitted):
    _, X, y = fitted
    smote = SMOTE(random_state=0)
    _, y_all = smote.fit_resample(X, y)
    with pytest.raises(TypeError, match=r"SMOTE does not tell .* set its is_synthetic_"):
        Datasheet.of(smote, X, y)
    smote.is_synthetic_ = np.arange(len(y_all)) >= len(y)
    assert Datasheet.of(smote, X, y).content["n_synthetic"] == len(y_all) - len(y)


def test_what_it_cannot_describe(fitted):
    sampler, X, y = fitted
    with pytest.raises(NotFittedError, match="call fit_resample"):
        Datasheet.of(GANOverSampler(), X, y)
    with pytest.raises(NotFittedError):
        Datasheet.of(StandardScaler(), X)
    with pytest.raises(TypeError, match="get_params"):
        Datasheet.of(object(), X)
    with pytest.raises(ValueError, match="X has 43 rows, but fit_resample was given 44"):
        Datasheet.of(sampler, X[:-1], y[:-1])
    with pytest.raises(ValueError, match="y lacks"):
        Datasheet.of(sampler, X, y.replace("yes", "no"))
    with pytest.raises(ValueError, match="needs y"):
        Datasheet.of(sampler, X)
    with pytest.raises(ValueError, match="y 43"):
        Datasheet.of(sampler, X, y[:-1])
    with pytest.raises(ValueError, match="y_new is for generators"):
        Datasheet.of(sampler, X, y, y_new=y)
    with pytest.raises(ValueError, match="ISO 8601"):
        Datasheet.of(sampler, X, y, created="yesterday")


def test_times_are_in_utc(fitted):
    there = timezone(timedelta(hours=2))
    for created in (
        datetime(2020, 2, 3, 4, 5, 6),
        "2020-02-03T04:05:06",
        datetime(2020, 2, 3, 6, 5, 6, tzinfo=there),
    ):
        assert Datasheet.of(*fitted, created=created).created == WHEN


def test_files_are_named(fitted, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n")
    sheet = Datasheet.of(*fitted).with_files(path).with_files(path)
    expected = {"name": "a.csv", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert sheet.files == [expected, expected]


def test_labels_of_any_kind():
    X, y = make_table((12, 8), 3, seed=0)
    for labels in (y.to_numpy(np.int8), y == 1, y.astype(float), y.astype(str)):
        sampler = AugmentedOverSampler(sampling_strategy="minority")
        sampler.sampling_strategy_ = {np.unique(labels)[1]: 4}
        sampler.is_synthetic_ = np.arange(24) >= 20
        sheet = Datasheet.of(sampler, X, labels)
        assert [c["n_synthetic"] for c in sheet.classes] == [0, 4]
        assert Datasheet.from_json(sheet.to_json()) == sheet


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**200, 2**200),
        (np.int64(3), 3),
        (np.float32("nan"), "nan"),
        (-np.inf, "-inf"),
        (Path("a") / "b", "a/b"),
        ({0: 1, "0": 2}, [[0, 1], ["0", 2]]),
        ({"b", "a"}, ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.random.RandomState(0), "RandomState"),
        (len, "builtins.len"),
        (
            StandardScaler(),
            {
                "name": "StandardScaler",
                "params": {"copy": True, "with_mean": True, "with_std": True},
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_digest_is_of_values_not_of_their_container():
    X = np.arange(6.0).reshape(3, 2)
    assert digest(X) == digest(np.asfortranarray(X)) == digest(X.astype(">f8"))
    expected = hashlib.sha256(b" <f8 (3, 2)" + X.tobytes()).hexdigest()
    assert digest(X) == expected
    assert digest(X) != digest(X.T)
    assert digest(X) != digest(X.astype(np.float32))
    assert digest(X, None) == digest(X) != digest(X, np.arange(3))
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "c": [1, 2]})
    columns = digest(frame)
    assert columns == digest(frame.astype({"a": "Float64", "c": "Int64"}))
    assert columns != digest(frame.rename(columns={"a": "z"}))
    assert columns != digest(frame.assign(b=["y", None]))
    assert digest(np.empty((0, 2))) != digest(np.empty((0, 3)))


def test_digest_of_polars_and_sparse():
    pl = pytest.importorskip("polars")
    from scipy import sparse

    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2]})
    assert digest(pl.DataFrame(frame.to_dict("list"))) == digest(frame)
    assert digest(sparse.csr_array(np.eye(2))) == digest(np.eye(2))
