"""Shortcuts are found where they are, and not where they are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import laplace
from scipy.stats import binomtest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from gansampler.audit import audit_model, find_shortcut
from gansampler.audit._intervals import reversal, share, shift
from gansampler.audit._sites import _auc
from gansampler.datasets import load_hcc_tace, make_ct_phantoms

CLASSIFIERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(30, random_state=0),
}


def features(X):
    """What tells texture from noise, in the lesion."""
    rows = []
    for image, mask in X.astype(float):
        inside = mask > 0
        steps = [
            np.diff(image, axis=axis)[tuple(slice(15) for _ in "zyx")] for axis in range(3)
        ]
        rows.append(
            {
                "mean": image[inside].mean(),
                "sd": np.log(image[inside].std()),
                "laplacian": np.log(laplace(image)[inside].std()),
                "noise": np.log(laplace(image)[~inside].std()),
                "step": np.log(np.std(steps)),
                "size": inside.sum(),
            }
        )
    return pd.DataFrame(rows)


def swap(label, agreement, rng):
    """Labels with a share of each class exchanged."""
    swapped = label.copy()
    for k in (0, 1):
        rows = rng.permutation(np.flatnonzero(label == k))
        swapped[rows[: round((1 - agreement) * len(rows))]] = 1 - k
    return swapped


def toy(n, agreement, seed, n_features=6, effect=1.0):
    """Column 0 tells the scanner, column 1 the class: (X, other X, y, scanner)."""
    rng = np.random.RandomState(seed)
    y = rng.permutation(np.arange(n) % 2)
    scanner = swap(y, agreement, rng)
    X = rng.normal(size=(n, n_features))
    X[:, 1] += 2 * effect * y
    other = X.copy()
    X[:, 0] += 6 * scanner
    other[:, 0] += 6 * (1 - scanner)
    return X, other, y, scanner


def audited(agreement, classifier, seed=0, **arguments):
    """Trained on scanners that agree with the class, audited on scanners that do not."""
    X, _, y, _ = toy(60, agreement, seed)
    X_new, other, y_new, scanner = toy(100, 0.5, seed + 1000)
    arguments = {"nuisance": scanner, "n_evaluations": 0} | arguments
    return audit_model(classifier.fit(X, y), X_new, other, y_new, **arguments)


class Threshold(ClassifierMixin, BaseEstimator):
    """Class 1 where the sum of some columns is above 0; offers `predict` alone."""

    def __init__(self, columns=(0,)):
        self.columns = columns

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return (np.asarray(X)[:, list(self.columns)].sum(axis=1) > 0).astype(int)


class Linear(Threshold):
    """Probability of class 1 that is linear in the features."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X):
        p = 0.5 + np.asarray(X, dtype=float) @ np.asarray(self.columns)
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


@pytest.fixture(scope="module")
def phantoms():
    """Tables of 120 phantoms under either kernel, and labels; for each of two seeds."""
    found = []
    for seed in range(2):
        both = [
            make_ct_phantoms(120, kernel=kernel, size=16, random_state=seed)
            for kernel in ("soft", "sharp")
        ]
        found.append(([features(X) for X, _ in both], both[0][1]))
    return found


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("agreement", [0.95, 0.5])
def test_kernel_of_phantoms(phantoms, name, agreement):
    for seed, (tables, y) in enumerate(phantoms):
        coarse = (y == "coarse").astype(int)
        rng = np.random.RandomState(seed)

        def under(kernel, rows, tables=tables):
            soft, sharp = (table.to_numpy()[rows] for table in tables)
            return pd.DataFrame(
                np.where(kernel[:, None], sharp, soft), columns=tables[0].columns
            )

        learned, new = np.arange(40), np.arange(40, 120)
        kernel = swap(coarse[learned], agreement, rng)
        classifier = CLASSIFIERS[name].fit(under(kernel, learned), y[learned])
        seen = swap(coarse[new], 0.5, rng)
        audit = audit_model(
            classifier,
            under(seen, new),
            under(1 - seen, new),
            y[new],
            nuisance=np.where(seen, "sharp", "soft"),
            random_state=0,
        )
        if agreement == 0.95:
            assert audit.verdict == "shortcut" and audit.flip_rate > 0.1, str(audit)
            assert (
                audit.shifts.loc[("sharp -> soft", "predicted", "coarse"), "shift"] < -0.1
            )
            assert "mean" not in audit.features.index[:2]
            assert "size" not in audit.features.index  # it does not change
        else:
            assert audit.verdict != "shortcut", str(audit)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_confounded_is_caught_and_balanced_is_not(name):
    caught = [audited(0.95, CLASSIFIERS[name], seed) for seed in range(5)]
    assert {audit.verdict for audit in caught} == {"shortcut"}
    assert np.mean([audit.flip_rate for audit in caught]) > 0.5
    left = [audited(0.5, CLASSIFIERS[name], seed).verdict for seed in range(20)]
    assert left.count("shortcut") == 0 and left.count("no shortcut") >= 5


