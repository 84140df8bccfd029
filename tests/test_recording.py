"""Steps that are recorded and replayed, with a recorder of what the CPU does."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gansampler import CycleGAN, GansamplerWarning, TabularGAN, VolumeGAN, _adversarial
from gansampler.adversarial import (
    OBJECTIVES,
    Critic,
    Plan,
    ResidualGenerator,
    SynthesisGame,
    balanced_batches,
    train,
)
from gansampler.adversarial.recording import WARM_UP, RecordedStep

WAITS = {"_local_scalar_dense", "nonzero", "_unique2", "masked_select", "is_nonzero"}
"""Operations that wait for the device to know a number or a shape."""

COPIES = {"lift_fresh", "lift"}
"""What makes a tensor of Python's numbers, to be copied to the device: no graph can."""


class Tape(TorchDispatchMode):
    """What a CUDA graph does, on the CPU.

    Every operation is done again on the tensors it was done on, and its result is written
    to where it was; Python is not asked again. Unlike a graph, a tape does what it records.
    """

    def __init__(self):
        super().__init__()
        self.done, self.was_just_recorded = [], False

    def aside(self):
        return nullcontext()

    @contextmanager
    def recording(self):
        with self:
            yield
        self.was_just_recorded = True

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.done.append((operation, args, kwargs or {}, result))
        return result

    def replay(self):
        if self.was_just_recorded:
            self.was_just_recorded = False
            return
        with torch._C._AutoDispatchBelowAutograd():
            for operation, args, kwargs, result in self.done:
                again = operation(*args, **kwargs)
                for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def played(objective, recorder, n_critic=2, max_iter=12, score=None):
    torch.manual_seed(0)
    game = SynthesisGame(
        ResidualGenerator(
            location=torch.zeros(2, 3),
            scale_tril=torch.eye(3).repeat(2, 1, 1),
            learned=torch.ones(2),
            hidden_layer_sizes=(16, 16),
        ),
        Critic(in_features=3, n_classes=2, hidden_layer_sizes=(16, 16)),
        OBJECTIVES[objective],
    )
    batches = balanced_batches(torch.randn(40, 3) + 1, torch.arange(40) % 2, 16)
    plan = Plan(max_iter=max_iter, n_critic=n_critic, learning_rate=0.01)
    history = train(game, batches, plan, score=score, recorder=recorder)
    weights = [*game.generator.parameters(), *game.critic.parameters()]
    return torch.cat([weight.detach().flatten() for weight in weights]), history


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("n_critic", [1, 3])
def test_a_replayed_training_ends_as_one_that_was_not_recorded(objective, n_critic):
    # so nothing of a step is left behind in Python: neither batches nor the learning rate
    tape = Tape()
    weights, history = played(objective, tape, n_critic)
    expected, plain = played(objective, None, n_critic)
    assert torch.equal(weights, expected)
    assert history == plain and history.n_iter == 12
    assert tape.done and not tape.was_just_recorded


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_step_waits_for_the_device(objective):
    tape = Tape()
    played(objective, tape)
    done = {operation._schema.name.removeprefix("aten::") for operation, *_ in tape.done}
    assert len(done) > 20
    assert not done & (WAITS | COPIES)


def sides(estimator):
    """What the estimator is fitted to."""
    rng = np.random.default_rng(0)
    if isinstance(estimator, TabularGAN):
        return rng.normal(size=(40, 3)), np.arange(40) % 2
    X = rng.normal(size=(12, 2, 8, 8, 8)).astype(np.float32)
    X[:, 1] = 0
    X[:, 1, 2:6, 2:6, 2:6] = 1
    return (X, X + 1) if isinstance(estimator, CycleGAN) else (X,)


def volumes_played(estimator, monkeypatch, recorder):
    """Weights and losses of a game of volumes, all of whose step the recorder has seen."""
    monkeypatch.setattr(_adversarial, "recorder_for", lambda device: recorder)
    fitted = estimator.fit(*sides(estimator))
    weights = [*fitted.generator_.parameters(), *fitted.critic_.parameters()]
    return torch.cat([weight.detach().flatten() for weight in weights]), fitted.history_


VOLUME_GAMES = {
    "VolumeGAN": VolumeGAN(flips=(0, -1), batch_size=4, objective="wasserstein-gp"),
    "CycleGAN": CycleGAN(mask_channel=None, patch_size=8, pool_size=9, batch_size=4),
}
GAMES = {"TabularGAN": TabularGAN(n_modes=1), **VOLUME_GAMES}


@pytest.mark.parametrize("name", VOLUME_GAMES)
def test_a_replayed_game_of_volumes_ends_as_one_that_was_not_recorded(name, monkeypatch):
    estimator = VOLUME_GAMES[name].set_params(
        channels=2, max_iter=8, early_stopping=False, device="cpu", random_state=0
    )
    tape = Tape()
    n_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        weights, history = volumes_played(estimator, monkeypatch, tape)
        expected, plain = volumes_played(estimator, monkeypatch, None)
    finally:
        torch.set_num_threads(n_threads)
    assert torch.equal(weights, expected)
    assert history == plain and history["n_iter"] == 8
    done = {operation._schema.name.removeprefix("aten::") for operation, *_ in tape.done}
    assert len(done) > 20
    assert not done & (WAITS | COPIES)


