"""GANOverSampler's checks of what it makes, its groups of patients, and polars tables."""

import numpy as np
import pandas as pd
import pytest
from conftest import counts, make_table, quick
from imblearn.pipeline import Pipeline, make_pipeline
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score, cross_validate

from gansampler import CopyWarning, DiagnosisWarning, SmallClassWarning, TabularGAN
from gansampler._drawing import CheckedDraws
from gansampler.checks import choose
from gansampler.metrics import energy_distance

# The copy check inside


def test_rows_that_cannot_be_replaced_are_counted(table, monkeypatch):
    X, y = table
    real = X[y == 1].to_numpy()

    def copy_rows(self, codes, rng):
        return real[rng.randint(len(real), size=len(codes))]

    monkeypatch.setattr("gansampler._tabular.TabularGAN.draw_", copy_rows)
    sampler = quick()
    with pytest.warns(CopyWarning, match="40 of 40"):
        _, y_new = sampler.fit_resample(X, y)
    assert counts(y_new) == {0: 60, 1: 60}
    assert sampler.acceptance_rate_ == {1: 0.0}


def test_copies_are_replaced_by_clean_rows(table, monkeypatch):
    X, y = table
    real = X[y == 1].to_numpy()
    clean_draw = TabularGAN.draw_

    def half_copies(self, codes, rng):
        rows = clean_draw(self, codes, rng)
        rows[::2] = real[rng.randint(len(real), size=len(rows[::2]))]
        return rows

    monkeypatch.setattr(TabularGAN, "draw_", half_copies)
    sampler = quick(random_state=1)
    X_new, y_new = sampler.fit_resample(X, y)
    assert counts(y_new) == {0: 60, 1: 60}
    assert not X_new.duplicated().any()
    assert 0.2 < sampler.acceptance_rate_[1] <= 0.5


def test_copy_check_off(table):
    sampler = quick(copy_alpha=None)
    sampler.fit_resample(*table)
    assert sampler.acceptance_rate_ == {1: 1.0}


# Checks of what was made


def test_rows_made_are_diagnosed(table):
    X, y = table
    sampler = quick(target_prior="uniform", target_size=3.0)
    sampler.fit_resample(X, y)
    assert set(sampler.diagnosis_.verdicts_) == {0, 1}
    assert sampler.diagnosis_.verdicts_[1] == "undetermined"
    assert sampler.diagnosis_.history_ == sampler.history_
    assert set(sampler.diagnosis_.features_["feature"]) == set(X.columns)


def test_a_fault_is_warned_of(monkeypatch):
    X, y = make_table(counts=(120, 60), n_features=4, seed=0)
    clean_draw = TabularGAN.draw_

    def one_place(self, codes, rng):
        rows = clean_draw(self, codes, rng)
        return rows[:1] + 0.01 * (rows - rows[:1])

    monkeypatch.setattr(TabularGAN, "draw_", one_place)
    sampler = quick(checks=("diagnosis",), copy_alpha=None)
    with pytest.warns(DiagnosisWarning, match="class 1 are judged 'collapsed'.*To change"):
        sampler.fit_resample(X, y)


def test_only_classes_that_got_rows_are_diagnosed(table):
    sampler = quick()
    sampler.fit_resample(*table)
    assert list(sampler.diagnosis_.verdicts_) == [1]


