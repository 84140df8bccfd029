"""Tables as people have them: categories, gaps, dates, and their dtypes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.stats import chisquare, spearmanr

from gansampler import GANOverSampler, TabularGAN, diagnose
from gansampler._encoding import NormalScores
from gansampler._mixed import MixedColumns
from gansampler._ties import draw_tied_scores
from gansampler.metrics import benjamini_hochberg

SHORT = {"max_iter": 20, "hidden_layer_sizes": (16,), "n_components": 8, "random_state": 0}


def clinical(counts=(120, 40), seed=0):
    """Features, and what stands beside them in a clinic; gaps hang on the class."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(["no", "yes"], counts))
    n, ill = len(y), y == "yes"
    factors = rng.normal(size=(n, 3)) + ill[:, None] / 2
    X = pd.DataFrame(np.exp(factors @ rng.normal(size=(3, 6)) / 3)).add_prefix("texture_")
    X["sex"] = np.where(factors[:, 0] + rng.normal(size=n) / 2 > 0, "F", "M")
    X["stage"] = pd.Categorical(
        np.array(["I", "II", "III"])[np.digitize(factors[:, 1], [0, 1.5])],
        categories=["I", "II", "III", "IV"],
        ordered=True,
    )
    X["scanner"] = pd.Series(
        rng.choice(["A", "B", "C"], n, p=[0.7, 0.27, 0.03]), dtype="str"
    )
    X["smoker"] = rng.random(n) < np.where(ill, 0.7, 0.3)
    X["age"] = np.rint(60 + 10 * factors[:, 2]).astype(int)
    X["lesions"] = pd.array(rng.integers(1, 5, n), dtype="Int64")
    X["necrosis"] = np.where(factors[:, 0] > 0.2, np.exp(factors[:, 0]), 0.0)
    X.loc[rng.random(n) < np.where(ill, 0.5, 0.1), "texture_0"] = np.nan
    X.loc[rng.random(n) < 0.3, "texture_1"] = np.nan
    X.loc[rng.random(n) < np.where(ill, 0.1, 0.4), "stage"] = np.nan
    X.loc[rng.random(n) < 0.2, "lesions"] = pd.NA
    return X, pd.Series(y, name="outcome")


@pytest.fixture(scope="module")
def fitted():
    X, y = clinical()
    gan = TabularGAN(**{**SHORT, "random_state": 1}).fit(X, y)
    return X, y, *gan.sample(6000, prior="uniform")


def test_a_clinical_table_comes_back_as_it_was():
    X, y = clinical()
    X.index = X.index[::-1]
    sampler = GANOverSampler(target_prior="uniform", target_size=2, **SHORT)
    X_new, y_new = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(
        X_new.iloc[: len(X)], X.reset_index(drop=True), check_exact=True
    )
    pd.testing.assert_index_equal(X_new.index, pd.RangeIndex(len(X_new)))
    assert y_new.value_counts().to_dict() == {"no": 160, "yes": 160}
    made = X_new[sampler.is_synthetic_]
    assert (made.dtypes == X.dtypes).all()
    assert set(made["stage"].dropna()) <= {"I", "II", "III"}, "IV was never observed"
    assert made[["sex", "scanner", "smoker", "age"]].notna().all(axis=None)
    again, _ = sampler.gan_.sample(5)
    assert (again.dtypes == X.dtypes).all()
    assert set(sampler.diagnosis_.verdicts_) == {"no", "yes"}


@pytest.mark.parametrize("label", ["no", "yes"])
def test_categories_come_as_often_as_in_the_class(fitted, label):
    X, y, X_new, y_new = fitted
    real, made = X[y == label], X_new[y_new == label]
    p_values = []
    for name in ("sex", "stage", "scanner", "smoker"):
        shares = real[name].value_counts(normalize=True, dropna=False)
        shares = shares[shares > 0]
        counts = made[name].value_counts(dropna=False).reindex(shares.index, fill_value=0)
        # Thresholds are learned from 2,000 draws: the sample counts for no more than that.
        expected = shares * 1200
        p_values.append(chisquare(counts * 1200 / len(made), expected).pvalue)
    assert benjamini_hochberg(np.array(p_values)).min() > 0.05


