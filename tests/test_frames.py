"""Tables of any library: taken, refused by name, numbers written as they were."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from gansampler import ComBat, GANOverSampler, TabularGAN, diagnose

SHORT = {"max_iter": 20, "hidden_layer_sizes": (16,), "n_components": 8, "random_state": 0}


def numbers(n=30, d=3):
    return pd.DataFrame(
        np.random.default_rng(0).normal(size=(n, d)), columns=list("abcdef")[:d]
    )


class Tensor:
    """An array of another library, with a dtype that is not NumPy's."""

    dtype = "float"

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)

    def __len__(self):
        return len(self.values)


class ColumnStore(Tensor):
    """A table of another library, whose columns have no names."""

    @property
    def columns(self):
        return list(self.values.T)


@pytest.mark.parametrize("kind", [Tensor, ColumnStore, torch.tensor])
def test_what_makes_an_array_is_taken_as_one(kind):
    X, y = numbers().to_numpy(), np.arange(30) % 3 == 0
    found, _ = GANOverSampler(**SHORT).fit_resample(kind(X), y)
    expected, _ = GANOverSampler(**SHORT).fit_resample(X, y)
    np.testing.assert_array_equal(found, expected)


def test_labels_may_be_a_polars_frame_of_one_column():
    X, y = numbers(), pl.Series("outcome", np.arange(30) % 3)
    _, found = GANOverSampler(**SHORT).fit_resample(pl.DataFrame(X), y.to_frame())
    _, expected = GANOverSampler(**SHORT).fit_resample(pl.DataFrame(X), y)
    assert found.equals(expected) and found.name == "outcome"


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("as_array", [False, True])
def test_infinity_is_refused_by_the_name_of_its_column(value, as_array):
    X, y = numbers(), np.arange(30) % 3 == 0
    X.loc[4, "b"] = value
    name = "1" if as_array else "'b'"
    X = X.to_numpy() if as_array else X
    for refusing in (
        lambda: GANOverSampler(**SHORT).fit_resample(X, y),
        lambda: TabularGAN(**SHORT).fit(X, y),
        lambda: diagnose(X, y, X, y),
        lambda: ComBat().fit(X),
    ):
        with pytest.raises(ValueError, match=f"infinity.*in column {name}"):
            refusing()


def test_combat_names_what_it_does_not_take():
    X = numbers()
    X.loc[4, "b"] = np.nan
    with pytest.raises(ValueError, match=r"(?s)contains NaN.*in column 'b'"):
        ComBat().fit(X)
    X["b"] = "high"
    with pytest.raises(ValueError, match=r"'high'\. It is in column 'b'"):
        ComBat().fit(X)


def test_only_what_is_no_column_is_named():
    for names, expected in ((["a", "sx"], r"\['sx'\]"), ([["a"]], r"\[\['a'\]\]")):
        with pytest.raises(ValueError, match=rf"of 3 columns; {expected} are none of them"):
            TabularGAN(categorical_features=names).fit(numbers())


def test_a_table_without_columns_is_refused():
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        GANOverSampler().fit_resample(numbers()[[]], np.arange(30) % 3)


def test_numbers_near_the_smallest_there_are():
    X, y = numbers(40), np.arange(40) % 3 == 0
    X["likelihood"] = 10.0 ** np.linspace(-322, -305, 40)
    X["probability"] = 10.0 ** np.linspace(-322, 0, 40)
    found, _ = GANOverSampler(**SHORT).fit_resample(X, y)
    assert np.isfinite(found).all(axis=None)


def test_decimals_in_single_precision_are_those_observed():
    rng = np.random.default_rng(0)
    values = np.float32([0.1, 0.2, 0.3, 0.7]).astype(float)
    X = numbers(60)
    X["few"], X["many"] = rng.choice(values, 60), np.float32(rng.normal(size=60)).round(2)
    found, _ = GANOverSampler(**SHORT).fit_resample(X, np.arange(60) % 3 == 0)
    assert set(found["few"]) == set(values)
    new, many = found["many"][60:], X["many"].astype(float)
    assert new.min() >= many.min() and new.max() <= many.max()
    assert (new == np.float32(new)).all() and (
        np.float32(new).round(2) == np.float32(new)
    ).all()


def test_labels_of_several_polars_columns_are_refused():
    X, y = numbers(), pl.DataFrame({"a": np.arange(30) % 3, "b": 1})
    with pytest.raises(ValueError, match=r"one column of labels; it has \['a', 'b'\]"):
        GANOverSampler().fit_resample(X, y)


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64"])
def test_decimals_are_as_many_as_they_were(dtype):
    X, y = numbers(60), np.arange(60) % 3 == 0
    for name, n in {"a": 0, "b": 1, "c": 3}.items():
        X[name] = (10 * X[name]).round(n)
    X["exact"] = np.exp(numbers(60)["a"])
    X.loc[::7, "b"] = np.nan
    found, _ = GANOverSampler(**SHORT).fit_resample(X.astype(dtype), y)
    new = found.astype("float64" if dtype == "Float64" else dtype)[60:]
    for name, n in {"a": 0, "b": 1, "c": 3}.items():
        some = new[name].dropna()
        assert (some.round(n) == some).all() and len(np.unique(some)) > 10
    assert (new["exact"].round(4) != new["exact"]).mean() > 0.9
    assert (new["b"].dropna().round(0) != new["b"].dropna()).mean() > 0.5