def test_flips_to_and_fro_are_no_shortcut():
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(40):
        X, noise = rng.normal(size=(2, 100, 1))
        scanner = rng.integers(2, size=100)
        audit = audit_model(Threshold(), X, X + noise, nuisance=scanner)
        assert audit.flip_rate > 0.1
        verdicts.append(audit.verdict)
    assert verdicts.count("shortcut") <= 4


def test_two_scanners_without_nuisance():
    reversed_ = audited(0.95, DecisionTreeClassifier(max_depth=1), nuisance=None)
    assert reversed_.verdict == "shortcut" and "contrary" in reversed_.reason
    assert np.abs(reversed_.shifts["shift"]).max() < 0.2

    X, other, *_ = toy(100, 0.5, 0)
    X[:70, 0] = other[:70, 0]  # a third of the rows flips, to and fro
    X, other = X - 3, other - 3
    audit = audit_model(Threshold(), X, other)
    assert audit.verdict == "undetermined" and "`nuisance`" in audit.reason
    still = audit_model(Threshold(), X, X)
    assert still.verdict == "no shortcut" and still.flip_rate == 0


def test_one_way_without_nuisance():
    X = np.random.default_rng(0).normal(size=(60, 2))
    audit = audit_model(Threshold(), X, X + np.array([3, 0]), [0, 1] * 30)
    assert audit.verdict == "shortcut"
    assert audit.features.index.tolist() == ["feature_0"]
    assert audit.features["contribution"].iloc[0] == pytest.approx(audit.flip_rate)
    named = audit_model(Threshold(), X, X + np.array([3, 0]), nuisance="A")
    assert named.shifts.index[0][0] == "A -> counterfactual"
    assert set(named.flips.index.get_level_values("by")) == {"all", "nuisance", "predicted"}


def test_what_happens_either_way_is_an_artefact():
    X, _, y, scanner = toy(200, 0.5, 0)
    audit = audit_model(Threshold((2,)), X, X + 0.8, y, nuisance=scanner)
    assert audit.verdict != "shortcut"
    either = audit.shifts.loc[("either way", "predicted", 1)]
    assert either["shift"] > 0.15 and either["low"] > 0


def test_three_scanners():
    rng = np.random.default_rng(0)
    shown, then = rng.choice(["a", "b", "c"], size=(2, 300))
    X = rng.normal(size=(300, 2))
    X_then = X + np.outer(4.0 * (then == "c") - 4.0 * (shown == "c"), [1, 0])
    audit = audit_model(
        Threshold(), X - 2, X_then - 2, nuisance=shown, nuisance_counterfactual=then
    )
    assert audit.verdict == "shortcut"
    size = audit.shifts["shift"].abs().groupby(level="comparison").max()
    assert set(size.index) == {"a -> b", "a -> c", "b -> c", "either way"}
    assert size["a -> b"] == 0 and min(size["a -> c"], size["b -> c"]) > 0.4
    with pytest.raises(ValueError, match="nuisance_counterfactual"):
        audit_model(Threshold(), X, X_then, nuisance=shown)


@pytest.mark.parametrize(
    ("classifier", "expected"),
    [
        (LinearSVC(), {"predicted", "probability"}),
        (SVC(), {"predicted", "probability"}),
        (DecisionTreeClassifier(max_depth=1), {"predicted", "probability"}),
        (make_pipeline(StandardScaler(), Threshold()), {"predicted"}),
    ],
    ids=["LinearSVC", "SVC", "tree", "predict alone"],
)
def test_any_classifier(classifier, expected):
    audit = audited(1.0, classifier, n_evaluations=2000)
    outcomes = set(audit.shifts.index.get_level_values("outcome"))
    assert audit.verdict == "shortcut" and audit.features.index[0] == "feature_0"
    assert outcomes == expected


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_several_classes(shape):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(["a", "b", "c", "d"], 40))
    X = rng.normal(size=(160, 3)) + 4 * (y == "c")[:, None]
    X[:, 1] += 3 * (y == "a")
    classifier = SVC(decision_function_shape=shape).fit(X, y)
    audit = audit_model(classifier, X, X + np.array([0, 3, 0]), y, n_evaluations=3000)
    assert audit.verdict == "shortcut"
    assert audit.shifts.groupby(level="outcome")["shift"].sum().abs().max() < 1e-9
    assert set(audit.flips.loc["true class"].index) <= {"a", "b", "c", "d"}
    found = find_shortcut(classifier, X, y, rng.integers(3, size=160), n_permutations=99)
    assert len(found.shifts) == 12 and found.verdict != "shortcut"