@pytest.mark.parametrize("label", ["no", "yes"])
def test_gaps_come_as_often_as_in_the_class(fitted, label):
    X, y, X_new, y_new = fitted
    rates = X_new[y_new == label].isna().mean() - X[y == label].isna().mean()
    assert rates.abs().max() < 0.05


@pytest.mark.parametrize("label", ["no", "yes"])
def test_zeros_and_whole_numbers_stay(fitted, label):
    X, y, X_new, y_new = fitted
    real, made = X[y == label], X_new[y_new == label]
    assert abs((made["necrosis"] == 0).mean() - (real["necrosis"] == 0).mean()) < 0.03
    assert set(made["lesions"].dropna()) <= {1, 2, 3, 4}
    assert made["age"].between(X["age"].min(), X["age"].max()).all()


def test_categories_go_with_the_columns_they_went_with(fitted):
    X, y, X_new, y_new = fitted
    for name in ("age", "texture_2", "necrosis"):
        for category, (one, other) in (("sex", "FM"), ("stage", ["I", "II"])):
            apart = []
            for rows, labels in ((X, y), (X_new, y_new)):
                rows = rows[labels == "no"]
                ranks = rows[name].rank() / len(rows)
                means = ranks.groupby(rows[category], observed=True).mean()
                apart.append(means[one] - means[other])
            assert abs(apart[0] - apart[1]) < 0.12, (name, category)


def test_columns_stay_correlated_where_values_are_missing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + 0.6 * rng.normal(size=(300, 6))
    X[rng.random(X.shape) < 0.3] = np.nan
    made, _ = TabularGAN(**SHORT).fit(X).sample(3000)
    real_r, made_r = (pd.DataFrame(rows).corr("spearman").to_numpy() for rows in (X, made))
    assert np.abs(real_r - made_r).max() < 0.15
    assert np.abs(np.isnan(made).mean(axis=0) - np.isnan(X).mean(axis=0)).max() < 0.05


@pytest.mark.parametrize(
    "chosen", [[1, 3], [-3, 3], [False, True, False, True], ["b", "d"], np.array([1, 3])]
)
@pytest.mark.parametrize("as_frame", [True, False])
def test_categorical_features_as_smotenc_has_them(chosen, as_frame):
    if isinstance(chosen, list) and isinstance(chosen[0], str) and not as_frame:
        pytest.skip("arrays have no names")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[:, 1], X[:, 3] = rng.choice([2.5, 7.0, 11.0], (2, 60))
    y = np.repeat([0, 1], [45, 15])
    table = pd.DataFrame(X, columns=list("abcd")) if as_frame else X
    sampler = GANOverSampler(categorical_features=chosen, **SHORT)
    made = np.asarray(sampler.fit_resample(table, y)[0])[60:]
    assert set(made[:, 1]) | set(made[:, 3]) <= {2.5, 7.0, 11.0}
    assert sampler.gan_.encoder_.columns_.column_.tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("kind", ["objects", "list", "sparse", "int"])
def test_arrays_with_categories(kind):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 9, 60), rng.integers(0, 3, 60)])
    y, chosen = np.repeat([0, 1], [40, 20]), [1]
    if kind in ("objects", "list"):
        X = X.astype(object)
        X[:, 1] = np.array(["a", "b", None], dtype=object)[X[:, 1].astype(int)]
        chosen = "auto"
    table = {"list": X.tolist(), "sparse": None}.get(kind, X)
    if kind == "sparse":
        table = sparse.csr_matrix(X.astype(float))
    X_new, _ = GANOverSampler(categorical_features=chosen, **SHORT).fit_resample(table, y)
    assert type(X_new) is type(table)
    rows = X_new.toarray() if kind == "sparse" else np.array(X_new, dtype=object)
    assert rows.shape == (80, 2)
    assert set(rows[60:, 1]) <= set(X[:, 1])