class OnlyOn(TorchDispatchMode):
    """Refuses tensors of other devices than the one named."""

    def __init__(self, device):
        super().__init__()
        self.device, self.n_operations = device, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.n_operations += 1
        for value in tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor):
                assert value.device.type == self.device, f"{operation} on {value.device}"
        return result


@pytest.mark.parametrize("estimator", GAMES.values(), ids=GAMES)
def test_all_of_a_step_is_on_the_device_of_the_game(estimator, monkeypatch):
    # "meta" has no numbers, and so needs no GPU to be another device than the CPU.
    def step_elsewhere(game, batches, *args, **kwargs):
        for part in game.parts().values():
            part.to("meta")
        batch = tuple(tensor.to("meta") for tensor in next(batches))
        monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
        with OnlyOn("meta") as seen:
            for losses in (game.critic_loss(batch), game.generator_loss(batch)):
                torch.stack(list(losses.values())).sum().backward()
            game.project_()
        raise InterruptedError(str(seen.n_operations))

    monkeypatch.setattr(_adversarial, "train", step_elsewhere)
    with pytest.raises(InterruptedError) as stopped:
        clone(estimator).set_params(device="cpu", random_state=0).fit(*sides(estimator))
    assert int(str(stopped.value)) > 100


def test_losses_are_not_read_at_every_step(monkeypatch):
    reads = []
    read = _adversarial.History.read
    monkeypatch.setattr(
        _adversarial.History, "read", lambda self: (reads.append(self.n_iter), read(self))
    )
    _, history = played("wasserstein-gp", None, max_iter=250)
    assert reads == [100, 200, 250]
    assert [len(values) for values in history.losses.values()] == [250] * 3


def test_a_step_is_recorded_once_and_its_losses_are_copies():
    calls, total = [], torch.zeros(())

    def step():
        calls.append(1)
        total.add_(1)
        return {"total": total}

    recorded = RecordedStep(step, Tape())
    losses = [recorded() for _ in range(WARM_UP + 5)]
    assert len(calls) == WARM_UP + 1
    assert [float(loss["total"]) for loss in losses[WARM_UP:]] == [4, 5, 6, 7, 8]


class Torn(Tape):
    """Fails to end what failed, as CUDA does."""

    @contextmanager
    def recording(self):
        try:
            with super().recording():
                yield
        except BaseException:
            raise RuntimeError("CUDA error: a previous error during capture") from None


def test_too_little_memory_for_the_recording_halves_the_batch(monkeypatch):
    monkeypatch.setattr(_adversarial, "recorder_for", lambda device: Torn())
    critic_loss, calls = SynthesisGame.critic_loss, []

    def limited(game, batch):
        calls.append(len(batch[0]))
        # Only the step that is recorded, and not those before it, has too little.
        if calls[-1] > 16 and calls.count(calls[-1]) > 2 * WARM_UP:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return critic_loss(game, batch)

    params = {"max_iter": 6, "early_stopping": False, "device": "cpu", "random_state": 0}
    expected = TabularGAN(batch_size=16, **params).fit(*sides(TabularGAN()))
    monkeypatch.setattr(SynthesisGame, "critic_loss", limited)
    with pytest.warns(GansamplerWarning, match="begins again with 16"):
        gan = TabularGAN(batch_size=32, **params).fit(*sides(TabularGAN()))
    assert gan.history_ == expected.history_


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, RuntimeError])
def test_what_failed_in_a_recording_is_what_is_told(error):
    def step():
        if len(calls) == WARM_UP:
            raise error("here")
        calls.append(1)
        return {}

    calls = []
    recorded = RecordedStep(step, Torn())
    for _ in range(WARM_UP):
        recorded()
    with pytest.raises(error, match="here"):
        recorded()


def test_a_recording_that_cannot_be_ended_is_told():
    class Endless(Tape):
        @contextmanager
        def recording(self):
            yield
            raise RuntimeError("CUDA error: capture is invalid")

    recorded = RecordedStep(dict, Endless())
    for _ in range(WARM_UP):
        recorded()
    with pytest.raises(RuntimeError, match="capture is invalid"):
        recorded()


def test_steps_are_recorded_on_one_gpu_unless_that_is_turned_off(monkeypatch):
    monkeypatch.setattr(_adversarial, "CUDAGraph", Tape)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert isinstance(_adversarial.recorder_for(gpu), Tape)
    assert _adversarial.recorder_for(cpu) is None
    monkeypatch.setenv("GANSAMPLER_CUDA_GRAPHS", "0")
    assert _adversarial.recorder_for(gpu) is None
    monkeypatch.delenv("GANSAMPLER_CUDA_GRAPHS")
    monkeypatch.setattr(_adversarial, "n_processes", lambda: 2)
    assert _adversarial.recorder_for(gpu) is None