class Reversed(ClassifierMixin, BaseEstimator):
    """A logistic regression whose classes_ are a list, the last class first."""

    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_[::-1].tolist()
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)[:, ::-1]


@pytest.mark.parametrize(
    "classes", [["benign", "malignant"], ["benign", "malignant", "unclear"]], ids=len
)
def test_order_of_classes_does_not_matter(classes):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.resize(classes, 90))
    site = np.arange(90) % 2
    X = rng.normal(size=(90, 3))
    X[:, 0] += 3 * site
    X[:, 1] += 2 * np.unique(y, return_inverse=True)[1]
    other = X + np.outer(3 - 6 * site, [1, 0, 0])
    audits, found = [], []
    for classifier in (LogisticRegression(), Reversed()):
        model = clone(classifier).fit(X, y)
        audits.append(audit_model(model, X, other, y, nuisance=site, random_state=0))
        found.append(find_shortcut(classifier, X, y, site, random_state=0))
    for expected, ours in (audits, found):
        assert ours.verdict == expected.verdict
        pd.testing.assert_series_equal(ours.evidence, expected.evidence)
        pd.testing.assert_frame_equal(
            ours.shifts.sort_index(), expected.shifts.sort_index()
        )
    pd.testing.assert_frame_equal(
        audits[1].flips.sort_index(), audits[0].flips.sort_index()
    )
    with pytest.raises(ValueError, match=r"y: \['odd'\] are not among the classes"):
        audit_model(model, X, other, np.where(site, "odd", y))


def test_attribution_is_exact_for_a_linear_model():
    X, other, *_ = toy(50, 0.5, 0)
    other[:, 2] += 0.5
    other[:, 3] = -other[:, 3]
    weights = np.array([0.01, 0, 0.02, 0, 0, 0])
    audit = audit_model(Linear(weights), X, other, random_state=0)
    expected = np.abs((other - X) @ weights).mean()
    contributions = audit.features["contribution"]
    assert contributions.sum() == pytest.approx(expected)
    assert contributions["feature_3"] == pytest.approx(0, abs=1e-12)
    assert {"feature_1", "feature_4", "feature_5"}.isdisjoint(contributions.index)
    few = audit_model(Linear(weights), X, other, n_evaluations=20, random_state=0)
    assert few.features["contribution"].idxmax() in {"feature_0", "feature_2"}


def test_attribution_groups_columns_that_go_together():
    X, other, y, scanner = toy(80, 0.5, 0)
    wide, wide_other = (
        np.column_stack([table, table[:, [0] * 500] * 3 + 1, table[:, [1] * 300]])
        for table in (X, other)
    )
    wide_other[:, 506:] += 0.1
    classifier = LogisticRegression().fit(wide, scanner)
    audit = audit_model(
        classifier,
        wide,
        wide_other,
        y,
        nuisance=scanner,
        n_evaluations=1000,
        random_state=0,
    )
    first = audit.features.iloc[0]
    assert len(first["members"]) == 501 and first["members"][0] == "feature_0"
    assert len(audit.features) == 2
    shift_of_1 = audit.shifts.loc[("0 -> 1", "probability", 1), "shift"]
    assert audit.features["contribution"].sum() == pytest.approx(abs(shift_of_1))