def test_polars_with_categories_and_nulls():
    X, y = clinical()
    table = pl.DataFrame(
        {
            "texture": X["texture_0"].to_list(),
            "sex": X["sex"].to_list(),
            "stage": pl.Series(
                [None if s != s else s for s in X["stage"]],
                dtype=pl.Enum(["III", "II", "I"]),
            ),
            "lesions": [None if n is pd.NA else n for n in X["lesions"]],
        },
    ).with_columns(pl.col("texture").fill_nan(None))
    X_new, y_new = GANOverSampler(**SHORT).fit_resample(table, pl.Series("y", y.to_list()))
    assert X_new.schema == table.schema
    assert X_new[: len(table)].equals(table)
    assert X_new[len(table) :]["stage"].null_count() > 0
    assert isinstance(y_new, pl.Series)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.date_range("2020-01-01", periods=40), "days since a reference date"),
        (pd.Series(pd.date_range("2020-01-01", periods=40)).diff(), "dates or times"),
        (pd.period_range("2020-01", periods=40, freq="M"), "dates or times"),
        ([f"patient {i}" for i in range(40)], "names rows"),
        (np.full(40, 1j), "not numeric"),
        (pd.Series(pd.date_range("2020", periods=40).date, dtype=object), "dates or times"),
        (pd.Categorical(pd.date_range("2020", periods=40)), "dates or times"),
        ([f"patient {max(i, 1)}" for i in range(40)], "names rows"),
        (np.where(np.arange(40) < 3, np.inf, 1.0), "infinity"),
    ],
)
@pytest.mark.parametrize("estimator", [GANOverSampler(**SHORT), TabularGAN(**SHORT)])
def test_columns_that_are_refused(estimator, column, message):
    X = pd.DataFrame({"a": np.arange(40.0), "b": column})
    fit = getattr(estimator, "fit_resample", estimator.fit)
    with pytest.raises(ValueError, match=message):
        fit(X, np.repeat([0, 1], 20))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["c"], "'b' of dtype .* is not numeric"),
        (["a"], "'a' holds 0.0 and another category in nearly every row"),
        (["d"], "are none of them"),
        ([5], "are none of them"),
        ([True], "are none of them"),
        ("all", "categorical_features"),
    ],
)
def test_bad_categorical_features(chosen, message):
    X = pd.DataFrame({"a": np.arange(40.0), "b": ["u", "v"] * 20, "c": 1})
    with pytest.raises(ValueError, match=message):
        GANOverSampler(categorical_features=chosen).fit_resample(X, np.repeat([0, 1], 20))


def test_unknown_category_is_named():
    X, y = clinical()
    gan = TabularGAN(**SHORT).fit(X, y)
    with pytest.raises(ValueError, match=r"'X' in column 'sex', where only .*'F', 'M'"):
        gan.score_samples(X.assign(sex="X"))
    assert gan.score_samples(X).shape == (len(X),)
    with pytest.raises(ValueError, match="dates or times"):
        gan.score_samples(X.assign(age=pd.Timestamp("2020-01-01")))
    with pytest.raises(ValueError, match="feature names"):
        gan.score_samples(X[X.columns[::-1]])


def test_a_category_unknown_to_a_class_stays_unknown_to_it():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [80, 40])
    X = pd.DataFrame({"x": rng.normal(size=120), "s": np.where(y == 1, "F", "M")})
    X.loc[:5, "s"] = "F"
    made, labels = TabularGAN(**SHORT).fit(X, y).sample(500, prior="uniform")
    assert (made["s"][labels == 1] == "F").all()
    assert set(made["s"][labels == 0]) == {"F", "M"}


