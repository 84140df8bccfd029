"""What only a GPU can show; skipped where there is none."""

import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone

from gansampler import CycleGAN, GANOverSampler, GansamplerWarning, TabularGAN, VolumeGAN
from gansampler.adversarial import SynthesisGame
from gansampler.datasets import make_liver_phantoms
from gansampler.metrics import energy_distance

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

GPU = {"device": "cuda", "random_state": 0}
ESTIMATORS = {
    "TabularGAN": TabularGAN(max_iter=30, **GPU),
    "VolumeGAN": VolumeGAN(channels=4, max_iter=10, batch_size=4, **GPU),
    "CycleGAN": CycleGAN(channels=4, max_iter=10, batch_size=4, **GPU),
}


def fitted(estimator, **params):
    estimator = clone(estimator).set_params(early_stopping=False, **params)
    if isinstance(estimator, TabularGAN):
        return estimator.fit(*rows(400, 0))
    X, y = make_liver_phantoms(12, size=16, random_state=0)
    return (
        estimator.fit(X[:6], X[6:])
        if isinstance(estimator, CycleGAN)
        else estimator.fit(X, y)
    )


def rows(n, seed):
    """A ring of eight modes, in two classes."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.integers(8, size=n) / 8
    X = np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.05, (n, 2))
    return X, (X[:, 0] > 0).astype(int)


def weights(estimator):
    players = [getattr(estimator, "generator_", None), estimator.critic_]
    players[0] = players[0] or estimator.residual_
    return torch.cat(
        [w.detach().flatten() for player in players for w in player.parameters()]
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_replayed_graphs_train_as_single_steps_do(name, monkeypatch):
    # bit for bit where sums have one order; atomic additions have none
    torch.manual_seed(0)
    replayed = fitted(ESTIMATORS[name])
    monkeypatch.setenv("GANSAMPLER_CUDA_GRAPHS", "0")
    single = fitted(ESTIMATORS[name])
    again = fitted(ESTIMATORS[name])
    assert replayed.n_iter_ == single.n_iter_
    own = (weights(again) - weights(single)).abs().max()
    assert (weights(replayed) - weights(single)).abs().max() <= max(1e-3, 3 * own)
    assert (
        len({*replayed.history_["losses"]["critic" if name != "CycleGAN" else "critic a"]})
        > 5
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_was_fitted_on_a_gpu_opens_where_there_is_none(name, tmp_path):
    path = tmp_path / "fitted.pickle"
    path.write_bytes(pickle.dumps(fitted(ESTIMATORS[name])))
    code = """
import os, pickle, sys
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
assert not torch.cuda.is_available()
fitted = pickle.load(open(sys.argv[1], "rb")).set_params(device="auto")
if hasattr(fitted, "sample"):
    fitted.sample(3)
else:
    fitted.translate(torch.zeros(1, 2, 16, 16, 16).numpy())
"""
    subprocess.run([sys.executable, "-c", code, path], check=True)


def test_the_game_is_won_as_on_a_cpu():
    X, y = rows(2000, 0)
    fresh, other = rows(2000, 1)[0], rows(2000, 2)[0]
    found = {}
    for device in ("cuda", "cpu"):
        gan = TabularGAN(max_iter=1000, n_modes=1, device=device, random_state=0).fit(X, y)
        assert not gan.start_used_
        found[device] = energy_distance(fresh, gan.sample(2000)[0])
    start = TabularGAN(max_iter=0, n_modes=1, random_state=0).fit(X, y).sample(2000)[0]
    floor = energy_distance(fresh, other)
    assert max(found.values()) < floor + 0.3 * (energy_distance(fresh, start) - floor)


def test_same_rows_from_the_same_seed_and_nothing_else_touched():
    X, y = rows(300, 0)
    kept = (y == 0) | (np.arange(300) < 60)
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    first, second, _ = (
        GANOverSampler(max_iter=50, **GPU).fit_resample(X[kept], y[kept])[0]
        for _ in range(3)
    )
    assert torch.equal(torch.cuda.get_rng_state(), before)
    np.testing.assert_allclose(first, second)


def test_no_memory_is_left_behind():
    held = []
    for _ in range(3):
        fitted(ESTIMATORS["TabularGAN"])
        gc.collect()
        held.append(torch.cuda.memory_allocated())
    assert held[2] == held[1]


def test_batches_are_halved_where_memory_is_too_little():
    X, y = make_liver_phantoms(24, size=32, random_state=0)
    gc.collect()
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved() + 2e9
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(allowed / total)
    try:
        gan = VolumeGAN(batch_size=512, max_iter=5, early_stopping=False, **GPU)
        with pytest.warns(GansamplerWarning, match="training begins again with 256"):
            gan.fit(X, y)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert gan.n_iter_ == 5


def test_batches_are_halved_where_memory_is_too_little_for_a_recording(monkeypatch):
    critic_loss, stream = SynthesisGame.critic_loss, torch.cuda.current_stream()

    def limited(game, batch):
        if len(batch[0]) > 16 and torch.cuda.is_current_stream_capturing():
            # Not allowed while recording, which can then not be ended.
            with pytest.raises(RuntimeError):
                torch.cuda.current_stream().synchronize()
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return critic_loss(game, batch)

    monkeypatch.setattr(SynthesisGame, "critic_loss", limited)
    with pytest.warns(GansamplerWarning, match="training begins again with 16"):
        gan = fitted(ESTIMATORS["TabularGAN"], batch_size=32)
    assert gan.n_iter_ == 30
    assert torch.cuda.current_stream() == stream


def test_an_interrupted_training_goes_on(tmp_path, monkeypatch):
    from gansampler import _checkpoint

    X, y = rows(400, 0)
    whole = TabularGAN(max_iter=40, early_stopping=False, **GPU).fit(X, y)

    class Stopping(_checkpoint.Checkpoint):
        def save(self, state):
            self.written = -np.inf
            super().save(state)
            if state()["selection"]["history"]["n_iter"] == 20:
                raise KeyboardInterrupt

    gan = TabularGAN(max_iter=40, early_stopping=False, checkpoint_dir=tmp_path, **GPU)
    with monkeypatch.context() as patch:
        patch.setattr("gansampler._tabular.Checkpoint", Stopping)
        with pytest.raises(KeyboardInterrupt):
            gan.fit(X, y)
    played = []
    critic_loss = SynthesisGame.critic_loss

    def counted(game, batch):
        played.append(batch)
        return critic_loss(game, batch)

    monkeypatch.setattr(SynthesisGame, "critic_loss", counted)
    monkeypatch.setenv("GANSAMPLER_CUDA_GRAPHS", "0")
    gan.fit(X, y)
    assert len(played) == 2 * 20
    torch.testing.assert_close(weights(gan), weights(whole), rtol=0, atol=1e-4)
    assert gan.history_["losses"]["critic"] == pytest.approx(
        whole.history_["losses"]["critic"], abs=1e-3
    )
