"""PriorCorrectedClassifier: probabilities as if nothing had been resampled."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import make_table
from imblearn import FunctionSampler
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline as PlainPipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from gansampler import GANOverSampler, PriorCorrectedClassifier


@parametrize_with_checks(
    [
        PriorCorrectedClassifier(LogisticRegression()),
        PriorCorrectedClassifier(LogisticRegression(), decision="corrected"),
        PriorCorrectedClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
    ]
)
def test_scikit_learn(estimator, check):
    check(estimator)


class Constant(ClassifierMixin, BaseEstimator):
    """Predicts the same probabilities for every row."""

    def __init__(self, p=(0.5, 0.5)):
        self.p = p

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile(self.p, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def constant(p, counts, resampled, **params):
    """Fitted on classes 0, 1, ... of `counts` rows, brought to `resampled`."""
    y = np.repeat(np.arange(len(counts)), counts)
    sampler = RandomOverSampler(sampling_strategy=dict(enumerate(resampled)))
    model = PriorCorrectedClassifier(make_pipeline(sampler, Constant(p)), **params)
    return model.fit(np.zeros((len(y), 1)), y)


def logistic_truth(n, rng):
    """Rows, classes of prevalence 7% or so, and their true probabilities."""
    X = rng.normal(size=(n, 3))
    p = 1 / (1 + np.exp(3.5 - X @ [1.0, 1.0, 0.0]))
    return X, (rng.uniform(size=n) < p).astype(int), p


# Numbers


@pytest.mark.parametrize(
    "p, counts, resampled, expected",
    [
        # Odds of 1 on the balanced table are the odds 1/4 of the table.
        ((0.5, 0.5), (80, 20), (80, 80), (0.8, 0.2)),
        # Odds of 3, times 20/80.
        ((0.25, 0.75), (80, 20), (80, 80), (4 / 7, 3 / 7)),
        # Half-way only: odds of 1 times (20/80) / (40/80).
        ((0.5, 0.5), (80, 20), (80, 40), (2 / 3, 1 / 3)),
        # Certainty stays.
        ((0.0, 1.0), (80, 20), (80, 80), (0.0, 1.0)),
        # .2 * .6, .3 * .3, .5 * .1 over .26.
        ((0.2, 0.3, 0.5), (60, 30, 10), (60, 60, 60), (12 / 26, 9 / 26, 5 / 26)),
        # Class 2 is not added to: weights 50/40, 10/40, 40/40 of .4, .4, .2.
        ((0.4, 0.4, 0.2), (50, 10, 40), (50, 50, 50), (0.625, 0.125, 0.25)),
        ((0.4, 0.4, 0.2), (40, 10, 50), (40, 20, 50), (1 / 2, 1 / 4, 1 / 4)),
    ],
)
def test_known_numbers(p, counts, resampled, expected):
    model = constant(p, counts, resampled)
    assert_allclose(model.class_prior_, np.divide(counts, sum(counts)))
    assert_allclose(model.training_prior_, np.divide(resampled, sum(resampled)))
    assert_allclose(model.predict_proba(np.zeros((2, 1))), [expected] * 2, rtol=1e-12)
    with np.errstate(divide="ignore"):
        logs = np.log([expected])
    assert_allclose(model.predict_log_proba(np.zeros((1, 1))), logs, rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_two_classes_follow_the_formula_of_dal_pozzolo(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(10, 100, 2)
    more = rng.integers(0, 100, 2)
    p_s = rng.uniform()
    got = constant((1 - p_s, p_s), (a, b), (a + more[0], b + more[1]))
    beta = (b / a) / ((b + more[1]) / (a + more[0]))
    expected = beta * p_s / ((beta - 1) * p_s + 1)
    assert got.predict_proba(np.zeros((1, 1)))[0, 1] == pytest.approx(expected, rel=1e-12)


def test_decision():
    rows = np.zeros((1, 1))
    by_the_classifier = constant((0.4, 0.6), (80, 20), (80, 80))
    assert by_the_classifier.predict(rows) == [1]
    by_probability = constant((0.4, 0.6), (80, 20), (80, 80), decision="corrected")
    assert by_probability.predict(rows) == [0]
    for model in (by_the_classifier, by_probability):
        assert_allclose(model.predict_proba(rows), [[0.4 / 0.55, 0.15 / 0.55]])


# The null: nothing is resampled, or shares are kept


@pytest.mark.parametrize(
    "clf",
    [
        LogisticRegression(max_iter=1000),
        RandomForestClassifier(5, random_state=0),
        Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())]),
        PlainPipeline([("scale", StandardScaler()), ("clf", LogisticRegression())]),
    ],
    ids=["logistic", "forest", "pipeline", "plain pipeline"],
)
@pytest.mark.parametrize("counts", [(60, 20), (30, 20, 11)], ids=str)
def test_without_a_sampler_nothing_changes(clf, counts):
    X, y = make_table(counts, 5, seed=0)
    expected = clone(clf).fit(X, y)
    model = PriorCorrectedClassifier(clf).fit(X, y)
    assert_array_equal(model.class_prior_, model.training_prior_)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(model.predict(X), expected.predict(X))
    assert hasattr(model, "decision_function") == hasattr(clf, "decision_function")


def test_a_sampler_that_keeps_the_shares_changes_nothing():
    X, y = make_table((60, 20), 5, seed=0)
    sampler = RandomOverSampler(sampling_strategy={0: 180, 1: 60}, random_state=0)
    model = PriorCorrectedClassifier(make_pipeline(sampler, LogisticRegression()))
    model.fit(X, y)
    assert_array_equal(model.class_prior_, model.training_prior_)
    assert_array_equal(model.predict_proba(X), model.estimator_.predict_proba(X))


# The effect


@pytest.mark.parametrize(
    "sampler", [RandomOverSampler, RandomUnderSampler], ids=lambda cls: cls.__name__
)
@pytest.mark.parametrize("seed", range(3))
def test_mean_probability_is_the_prevalence(sampler, seed):
    rng = np.random.default_rng(seed)
    X, y, _ = logistic_truth(10_000, rng)
    X_new, y_new, p_new = logistic_truth(10_000, rng)
    pipeline = make_pipeline(sampler(random_state=seed), LogisticRegression(C=1e6))
    model = PriorCorrectedClassifier(pipeline).fit(X, y)
    p = model.predict_proba(X_new)[:, 1]
    # That of the sample learned from, and that of the new one.
    error = np.sqrt(2 * y_new.var() / len(y_new))
    assert abs(p.mean() - y_new.mean()) < 4 * error
    shifted = model.estimator_.predict_proba(X_new)[:, 1]
    assert shifted.mean() - y_new.mean() > 20 * error
    # Row by row too: it is the true probability that comes back.
    assert np.abs(p - p_new).mean() < 0.02 < 0.1 < np.abs(shifted - p_new).mean()


def test_ranking_and_balanced_accuracy_are_kept():
    rng = np.random.default_rng(0)
    X, y, _ = logistic_truth(3000, rng)
    model = PriorCorrectedClassifier(
        make_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    ).fit(X, y)
    shifted = model.estimator_.predict_proba(X)[:, 1]
    p = model.predict_proba(X)[:, 1]
    assert_array_equal(np.argsort(p, kind="stable"), np.argsort(shifted, kind="stable"))
    assert roc_auc_score(y, p) == roc_auc_score(y, shifted)
    assert_array_equal(model.predict(X), model.estimator_.predict(X))
    assert_array_equal(model.decision_function(X), model.estimator_.decision_function(X))
    kept = balanced_accuracy_score(y, model.predict(X))
    assert kept > balanced_accuracy_score(y, p > 0.5) + 0.1
    corrected = clone(model).set_params(decision="corrected").fit(X, y)
    assert_array_equal(corrected.predict(X), p > 0.5)
    # Scores whose zero is elsewhere would contradict `predict`.
    assert not hasattr(corrected, "decision_function")


def test_string_labels():
    X, y = make_table((60, 30, 10), 5, seed=0, labels=["mild", "none", "severe"])
    pipeline = make_pipeline(
        SMOTE(k_neighbors=3, random_state=0), LogisticRegression(max_iter=1000)
    )
    model = PriorCorrectedClassifier(pipeline).fit(X, y)
    assert model.classes_.tolist() == ["mild", "none", "severe"]
    assert_allclose(model.class_prior_, [0.6, 0.3, 0.1])
    assert_allclose(model.training_prior_, [1 / 3] * 3)
    codes, code_of = np.unique(y, return_inverse=True)
    numbers = clone(model).fit(X, code_of)
    assert_array_equal(numbers.predict_proba(X), model.predict_proba(X))
    assert_array_equal(codes[numbers.predict(X)], model.predict(X))
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.n_features_in_ == 5


# Where classes are counted


def resampled(shares=(0.5, 0.5)):
    return pytest.approx(np.array(shares))


# joblib warns where a busy disk is slow.
@pytest.mark.filterwarnings("ignore:Persisting input arguments")
@pytest.mark.parametrize("memory", [False, True], ids=["", "memory"])
def test_pipelines_look_as_given(table, memory, tmp_path):
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("over", RandomOverSampler(random_state=0)),
            ("clf", LogisticRegression()),
        ],
        memory=str(tmp_path) if memory else None,
    )
    for _ in range(2):
        model = PriorCorrectedClassifier(pipeline).fit(*table)
        assert model.training_prior_ == resampled()
        assert list(model.estimator_.named_steps) == ["scale", "over", "clf"]
        assert [name for name, _ in pipeline.steps] == ["scale", "over", "clf"]
        assert not hasattr(pipeline["clf"], "coef_")
    expected = clone(pipeline).fit(*table).predict_proba(table[0])
    assert_array_equal(model.estimator_.predict_proba(table[0]), expected)


def nestings():
    over = RandomOverSampler(sampling_strategy=0.8, random_state=0)
    under = RandomUnderSampler(random_state=0)
    clf = LogisticRegression(max_iter=1000)
    yield "several", make_pipeline(over, StandardScaler(), under, clf)
    yield "sampler outside", make_pipeline(over, make_pipeline(StandardScaler(), clf))
    yield "sampler inside", make_pipeline(StandardScaler(), make_pipeline(over, clf))
    yield "both", make_pipeline(over, make_pipeline(under, clf))
    inside = make_pipeline(under, clf)
    yield (
        "in a plain pipeline",
        PlainPipeline([("scale", StandardScaler()), ("in", inside)]),
    )
    around = PlainPipeline([("scale", StandardScaler()), ("clf", clf)])
    yield "plain inside", make_pipeline(over, around)
    grid = {"logisticregression__C": [0.1, 1.0]}
    yield "search", GridSearchCV(make_pipeline(over, clf), grid, cv=2)
    yield "search inside", make_pipeline(over, GridSearchCV(clf, {"C": [0.1, 1.0]}, cv=2))
    yield (
        "search between",
        make_pipeline(over, GridSearchCV(make_pipeline(under, clf), grid, cv=2)),
    )
    yield (
        "search of samplers",
        GridSearchCV(
            Pipeline([("sampler", "passthrough"), ("clf", clf)]), {"sampler": [under]}, cv=2
        ),
    )


@pytest.mark.parametrize(
    "name, estimator", nestings(), ids=[name for name, _ in nestings()]
)
def test_nested(table, name, estimator):
    X, y = table
    model = PriorCorrectedClassifier(estimator).fit(X, y)
    balanced = name in ("several", "both", "in a plain pipeline", "search between")
    balanced |= name == "search of samplers"
    assert model.training_prior_ == resampled((0.5, 0.5) if balanced else (5 / 9, 4 / 9))
    expected = clone(estimator).fit(X, y)
    assert_array_equal(model.estimator_.predict_proba(X), expected.predict_proba(X))
    assert "class_counter" not in repr(model.estimator_.get_params())
    assert "class_counter" not in repr(model.get_params())
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_grid_search_around(table):
    X, y = table
    pipeline = Pipeline([("over", SMOTE(random_state=0)), ("clf", LogisticRegression())])
    grid = {
        "estimator__clf__C": [0.01, 1.0],
        "estimator__over": ["passthrough", RandomOverSampler(random_state=0)],
        "decision": ["resampled", "corrected"],
    }
    search = GridSearchCV(
        PriorCorrectedClassifier(pipeline), grid, cv=3, scoring="neg_log_loss"
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # Log-loss sees probabilities, which do not depend on how `predict` decides.
    by_decision = search.cv_results_["mean_test_score"].reshape(2, -1)
    assert_array_equal(by_decision[0], by_decision[1])


def test_inside_other_estimators(table):
    X, y = table
    model = PriorCorrectedClassifier(
        make_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    )
    p = cross_val_predict(model, X, y, cv=4, method="predict_proba")[:, 1]
    assert abs(p.mean() - y.mean()) < 0.1
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X, y)
    assert abs(calibrated.predict_proba(X)[:, 1].mean() - y.mean()) < 0.05
    bagged = BaggingClassifier(model, n_estimators=3, random_state=0).fit(X, y)
    assert np.isfinite(bagged.predict_proba(X)).all()


def test_gan_and_groups_are_routed(table):
    X, y = table
    groups = np.arange(len(X)) // 2
    short = {"max_iter": 20, "hidden_layer_sizes": (8,), "checks": (), "random_state": 0}
    direct = GANOverSampler(**short)
    direct.fit_resample(X, y, groups=groups)
    weights = np.linspace(1, 2, len(X))
    with config_context(enable_metadata_routing=True):
        sampler = GANOverSampler(**short).set_fit_resample_request(groups=True)
        pipeline = Pipeline([("gan", sampler), ("clf", LogisticRegression(max_iter=1000))])
        model = PriorCorrectedClassifier(pipeline).fit(X, y, groups=groups)
        weighted = PriorCorrectedClassifier(
            LogisticRegression(max_iter=1000).set_fit_request(sample_weight=True)
        ).fit(X, y, sample_weight=weights)
    assert model.estimator_["gan"].history_ == direct.history_
    assert model.training_prior_ == resampled()
    expected = LogisticRegression(max_iter=1000).fit(X, y, sample_weight=weights)
    assert_array_equal(weighted.predict_proba(X), expected.predict_proba(X))
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        PriorCorrectedClassifier(pipeline).fit(X, y, groups=groups)


# A prior that is stated


def test_balanced_class_weights_are_a_uniform_prior():
    rng = np.random.default_rng(0)
    X, y, p = logistic_truth(20_000, rng)
    weighted = LogisticRegression(C=1e6, class_weight="balanced")
    model = PriorCorrectedClassifier(weighted, training_prior="uniform").fit(X, y)
    assert_array_equal(model.training_prior_, [0.5, 0.5])
    assert np.abs(model.predict_proba(X)[:, 1] - p).mean() < 0.02
    # Weights are not seen, as documented.
    unseen = clone(model).set_params(training_prior="auto").fit(X, y)
    assert_array_equal(unseen.predict_proba(X), model.estimator_.predict_proba(X))
    by_class = clone(model).set_params(training_prior={1: 0.5, 0: 0.5}).fit(X, y)
    assert_array_equal(by_class.predict_proba(X), model.predict_proba(X))


def test_a_fitted_classifier_with_its_prior(table):
    X, y = table
    pipeline = make_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    expected = PriorCorrectedClassifier(pipeline).fit(X, y)
    frozen = FrozenEstimator(clone(pipeline).fit(X, y))
    model = PriorCorrectedClassifier(frozen, training_prior="uniform").fit(X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# Errors


@pytest.mark.parametrize(
    "estimator, message",
    [
        (
            BaggingClassifier(make_pipeline(SMOTE(), LogisticRegression())),
            "BaggingClassifier resamples inside itself.*around each of them",
        ),
        (
            make_pipeline(StandardScaler(), BalancedRandomForestClassifier(5)),
            "BalancedRandomForestClassifier resamples inside itself.*training_prior",
        ),
        (FrozenEstimator(Constant().fit([[0]], [0])), "FrozenEstimator.*training_prior"),
        (
            GridSearchCV(
                Pipeline([("clf", LogisticRegression())]),
                {"clf": [make_pipeline(RandomOverSampler(), LogisticRegression())]},
                cv=2,
            ),
            "pipeline of its own",
        ),
        (LinearSVC(), "'estimator' .* must be an object implementing .* 'predict_proba'"),
        (make_pipeline(SMOTE(), LinearSVC()), "implementing .* 'predict_proba'"),
        (GridSearchCV(LogisticRegression(), {}, refit=False), "'predict_proba'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_counted_is_refused(table, estimator, message):
    with pytest.raises(ValueError, match=message):
        PriorCorrectedClassifier(estimator).fit(*table)


def test_what_resamples_inside_goes_with_a_stated_prior(table):
    forest = BalancedRandomForestClassifier(
        20, sampling_strategy="all", replacement=True, bootstrap=False, random_state=0
    )
    model = PriorCorrectedClassifier(forest, training_prior="uniform").fit(*table)
    shifted = model.estimator_.predict_proba(table[0])[:, 1].mean()
    assert model.predict_proba(table[0])[:, 1].mean() < shifted


@pytest.mark.parametrize(
    "labels, message",
    [((0, 0), r"removed \[1\] and added \[\]"), ((0, 2), r"removed \[1\] and added \[2\]")],
)
def test_resampling_must_keep_the_classes(table, labels, message):
    X, y = table
    relabel = FunctionSampler(func=lambda X, y: (X, np.asarray(labels)[y]))
    model = PriorCorrectedClassifier(make_pipeline(relabel, Constant()))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_a_frozen_classifier_of_other_classes(table):
    X, y = table
    other = FrozenEstimator(Constant().fit(X, y + 1))
    model = PriorCorrectedClassifier(other, training_prior="uniform")
    with pytest.raises(ValueError, match=r"classes \[0, 1\], but .* learned \[1, 2\]"):
        model.fit(X, y)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"decision": "best"}, "'decision' parameter"),
        ({"training_prior": "balanced"}, "'training_prior' parameter"),
        ({"training_prior": {0: 1.0}}, "leaves out classes that y holds"),
        ({"training_prior": {0: 0.9, 1: 0.2}}, "training_prior must sum to 1"),
        ({"training_prior": {0: 1.0, 1: 0.0}}, r"is 0 for classes \[1\]"),
    ],
    ids=str,
)
def test_parameters_are_validated(table, params, message):
    with pytest.raises(ValueError, match=message):
        PriorCorrectedClassifier(LogisticRegression(), **params).fit(*table)


def test_inputs_are_validated(table):
    X, y = table
    model = PriorCorrectedClassifier(LogisticRegression())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, np.linspace(0, 1, len(X)))
    with pytest.raises(ValueError, match="should be a 1d array"):
        model.fit(X, pd.get_dummies(y))


def test_inputs_are_left_alone(table):
    X, y = table
    copies = X.copy(), y.copy()
    PriorCorrectedClassifier(make_pipeline(SMOTE(), LogisticRegression())).fit(X, y)
    pd.testing.assert_frame_equal(X, copies[0], check_exact=True)
    pd.testing.assert_series_equal(y, copies[1], check_exact=True)
