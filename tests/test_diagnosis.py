"""`diagnose`: faults that were put in are named, and nothing is where nothing is."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from gansampler import diagnose, metrics
from gansampler.checks._relabelling import (
    Null,
    correlation_differences,
    energy_distances,
    neighbourhoods,
    relabel,
    variance_ratios,
)
from gansampler.checks._segments import is_interpolated
from gansampler.checks._verdicts import verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
known_answers = pytest.importorskip("known_answers")

N_EXCHANGES = 199


def verdicts(case, generator, seed=0):
    generate, _, _ = known_answers.GENERATORS[generator]
    X, y = generate(case, np.random.default_rng(seed))
    return diagnose(
        case.X, case.y, X, y, n_permutations=N_EXCHANGES, random_state=seed
    ).verdicts_


@pytest.mark.parametrize("truth", known_answers.TRUTHS)
@pytest.mark.parametrize(
    "generator",
    [
        name
        for name in known_answers.GENERATORS
        if name not in ("Gaussian fit", "blurred, .5 sd")
    ],
)
def test_known_answers(truth, generator):
    # Every generator of the benchmark that is named rightly at 100 rows all but always;
    # one of three seeds may fail, as one of twenty does for the hardest.
    _, wanted, judged = known_answers.GENERATORS[generator]
    right = 0
    for seed in range(3):
        case = known_answers.simulated(truth, n=100, d=50, seed=seed + 500)
        found = verdicts(case, generator, seed)
        classes = [judged] if judged is not None else list(found)
        right += all(found[c] == wanted for c in classes)
    assert right >= 2


def test_a_gaussian_fit_does_not_memorize():
    for seed in range(3):
        case = known_answers.simulated("factors", n=60, d=50, seed=seed)
        assert "memorizing" not in verdicts(case, "Gaussian fit", seed).values()


def test_a_few_rows_are_not_called_healthy():
    case = known_answers.simulated("clusters", n=20, d=10, seed=0)
    assert set(verdicts(case, "fresh").values()) == {"undetermined"}


def liver_lesions(n, rng, kinds=("homogeneous", "rim", "speckled")):
    """Texture features of three kinds of lesions, the third rare and of two forms."""
    centre = {"homogeneous": 0.0, "rim": 2.5, "speckled": -2.5}
    mixing = np.random.default_rng(0).normal(size=(6, 20))
    X, y = [], []
    for kind in kinds:
        sources = rng.normal(size=(n, 6)) + centre[kind]
        X.append(sources @ mixing + rng.normal(size=(n, 20)))
        y += [kind] * n
    return np.concatenate(X), np.array(y)


def test_a_missing_texture_is_collapsed_for_that_class_alone():
    rng = np.random.default_rng(1)
    X, y = liver_lesions(60, rng)
    X_new, y_new = liver_lesions(60, rng, kinds=("homogeneous", "rim"))
    # It makes speckled lesions only by repeating a few.
    few = X[y == "speckled"].mean(axis=0) + 0.01 * rng.normal(size=(60, 20))
    for rows, labels in (
        (X_new, y_new),
        (np.concatenate([X_new, few]), np.append(y_new, ["speckled"] * 60)),
    ):
        found = diagnose(X, y, rows, labels, n_permutations=199, random_state=0).verdicts_
        assert found == {
            "homogeneous": "healthy",
            "rim": "healthy",
            "speckled": "collapsed",
        }


def test_a_blurred_generator_is_underfit_on_every_class():
    rng = np.random.default_rng(2)
    X, y = liver_lesions(60, rng)
    X_new, y_new = liver_lesions(60, rng)
    X_new = X_new + X.std(axis=0) * rng.normal(size=X_new.shape)
    found = diagnose(X, y, X_new, y_new, n_permutations=199, random_state=0).verdicts_
    assert set(found.values()) == {"underfit"}


def test_rows_of_the_same_patient_are_no_neighbours():
    # Every patient has two lesions that are nearly alike. Synthetic rows as near to a
    # real one are copies only if a patient's own rows do not set the scale.
    rng = np.random.default_rng(3)
    patients = rng.normal(size=(40, 10))
    X = np.repeat(patients, 2, axis=0) + 0.05 * rng.normal(size=(80, 10))
    X_new = patients + 0.05 * rng.normal(size=(40, 10))
    y, y_new = np.zeros(80), np.zeros(40)
    groups = np.repeat(np.arange(40), 2)
    blind = diagnose(X, y, X_new, y_new, n_permutations=99, random_state=0)
    aware = diagnose(X, y, X_new, y_new, groups=groups, n_permutations=99, random_state=0)
    assert aware.evidence_[0.0]["share_too_close"] > 0.9
    assert blind.evidence_[0.0]["share_too_close"] < 0.3


def test_a_holdout_tells_copies_from_fresh_rows():
    case = known_answers.simulated("factors", n=60, d=30, seed=0)
    X, y = known_answers.GENERATORS["copies, jitter .3"][0](case, np.random.default_rng(0))
    for rows, labels, low, high in (
        (X, y, 0.9, 1.0),
        (case.reserve[:100], case.reserve_y[:100], 0.3, 0.7),
    ):
        diagnosis = diagnose(
            case.X,
            case.y,
            rows,
            labels,
            X_holdout=case.fresh,
            y_holdout=case.fresh_y,
            n_permutations=99,
            random_state=0,
        )
        evidence = diagnosis.evidence_[0]
        assert low <= evidence["dcr_share"] <= high
        assert np.isfinite(evidence["membership_auc"])


@pytest.fixture(scope="module")
def smote_case():
    case = known_answers.simulated("factors", n=40, d=12, seed=0)
    X, y = known_answers.GENERATORS["SMOTE"][0](case, np.random.default_rng(0))
    names = [f"texture_{j}" for j in range(12)]
    real, new = pd.DataFrame(case.X, columns=names), pd.DataFrame(X, columns=names)
    return real, case.y, new, y


def test_what_a_diagnosis_holds(smote_case):
    real, y, new, y_new = smote_case
    diagnosis = diagnose(real, y, new, y_new, n_permutations=99, random_state=0)
    assert not diagnosis.is_healthy
    assert set(diagnosis.statistics_.columns) == {
        "class",
        "question",
        "statistic",
        "value",
        "null_low",
        "null_high",
        "p_value",
    }
    assert len(diagnosis.features_) == 24
    assert set(diagnosis.features_["feature"]) == set(real.columns)
    assert len(diagnosis.rows_) == len(new)
    worst = diagnosis.worst_rows(5)
    assert len(worst) == 5
    assert worst["p_copy"].is_monotonic_increasing
    row = worst.iloc[0]
    assert y[int(row["nearest_real"])] == row["class"] == y_new[int(row["synthetic"])]
    text = diagnosis.summary()
    for label in (0, 1):
        assert f"class {label}: interpolating" in text
    assert "what to do" in text
    assert "interpolating" in diagnosis.complaint()


def test_json_holds_no_nan_and_reads_back(smote_case, tmp_path):
    diagnosis = diagnose(*smote_case, n_permutations=99, random_state=0)
    path = tmp_path / "diagnosis.json"
    told = json.loads(diagnosis.to_json(path))
    assert json.loads(path.read_text()) == told
    assert [v["verdict"] for v in told["verdicts"]] == ["interpolating"] * 2


def test_json_is_written_whole_or_not_at_all(smote_case, tmp_path, monkeypatch):
    diagnosis = diagnose(*smote_case, n_permutations=19, random_state=0)
    path = tmp_path / "diagnosis.json"
    path.write_text("precious")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):
        diagnosis.to_json(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "precious"


def test_columns_are_taken_by_name(smote_case):
    real, y, new, y_new = smote_case
    one = diagnose(real, y, new, y_new, n_permutations=19, random_state=0)
    other = diagnose(
        real, y, new[new.columns[::-1]], y_new, n_permutations=19, random_state=0
    )
    pd.testing.assert_frame_equal(one.statistics_, other.statistics_, check_exact=True)


def test_the_same_seed_gives_the_same_numbers(smote_case):
    one = diagnose(*smote_case, n_permutations=49, random_state=3)
    other = diagnose(*smote_case, n_permutations=49, random_state=3)
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: (c[0], c[1], c[2].drop(columns="texture_3"), c[3]), "texture_3"),
        (lambda c: (c[0], c[1], c[2].to_numpy()[:, :5], c[3]), "X_synthetic has 5 columns"),
        (lambda c: (c[0], c[1], c[2], c[3] + 7), r"y_real does not: \[7, 8\]"),
        (lambda c: (c[0], c[1], c[2][:0], c[3][:0]), "minimum of 1 is required"),
        (lambda c: (c[0][:0], c[1][:0], c[2], c[3]), "minimum of 1 is required"),
        (lambda c: (c[0], c[1], c[2] * np.nan, c[3]), "X_synthetic contains NaN"),
        (lambda c: (c[0], c[1][:-1], c[2], c[3]), "inconsistent numbers of samples"),
    ],
)
def test_bad_input(smote_case, change, message):
    with pytest.raises(ValueError, match=message):
        diagnose(*change(smote_case), n_permutations=19)


def test_a_holdout_needs_its_classes(smote_case):
    with pytest.raises(ValueError, match="without y_holdout"):
        diagnose(*smote_case, X_holdout=smote_case[0])


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 30), (2, 2), (3, 1), (30, 1), (5, 40)])
@pytest.mark.parametrize("d", [1, 2, 30])
def test_awkward_sizes(n, m, d):
    rng = np.random.default_rng(n + m + d)
    X = np.r_[rng.normal(size=(n, d)), rng.normal(size=(30, d))]
    y = np.repeat(["rare", "common"], [n, 30])
    X[:, 0] = 1.0
    found = diagnose(
        X, y, rng.normal(size=(m, d)), ["rare"] * m, n_permutations=19, random_state=0
    )
    assert found.verdicts_["common"] == "collapsed"
    assert found.verdicts_["rare"] in {
        "undetermined",
        "underfit",
        "collapsed",
        "memorizing",
        "interpolating",
    }
    assert found.summary()


# The parts


def test_statistics_of_the_truth_are_those_of_the_metrics():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 6)), 1.2 * rng.normal(size=(40, 6)) + 0.2
    pooled = np.concatenate([X, Y])
    is_real = relabel(40, 40, 20, np.random.RandomState(0))
    distances = cdist(pooled, pooled)
    assert energy_distances(distances, is_real)[0] == pytest.approx(
        metrics.energy_distance(X, Y), abs=1e-10
    )
    assert variance_ratios(pooled, is_real)[0] == pytest.approx(
        metrics.variance_ratio(X, Y), abs=1e-10
    )
    found = neighbourhoods(distances, is_real, level=0.05)
    expected = metrics.prdc(X, Y)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name)[0] == pytest.approx(getattr(expected, name), abs=1e-10)
    nearest = metrics.nearest_neighbour_distances(X, Y)
    assert found.real_real[0] == pytest.approx(nearest.real_real.mean())
    assert found.synthetic_real[0] == pytest.approx(nearest.synthetic_real.mean())


def test_correlations_do_not_hang_on_the_way_they_are_summed():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 29))
    is_real = relabel(15, 15, 5, np.random.RandomState(0))
    tall = correlation_differences(rows, is_real)
    wide = correlation_differences(np.c_[rows, np.ones((30, 10))], is_real)
    np.testing.assert_allclose(tall, wide, rtol=1e-9)


def test_the_null_of_fresh_rows_is_uniform():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(200):
        pooled = rng.normal(size=(40, 3))
        is_real = relabel(20, 20, 19, np.random.RandomState(rng.integers(2**31)))
        p.append(Null.of(energy_distances(cdist(pooled, pooled), is_real)).p_above)
    # P(p <= a) <= a, and close to it: 200 draws have a standard error of .035.
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.11)
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 3 * 0.021


@pytest.mark.parametrize("d", [3, 30, 300])
def test_rows_on_segments_are_told_from_copies_and_fresh_rows(d):
    rng = np.random.default_rng(d)
    real, groups = rng.normal(size=(60, d)), np.arange(60)
    distances = cdist(real, real)
    near = distances.argsort(axis=1)[:, 1:4]
    t = rng.uniform(0.1, 0.9, size=(60, 1))
    between = real + t * (real[near[groups, rng.integers(3, size=60)]] - real)
    fresh, copies = rng.normal(size=(60, d)), real + 0.01 * rng.normal(size=(60, d))
    assert is_interpolated([(real, between)], groups, 0.05).mean() > 0.8
    assert is_interpolated([(real, fresh)], groups, 0.05).mean() < 0.15
    assert is_interpolated([(real, copies)], groups, 0.05).mean() < 0.15


# What fresh rows must not be blamed for


def healthy_share(draw, n_repeats=12):
    """Share of tables of fresh rows in which no class is found at fault."""
    right = 0
    for seed in range(n_repeats):
        rng = np.random.default_rng(seed)
        X, groups = draw(rng, 0)
        X_new, _ = draw(rng, 1)
        found = diagnose(
            X,
            np.zeros(len(X)),
            X_new,
            np.zeros(len(X_new)),
            groups=groups,
            n_permutations=N_EXCHANGES,
            random_state=seed,
        )
        right += found.verdicts_[0.0] in {"healthy", "undetermined"}
    return right / n_repeats


def test_several_rows_a_patient():
    def draw(rng, side):
        n_rows = 5 if side == 0 else 1
        patients = rng.normal(size=(40, 10))
        X = np.repeat(patients, n_rows, axis=0)
        return X + 0.3 * rng.normal(size=X.shape), np.repeat(np.arange(40), n_rows)

    assert healthy_share(draw) >= 0.75


@pytest.mark.parametrize("d", [1, 20])
def test_many_more_synthetic_rows_than_real_ones(d):
    def draw(rng, side):
        return np.exp(2 * rng.normal(size=((50, 500)[side], d))), None

    assert healthy_share(draw) >= 0.75


def test_a_few_synthetic_rows():
    assert (
        healthy_share(lambda rng, side: (rng.normal(size=((100, 3)[side], 10)), None)) == 1
    )


@pytest.mark.parametrize("d", [1, 3, 20])
def test_columns_of_two_values(d):
    def draw(rng, side):
        return (rng.random(size=(100, d)) < 0.4).astype(float), None

    assert healthy_share(draw) >= 0.75


def test_missing_groups_are_refused(smote_case):
    groups = np.where(np.arange(len(smote_case[0])) == 3, np.nan, 1.0)
    with pytest.raises(ValueError, match="groups holds missing values"):
        diagnose(*smote_case, groups=groups)


def test_only_the_classes_asked_for_are_judged(smote_case):
    real, y, new, y_new = smote_case
    kept = y_new == 1
    found = diagnose(real, y, new[kept], y_new[kept], classes=[1], n_permutations=19)
    assert list(found.verdicts_) == [1]
    with pytest.raises(ValueError, match=r"classes names \[9\]"):
        diagnose(real, y, new, y_new, classes=[9])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_copies_are_found_where_real_rows_are_there_twice(share):
    rng = np.random.default_rng(0)
    real, fresh = rng.normal(size=(2, 60, 10))
    real = np.concatenate([real, real[: round(60 * share)]])
    copies = real[rng.integers(len(real), size=60)]
    for rows, expected in ((copies, "memorizing"), (fresh, "healthy")):
        y, y_new = np.zeros(len(real)), np.zeros(60)
        found = diagnose(real, y, rows, y_new, n_permutations=199, random_state=0)
        assert found.verdicts_ == {0: expected}


def test_rows_on_lines_are_no_fault_where_fresh_rows_lie_there_too(smote_case):
    evidence = diagnose(*smote_case, n_permutations=19, random_state=0).evidence_[1]
    share = evidence["share_interpolated"]
    assert share > 0.5 and verdict(evidence) == "interpolating"
    evidence.add("copies", "share_interpolated", share, 0, share + 0.01)
    assert verdict(evidence) != "interpolating"


def test_a_category_may_be_one_of_other_real_rows():
    rng = np.random.default_rng(0)

    def table(kinds):
        return pd.DataFrame({"x": rng.normal(size=40), "kind": rng.choice(kinds, 40)})

    real, new, holdout = table(["a", "b"]), table(["a", "b"]), table(["a", "c"])
    y = np.zeros(40)
    diagnose(real, y, new, y, X_holdout=holdout, y_holdout=y, n_permutations=19)
    with pytest.raises(
        ValueError, match=r"X_synthetic holds 'c' in column 'kind'.*classes"
    ):
        diagnose(real, y, holdout, y, n_permutations=19)
    real["kind"] = pd.Categorical(real["kind"], categories=["a", "b", "c"])
    diagnose(real, y, holdout, y, n_permutations=19)


def test_advice_says_which_rows_are_too_few():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 5))
    for n, m, expected in ((20, 100, "real rows"), (100, 20, "synthetic"), (20, 20, "and")):
        found = diagnose(
            rows[:n], np.zeros(n), rng.normal(size=(m, 5)), np.zeros(m), n_permutations=199
        )
        (entry,) = found.to_dict()["verdicts"]
        assert entry["verdict"] == "undetermined" and expected in entry["advice"]
        assert ("real" in entry["advice"]) == (n < 30)
        assert ("synthetic" in entry["advice"]) == (m < 30)


def test_a_class_of_which_nothing_was_made_is_told_to_be_left_out(smote_case):
    real, y, new, y_new = smote_case
    found = diagnose(real, y, new[y_new == 1], y_new[y_new == 1], n_permutations=19)
    assert (
        found.verdicts_[0] == "collapsed" and "leave it out of `classes`" in found.summary()
    )


def test_missing_labels_are_refused(smote_case):
    real, y, new, y_new = smote_case
    for labels in (np.where(np.arange(len(y)) == 3, np.nan, y), [None, *map(str, y[1:])]):
        with pytest.raises(
            ValueError, match=r"y_real contains NaN in 1 rows; drop or label"
        ):
            diagnose(real, labels, new, y_new)
