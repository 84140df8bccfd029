"""Several processes train what one would.

Run as a script, by `torchrun` or with its environment variables, this file plays the games
below in one of the processes.
"""

import io
import os
import pickle
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from numpy.testing import assert_allclose, assert_array_equal

import gansampler
from gansampler import TabularGAN, _checkpoint
from gansampler.adversarial import (
    OBJECTIVES,
    Critic,
    History,
    Plan,
    ResidualGenerator,
    SynthesisGame,
    balanced_batches,
    distributed,
    isolated,
    together,
    train,
)

pytestmark = pytest.mark.skipif(
    not dist.is_available()
    or not dist.is_gloo_available()
    or torch.__version__ < distributed.LEAST_TORCH,
    reason=f"needs torch {distributed.LEAST_TORCH} with torch.distributed and gloo",
)

N = 2
CPU = torch.device("cpu")
SHORT = {"hidden_layer_sizes": (16,), "n_components": 4, "random_state": 0, "device": "cpu"}
VOLUMES = {"channels": 4, "random_state": 0, "early_stopping": False, "device": "cpu"}


def rows():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [150, 50])
    angle = rng.uniform(0, 2 * np.pi, 200)
    X = np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.05, (200, 2))
    return X + y[:, None], y


def volumes():
    X = np.random.default_rng(0).normal(size=(12, 2, 8, 8, 8)).astype(np.float32)
    X[:, 1] = 0
    X[:, 1, 2:6, 2:6, 2:6] = 1
    return X


def weights(*modules):
    return [v.numpy() for module in modules for v in module.state_dict().values()]


def play_in_doubles(objective):
    """A game in which rounding cannot be taken for a mistake."""
    X, y = (torch.as_tensor(part) for part in rows())
    with isolated(0, CPU), together(CPU):
        generator = ResidualGenerator(
            location=torch.zeros(2, 2, dtype=torch.double),
            scale_tril=torch.eye(2, dtype=torch.double).repeat(2, 1, 1),
            learned=torch.ones(2, dtype=torch.double),
            hidden_layer_sizes=(16, 16),
        ).double()
        critic = Critic(in_features=2, n_classes=2, hidden_layer_sizes=(16, 16)).double()
        game = SynthesisGame(generator, critic, OBJECTIVES[objective])
        history = train(game, balanced_batches(X, y, 32), Plan(max_iter=20))
    return [*weights(generator, critic), *map(np.array, history.losses.values())]


def fit_table(**params):
    params = {**SHORT, "max_iter": 40, "objective": "non-saturating", **params}
    gan = TabularGAN(**params).fit(*rows())
    return [*weights(gan.residual_), np.array(gan.validation_scores_), gan.sample(20)[0]]


def resample():
    sampler = gansampler.GANOverSampler(max_iter=20, objective="non-saturating", **SHORT)
    return [sampler.fit_resample(*rows())[0]]


def fit_volumes():
    gan = gansampler.VolumeGAN(
        max_iter=4,
        batch_size=4,
        flips=(0, 1),
        rotation=10,
        # Moving voxels by their ranks makes much of rounding.
        texture_steps=0,
        **VOLUMES,
    )
    gan.fit(volumes(), np.repeat([0, 1], 6))
    return [*weights(gan.generator_), gan.sample(2)[0]]


def fit_translation():
    gan = gansampler.CycleGAN(max_iter=6, batch_size=2, pool_size=3, **VOLUMES)
    X = volumes()
    return weights(gan.fit(X[:6], X[6:] * [[[[[2]]], [[[1]]]]]).generator_)


GAMES = {
    **{name: lambda name=name: play_in_doubles(name) for name in OBJECTIVES},
    "table": fit_table,
    "table, all rows": lambda: fit_table(early_stopping=False),
    "sampler": resample,
    "volumes": fit_volumes,
    "translation": fit_translation,
}


class Stopped(Exception):
    """What interrupts a training here."""


