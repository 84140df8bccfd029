"""A training that was interrupted ends as one that was not."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gansampler import GANOverSampler, GansamplerWarning, TabularGAN, _checkpoint

SHORT = {"hidden_layer_sizes": (16,), "n_components": 4, "random_state": 0}


def rows(seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [150, 50])
    angle = rng.uniform(0, 2 * np.pi, 200)
    X = np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.05, (200, 2))
    return X + y[:, None], y


class Stopped(Exception):
    """What interrupts a training here."""


@pytest.fixture
def stop_after(monkeypatch):
    """Write at every step, and stop after so many; None goes on to the end."""

    def patch(n_steps):
        steps = iter(range(1, 10**6))

        class Stopping(_checkpoint.Checkpoint):
            def save(self, state):
                self.written = -np.inf
                super().save(state)
                if next(steps) == n_steps:
                    raise Stopped

        monkeypatch.setattr("gansampler._tabular.Checkpoint", Stopping)

    return patch


@pytest.mark.parametrize("params", [{}, {"early_stopping": False}, {"start": "normal"}])
def test_same_bytes_after_interruptions(tmp_path, stop_after, params):
    X, y = rows()
    params = {**SHORT, "max_iter": 60, **params}
    whole = TabularGAN(**params).fit(X, y)
    gan = TabularGAN(checkpoint_dir=tmp_path / "new", **params)
    for n_steps in (25, 1, 13):
        stop_after(n_steps)
        with pytest.raises(Stopped):
            gan.fit(X, y)
    assert len(os.listdir(tmp_path / "new")) == 1
    stop_after(None)
    gan.fit(X, y)
    assert os.listdir(tmp_path / "new") == [], "done: nothing to go on with"
    np.testing.assert_equal(gan.history_, whole.history_)
    assert_array_equal(gan.sample(50)[0], whole.sample(50)[0])


def test_other_rows_or_parameters_are_another_training(tmp_path, stop_after):
    X, y = rows()
    gan = TabularGAN(max_iter=30, checkpoint_dir=tmp_path, **SHORT)
    changes = [(X + 1, y, {}), (X, 1 - y, {}), (X, y, {"n_critic": 1}), (X, y, {})]
    for other_X, other_y, params in changes:
        stop_after(3)
        with pytest.raises(Stopped):
            TabularGAN(**{**gan.get_params(), **params}).fit(other_X, other_y)
    assert len(os.listdir(tmp_path)) == 4
    stop_after(None)
    gan.set_params(verbose=False).fit(X, y)
    assert len(os.listdir(tmp_path)) == 3


def test_the_sampler_goes_on_too(tmp_path, stop_after):
    X, y = rows()
    sampler = GANOverSampler(max_iter=30, checkpoint_dir=tmp_path, **SHORT)
    stop_after(10)
    with pytest.raises(Stopped):
        sampler.fit_resample(X, y)
    stop_after(None)
    X_new, _ = sampler.fit_resample(X, y)
    whole, _ = sampler.set_params(checkpoint_dir=None).fit_resample(X, y)
    assert_array_equal(X_new, whole)


@pytest.mark.parametrize("estimator", [TabularGAN, GANOverSampler])
def test_only_with_an_integer_seed(tmp_path, estimator):
    fit = estimator(checkpoint_dir=tmp_path, random_state=None)
    with pytest.raises(ValueError, match="checkpoint_dir needs an integer random_state"):
        getattr(fit, "fit_resample", fit.fit)(*rows())


def test_a_damaged_file_is_named(tmp_path, stop_after):
    gan = TabularGAN(max_iter=30, checkpoint_dir=tmp_path, **SHORT)
    stop_after(5)
    with pytest.raises(Stopped):
        gan.fit(*rows())
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=f"{path.name}.* Delete it"):
        gan.fit(*rows())


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "write", full)
    with pytest.warns(GansamplerWarning, match="No space left on device"):
        TabularGAN(max_iter=3, checkpoint_dir=tmp_path, **SHORT).fit(*rows())


KILLED = """
import sys
from gansampler import TabularGAN, _checkpoint
from test_resume import SHORT, rows
_checkpoint.SECONDS = 0.0
TabularGAN(max_iter=100000, early_stopping=False, checkpoint_dir=sys.argv[1], **SHORT).fit(
    *rows()
)
"""


def test_a_killed_process_leaves_a_whole_file(tmp_path):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("training-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (file,) = tmp_path.glob("training-*")
    checkpoint = _checkpoint.Checkpoint(tmp_path)
    checkpoint.path = file
    assert checkpoint.load()["selection"]["history"]["n_iter"] > 0