def test_table_with_categories():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(20, 90, size=80),
            "scanner": pd.Categorical(rng.choice(["A", "B"], size=80)),
            "x": rng.normal(size=80),
        },
        index=np.arange(80) + 7,
    )
    other = table.assign(
        scanner=table["scanner"].cat.rename_categories({"A": "B", "B": "A"})
    )
    other["scanner"] = pd.Categorical(other["scanner"], categories=["A", "B"])
    other["age"] += 0.5
    y = (table["scanner"] == "A").astype(int)
    encode = make_column_transformer(
        (OneHotEncoder(), ["scanner"]), (StandardScaler(), ["age", "x"])
    )
    classifier = make_pipeline(encode, LogisticRegression()).fit(table, y)
    before = table.copy()
    audit = audit_model(classifier, table, other, y, nuisance=table["scanner"])
    pd.testing.assert_frame_equal(table, before, check_exact=True)
    assert audit.verdict == "shortcut"
    assert audit.features.index.tolist() == ["scanner", "age"]
    assert audit.accuracy == 1 and audit.accuracy_after == 0


def test_volumes():
    soft, y = make_ct_phantoms(40, kernel="soft", size=16, random_state=0)
    sharp, _ = make_ct_phantoms(40, kernel="sharp", size=16, random_state=0)
    X = np.concatenate([soft[:20], sharp[20:]])
    other = np.concatenate([sharp[:20], soft[20:]])
    kernel = np.repeat(["soft", "sharp"], 20)
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    classifier.fit(features(X), kernel == "sharp")
    audit = audit_model(classifier, X, other, nuisance=kernel, extractor=features)
    assert audit.verdict == "shortcut" and audit.flip_rate > 0.5
    assert len(audit.features) and np.isnan(audit.accuracy)

    inside = make_pipeline(FunctionTransformer(features), classifier)
    whole = audit_model(inside, X, other, nuisance=kernel)
    pd.testing.assert_frame_equal(whole.shifts, audit.shifts, check_exact=True)
    assert whole.features is None and "features" not in whole.summary()

    found = find_shortcut(inside, X, y, kernel, n_permutations=99, random_state=0)
    assert found.features is None and found.evidence["auc_site"] > 0.7


def test_patients_are_not_independent():
    X, other, y, scanner = toy(60, 0.5, 0)
    classifier = Threshold((0, 1)).fit(X, y)
    four = [np.repeat(part, 4, axis=0) for part in (X, other, y, scanner)]
    one = audit_model(classifier, X, other, y, nuisance=scanner)
    rows = audit_model(classifier, *four[:3], nuisance=four[3])
    patients = audit_model(
        classifier, *four[:3], nuisance=four[3], groups=np.repeat(np.arange(60), 4)
    )
    for part in ("shifts", "flips"):
        first, *others = (
            (frame["high"] - frame["low"]).clip(1e-12)
            for frame in (getattr(audit, part) for audit in (one, rows, patients))
        )
        assert (others[0] < 0.8 * first)[first > 1e-9].all()
        assert np.allclose(others[1], first, rtol=0.05)
    assert patients.evidence["n_groups"] == 60


def test_intervals():
    hits = np.arange(100) < 10
    expected = binomtest(10, 100).proportion_ci(method="wilson")
    assert share(hits, np.arange(100), 0.05)[1:] == pytest.approx(tuple(expected))
    none = share(np.zeros(40), np.repeat(np.arange(10), 4), 0.05)
    expected = binomtest(0, 10).proportion_ci(method="wilson")
    assert none[1:] == pytest.approx(tuple(expected))

    values, ones = np.repeat([1.0, -1.0, 0.0], [20, 5, 75]), np.ones(100)
    found = shift(values, ones, np.arange(100), 0.05, flips=True)
    # Bonett and Price with Student's quantile and the variance over n - 1.
    p, q, n = 21 / 102, 6 / 102, 102
    error = np.sqrt((p + q - (p - q) ** 2) / (n - 1))
    assert found.value == pytest.approx(0.15)
    assert found.high == pytest.approx(p - q + 1.98422 * error, abs=1e-5)
    # Nothing flipped among few rows proves little, and a single patient nothing.
    few = shift(np.zeros(8), np.ones(8), np.arange(8), 0.05, flips=True)
    assert few.value == 0 and few.high > 0.2
    one = shift(np.full(8, 0.3), np.ones(8), np.zeros(8, int), 0.05, flips=False)
    assert one == (0.3, -1, 1)
    # Both ways count alike, however many rows went each.
    signs = np.repeat([1.0, -1.0], [90, 10])
    artefact = shift(np.ones(100), signs, np.arange(100), 0.05, flips=True)
    assert artefact.value == 0

    before = np.arange(200) % 2
    assert reversal(before, 1 - before, 2, np.arange(200), 0.05).low > 0.4
    assert reversal(before, before, 2, np.arange(200), 0.05).high < -0.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_counterfactual": np.zeros((9, 6))}, "row i"),
        ({"X_counterfactual": np.zeros((20, 5))}, "shapes"),
        ({"y": np.zeros(9)}, "y has 9"),
        ({"y": np.full(20, 7)}, "not among the classes"),
        ({"nuisance": np.zeros(9)}, "nuisance has 9"),
        ({"nuisance": [None, *"abababababababababa"]}, "missing"),
        ({"nuisance": "a", "nuisance_counterfactual": "a"}, "nothing was changed"),
        ({"nuisance": None, "nuisance_counterfactual": "a"}, "what does X show"),
        ({"groups": np.zeros(9)}, "groups has 9"),
        ({"tolerance": 0}, "tolerance must"),
        ({"alpha": 1.5}, "alpha must"),
        ({"extractor": lambda X: X[:3]}, "extractor returned 3 rows"),
    ],
)
def test_bad_pairs_are_refused(change, message):
    X, other, y, scanner = toy(20, 0.5, 0)
    classifier = LogisticRegression().fit(X, y)
    arguments = {"X_counterfactual": other, "y": y, "nuisance": scanner} | change
    with pytest.raises(ValueError, match=message):
        audit_model(classifier, X, **arguments)