@pytest.mark.parametrize("name", ["x", "s"])
def test_a_column_without_any_value(name):
    X = pd.DataFrame({"x": np.arange(40.0), "s": list("ab") * 20, "z": np.arange(40.0)})
    X[name] = np.nan if name == "x" else pd.Series([None] * 40, dtype=object)
    X_new, _ = GANOverSampler(**SHORT).fit_resample(X, np.repeat([0, 1], [25, 15]))
    assert X_new[name].isna().all()


def test_only_categories():
    X = pd.DataFrame({"s": list("abcd") * 15, "t": list("uuv") * 20})
    X_new, y_new = GANOverSampler(**SHORT).fit_resample(X, np.repeat([0, 1], [40, 20]))
    assert len(X_new) == len(y_new) == 80


def test_columns_of_one_value():
    X = pd.DataFrame({"s": ["a"] * 60})
    X_new, _ = GANOverSampler(**SHORT).fit_resample(X, np.repeat([0, 1], [40, 20]))
    assert (X_new["s"] == "a").all()


def test_a_rare_class_is_filled_from_its_own_rows():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [5000, 40])
    X = np.column_stack([rng.normal(size=5040) + 5 * y, rng.normal(size=5040)])
    whole = X[y == 1, 0].mean()
    X[rng.random(5040) < 0.5, 0] = np.nan
    filled = MixedColumns().fit_transform(X, y, np.random.RandomState(0))
    assert filled[y == 1, 0].mean() == pytest.approx(whole, abs=0.5)
    assert len(np.unique(filled[y == 1, 0])) > 10


def test_polars_integers_as_categories():
    X = pl.DataFrame({"a": np.arange(60.0), "s": [1, 2, None] * 20})
    sampler = GANOverSampler(categorical_features=["s"], **SHORT)
    X_new, _ = sampler.fit_resample(X, np.repeat([0, 1], [40, 20]))
    assert X_new.schema == X.schema
    assert set(X_new["s"].to_list()) == {1, 2, None}


@pytest.mark.parametrize("none", [[], (), np.array([])])
def test_no_categories(none):
    X = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60) % 7})
    sampler = GANOverSampler(categorical_features=none, **SHORT)
    X_new, _ = sampler.fit_resample(X, np.repeat([0, 1], [40, 20]))
    assert (X_new.dtypes == X.dtypes).all()


def test_the_largest_integers_do_not_wrap():
    top = np.iinfo(np.int64).max
    X = pd.DataFrame({"a": np.r_[np.full(30, top), np.arange(30)], "b": np.arange(60.0)})
    for table in (X, X[["a"]].to_numpy()):
        X_new, _ = GANOverSampler(**SHORT).fit_resample(table, np.repeat([0, 1], [40, 20]))
        assert np.asarray(X_new)[:, 0].min() >= 0, "beyond the largest comes the smallest"


def test_save_and_load(tmp_path):
    X, y = clinical()
    for table in (X, pl.from_pandas(X[["sex", "age"]].astype({"sex": object}))):
        gan = TabularGAN(**SHORT).fit(table, y)
        gan.save(tmp_path / "gan")
        made = [g.sample(50)[0] for g in (gan, TabularGAN.load(tmp_path / "gan"))]
        assert made[0].equals(made[1])


