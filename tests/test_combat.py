"""ComBat: sites out, covariates and label in."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import needs_routed_scoring, quick
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline as make_plain_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gansampler import ComBat, GansamplerWarning

pytestmark = pytest.mark.filterwarnings("ignore:No sites were given")


@parametrize_with_checks([ComBat(), ComBat(preserve_y=True, new_sites="estimate")])
def test_scikit_learn(estimator, check):
    check(estimator)


def make_sites(n_sites=2, n=60, d=20, seed=0):
    """Rows of sites with shifts and scales, that depend on age and sex as well."""
    rng = np.random.RandomState(seed)
    names = np.array(list("ABCD"))[:n_sites]
    at_least = np.arange(n_sites).repeat(3)
    sites = names[np.r_[at_least, rng.randint(0, n_sites, n - len(at_least))]]
    age, sex = rng.randint(20, 80, n).astype(float), rng.choice(["f", "m"], n)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, d) + 5 * rng.normal(size=d)
    X += 0.02 * np.outer(age, rng.normal(size=d)) + np.outer(sex == "m", rng.normal(size=d))
    for i, name in enumerate(names):
        rows = sites == name
        X[rows] = X[rows] * (1 + 0.5 * i + 0.1 * rng.uniform(size=d)) + i * rng.normal(
            size=d
        )
    return X, sites, pd.DataFrame({"age": age, "sex": sex})


def plant(seed, *, n=200, d=50, skew=0.0, effect=0.8):
    """Two sites that shift and scale features; a label that raises three of them."""
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat(["A", "B"], n // 2))
    y = (rng.uniform(size=n) < np.where(sites == "A", 0.5 - skew, 0.5 + skew)).astype(int)
    X = rng.normal(size=(n, d))
    X[:, :3] += effect * y[:, None]
    B = sites == "B"
    X[B] = X[B] * np.exp(0.2 + 0.15 * rng.normal(size=d)) + 0.5 + 0.5 * rng.normal(size=d)
    return X, y, sites


# Numbers

# What neuroCombat 0.2.12 makes of rows 0, 5, 13, features 0, 1, 3 of make_sites(2, 14, 4).
# benchmarks/combat.py compares all numbers of larger tables.
NEUROCOMBAT = {
    "plain": ({}, False, [3.096638562, -5.0759, 0.114476969]),
    "covariates": ({}, True, [2.147217035, -5.35898164, 0.849498158]),
    "reference": (
        {"reference_site": "B"},
        True,
        [1.346282182, -5.179864073, 0.680156819],
    ),
    "mean": ({"mean_only": True}, True, [2.334789821, -4.71917247, 1.144102274]),
    "no prior": (
        {"empirical_bayes": False},
        True,
        [2.000829166, -5.962426566, 0.585249604],
    ),
}


@pytest.mark.parametrize(
    "params, has_covariates, expected", NEUROCOMBAT.values(), ids=NEUROCOMBAT
)
def test_numbers_of_neurocombat(params, has_covariates, expected):
    X, sites, covariates = make_sites(2, 14, 4)
    got = ComBat(**params).fit_transform(
        X, sites=sites, covariates=covariates if has_covariates else None
    )
    assert_allclose(got[[0, 5, 13], [0, 1, 3]], expected, atol=1e-8)


def by_the_book(X, sites, W, reference, mean_only, empirical_bayes):
    """ComBat as Johnson et al. write it, feature by feature and row by row."""
    names = np.unique(sites)
    design = np.column_stack([*(sites == s for s in names), W]).astype(float)
    inverse = np.linalg.inv(design.T @ design) @ design.T
    n, d = X.shape
    out = np.empty_like(X)
    z, base, sd = np.empty_like(X), np.empty_like(X), np.empty(d)
    for g in range(d):
        b = inverse @ X[:, g]
        at = b[: len(names)]
        if reference is None:
            alpha = sum(np.mean(sites == s) * at[i] for i, s in enumerate(names))
            rows = np.ones(n, bool)
        else:
            alpha, rows = at[list(names).index(reference)], sites == reference
        sd[g] = np.sqrt(np.mean((X[rows, g] - design[rows] @ b) ** 2))
        base[:, g] = alpha + W @ b[len(names) :]
        z[:, g] = (X[:, g] - base[:, g]) / sd[g]
    for s in names:
        mine = sites == s
        k = mine.sum()
        gamma, delta = z[mine].mean(0), z[mine].var(0, ddof=1)
        if mean_only:
            delta = np.ones(d)
        g_star, d_star = gamma.copy(), delta.copy()
        if empirical_bayes:
            g_bar, t2 = gamma.mean(), gamma.var(ddof=1)
            m, v = delta.mean(), delta.var(ddof=1)
            if mean_only:
                g_star = (t2 * gamma + g_bar) / (t2 + 1)
            else:
                a, b = (2 * v + m**2) / v, (m * v + m**3) / v
                for g in range(d):
                    for _ in range(1000):
                        weight = k * t2
                        g_star[g] = (weight * gamma[g] + d_star[g] * g_bar) / (
                            weight + d_star[g]
                        )
                        squares = ((z[mine, g] - g_star[g]) ** 2).sum()
                        d_star[g] = (squares / 2 + b) / (k / 2 + a - 1)
        if s == reference:
            g_star, d_star = np.zeros(d), np.ones(d)
        out[mine] = (z[mine] - g_star) / np.sqrt(d_star) * sd + base[mine]
    return out


@pytest.mark.parametrize("n_sites", [2, 4])
@pytest.mark.parametrize("has_covariates", [False, True])
@pytest.mark.parametrize("reference", [None, "B"])
@pytest.mark.parametrize(
    "mean_only, empirical_bayes",
    [(False, True), (True, True), (False, False), (True, False)],
)
def test_numbers_by_the_book(
    n_sites, has_covariates, reference, mean_only, empirical_bayes
):
    X, sites, covariates = make_sites(n_sites, 40, 6)
    W = np.empty((40, 0))
    if has_covariates:
        W = np.column_stack([covariates["age"], covariates["sex"] == "m"])
    combat = ComBat(
        reference_site=reference,
        mean_only=mean_only,
        empirical_bayes=empirical_bayes,
        tol=1e-13,
    )
    got = combat.fit_transform(
        X, sites=sites, covariates=covariates if has_covariates else None
    )
    expected = by_the_book(X, sites, W, reference, mean_only, empirical_bayes)
    assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_parameters_of_sites_are_found():
    rng = np.random.default_rng(0)
    sites = np.repeat([10, 20], 5000)
    X = rng.normal(size=(10000, 3)) * [1, 2, 3]
    X[sites == 20] = X[sites == 20] * 2 + [1, 2, 3]
    combat = ComBat(reference_site=10).fit(X, sites=sites)
    assert_array_equal(combat.sites_, [10, 20])
    assert_allclose(combat.scale_, [1, 2, 3], rtol=0.05)
    assert_allclose(combat.gamma_, [[0, 0, 0], [1, 1, 1]], atol=0.1)
    assert_allclose(combat.delta_, [[1, 1, 1], [4, 4, 4]], rtol=0.1)


# What must stay as it is


def test_without_sites_nothing_changes():
    X, _, _ = make_sites()
    with pytest.warns(GansamplerWarning, match="No sites were given"):
        assert_array_equal(ComBat().fit_transform(X), X)


@pytest.mark.parametrize("params", [{}, {"mean_only": True}, {"empirical_bayes": False}])
def test_one_site_is_left_as_it_is(params):
    X, sites, _ = make_sites()
    A = sites == "A"
    assert_array_equal(ComBat(**params).fit_transform(X[A], sites=sites[A]), X[A])


def test_rows_of_the_reference_site_are_left_as_they_are():
    X, sites, covariates = make_sites(4)
    combat = ComBat(reference_site="C")
    got = combat.fit_transform(X, sites=sites, covariates=covariates)
    assert_array_equal(got[sites == "C"], X[sites == "C"])
    assert not (got[sites != "C"] == X[sites != "C"]).any()


def test_input_is_left_as_it_is():
    X, sites, _ = make_sites()
    before = X.copy()
    ComBat().fit_transform(X, sites=sites)
    assert_array_equal(X, before)


def test_constant_features():
    X, sites, _ = make_sites(d=8)
    plain = ComBat().fit_transform(X, sites=sites)
    of_site = np.where(sites == "A", 0.1, 0.7)
    got = ComBat().fit_transform(
        np.column_stack([np.full(len(X), 0.1), X, of_site]), sites=sites
    )
    assert_array_equal(got[:, 0], 0.1)
    # They say nothing of the others.
    assert_allclose(got[:, 1:-1], plain)
    # Constant at each site: brought to one value.
    assert_allclose(got[:, -1], of_site.mean())


def test_feature_that_is_constant_at_one_site():
    X, sites, _ = make_sites(d=8)
    X[sites == "A", 0] = 2.0
    for empirical_bayes in (True, False):
        got = ComBat(empirical_bayes=empirical_bayes).fit_transform(X, sites=sites)
        assert np.isfinite(got).all()


def test_one_feature_is_not_shrunk():
    X, sites, _ = make_sites(d=1)
    expected = ComBat(empirical_bayes=False).fit_transform(X, sites=sites)
    assert_array_equal(ComBat().fit_transform(X, sites=sites), expected)


# Rows that fit has not seen


def test_rows_of_known_sites_are_adjusted_one_by_one():
    X, sites, covariates = make_sites(4, n=80)
    combat = ComBat().fit(X[:60], sites=sites[:60], covariates=covariates[:60])
    whole = combat.transform(X, sites=sites, covariates=covariates)
    fitted = ComBat().fit_transform(X[:60], sites=sites[:60], covariates=covariates[:60])
    assert_allclose(whole[:60], fitted)
    for i in (3, 70):
        one = combat.transform(X[[i]], sites=sites[[i]], covariates=covariates.iloc[[i]])
        assert_allclose(one, whole[[i]])


def test_new_site_is_refused_by_name():
    X, sites, _ = make_sites(4)
    known = np.isin(sites, ["A", "B"])
    combat = ComBat().fit(X[known], sites=sites[known])
    with pytest.raises(ValueError, match=r"'C', 'D' were not seen by fit.*new_sites"):
        combat.transform(X, sites=sites)


def test_new_site_is_estimated_from_its_rows():
    rng = np.random.default_rng(0)
    sites = np.repeat(["A", "B", "C"], 200)
    X = rng.normal(size=(600, 30))
    X[sites == "B"] += 1
    X[sites == "C"] = 3 + 2 * X[sites == "C"]
    known = sites != "C"
    combat = ComBat(new_sites="estimate").fit(X[known], sites=sites[known])
    got = combat.transform(X, sites=sites)
    assert_array_equal(got[known], combat.transform(X[known], sites=sites[known]))
    assert_allclose(got[~known].mean(axis=0), combat.mean_, atol=0.3)
    assert_allclose(got[~known].std(axis=0), combat.scale_, rtol=0.2)
    # By the same prior: as if fit had seen it, brought to what it brought the others to.
    relative = ComBat(reference_site="A", new_sites="estimate").fit(
        X[sites == "A"], sites=sites[sites == "A"]
    )
    together = ComBat(reference_site="A").fit_transform(X, sites=sites)
    assert_allclose(relative.transform(X, sites=sites), together)


def test_new_site_of_one_row_is_shifted_only():
    X, sites, _ = make_sites()
    combat = ComBat(new_sites="estimate").fit(X, sites=sites)
    with pytest.warns(GansamplerWarning, match="Site 'Z' has one row"):
        got = combat.transform(X[:1], sites=["Z"])
    assert np.isfinite(got).all()


def test_site_of_one_row_in_fit():
    X, sites, _ = make_sites()
    sites = sites.astype(object)
    sites[5] = "tiny"
    with pytest.warns(GansamplerWarning, match="Site 'tiny' has one row"):
        combat = ComBat().fit(X, sites=sites)
    assert_array_equal(combat.delta_[combat.sites_.tolist().index("tiny")], 1)
    with pytest.raises(ValueError, match="reference_site='tiny' has one row"):
        ComBat(reference_site="tiny").fit(X, sites=sites)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ComBat(mean_only=True).fit(X, sites=sites)


# Covariates


def test_covariates_may_come_in_any_form():
    X, sites, frame = make_sites()
    male = (frame["sex"] == "m").to_numpy()
    numbers = np.column_stack([frame["age"], male])
    expected = ComBat().fit_transform(X, sites=sites, covariates=frame)
    forms = [
        numbers,
        numbers.tolist(),
        frame.to_numpy(dtype=object),
        frame.assign(sex=frame["sex"].astype("category")),
        frame.assign(sex=male),
    ]
    for form in forms:
        assert_allclose(ComBat().fit_transform(X, sites=sites, covariates=form), expected)
    age = ComBat().fit_transform(X, sites=sites, covariates=frame[["age"]])
    for form in (frame["age"], frame["age"].to_numpy(), frame["age"].tolist()):
        assert_allclose(ComBat().fit_transform(X, sites=sites, covariates=form), age)


def test_effects_of_covariates_are_kept_in_rows_not_seen():
    rng = np.random.default_rng(0)
    n = 2000
    sites = np.where(rng.uniform(size=n) < 0.5, "A", "B")
    # Patients of B are older.
    age = rng.normal(50, 10, n) + 15 * (sites == "B")
    X = 0.1 * age[:, None] + rng.normal(size=(n, 10))
    X[sites == "B"] += 2
    train, test = slice(0, n // 2), slice(n // 2, n)
    kept = ComBat().fit(X[train], sites=sites[train], covariates=age[train])
    got = kept.transform(X[test], sites=sites[test], covariates=age[test])
    A, B = (sites[test] == s for s in "AB")
    assert_allclose((got[B] - got[A].mean(axis=0)).mean(), 1.5, atol=0.2)
    without = (
        ComBat().fit(X[train], sites=sites[train]).transform(X[test], sites=sites[test])
    )
    assert abs((without[B] - without[A].mean(axis=0)).mean()) < 0.2


def test_confounding_is_refused_by_name():
    X, sites, covariates = make_sites(4)
    dose = np.where(np.isin(sites, ["A", "B"]), 1.0, 3.0)
    with pytest.raises(
        ValueError, match=r"site 'A'.*covariate 'dose' cannot be told apart"
    ):
        ComBat().fit(X, sites=sites, covariates=covariates.assign(dose=dose))
    twice = covariates.assign(days=365 * covariates["age"])
    with pytest.raises(ValueError, match=r"effects of covariate 'age', covariate 'days'"):
        ComBat().fit(X, sites=sites, covariates=twice)
    with pytest.raises(ValueError, match="covariate 'y' cannot be told apart"):
        ComBat(preserve_y=True).fit(X, sites == "A", sites=sites)


def test_covariate_that_does_not_vary_changes_nothing():
    X, sites, _ = make_sites()
    got = ComBat().fit_transform(X, sites=sites, covariates=np.ones(len(X)))
    assert_allclose(got, ComBat().fit_transform(X, sites=sites))


def test_bad_covariates():
    X, sites, frame = make_sites()
    combat = ComBat().fit(X, sites=sites, covariates=frame)
    with pytest.raises(ValueError, match="transform needs them too: pass covariates"):
        combat.transform(X, sites=sites)
    with pytest.raises(ValueError, match=r"columns \['sex', 'age'\]; fit had"):
        combat.transform(X, sites=sites, covariates=frame[["sex", "age"]])
    with pytest.raises(ValueError, match="covariates holds 'x' in column 'sex'"):
        combat.transform(X, sites=sites, covariates=frame.assign(sex="x"))
    with pytest.raises(ValueError, match="59 entries for 60 rows"):
        combat.transform(X, sites=sites, covariates=frame[1:])
    with pytest.raises(ValueError, match="fitted without covariates"):
        ComBat().fit(X, sites=sites).transform(X, sites=sites, covariates=frame)
    frame.loc[[4, 7], "sex"] = None
    with pytest.raises(
        ValueError, match="Covariate 'sex' is missing or infinite in rows 4, 7"
    ):
        ComBat().fit(X, sites=sites, covariates=frame)


# Sites


@pytest.mark.parametrize(
    "form",
    [
        list,
        pd.Series,
        lambda sites: pd.Series(sites, dtype="category"),
        lambda sites: sites.astype(object),
        lambda sites: (sites == "B").astype(int),
        lambda sites: sites == "B",
    ],
    ids=["list", "series", "category", "object", "int", "bool"],
)
def test_sites_may_come_in_any_form(form):
    X, sites, _ = make_sites()
    expected = ComBat().fit_transform(X, sites=sites)
    assert_array_equal(ComBat().fit_transform(X, sites=form(sites)), expected)


def test_bad_sites():
    X, sites, _ = make_sites()
    with pytest.raises(ValueError, match="sites has 59 entries for 60 rows"):
        ComBat().fit(X, sites=sites[1:])
    holes = sites.astype(object)
    holes[[2, 9]] = None
    with pytest.raises(ValueError, match="sites is missing in rows 2, 9"):
        ComBat().fit(X, sites=holes)
    with pytest.raises(ValueError, match="mixes text and numbers"):
        ComBat().fit(X, sites=[1, "1"] * 30)
    with pytest.raises(
        ValueError, match=r"reference_site='Z' is not among the sites 'A', 'B'"
    ):
        ComBat(reference_site="Z").fit(X, sites=sites)
    with pytest.raises(ValueError, match="no sites were given"):
        ComBat(reference_site="A").fit(X)
    with pytest.raises(ValueError, match="transform needs them: pass sites"):
        ComBat().fit(X, sites=sites).transform(X)
    with pytest.raises(ValueError, match="fitted without sites"):
        ComBat().fit(X).transform(X, sites=sites)


# Tables


def test_frames_stay_frames():
    X, sites, _ = make_sites(d=3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(100, 160))
    combat = ComBat()
    got = combat.fit_transform(frame, sites=sites)
    assert got.columns.equals(frame.columns) and got.index.equals(frame.index)
    assert combat.get_feature_names_out().tolist() == ["a", "b", "c"]
    values = ComBat().fit_transform(X, sites=sites)
    assert_array_equal(got, values)
    named = ComBat().set_output(transform="pandas").fit(X, sites=sites)
    assert named.transform(X, sites=sites).columns.tolist() == ["x0", "x1", "x2"]
    polars = ComBat().set_output(transform="polars").fit(frame, sites=sites)
    assert_array_equal(polars.transform(frame, sites=sites).to_numpy(), values)


def test_single_precision_is_kept():
    X, sites, _ = make_sites()
    got = ComBat().fit_transform(X.astype(np.float32), sites=sites)
    assert got.dtype == np.float32
    assert_allclose(got, ComBat().fit_transform(X, sites=sites), atol=1e-4)


def test_many_more_features_than_rows():
    X, sites, covariates = make_sites(4, n=50, d=5000)
    got = ComBat().fit_transform(X, sites=sites, covariates=covariates)
    assert np.isfinite(got).all()


# Pipelines


@needs_routed_scoring
def test_in_a_pipeline_before_the_sampler():
    X, y, sites = plant(0, n=80, d=6)
    keep = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:15]]
    X, y, sites = X[keep], y[keep], sites[keep]
    with config_context(enable_metadata_routing=True):
        combat = ComBat().set_fit_request(sites=True).set_transform_request(sites=True)
        pipeline = make_pipeline(combat, quick(checks=()), LogisticRegression())
        pipeline.fit(X, y, sites=sites)
        assert pipeline.predict(X, sites=sites).shape == y.shape
        assert_array_equal(pipeline[0].sites_, ["A", "B"])
        assert pipeline[1].is_synthetic_.sum() == (y == 0).sum() - 15
        found = cross_validate(
            pipeline, X, y, params={"sites": sites}, cv=2, error_score="raise"
        )
    assert np.isfinite(found["test_score"]).all()


def test_in_a_plain_pipeline():
    X, y, sites = plant(0, n=100, d=6)
    with config_context(enable_metadata_routing=True):
        combat = ComBat().set_fit_request(sites=True).set_transform_request(sites=True)
        pipeline = make_plain_pipeline(combat, StandardScaler(), LogisticRegression())
        pipeline.fit(X, y, sites=sites)
        got = pipeline.predict_proba(X, sites=sites)
    by_hand = make_plain_pipeline(StandardScaler(), LogisticRegression())
    adjusted = ComBat().fit_transform(X, sites=sites)
    assert_allclose(got, by_hand.fit(adjusted, y).predict_proba(adjusted))


# The label


def held_out_auc(combat, X, y, sites, target, seed=0):
    """AUC of a target in rows that neither ComBat nor the classifier learned from."""
    scores = []
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    judge = make_plain_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for train, test in folds.split(X, [f"{a}{b}" for a, b in zip(sites, y, strict=True)]):
        seen, unseen = X[train], X[test]
        if combat is not None:
            fitted = clone(combat).fit(seen, y[train], sites=sites[train])
            seen = fitted.transform(seen, sites=sites[train])
            unseen = fitted.transform(unseen, sites=sites[test])
        model = judge.fit(seen, target[train])
        chance = model.predict_proba(unseen)[:, 1]
        is_second = target[test] == model.classes_[1]
        above = chance[is_second][:, None] - chance[~is_second]
        scores.append(((above > 0) + (above == 0) / 2).mean())
    return float(np.mean(scores))


def test_site_goes_and_a_planted_label_stays():
    aucs = []
    for seed in range(5):
        X, y, sites = plant(seed)
        judged = [(combat, target) for target in (sites, y) for combat in (None, ComBat())]
        aucs.append([held_out_auc(c, X, y, sites, target, seed) for c, target in judged])
    (site, site_after, label, label_after) = np.transpose(aucs)
    assert site.min() > 0.9 and site_after.mean() < 0.6
    assert (label_after > label - 0.05).all() and label_after.mean() > label.mean() - 0.02


def test_preserve_y_finds_the_shift_of_sites_with_unequal_classes():
    X, y, sites = plant(0, n=4000, d=5, skew=0.4, effect=2.0)
    same_class = y == 0
    truth = ComBat(reference_site="A", mean_only=True).fit(
        X[same_class], sites=sites[same_class]
    )
    kept = ComBat(reference_site="A", mean_only=True, preserve_y=True).fit(
        X, y, sites=sites
    )
    plain = ComBat(reference_site="A", mean_only=True).fit(X, sites=sites)
    wanted = (truth.gamma_ * truth.scale_)[1]
    assert_allclose((kept.gamma_ * kept.scale_)[1], wanted, atol=0.25)
    # Without it, the label's effect in the first features is taken for one of the site.
    assert ((plain.gamma_ * plain.scale_)[1] - wanted)[:3].min() > 1.0


@pytest.mark.parametrize("labels", [lambda y: y, lambda y: np.array(["no", "yes"])[y]])
def test_preserve_y_moves_no_row_by_its_own_label(labels):
    X, y, sites = plant(0, n=60, d=4, skew=0.2)
    X[1], sites[1], y[0], y[1] = X[0], sites[0], 0, 1
    combat = ComBat(preserve_y=True)
    got = combat.fit_transform(X, labels(y), sites=sites)
    assert_array_equal(got[0], got[1])
    assert_array_equal(got, combat.transform(X, sites=sites))


def test_preserve_y_of_numbers():
    X, _, sites = plant(0, n=60, d=4)
    y = X[:, 0] + 0.3 * (sites == "B") + 0.5
    as_label = ComBat(preserve_y=True).fit(X, y, sites=sites)
    as_covariate = ComBat().fit(X, sites=sites, covariates=y)
    assert_allclose(as_label.gamma_, as_covariate.gamma_)
    assert as_label.coef_.shape == (0, 4)


@pytest.mark.parametrize("preserve_y", [False, True])
def test_nothing_is_found_where_there_is_no_label(preserve_y):
    found = []
    for seed in range(6):
        X, y, sites = plant(seed, n=100, d=30, effect=0.0)
        combat = ComBat(preserve_y=preserve_y)
        found.append(held_out_auc(combat, X, y, sites, y, seed))
    assert abs(np.mean(found) - 0.5) < 0.08


def test_preserve_y_needs_y():
    X, _, sites = plant(0, n=40, d=4)
    with pytest.raises(ValueError, match="requires y"):
        ComBat(preserve_y=True).fit(X, sites=sites)