def test_columns_must_be_the_same():
    X, other, *_ = toy(20, 0.5, 0)
    X, other = pd.DataFrame(X), pd.DataFrame(other).rename(columns={3: "three"})
    with pytest.raises(ValueError, match="three"):
        audit_model(Threshold(), X, other)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_sites_that_agree_with_labels_are_found(name):
    for seed in range(3):
        X, _, y, site = toy(150, 0.9, seed)
        audit = find_shortcut(
            CLASSIFIERS[name], X, y, site, n_permutations=199, random_state=seed
        )
        assert audit.verdict == "shortcut", str(audit)
        row = audit.shifts.iloc[0]
        assert row["shift"] > 0.1 and row["excess"] == pytest.approx(0.8, abs=0.05)
        assert audit.features.index[0] == "feature_0"
        assert audit.evidence["auc_across"] > audit.evidence["auc_within"] + 0.02
        assert audit.evidence["p_value"] == 1 / 200
        assert audit.evidence["auc_site"] > 0.95
        assert audit.flips is None and np.isnan(audit.flip_rate)


def test_sites_that_do_not_are_not():
    verdicts, p_values = [], []
    for seed in range(12):
        X, _, y, site = toy(150, 0.5, seed)
        audit = find_shortcut(
            LogisticRegression(), X, y, site, n_permutations=99, random_state=seed
        )
        verdicts.append(audit.verdict)
    # Half of them, or one less: it hangs on the last bits of a fit.
    assert verdicts.count("shortcut") == 0 and verdicts.count("no shortcut") >= 4
    rng = np.random.default_rng(0)
    for seed in range(40):
        X, _, y, _ = toy(60, 0.5, seed)
        site = rng.integers(3, size=60)
        audit = find_shortcut(
            Threshold((1,)), X, y, site, n_permutations=19, random_state=seed
        )
        p_values.append(audit.evidence["p_value"])
    assert np.mean(np.array(p_values) <= 0.1) < 0.25 and np.mean(p_values) > 0.35


def test_sites_that_coincide_with_labels_settle_nothing():
    X, _, y, site = toy(40, 1.0, 0)
    audit = find_shortcut(LogisticRegression(), X, y, site, n_permutations=49)
    assert audit.verdict == "undetermined" and "audit_model" in audit.reason
    assert audit.evidence["association"] == pytest.approx(1)
    assert np.isnan(audit.evidence["auc_within"])


def test_area_under_the_curve_of_pairs():
    rng = np.random.default_rng(0)
    score, label, strata = rng.integers(9, size=80) / 9, *rng.integers(2, size=(2, 80))
    p = np.column_stack([1 - score, score])
    for same in (True, False):
        pairs = [
            (score[i] > score[j]) + (score[i] == score[j]) / 2
            for i in np.flatnonzero(label == 1)
            for j in np.flatnonzero(label == 0)
            if (strata[i] == strata[j]) == same
        ]
        assert _auc(p, label, strata, same=same) == pytest.approx(np.mean(pairs))