def test_diagnosis_of_mixed_tables():
    (X, y), (fresh, fresh_y) = clinical(seed=1), clinical(seed=1)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))
    real, new = np.sort(rows[: len(X) // 2]), np.sort(rows[len(X) // 2 :])
    told = diagnose(X.iloc[real], y.iloc[real], X.iloc[new], y.iloc[new], random_state=0)
    assert "memorizing" not in told.verdicts_.values()
    copied = diagnose(X, y, fresh, fresh_y, random_state=0)
    assert set(copied.verdicts_.values()) == {"memorizing"}
    names = set(copied.features_["feature"])
    assert {"texture_0 missing", "scanner=C"} <= names
    with pytest.raises(ValueError, match="'D' in column 'scanner'"):
        diagnose(X, y, fresh.assign(scanner="D"), fresh_y)
    with pytest.raises(ValueError, match="NaN in 'age'"):
        diagnose(X, y, fresh.assign(age=np.nan), fresh_y)


def test_fractions_of_a_class_are_met_whatever_the_scores():
    X = np.repeat([0.0, 1.0, 2.0, np.nan], [50, 30, 15, 5])[:, None]
    columns = MixedColumns([0])
    rng = np.random.RandomState(0)
    wide = columns.fit_transform(X, np.zeros(100, int), rng)
    assert wide.sum(axis=0).tolist() == [5, 15, 30], "the rarest first, the commonest none"
    scores = rng.gamma(1.0, size=(4000, 3))
    columns.calibrate([scores])
    back = columns.inverse_transform(scores, scores, np.zeros(4000, int))
    counts = [(back == level).sum() for level in (0, 1, 2)] + [np.isnan(back).sum()]
    assert counts == [2000, 1200, 600, 200]


def test_numbers_of_two_values_come_as_often_as_in_the_class():
    rng = np.random.default_rng(0)
    share = np.array([[0.9, 0.1, 0.5], [0.05, 0.6, 0.5]])
    y = np.repeat([0, 1], [150, 40])
    answers = np.where(rng.random((190, 3)) < share[y], 2.5, -1.0)
    X = np.column_stack([answers, rng.normal(size=190) + 3 * answers[:, 2]])
    drawn, y_drawn = (
        TabularGAN(max_iter=0, random_state=0).fit(X, y).sample(4000, prior="uniform")
    )
    for c in (0, 1):
        assert_allclose(
            (drawn[y_drawn == c, :3] == 2.5).mean(axis=0),
            (answers[y == c] == 2.5).mean(axis=0),
            atol=0.03,
        )
    assert set(np.unique(drawn[:, :3])) == {-1.0, 2.5}
    assert spearmanr(drawn[:, 2], drawn[:, 3])[0] > 0.7


def test_a_pile_and_the_other_values_have_correlations_of_their_own():
    rng = np.random.default_rng(0)
    w = rng.normal(size=400)
    X = np.column_stack([w, np.where(rng.random(400) < 0.5, 0, np.exp(w))])
    made, _ = TabularGAN(**SHORT).fit(X).sample(3000)
    pile, rest = made[made[:, 1] == 0], made[made[:, 1] > 0]
    assert len(pile) / 3000 == pytest.approx((X[:, 1] == 0).mean(), abs=0.03)
    assert abs(pile[:, 0].mean() - rest[:, 0].mean()) < 0.25
    assert np.corrcoef(np.log(rest[:, 1]), rest[:, 0])[0, 1] > 0.9


def test_tied_scores_take_the_correlation_of_what_lies_below():
    rng = np.random.RandomState(0)
    latent = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=2000)
    X = np.column_stack([latent[:, 0], latent[:, 1] > 0.3]).astype(float)
    scores = NormalScores().fit_transform(X, rng)
    assert np.corrcoef(scores.T)[0, 1] < 0.6, "ties broken at random"
    drawn = draw_tied_scores(X, scores, np.zeros(2000, int), rng)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.8, abs=0.05)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(scores, axis=0))
    assert (drawn[X[:, 1] == 1, 1].min()) > drawn[X[:, 1] == 0, 1].max()


@pytest.mark.parametrize(
    ("values", "least"), [([0, 1], 0.95), (["a", "b", "c"], 0.9), ([1, 2, 3, 4, 5], 0.8)]
)
def test_columns_that_are_the_same_stay_so(values, least):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=list("wxyz"))
    X["one"] = X["other"] = rng.choice(values, 240)
    made, _ = TabularGAN(max_iter=0, random_state=0).fit(X).sample(1000)
    assert (made["one"] == made["other"]).mean() > least