def fit_after_a_stop(folder):
    def stop(self, step, losses):
        if step == 20:
            raise Stopped
        record(self, step, losses)

    record, seconds = History.record, _checkpoint.SECONDS
    History.record, _checkpoint.SECONDS = stop, 0.0
    with pytest.raises(Stopped):
        fit_table(checkpoint_dir=folder)
    History.record, _checkpoint.SECONDS = record, seconds
    assert list(Path(folder).glob("training-*"))
    return fit_table(checkpoint_dir=folder)


def modes_in_doubt(rank):
    """Modes of each class where processes find one thing and the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TabularGAN, "_modes_win", lambda *_: rank == 0)
        return TabularGAN(n_modes=3, max_iter=2, **SHORT).fit(*rows()).n_modes_.tolist()


def refusal(**params):
    with pytest.raises(ValueError) as error:
        fit_table(**params)
    return str(error.value)


def play_all(folder):
    rank = int(os.environ["RANK"])
    found = {name: play() for name, play in GAMES.items()}
    assert not dist.is_initialized()
    found["resumed"] = fit_after_a_stop(folder)
    found["odd"] = refusal(batch_size=31)
    found["other seeds"] = refusal(random_state=rank)
    found["modes"] = modes_in_doubt(rank)
    with redirect_stderr(io.StringIO()) as bar:
        fit_table(verbose=True, max_iter=2)
    found["bar"] = bar.getvalue()
    with distributed.together(CPU):
        found["in a group that was there"] = fit_table()
        assert dist.is_initialized()
    Path(folder, f"{rank}.pkl").write_bytes(pickle.dumps(found))


def start(command, **variables):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variables}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """What each of the processes has found."""
    folder = tmp_path_factory.mktemp("played")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", N]
    process = start([*torchrun, __file__, "all", folder])
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert not list(folder.glob("training-*"))
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(N)]


@pytest.mark.parametrize("name", GAMES)
def test_as_one_process(played, name):
    first, second = (found[name] for found in played)
    for one, other, alone in zip(first, second, GAMES[name](), strict=True):
        assert_array_equal(one, other)
        if name in OBJECTIVES:
            assert_allclose(one, alone, rtol=1e-6, atol=1e-9)
        else:
            assert_allclose(one, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["resumed", "in a group that was there"])
def test_the_same_bytes_as_in_one_go(played, name):
    for found in played:
        for one, other in zip(found["table"], found[name], strict=True):
            assert_array_equal(one, other)


def test_processes_that_do_not_agree_are_told_so(played):
    for found in played:
        assert (
            "batch_size=31 must be a multiple of the number of processes, 2" in found["odd"]
        )
        assert "the same rows, parameters and integer random_state" in found["other seeds"]


def test_the_first_process_says_whether_classes_have_modes(played):
    assert [found["modes"] for found in played] == [[3, 3], [3, 3]]


def test_the_first_process_shows_progress(played):
    assert "2/2" in played[0]["bar"]
    assert played[1]["bar"] == ""


def fit_until_one_is_killed(folder):
    _checkpoint.SECONDS = 0.0
    record = History.record

    def record_or_die(self, step, losses):
        if step == 30 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        record(self, step, losses)

    History.record = record_or_die
    fit_table(checkpoint_dir=folder)


def test_a_killed_process_ends_the_others_and_leaves_a_checkpoint(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": str(N), "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    processes = [
        start([__file__, "killed", tmp_path], RANK=str(rank), **group) for rank in range(N)
    ]
    output = [process.communicate(timeout=120)[0] for process in processes]
    assert "Lost contact with another process of this training" in output[0]
    assert processes[0].returncode == 1
    (file,) = tmp_path.glob("training-*")
    checkpoint = _checkpoint.Checkpoint(tmp_path)
    checkpoint.path = file
    assert checkpoint.load()["selection"]["history"]["n_iter"] >= 29
    for one, alone in zip(fit_table(checkpoint_dir=tmp_path), fit_table(), strict=True):
        assert_allclose(one, alone, rtol=1e-3, atol=1e-4)
    assert not list(tmp_path.iterdir())


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"all": play_all, "killed": fit_until_one_is_killed}[sys.argv[1]](sys.argv[2])