def test_frozen_classifier():
    X, _, y, _ = toy(60, 1.0, 0)
    classifier = FrozenEstimator(LogisticRegression().fit(X, y))
    X, _, y, site = toy(100, 0.5, 1)
    audit = find_shortcut(classifier, X, y, site, n_permutations=99, random_state=0)
    assert audit.verdict == "shortcut" and np.isnan(audit.evidence["auc_site"])
    constant = FrozenEstimator(DummyClassifier().fit(X, y))
    audit = find_shortcut(constant, X, y, site, n_permutations=99, random_state=0)
    assert audit.verdict == "no shortcut" and audit.evidence["p_value"] == 1


def test_sites_of_patients():
    X, _, y, site = toy(60, 0.8, 0)
    rng = np.random.RandomState(0)
    rows = np.repeat(np.arange(60), 3)
    X = X[rows] + rng.normal(scale=0.1, size=(180, 6))
    labels = y[rows]
    labels[::30] = 1 - labels[::30]  # some patients have lesions of both classes
    audit = find_shortcut(
        LogisticRegression(), X, labels, site[rows], groups=rows, n_permutations=99
    )
    assert audit.evidence["n_groups"] == 60 and audit.evidence["n_rows"] == 180
    noise = rng.normal(size=(60, 6))[rows]
    alone, together = (
        find_shortcut(
            LogisticRegression(), noise, y[rows], site[rows], groups=groups, random_state=0
        )
        for groups in (None, rows)
    )
    width = [one.shifts["high"] - one.shifts["low"] for one in (alone, together)]
    assert (width[1] > 1.2 * width[0]).all()
    with pytest.raises(ValueError, match="several sites"):
        find_shortcut(
            LogisticRegression(), X, labels, rng.permutation(180) % 2, groups=rows
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(20)}, "y must hold two"),
        ({"y": np.arange(20) == 3}, "two patients"),
        ({"sites": np.zeros(20)}, "sites must hold two"),
        ({"sites": [None, *"abababababababababa"]}, "missing"),
        ({"sites": np.zeros(9)}, "sites has 9"),
        ({"cv": 1}, "cv must"),
    ],
)
def test_bad_sites_are_refused(change, message):
    X, _, y, site = toy(20, 0.5, 0)
    with pytest.raises(ValueError, match=message):
        find_shortcut(LogisticRegression(), X, **({"y": y, "sites": site} | change))


def test_results_are_told_and_repeatable():
    X, other, y, scanner = toy(60, 0.9, 0)
    frame = pd.DataFrame(X).add_prefix("x")
    classifier = RandomForestClassifier(20, random_state=0).fit(frame, y)
    state = np.random.get_state()[1].copy()
    audits = [
        audit_model(
            classifier,
            frame,
            pd.DataFrame(other).add_prefix("x"),
            y,
            nuisance=scanner,
            n_evaluations=2000,
            random_state=0,
        )
        for _ in range(2)
    ]
    found = [find_shortcut(classifier, frame, y, scanner, random_state=0) for _ in range(2)]
    assert np.array_equal(state, np.random.get_state()[1])
    for first, second in (audits, found):
        assert str(first) == str(second) and str(first).startswith(first.verdict)
        pd.testing.assert_frame_equal(first.to_frame(), second.to_frame(), check_exact=True)
        pd.testing.assert_frame_equal(first.features, second.features, check_exact=True)
        assert first.reason in first.summary()
    table = audits[0].to_frame()
    assert table.loc[("flips", "all, all"), "value"] == audits[0].flip_rate
    assert table.loc[("evidence", "accuracy"), "value"] == audits[0].accuracy
    assert ((table["low"] <= table["value"]) | table["low"].isna()).all()


def test_real_table():
    X, y = load_hcc_tace(return_X_y=True)
    rng = np.random.RandomState(0)
    site = swap(y.to_numpy(), 0.9, rng)
    moved = X.columns[:60]
    shown, other = X.copy(), X.copy()
    shown[moved] += 3 * site[:, None]
    other[moved] += 3 * (1 - site)[:, None]
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced")
    )
    train, test = np.arange(0, 84, 2), np.arange(1, 84, 2)
    classifier.fit(shown.iloc[train], y.iloc[train])
    audit = audit_model(
        classifier,
        shown.iloc[test],
        other.iloc[test],
        y.iloc[test],
        nuisance=site[test],
        n_evaluations=5000,
    )
    assert audit.verdict == "shortcut"
    names = {name for members in audit.features["members"] for name in members}
    assert names == set(moved)
    found = find_shortcut(classifier, shown, y, site, n_permutations=199, random_state=0)
    assert found.verdict == "shortcut" and set(found.features.index[:5]) <= set(moved)