COLUMN = st.sampled_from(["float", "int", "text", "category", "bool", "Int64", "constant"])


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(COLUMN, min_size=1, max_size=5),
    counts=st.lists(st.integers(2, 25), min_size=2, max_size=3),
    gaps=st.floats(0, 0.6),
    seed=st.integers(0, 1000),
)
@pytest.mark.filterwarnings("ignore::gansampler.GansamplerWarning")
def test_any_mixed_table(kinds, counts, gaps, seed):
    rng = np.random.default_rng(seed)
    y = pd.Series(rng.permutation(np.repeat(np.arange(len(counts)), counts)))
    make = {
        "float": lambda n: rng.standard_cauchy(n),
        "int": lambda n: rng.integers(-3, 4, n),
        "text": lambda n: pd.Series(rng.choice(["u", "v", "w"], n), dtype=object),
        "category": lambda n: pd.Categorical(
            rng.choice([10, 20], n), categories=[20, 10, 5]
        ),
        "bool": lambda n: rng.random(n) < 0.5,
        "Int64": lambda n: pd.array(rng.integers(0, 3, n), dtype="Int64"),
        "constant": lambda n: np.full(n, 4.25),
    }
    X = pd.DataFrame({f"{kind} {j}": make[kind](len(y)) for j, kind in enumerate(kinds)})
    for name in X.columns:
        if not name.startswith(("int", "bool")):
            X[name] = X[name].mask(rng.random(len(y)) < gaps)
    X.index = rng.permutation(len(y))
    y.index = X.index
    wanted = dict.fromkeys(range(len(counts)), max(counts) + 3)
    sampler = GANOverSampler(sampling_strategy=wanted, checks=(), **SHORT)
    X_new, y_new = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(
        X_new.iloc[: len(X)], X.reset_index(drop=True), check_exact=True
    )
    pd.testing.assert_index_equal(X_new.index, y_new.index)
    assert y_new.value_counts().to_dict() == wanted
    made = X_new[sampler.is_synthetic_]
    for name in X.columns:
        real, new = X[name].dropna(), made[name].dropna()
        assert X[name].isna().any() or not made[name].isna().any()
        if name.startswith(("float", "int", "Int64")):
            assert len(new) == 0 or (new.min() >= real.min() and new.max() <= real.max())
        if not name.startswith(("float", "int")):
            assert set(new) <= set(real)


@pytest.mark.parametrize(
    "text, message",
    [
        ([f"{i / 8:.1f}".replace(".", ",") for i in range(40)], "decimal commas"),
        ([f"{i % 20}.5" for i in range(40)], "numbers as text.*to_numeric"),
        ([*map(str, range(39)), "high"], "'high' among numbers.*categorical_features"),
    ],
)
def test_numbers_written_as_text_are_no_categories(text, message):
    X = pd.DataFrame({"a": np.arange(40.0), "dose": pd.Series(text, dtype=object)})
    y = np.arange(40) % 3 == 0
    with pytest.raises(ValueError, match=f"'dose' holds .*{message}"):
        GANOverSampler(**SHORT).fit_resample(X, y)


@pytest.mark.parametrize("codes", [["1", "2", "3", "4a"], ["1", "2", "3", "4"]], ids=str)
def test_few_numbers_written_as_text_are_codes(codes):
    X = pd.DataFrame({"a": np.arange(40.0), "grade": codes * 10})
    y = np.arange(40) % 4 < 1
    X_new, _ = GANOverSampler(**SHORT).fit_resample(X, y)
    assert set(X_new["grade"]) == set(codes)


def test_a_lazy_frame_is_to_be_collected():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="collect"):
        GANOverSampler().fit_resample(pl.DataFrame({"a": [1.0, 2.0]}).lazy(), [0, 1])
