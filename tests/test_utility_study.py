"""The utility study: its metrics and tests are right, and nothing leaks between folds."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from gansampler import PriorCorrectedClassifier

pytest.importorskip("sklearn", "1.8", reason="benchmarks ask for scikit-learn 1.8")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "utility"))
arms = pytest.importorskip("arms")
cache = pytest.importorskip("cache")
inference = pytest.importorskip("inference")
run = pytest.importorskip("run")
scores = pytest.importorskip("scores")
tables = pytest.importorskip("tables")
from classifiers import CLASSIFIERS, NormalScores, with_class_weights  # noqa: E402
from metrics import CLIP, METRICS, Predictions, calibration_slope  # noqa: E402


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [60, 30]))
    return tables.Table("radmlbench", "toy", rng.normal(size=(90, 8)) + y[:, None], y)


def test_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(20):
        y = rng.permutation(np.repeat([0, 1], [25, 8]))
        log_odds = (rng.normal(size=33) + y).round(1)  # with ties
        f = Predictions(y, log_odds, threshold=0.3, shift=-1.0)
        hard = log_odds > 0.3
        p, p_corrected = expit(log_odds), expit(log_odds - 1)
        expected = {
            "auc": sk.roc_auc_score(y, p),
            "ap": sk.average_precision_score(y, log_odds),
            "balanced": sk.balanced_accuracy_score(y, hard),
            "mcc": sk.matthews_corrcoef(y, hard),
            "brier": sk.brier_score_loss(y, p),
            "brier_corrected": sk.brier_score_loss(y, p_corrected),
            "log_loss": sk.log_loss(y, p.clip(CLIP, 1 - CLIP)),
            "log_loss_corrected": sk.log_loss(y, p_corrected.clip(CLIP, 1 - CLIP)),
        }
        found = {name: metric.score(f) for name, metric in METRICS.items()}
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_calibration_slope(slope):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=20_000)
    y = (rng.random(20_000) < expit(slope * log_odds)).astype(int)
    assert calibration_slope(y, log_odds) == pytest.approx(slope, abs=0.05)


def test_calibration_slope_of_separated_classes_is_finite():
    y = np.repeat([0, 1], 10)
    assert np.isfinite(calibration_slope(y, np.where(y, 2.0, -2.0)))


def test_bayesian_signed_rank():
    def test(gains):
        return inference.bayesian_signed_rank(np.array(gains))

    worse, equal, better = test(np.full(20, 0.05))
    assert better > 0.99
    assert worse + equal + better == pytest.approx(1)
    assert test(np.full(20, -0.05))[0] > 0.99
    assert test(np.full(20, 0.004))[1] > 0.99


def test_corrected_t_test_is_more_careful_than_the_plain_one():
    from scipy import stats

    gains = np.random.default_rng(0).normal(0.02, 0.05, size=25)
    assert inference.corrected_t_test(gains, 5) > stats.ttest_1samp(gains, 0).pvalue
    assert inference.corrected_t_test(np.zeros(25), 5) == 1


def test_ranks_and_critical_difference():
    frame = pd.DataFrame({"a": [3.0, 3], "b": [1.0, 2], "c": [1.0, 1]})
    assert inference.mean_ranks(frame).to_dict() == {"a": 1, "b": 2.25, "c": 2.75}
    # Demsar (2006), table 5: q of .05 for 4 arms is 2.569; his example has 14 data sets.
    assert inference.critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)


def test_variants(table):
    sizes = {}
    for name in tables.VARIANTS:
        X, y = table.variant(name, 0)
        sizes[name] = np.bincount(y).tolist()
        assert np.array_equal(table.variant(name, 0)[0], X)
    assert sizes == {
        "native": [60, 30],
        "cut20": [60, 15],
        "cut10": [60, 10],
        "permuted": [60, 15],
    }
    rows = {name: {tuple(row) for row in table.variant(name, 0)[0]} for name in sizes}
    assert rows["cut10"] < rows["cut20"] < rows["native"]
    assert not np.array_equal(table.variant("cut20", 0)[0], table.variant("cut20", 1)[0])


def test_units_of_keel_are_data_sets():
    names = ["ecoli1", "ecoli-0_vs_1", "new-thyroid1", "page-blocks0"]
    units = [tables.unit_of("keel", name) for name in names]
    assert units == ["ecoli", "ecoli", "new", "page"]
    assert tables.unit_of("radmlbench", "WORC-CRLM") == "WORC-CRLM"


def test_counts():
    y = np.repeat([0, 1], [80, 20])
    assert arms.arm("start").counts(y) == {0: 80, 1: 80}
    assert arms.arm("start+3").counts(y) == {0: 320, 1: 320}
    assert arms.arm("start@.25").counts(y) == {0: 80, 1: 27}
    assert arms.arm("start+3@.1").counts(y) == {0: 320, 1: 36}
    assert arms.arm("start@.1").counts(y) == {0: 80, 1: 20}


@pytest.mark.parametrize("name", ["stat", "start+", "none+3", "start@.3+3"])
def test_unknown_arms_are_refused(name):
    with pytest.raises(ValueError, match=r"No arm|no rows"):
        arms.arm(name)


@pytest.mark.parametrize("name", ["smote-5+3", "copula+3", "random@.4", "adasyn"])
def test_arms_keep_the_rows_given(table, name):
    X, y = table.variant("cut20", 0)
    X_all, y_all = arms.arm(name).sampler(0).fit_resample(X, y)
    assert np.array_equal(X_all[: len(X)], X)
    if name != "adasyn":  # which aims at counts, and is off by a few
        labels, counts = np.unique(y_all, return_counts=True)
        wanted = arms.arm(name).counts(y)
        assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == wanted


def test_copula_draws_look_like_their_class():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [100, 60])
    factor = rng.normal(size=(160, 1))
    X = np.exp(factor + 0.3 * rng.normal(size=(160, 4)) + y[:, None])
    X_all, y_all = arms.arm("copula+3").sampler(0).fit_resample(X, y)
    new, y_new = X_all[160:], y_all[160:]
    for label in (0, 1):
        real, made = np.log(X[y == label]), np.log(new[y_new == label])
        assert made.mean() == pytest.approx(real.mean(), abs=0.2)
        gap = np.corrcoef(made.T) - np.corrcoef(real.T)
        assert np.abs(gap).max() < 0.15


def test_normal_scores_are_those_of_quantile_transformer():
    X = np.random.default_rng(0).normal(size=(60, 3)).round(1)
    reference = QuantileTransformer(n_quantiles=60, output_distribution="normal").fit(X)
    inside = X[(np.abs(X) < 1.5).all(axis=1)]
    ours = NormalScores().fit(X).transform(inside)
    assert np.abs(ours - reference.transform(inside)).max() < 0.1


def test_class_weights_reach_every_classifier_but_one():
    without = {n for n, c in CLASSIFIERS.items() if not with_class_weights(c)[1]}
    assert without == {"neighbours"}


class Spy(BaseEstimator):
    """Sampler that adds marked rows, and remembers what it was given."""

    seen: list = []

    def fit_resample(self, X, y):
        Spy.seen.append(len(X))
        return np.concatenate([X, X[y == 1]]), np.concatenate([y, y[y == 1]])


def few_classifiers(monkeypatch):
    kept = {name: CLASSIFIERS[name] for name in ("logistic", "neighbours")}
    monkeypatch.setattr(run, "CLASSIFIERS", kept)


def test_only_training_rows_are_resampled(table, monkeypatch):
    few_classifiers(monkeypatch)
    monkeypatch.setitem(arms.GENERATORS, "spy", lambda counts, seed: Spy())
    Spy.seen.clear()
    entries = [run.Task(table, "native", 0, k, arms.arm("spy")).measure() for k in range(5)]
    assert Spy.seen == [72] * 5
    assert sum(e["y"].count(1) for e in entries) == 30
    assert {len(e["y"]) for e in entries} == {18}
    assert entries[0]["rows"] == [48, 48]
    assert entries[0]["shift"]["logistic"] == pytest.approx(np.log(24 / 48), abs=1e-4)


def test_shift_is_the_prior_correction(table):
    X, y = table.variant("cut20", 0)
    sampler = arms.arm("random").sampler(0)
    from imblearn.pipeline import make_pipeline as resampling

    pipeline = resampling(sampler, LogisticRegression())
    pipeline.set_params(randomoversampler__sampling_strategy="auto")
    model = PriorCorrectedClassifier(pipeline).fit(X, y)
    log_odds = run.to_log_odds(model.estimator_.predict_proba(X)[:, 1])
    f = Predictions(y, log_odds, shift=run.log_odds_of(y))
    assert np.allclose(f.p_corrected, model.predict_proba(X)[:, 1])


def test_threshold_is_tuned_on_inner_folds(table):
    X, y = table.variant("cut10", 0)
    X = X[:, :1]
    model = make_pipeline(LogisticRegression())
    tuned = run.tuned_threshold(model, X, y, seed=0)
    log_odds = run.to_log_odds(model.fit(X, y).predict_proba(X)[:, 1])
    balanced = METRICS["balanced"].score
    assert balanced(Predictions(y, log_odds, tuned)) > balanced(Predictions(y, log_odds))


def test_study_goes_on_where_it_was_killed(table, tmp_path, monkeypatch):
    few_classifiers(monkeypatch)

    monkeypatch.setitem(arms.GENERATORS, "refuses", lambda counts, seed: Refuses())
    chosen = arms.expand(["random", "refuses"])
    tasks = run.plan([table], ["native"], [0], 2, chosen)
    assert len(tasks) == 6
    run.run(tasks[:4], tmp_path, 1)
    unfinished = tasks[0].path(tmp_path)
    unfinished.write_text(unfinished.read_text()[:-30])
    assert len(run.missing(tasks, tmp_path)) == 3
    run.run(tasks, tmp_path, 1)
    assert run.missing(tasks, tmp_path) == []
    assert {t.arm.name for t in run.missing(tasks, tmp_path, retry=True)} == {"refuses"}

    found, bins = scores.collect(tmp_path, 1)
    cells = (
        scores.with_fallback(found).set_index(["arm", "fold", "classifier"]).sort_index()
    )
    failed, none = cells.loc["refuses"], cells.loc["none"]
    assert failed["failure"].str.contains("too few neighbours").all()
    assert failed["auc"].tolist() == none["auc"].tolist()
    assert bins.loc[bins["arm"] == "none", "n"].sum() == 36 * 2 * 2


def test_new_results_stand_beside_old_ones(table, tmp_path, monkeypatch):
    few_classifiers(monkeypatch)
    run.run(run.plan([table], ["native"], [0], 2, arms.expand(["random"])), tmp_path, 1)
    before = scores.collect(tmp_path, 1)
    old = scores.with_fallback(before[0]), before[1]
    # One fold of an arm is measured again, and fails; `none` is not in the new cache.
    now = old[0][(old[0]["arm"] == "random") & (old[0]["fold"] == 1)].iloc[:1]
    now = now[[*scores.CELL]].assign(failure="boom")
    found, bins = scores.merged(old, (now, old[1].iloc[:0]))
    cells = (
        scores.with_fallback(found).set_index(["arm", "fold", "classifier"]).sort_index()
    )
    assert len(cells) == len(old[0])
    assert cells.loc["random", "failure"].loc[0].isna().all()
    assert (cells.loc["random", "failure"].loc[1] == "boom").all()
    failed, none = cells.loc[("random", 1)], cells.loc[("none", 1)]
    assert failed["auc"].tolist() == none["auc"].tolist()
    # Curves of an arm that was measured in part stay whole, as they were.
    pd.testing.assert_frame_equal(bins, old[1])
    pd.testing.assert_frame_equal(scores.merged(old, before)[1], old[1], check_like=True)


class Refuses(BaseEstimator):
    def fit_resample(self, X, y):
        raise RuntimeError("too few neighbours")


def test_new_settings_are_measured_again(table, tmp_path, monkeypatch):
    few_classifiers(monkeypatch)
    tasks = run.plan([table], ["native"], [0], 1, arms.expand([]))
    run.run(tasks, tmp_path, 1)
    kept = {"logistic": make_pipeline(LogisticRegression(C=3.0))}
    monkeypatch.setattr(run, "CLASSIFIERS", kept)
    assert run.missing(tasks, tmp_path) == tasks


def test_entries_are_plain_json(tmp_path):
    path = cache.path_of(tmp_path, "radmlbench", "native", "toy", "start+3@.25")
    cache.append(path, {"repeat": 0, "fold": 1, "y": [0, 1]})
    assert json.loads(path.read_text()) == {"repeat": 0, "fold": 1, "y": [0, 1]}
    assert next(cache.files(tmp_path))[:4] == ("radmlbench", "native", "toy", "start+3@.25")


def test_groups_and_arms_have_names_of_their_own():
    assert not set(arms.GROUPS) & {*arms.GENERATORS, *arms.UNTOUCHED}
