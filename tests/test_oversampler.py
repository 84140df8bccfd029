"""GANOverSampler as a user meets it: counts, types, awkward tables, bad input."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import counts, make_table, quick, radmlbench_tables
from imblearn.pipeline import Pipeline
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from gansampler import GansamplerWarning, SmallClassWarning, TabularGAN
from gansampler.adversarial import SynthesisGame
from gansampler.datasets import load_hcc_tace

# Counts and priors


@pytest.mark.parametrize(
    "strategy, expected",
    [
        ("auto", {"a": 60, "b": 60, "c": 60}),
        ("not majority", {"a": 60, "b": 60, "c": 60}),
        ("minority", {"a": 60, "b": 30, "c": 60}),
        ("not minority", {"a": 60, "b": 60, "c": 10}),
        ("all", {"a": 60, "b": 60, "c": 60}),
        ({"b": 31, "c": 12}, {"a": 60, "b": 31, "c": 12}),
        (lambda y: {"c": 40}, {"a": 60, "b": 30, "c": 40}),
    ],
    ids=lambda value: "callable" if callable(value) else str(value),
)
def test_sampling_strategy(strategy, expected):
    X, y = make_table((60, 30, 10), 6, seed=1, labels=["a", "b", "c"])
    _, y_new = quick(sampling_strategy=strategy).fit_resample(X, y)
    assert counts(y_new) == expected


def test_sampling_strategy_ratio(table):
    _, y = quick(sampling_strategy=0.5).fit_resample(*table)
    assert counts(y) == {0: 60, 1: 30}


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("target_size", [None, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_target_prior_is_met_to_the_row(n_classes, target_size, seed):
    rng = np.random.default_rng(seed)
    present = rng.integers(8, 40, n_classes)
    p = rng.dirichlet(np.full(n_classes, 20.0))
    X, y = make_table(present, 5, seed=seed)
    sampler = quick(target_prior=dict(enumerate(p)), target_size=target_size)
    _, y_new = sampler.fit_resample(X, y)
    reached = np.bincount(y_new)
    assert (reached >= present).all()
    # Within one row of its share: no table of that size can be closer for all classes.
    assert (np.abs(reached - p * len(y_new)) <= 1).all()
    if target_size is not None:
        assert len(y_new) == round(target_size * len(y))


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"target_prior": "uniform"}, {0: 60, 1: 60}),
        ({"target_prior": "uniform", "target_size": 3.0}, {0: 120, 1: 120}),
        ({"target_prior": "empirical", "target_size": 2.0}, {0: 120, 1: 40}),
        # Without a prior, the shares that sampling_strategy leads to.
        ({"target_size": 3.0}, {0: 120, 1: 120}),
        ({"sampling_strategy": {1: 30}, "target_size": 3.0}, {0: 160, 1: 80}),
        ({"target_size": "extended"}, {0: 120, 1: 120}),
        ({"target_prior": {0: 0.8, 1: 0.2}, "target_size": "extended"}, {0: 160, 1: 40}),
    ],
    ids=str,
)
def test_target_size_extends_every_class(table, params, expected):
    sampler = quick(**params)
    _, y = sampler.fit_resample(*table)
    assert counts(y) == expected
    assert sum(sampler.sampling_strategy_.values()) == sampler.is_synthetic_.sum()


@pytest.mark.parametrize("params", [{}, {"target_prior": "empirical"}], ids=str)
def test_nothing_to_add_trains_nothing(params):
    X, y = make_table((20, 20), 5, seed=0)
    sampler = quick(**params)
    X_new, y_new = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_new, X, check_exact=True)
    pd.testing.assert_series_equal(y_new, y, check_exact=True)
    assert sampler.gan_ is None
    assert not sampler.is_synthetic_.any()
    assert sampler.acceptance_rate_ == {}


# Types in, same types out


@pytest.mark.parametrize(
    "labels", [[0, 1], [-3, 7], ["benign", "malignant"], [False, True]]
)
def test_dataframe_keeps_columns_dtypes_and_rows(labels):
    X, y = make_table((40, 15), 5, seed=0, labels=labels)
    X["feature_1"] = X["feature_1"].astype(np.float32)
    X["count"] = np.arange(len(X)) % 7
    X["flag"] = X["count"] > 3
    X.index = y.index = X.index + 100
    X_before, y_before = X.copy(), y.copy()
    sampler = quick()
    X_new, y_new = sampler.fit_resample(X, y)
    assert list(X_new.columns) == list(X.columns)
    assert (X_new.dtypes == X.dtypes).all()
    assert y_new.dtype == y.dtype
    assert y_new.name == y.name
    n = len(X)
    pd.testing.assert_frame_equal(X_new.iloc[:n].set_axis(X.index), X, check_exact=True)
    assert_array_equal(y_new[:n], y)
    assert_array_equal(sampler.is_synthetic_, np.arange(len(X_new)) >= n)
    # Whole numbers and flags stay what they are.
    assert set(X_new["count"]) <= set(range(7))
    # Inputs are not written to.
    pd.testing.assert_frame_equal(X, X_before, check_exact=True)
    pd.testing.assert_series_equal(y, y_before, check_exact=True)


def test_array_list_sparse(table):
    X, y = table[0].to_numpy(), table[1].to_numpy()
    expected, y_expected = quick().fit_resample(X, y)
    assert_array_equal(expected[: len(X)], X)
    as_list, y_list = quick().fit_resample(X.tolist(), y.tolist())
    assert isinstance(as_list, list)
    assert isinstance(y_list, list)
    assert_array_equal(as_list, expected)
    for make in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array):
        got, y_got = quick().fit_resample(make(X), y)
        assert got.format == make(X).format
        assert_array_equal(got.toarray(), expected)
        assert_array_equal(y_got, y_expected)


def test_integer_array_stays_integer():
    X, y = make_table((40, 15), 5, seed=0)
    X = (X.to_numpy() * 10).astype(np.int64)
    X_new, _ = quick().fit_resample(X, y)
    assert X_new.dtype == np.int64


def test_synthetic_rows_are_new_and_in_range(table):
    X, y = table
    sampler = quick(target_prior="uniform", target_size=5.0)
    X_new, _ = sampler.fit_resample(X, y)
    synthetic = X_new[sampler.is_synthetic_]
    assert ((synthetic >= X.min()) & (synthetic <= X.max())).all(axis=None)
    assert not pd.concat([X, synthetic]).duplicated().any()
    assert all(0 < rate <= 1 for rate in sampler.acceptance_rate_.values())
    assert sampler.history_["losses"].keys() == {"critic", "penalty", "generator"}


# Small and awkward tables


@pytest.mark.parametrize("n_minority", [1, 2, 5])
def test_class_of_few_rows(n_minority):
    X, y = make_table((40, n_minority), 10, seed=0)
    sampler = quick()
    with pytest.warns(SmallClassWarning, match=f"{{1: {n_minority}}}"):
        X_new, y_new = sampler.fit_resample(X, y)
    assert counts(y_new) == {0: 40, 1: 40}
    synthetic = X_new[sampler.is_synthetic_]
    # They spread as rows of the other class do, and do not pile on the few there are.
    spread = synthetic.std().mean() / X[y == 0].std().mean()
    assert 0.4 < spread < 2.5


def test_fifty_times_more_columns_than_rows():
    X, y = make_table((22, 8), 1500, seed=0)
    X_new, y_new = quick().fit_resample(X, y)
    assert counts(y_new) == {0: 22, 1: 22}
    assert np.isfinite(X_new.to_numpy()).all()


def test_awkward_columns(table):
    X, y = table
    n = len(X)
    rng = np.random.default_rng(0)
    X = X.assign(
        constant=0.1,
        duplicate=X["feature_0"],
        collinear=3 * X["feature_0"] - 2,
        two_values=np.where(rng.random(n) < 0.2, -0.3, 3.1),
        rare_flag=(np.arange(n) == 3).astype(int),
        heavy=np.exp(rng.normal(size=n) * 10) * 1e12,
        tiny=rng.normal(size=n) * 1e-300,
        zero_inflated=np.where(rng.random(n) < 0.5, 0.0, rng.random(n)),
    )
    sampler = quick(target_prior="uniform", target_size=6.0)
    X_new, _ = sampler.fit_resample(X, y)
    synthetic = X_new[sampler.is_synthetic_]
    assert ((synthetic >= X.min()) & (synthetic <= X.max())).all(axis=None)
    assert (synthetic["constant"] == 0.1).all()
    assert set(synthetic["two_values"]) == {-0.3, 3.1}
    np.testing.assert_allclose(synthetic["duplicate"], synthetic["feature_0"], rtol=1e-6)
    ranks = synthetic[["feature_0", "collinear"]].corr("spearman").iloc[0, 1]
    assert ranks > 0.999
    # A pile of zeros keeps its share, within four standard errors of both samples.
    share = (X["zero_inflated"] == 0).mean()
    error = np.sqrt(share * (1 - share) * (1 / n + 1 / len(synthetic)))
    assert abs((synthetic["zero_inflated"] == 0).mean() - share) < 4 * error


@pytest.mark.parametrize("as_frame", [False, True])
def test_table_of_flags(table, as_frame):
    X, y = table
    X = X > X.median()
    X_new, _ = quick().fit_resample(X if as_frame else X.to_numpy(), y)
    assert (np.asarray(X_new).dtype) == bool


def test_constant_table():
    X, y = make_table((30, 10), 4, seed=0)
    X_new, y_new = quick().fit_resample(X * 0 + 0.1, y)
    assert (X_new == 0.1).all(axis=None)
    assert counts(y_new) == {0: 30, 1: 30}


def test_large_integers_are_not_rounded(table):
    X, y = table
    X = X.assign(big=2**53 + 1 + 2 * np.arange(len(X)))
    X_new, _ = quick().fit_resample(X, y)
    assert_array_equal(X_new["big"][: len(X)], X["big"])


def test_the_fitted_generator_knows_the_columns(table):
    X, y = table
    gan = quick()
    gan.fit_resample(X, y)
    rows, _ = gan.gan_.sample(5)
    assert list(rows.columns) == list(X.columns)
    assert gan.gan_.score_samples(X).shape == (len(X),)


def test_a_class_without_held_out_rows_stays_at_its_start():
    """Whatever the game does for the others: nothing held out could judge it."""
    rng = np.random.default_rng(0)
    angle = np.pi / 4 * rng.integers(8, size=800)
    ring = 2 * np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=(800, 2))
    few = 0.3 * rng.normal(size=(4, 2))
    sampler = quick(max_iter=400, n_modes=1)
    with pytest.warns(SmallClassWarning):
        sampler.fit_resample(np.vstack([ring, few]), np.repeat([0, 1], [800, 4]))
    gan = sampler.gan_
    assert not gan.start_used_
    assert_array_equal(gan.is_learned_, [True, False])
    drawn, _ = gan.sample(y=np.ones(50, dtype=int))
    gan.start_used_ = True
    assert_array_equal(gan.sample(y=np.ones(50, dtype=int))[0], drawn)


@pytest.mark.parametrize("n_classes", [2, 5, 20])
def test_many_classes(n_classes):
    X, y = make_table(np.arange(n_classes) % 7 + 8, 6, seed=0)
    _, y_new = quick().fit_resample(X, y)
    assert set(counts(y_new).values()) == {max(counts(y).values())}


@pytest.mark.parametrize("path", radmlbench_tables())
@pytest.mark.parametrize("cut", [False, True], ids=["native", "minority cut to 10"])
def test_real_tables(path, cut):
    table = pd.read_csv(path)
    y, X = table["Target"], table.drop(columns=["ID", "Target"])
    if cut:
        minority = y.value_counts().idxmin()
        dropped = y.index[y == minority][10:]
        X, y = X.drop(dropped), y.drop(dropped)
    sampler = quick(target_prior="uniform", target_size=3.0)
    X_new, y_new = sampler.fit_resample(X, y)
    synthetic = X_new[sampler.is_synthetic_]
    assert ((synthetic >= X.min()) & (synthetic <= X.max())).all(axis=None)
    assert max(counts(y_new).values()) - min(counts(y_new).values()) <= 1


# Bad input


@pytest.mark.parametrize(
    "params, message",
    [
        ({"target_prior": {0: 0.5, 2: 0.5}}, r"classes that y does not hold: \[2\]"),
        ({"target_prior": {0: 1.0}}, r"leaves out classes that y holds: \[1\]"),
        ({"target_prior": {0: 0.5, 1: 0.6}}, "sums to 1.1"),
        ({"target_prior": {0: 1.5, 1: -0.5}}, "at least 0"),
        ({"target_prior": {0: "a", 1: 0.5}}, "must map classes to numbers"),
        ({"target_prior": {0: 0.0, 1: 1.0}}, r"prior of 0 for classes \[0\]"),
        (
            {"target_prior": "uniform", "target_size": 1.2},
            r"nearest reachable prior at target_size=1.2 is \{0: 0.625, 1: 0.375\}",
        ),
        (
            {"target_prior": "uniform", "sampling_strategy": "all"},
            "Leave one at its default",
        ),
        ({"sampling_strategy": {1: 5}}, "greater or equal to the original"),
        ({"sampling_strategy": {2: 100}}, "not present in the data"),
        ({"target_prior": "balanced"}, "target_prior"),
        ({"target_size": 0.5}, "target_size"),
        ({"objective": "wasserstein"}, "objective"),
        ({"penalty": -1.0}, "penalty"),
        ({"n_critic": 0}, "n_critic"),
        ({"max_iter": 1.5}, "max_iter"),
        ({"copy_alpha": 1.0}, "copy_alpha"),
        ({"start": "smote"}, "start"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (16, 0)}, "hidden_layer_sizes"),
        ({"device": "tpu"}, "device"),
        ({"random_state": "seed"}, "random_state"),
    ],
    ids=str,
)
def test_bad_parameters_before_any_training(table, params, message, monkeypatch):
    monkeypatch.setattr("gansampler._adversarial.train", None)
    with pytest.raises(ValueError, match=message):
        quick(**params).fit_resample(*table)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_bad_values(table, bad):
    X, y = table
    X.iloc[3, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        quick().fit_resample(X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_divergence_is_named_or_survived(table, early_stopping):
    sampler = quick(learning_rate_init=1e20, early_stopping=early_stopping)
    if early_stopping:
        sampler.fit_resample(*table)
        assert sampler.gan_.start_used_
        assert np.isfinite(sampler.gan_.score_samples(table[0])).all()
    else:
        with pytest.raises(ValueError, match=r"diverged.*learning_rate_init"):
            sampler.fit_resample(*table)


def test_bad_shapes(table):
    X, y = table
    with pytest.raises(ValueError, match="more than 1 class"):
        quick().fit_resample(X, np.zeros(len(X), dtype=int))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit_resample(X, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit_resample(X, y, groups=np.zeros(len(X) - 1))
    with pytest.raises(ValueError, match=r"Unknown label type|continuous"):
        quick().fit_resample(X, X["feature_0"])
    with pytest.raises(ValueError, match=r"dim|2D"):
        quick().fit_resample(np.zeros((4, 4, 4)), [0, 0, 0, 1])


# Life in the ecosystem


def test_clone_and_pickle(table):
    sampler = quick(target_prior={0: 0.6, 1: 0.4})
    expected, _ = clone(sampler).fit_resample(*table)
    before = pickle.loads(pickle.dumps(sampler))
    pd.testing.assert_frame_equal(
        before.fit_resample(*table)[0], expected, check_exact=True
    )
    after = pickle.loads(pickle.dumps(before))
    assert_array_equal(after.gan_.sample(5)[0], before.gan_.sample(5)[0])


def test_pipeline_with_memory(table, tmp_path):
    def fitted(memory):
        steps = [
            ("scale", StandardScaler()),
            ("gan", quick()),
            ("clf", LogisticRegression()),
        ]
        return Pipeline(steps, memory=memory).fit(*table)

    expected = fitted(None).predict_proba(table[0])
    for _ in range(2):
        assert_array_equal(fitted(str(tmp_path)).predict_proba(table[0]), expected)


def test_grid_search_and_cross_validate_on_a_real_table():
    X, y = load_hcc_tace(return_X_y=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("gan", quick()), ("clf", LogisticRegression(C=0.01))]
    )
    grid = {"gan__n_critic": [1, 2], "gan__target_prior": ["uniform", {0: 0.7, 1: 0.3}]}
    searches = [
        GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs, scoring="roc_auc").fit(X, y)
        for n_jobs in (1, 2)
    ]
    alone, together = (search.cv_results_["mean_test_score"] for search in searches)
    assert np.isfinite(alone).all()
    assert_array_equal(together, alone)
    scores = cross_validate(pipeline, X, y, cv=3, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


# Reproducibility


def test_same_bytes_in_every_process(table):
    from joblib import Parallel, delayed

    expected, _ = quick(max_iter=40).fit_resample(*table)
    again, _ = quick(max_iter=40).fit_resample(*table)
    workers = Parallel(n_jobs=2)(
        delayed(quick(max_iter=40).fit_resample)(*table) for _ in range(2)
    )
    for got in (again, *(X for X, _ in workers)):
        assert got.to_numpy().tobytes() == expected.to_numpy().tobytes()
    other, _ = quick(max_iter=40, random_state=1).fit_resample(*table)
    assert other.to_numpy().tobytes() != expected.to_numpy().tobytes()


def test_threads_take_turns(table):
    """Several fits in one process do not disturb each other, nor the global generator."""
    before = torch.get_rng_state()
    expected = [quick(random_state=seed).fit_resample(*table)[0] for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        fits = pool.map(lambda s: quick(random_state=s).fit_resample(*table)[0], range(4))
        for got, same in zip(fits, expected, strict=True):
            pd.testing.assert_frame_equal(got, same, check_exact=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_same_bytes_with_other_thread_settings(table):
    expected, _ = quick().fit_resample(*table)
    n_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        got, _ = quick().fit_resample(*table)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(n_threads)
    assert got.to_numpy().tobytes() == expected.to_numpy().tobytes()


@pytest.fixture
def memory_for(monkeypatch):
    """Let the device have no memory for larger batches, which shows in the second step."""
    critic_loss = SynthesisGame.critic_loss

    def patch(batch_size):
        calls = []

        def limited(game, batch):
            calls.append(len(batch[0]))
            if calls[-1] > batch_size and calls.count(calls[-1]) > 3:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return critic_loss(game, batch)

        monkeypatch.setattr(SynthesisGame, "critic_loss", limited)

    return patch


def test_batches_are_halved_where_memory_is_too_little(table, memory_for):
    params = {"max_iter": 5, "early_stopping": False, "random_state": 0}
    expected = TabularGAN(batch_size=16, **params).fit(*table)
    memory_for(16)
    with pytest.warns(GansamplerWarning, match="memory for .*batch_size=") as warned:
        gan = TabularGAN(batch_size=64, **params).fit(*table)
    assert [int(str(w.message).split()[-1][:-1]) for w in warned] == [32, 16]
    assert warned[0].filename == __file__
    assert gan.history_ == expected.history_
    pd.testing.assert_frame_equal(gan.sample(9)[0], expected.sample(9)[0], check_exact=True)


def test_too_little_memory_is_told_with_a_remedy(table, memory_for):
    memory_for(1)
    with (
        pytest.warns(GansamplerWarning, match="too little memory"),
        pytest.raises(MemoryError, match=r"batch_size=2\. .* take [1-9]\d* MiB"),
    ):
        quick(batch_size=8).fit_resample(*table)


def test_a_training_to_be_resumed_keeps_its_batch_size(table, memory_for, tmp_path):
    memory_for(16)
    with pytest.raises(MemoryError, match="batch_size=64"):
        TabularGAN(batch_size=64, max_iter=5, checkpoint_dir=tmp_path, random_state=0).fit(
            *table
        )


@pytest.mark.parametrize("fails", [False, True])
def test_global_state_is_untouched(table, fails, monkeypatch):
    np.random.seed(5)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy(), torch.get_rng_state(), torch.get_num_threads()
    if fails:

        def fail(*args, **kwargs):
            torch.rand(3)
            raise RuntimeError("in the middle of training")

        monkeypatch.setattr("gansampler._adversarial.train", fail)
        with pytest.raises(RuntimeError, match="middle"):
            quick().fit_resample(*table)
    else:
        quick().fit_resample(*table)
    after = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()
    assert_array_equal(after[0], before[0])
    assert torch.equal(after[1], before[1])
    assert after[2] == before[2]


def test_missing_labels_are_counted(table):
    X, y = table
    for labels in (y.where(y.index > 2), y.astype("Int64").where(y.index > 2)):
        with pytest.raises(ValueError, match="y contains NaN in 3 rows; drop or label"):
            quick().fit_resample(X, labels)


def test_whole_floats_are_counts_and_others_are_refused(table):
    sampler = quick(sampling_strategy={1: 30.0}, max_iter=0)
    assert counts(sampler.fit_resample(*table)[1]) == {0: 60, 1: 30}
    with pytest.raises(ValueError, match="parts of rows"):
        quick(sampling_strategy={1: 30.5}).fit_resample(*table)


def test_a_number_of_rows_is_no_factor(table):
    with pytest.raises(ValueError, match="target_size is a multiple of the rows"):
        quick(target_size=1e9).fit_resample(*table)


def test_columns_of_the_same_name_are_refused(table):
    X, y = table
    twice = X.set_axis(["one", "one", *X.columns[2:]], axis=1)
    with pytest.raises(ValueError, match=r"the same name: \['one'\]"):
        quick().fit_resample(twice, y)
