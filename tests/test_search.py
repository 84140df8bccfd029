"""Searches over the parameters of a sampler: what their fits share, and where they run."""

import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from conftest import make_table, quick
from imblearn.pipeline import Pipeline
from numpy.testing import assert_array_equal
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler, TabularGAN
from gansampler._encoding import TableEncoder
from gansampler.adversarial import resolve_device


@pytest.fixture
def encodings(monkeypatch):
    """One entry for each table encoded, and not recalled."""
    made = []
    fit_transform = TableEncoder.fit_transform

    def counted(self, *args):
        made.append(self)
        return fit_transform(self, *args)

    monkeypatch.setattr(TableEncoder, "fit_transform", counted)
    return made


def mixed(seed=0):
    """A table with categories and missing values."""
    X, y = make_table(counts=(60, 20), n_features=6, seed=seed)
    X.iloc[::7, 0] = np.nan
    X["kind"] = np.where(X["feature_1"] > 1, "a", "b")
    return X, y


@pytest.mark.parametrize("kind", [str, Path, joblib.Memory])
def test_fits_that_differ_in_training_encode_once(tmp_path, encodings, kind):
    memory = joblib.Memory(tmp_path, verbose=0) if kind is joblib.Memory else kind(tmp_path)
    X, y = mixed()
    for n_critic in (1, 3):
        alone, _ = quick(n_critic=n_critic).fit_resample(X, y)
        shared, _ = quick(n_critic=n_critic, memory=memory).fit_resample(X, y)
        assert shared.equals(alone)
    assert len(encodings) == 2 + 1


def test_other_rows_labels_categories_and_seeds_encode_anew(tmp_path, encodings):
    X, y = make_table(counts=(60, 20), n_features=3, seed=0)
    X["few"] = np.round(X["feature_0"])
    gan = TabularGAN(max_iter=2, random_state=0, memory=tmp_path).fit(X, y)
    gan.set_params(max_iter=3).fit(X, y)
    assert len(encodings) == 1
    gan.fit(X + 1, y)
    gan.fit(X, 1 - y)
    gan.set_params(random_state=1).fit(X, y)
    gan.set_params(categorical_features=["few"]).fit(X, y)
    assert len(encodings) == 5


def test_random_numbers_go_on_after_what_is_recalled(tmp_path):
    X, y = mixed()
    following = set()
    for memory in (None, tmp_path, tmp_path):
        rng = np.random.RandomState(0)
        TabularGAN(max_iter=2, random_state=rng, memory=memory).fit(X, y)
        following.add(rng.randint(10**6))
    assert len(following) == 1


@pytest.mark.parametrize("kind", [str, joblib.Memory])
def test_saved_and_kept_on_with_a_memory(tmp_path, kind):
    X, y = mixed()
    memory = kind(tmp_path / "memory")
    sampler = quick(memory=memory, checkpoint_dir=tmp_path / "checkpoints")
    sampler.fit_resample(X, y)
    sampler.save(tmp_path / "sampler")
    loaded = GANOverSampler.load(tmp_path / "sampler")
    assert loaded.memory == (memory if kind is str else None)
    assert_array_equal(loaded.gan_.sample(3)[1], sampler.gan_.sample(3)[1])


def pipeline(**params):
    gan = quick(checks=(), **params)
    steps = [("scale", StandardScaler()), ("gan", gan), ("clf", LogisticRegression())]
    return Pipeline(steps)


def table():
    return make_table(counts=(60, 40), n_features=4, seed=0)


@pytest.mark.parametrize(
    ("search", "settings"),
    [(GridSearchCV, {}), (HalvingGridSearchCV, {"factor": 2, "min_resources": 40})],
)
def test_searches(search, settings, capfd):
    X, y = table()
    grid = {"gan__n_critic": [1, 2], "gan__target_size": [None, 3]}
    found = search(pipeline(max_iter=2), grid, cv=2, **settings).fit(X, y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert found.best_params_.keys() == grid.keys()
    assert found.best_estimator_.named_steps["gan"].n_critic in (1, 2)
    assert capfd.readouterr() == ("", ""), "no progress and no reports"


KILLED = """
import os, signal
from sklearn.model_selection import GridSearchCV
from test_search import pipeline, table

class Dying(type(pipeline().named_steps["gan"])):
    def fit_resample(self, X, y, **params):
        os.kill(os.getpid(), signal.SIGKILL)

model = pipeline()
model.set_params(gan=Dying())
GridSearchCV(model, {"clf__C": [0.1, 1.0]}, cv=2, n_jobs=2).fit(*table())
"""


def test_a_killed_worker_ends_the_search(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(KILLED)
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "TerminatedWorkerError" in done.stderr


@contextmanager
def dask():
    distributed = pytest.importorskip("dask.distributed")
    cluster = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**cluster), joblib.parallel_config("dask"):
        yield


@contextmanager
def ray():
    ray = pytest.importorskip("ray", reason="ray is tried by hand: it is large")
    pytest.importorskip("ray.util.joblib").register_ray()
    with ray.init(num_cpus=2, include_dashboard=False), joblib.parallel_config("ray"):
        yield


@pytest.mark.parametrize("cluster", [dask, ray])
def test_on_a_cluster(cluster, tmp_path):
    X, y = table()
    grid = {"gan__n_critic": [1, 2], "clf__C": [0.1, 1.0]}
    alone = GridSearchCV(pipeline(max_iter=4), grid, cv=2).fit(X, y)
    model = pipeline(max_iter=4, memory=tmp_path)
    with cluster():
        found = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert_array_equal(
        found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize(
    ("n_gpus", "rank", "identity", "expected"),
    [
        (1, None, (2,), "cuda"),
        (2, None, (), "cuda"),
        (2, None, (1,), "cuda:0"),
        (2, None, (4,), "cuda:1"),
        (2, "1", (1,), "cuda:1"),
        (4, "6", (), "cuda:2"),
    ],
)
def test_workers_take_gpus_in_turn(monkeypatch, n_gpus, rank, identity, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    monkeypatch.setattr(multiprocessing.current_process(), "_identity", identity)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    for name in ("auto", "cuda"):
        assert resolve_device(name) == torch.device(expected)
    assert resolve_device("cpu") == torch.device("cpu")