def test_checks_can_be_left_out(table, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a check was run")

    for name in ("ConformalCopyCheck", "is_faithful", "choose"):
        monkeypatch.setattr(f"gansampler._drawing.{name}", refuse)
    monkeypatch.setattr("gansampler._oversampler.diagnose_classes", refuse)
    sampler = quick(checks=(), copy_alpha=None)
    sampler.fit_resample(*table)
    assert sampler.diagnosis_ is None
    assert sampler.acceptance_rate_ == {1: 1.0}


def test_nothing_made_nothing_diagnosed():
    X, y = make_table(counts=(20, 20), n_features=4, seed=0)
    sampler = quick()
    sampler.fit_resample(X, y)
    assert sampler.diagnosis_ is None


def test_rows_are_checked_without_a_diagnosis(table):
    whole = quick().fit_resample(*table)
    sampler = quick(checks=("memorization", "fidelity"))
    pd.testing.assert_frame_equal(
        sampler.fit_resample(*table)[0], whole[0], check_exact=True
    )
    assert sampler.diagnosis_ is None and 0 < sampler.acceptance_rate_[1] <= 1


def test_unknown_checks_are_refused(table):
    with pytest.raises(ValueError, match=r"got \['beauty'"):
        quick(checks=("fidelity", "beauty")).fit_resample(*table)


def test_candidates_are_chosen_where_the_class_is_missed_and_only_there():
    # Two far modes a class cannot be met by one Gaussian; one Gaussian can.
    rng = np.random.default_rng(0)
    mode = rng.integers(2, size=(300, 1))
    two = 8 * (mode - 0.5) * np.ones(4) + rng.normal(size=(300, 4))
    one = rng.normal(size=(300, 4))
    small = rng.normal(size=(320, 4)) + 20
    for rows, helped in ((two, True), (one, False)):
        X = np.concatenate([small, rows])
        y = np.repeat(["other", "seen"], [320, 300])
        drawn = {}
        for checks in (("memorization",), ("memorization", "fidelity")):
            sampler = quick(
                sampling_strategy={"seen": 600}, max_iter=1, checks=checks, n_modes=1
            )
            X_new, _ = sampler.fit_resample(X, y)
            drawn[checks] = X_new[sampler.is_synthetic_]
        plain, chosen = (energy_distance(rows, new) for new in drawn.values())
        if helped:
            assert chosen < 0.9 * plain
        else:
            assert chosen == plain


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_candidates_are_chosen_only_where_rows_left_out_are_better_off(shift):
    n_chosen = 0
    for seed in range(10):
        rng = np.random.RandomState(seed)
        real, fresh = rng.normal(size=(2, 150, 3))
        candidates = rng.normal(size=(400, 3)) + shift
        chosen = choose(real, candidates, 100, np.arange(150), rng)
        assert len(set(chosen)) == 100
        if (chosen == np.arange(100)).all():
            continue
        n_chosen += 1
        ours, plain = (energy_distance(candidates[i], fresh) for i in (chosen, range(100)))
        assert ours < plain or not shift
    # Two standard errors: one time in 40 by chance.
    assert n_chosen == 10 if shift else n_chosen <= 1


class Population:
    """Draws rows of new patients."""

    classes_ = np.array(["seen"])

    def __init__(self):
        self.n_drawn = 0

    def draw_(self, codes, rng):
        self.n_drawn += len(codes)
        return rng.normal(size=(len(codes), 3))


def test_rows_of_a_patient_are_one_to_the_energy_test():
    # 25 patients of 20 rows that are alike: 500 independent rows would say more than these.
    n_missed = 0
    for seed in range(10):
        rng = np.random.RandomState(seed)
        groups = np.repeat(range(25), 20)
        real = rng.normal(size=(25, 3))[groups] + 0.05 * rng.normal(size=(500, 3))
        population = Population()
        draws = CheckedDraws(
            population,
            (real, np.full(500, "seen"), groups),
            embed=lambda rows: rows,
            copy_alpha=None,
            keep_faithful=True,
            rng=rng,
        )
        assert len(np.concatenate(draws.draw("seen", 200))) == 200
        n_missed += population.n_drawn > 200
    assert n_missed <= 1


# Groups


def test_groups_are_routed(table):
    X, y = table
    groups = np.arange(len(X)) // 2
    with config_context(enable_metadata_routing=True):
        sampler = quick().set_fit_resample_request(groups=True)
        pipeline = Pipeline([("gan", sampler), ("clf", LogisticRegression(max_iter=1000))])
        routed = pipeline.fit(X, y, groups=groups).named_steps["gan"]
    direct = quick()
    direct.fit_resample(X, y, groups=groups)
    assert routed.history_ == direct.history_
    plain = quick()
    plain.fit_resample(X, y)
    assert plain.history_ != direct.history_


@pytest.mark.parametrize(
    "label", [lambda i: i // 2, lambda i: f"synthetic-{i // 2}", lambda i: i // 2 + 0.5]
)
def test_synthetic_rows_get_groups_of_their_own(table, label):
    X, y = table
    groups = np.array([label(i) for i in range(len(y))])
    sampler = quick()
    X_new, y_new = sampler.fit_resample(X, y, groups=groups)
    kept = groups if groups.dtype.kind == "i" else groups.astype(str)
    assert sampler.groups_resampled_[: len(y)].tolist() == kept.tolist()
    added = sampler.groups_resampled_[len(y) :]
    assert len(added) == len(y_new) - len(y) == len(set(added.tolist()))
    assert not set(added.tolist()) & set(groups.tolist())
    for train, test in GroupKFold(3).split(X_new, y_new, sampler.groups_resampled_):
        patients = sampler.groups_resampled_
        assert not set(patients[train].tolist()) & set(patients[test].tolist())


def test_without_groups_there_are_none(table):
    sampler = quick()
    sampler.fit_resample(*table)
    assert sampler.groups_resampled_ is None


# polars


@pytest.fixture
def polars_table(table):
    pl = pytest.importorskip("polars")
    X, y = table
    X = X.assign(count=np.arange(len(X)) % 7, flag=np.arange(len(X)) % 2)
    frame = pl.DataFrame({name: X[name].to_numpy() for name in X.columns})
    frame = frame.with_columns(
        pl.col("count").cast(pl.Int16), pl.col("flag").cast(pl.UInt8)
    )
    return frame, pl.Series("label", y.to_numpy())


def test_polars_in_polars_out(polars_table):
    X, y = polars_table
    sampler = quick(target_size=3.0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert type(X_new) is type(X)
    assert X_new.schema == X.schema
    assert X_new[: len(X)].equals(X)
    assert y_new[: len(y)].equals(y)
    assert y_new.name == "label" and y_new.dtype == y.dtype
    assert len(X_new) == len(y_new) == len(sampler.is_synthetic_)
    assert set(X_new["count"]) <= set(range(7))
    drawn, _ = sampler.gan_.sample(5)
    assert drawn.schema == X.schema


def test_polars_gives_what_pandas_gives(polars_table):
    X, y = polars_table
    as_pandas = pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    expected, _ = quick().fit_resample(as_pandas, y.to_numpy())
    found, labels = quick().fit_resample(X, y.to_numpy())
    assert isinstance(labels, np.ndarray)
    for name in X.columns:
        assert_array_equal(found[name].to_numpy(), expected[name].to_numpy())


def test_cross_validation_of_polars(polars_table):
    X, y = polars_table
    model = Pipeline([("gan", quick()), ("clf", LogisticRegression(max_iter=1000))])
    assert np.isfinite(cross_validate(model, X, y, cv=2)["test_score"]).all()


def test_warnings_name_the_line_of_the_user():
    X, y = make_table((30, 4), 3, seed=0)
    model = make_pipeline(quick(max_iter=0, checks=()), LogisticRegression())
    with pytest.warns(SmallClassWarning) as caught:
        cross_val_score(model, X, y, cv=2)
    assert {warning.filename for warning in caught} == {__file__}
