"""CycleGAN on phantoms, clear and blurred, 16 voxels wide."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from torch import nn

from gansampler import CycleGAN, _checkpoint
from gansampler.adversarial import (
    OBJECTIVES,
    ImagePool,
    TranslationGame,
    unpaired_patches,
)
from gansampler.datasets import make_ct_phantoms
from gansampler.volumes._held_out import MAX_SCORED, HeldOutTranslations
from gansampler.volumes._translation import (
    PatchCritic,
    Translator,
    matching_filter,
    translated,
)

SHORT = {
    "max_iter": 3,
    "channels": 4,
    "batch_size": 2,
    "patch_size": 8,
    "pool_size": 4,
    "random_state": 0,
}
PLAIN = {**SHORT, "early_stopping": False}


@pytest.fixture(scope="module")
def sides():
    """Phantoms, and others that were blurred, read-only."""
    clear, _ = make_ct_phantoms(10, kernel="sharp", size=16, random_state=0)
    blurred, _ = make_ct_phantoms(12, kernel="sharp", size=16, random_state=1)
    blurred[:, 0] = np.rint(gaussian_filter(blurred[:, 0], (0, 0.7, 0.7, 0.7)))
    clear.flags.writeable = blurred.flags.writeable = False
    return clear, blurred


@pytest.fixture(scope="module")
def trained(sides):
    """Three steps, the last of which is kept."""
    return CycleGAN(**PLAIN).fit(*sides)


def test_start_undoes_a_kernel():
    """Pairs are not seen in training, only in testing: other anatomies were learned."""
    A, _ = make_ct_phantoms(20, kernel="soft", random_state=0)
    B, _ = make_ct_phantoms(20, kernel="sharp", random_state=1)
    soft, _ = make_ct_phantoms(4, kernel="soft", random_state=2)
    sharp, _ = make_ct_phantoms(4, kernel="sharp", random_state=2)
    gan = CycleGAN(max_iter=0, early_stopping=False, random_state=0).fit(A, B)
    for source, target, direction in ((soft, sharp, "a->b"), (sharp, soft, "b->a")):
        error = np.abs(gan.translate(source, direction) - target)[:, 0].mean()
        assert error < 0.3 * np.abs(source - target)[:, 0].mean()
    assert gan.start_used_


def test_history_names_the_losses(trained):
    names = {
        *(f"{term} {side}" for term in ("critic", "cycle", "identity") for side in "ab"),
        "generator a->b",
        "generator b->a",
    }
    losses = trained.history_["losses"]
    assert losses.keys() == names
    assert all(len(values) == 3 for values in losses.values())
    assert trained.n_iter_ == trained.best_iter_ == 3
    assert_allclose(
        trained.loss_curve_, np.add(losses["critic a"], losses["critic b"]), rtol=1e-6
    )


def test_mask_and_whole_numbers_stay(sides, trained):
    clear, _ = sides
    made = trained.translate(clear)
    assert made.shape == clear.shape and made.dtype == np.float32
    assert_array_equal(made[:, 1], clear[:, 1])
    assert_array_equal(made[:, 0], np.rint(made[:, 0]))
    assert not np.array_equal(made[:, 0], clear[:, 0])
    low, high = trained.window_["b"][0]
    assert low <= made[:, 0].min() and made[:, 0].max() <= high


def test_windows(sides):
    clear, blurred = sides
    both = CycleGAN(**PLAIN).fit(clear, blurred)
    low = min(clear[:, 0].min(), blurred[:, 0].min())
    high = max(clear[:, 0].max(), blurred[:, 0].max())
    assert both.window_["a"].tolist() == both.window_["b"].tolist() == [[low, high]]
    one = CycleGAN(**{**PLAIN, "max_iter": 0}, window=(-50, 250)).fit(clear, blurred)
    assert one.window_["a"].tolist() == one.window_["b"].tolist() == [[-50, 250]]
    each = {"a": (0, 200), "b": (0, 1)}
    scaled = blurred.copy()
    scaled[:, 0] = (blurred[:, 0] / 200).clip(0, 1)
    gan = CycleGAN(**{**PLAIN, "max_iter": 0}, window=each).fit(clear, scaled)
    made = gan.translate(clear)[:, 0]
    assert 0 <= made.min() and made.max() <= 1
    assert made.mean() == pytest.approx(clear[:, 0].clip(0, 200).mean() / 200, rel=0.05)
    assert (made != np.rint(made)).any()
    own = CycleGAN(**{**PLAIN, "max_iter": 0}, same_units=False).fit(clear, blurred)
    assert own.window_["a"].tolist() == [[clear[:, 0].min(), clear[:, 0].max()]]


@pytest.mark.parametrize("edges", [(40, 33, 57), (17, 90, 12)], ids=str)
def test_parts_are_translated_without_seams(edges):
    torch.manual_seed(0)
    taps = np.random.default_rng(0).normal(size=(1, 7, 7, 7)) / 50
    translator = Translator(taps, channels=4, n_blocks=1)
    for parameter in translator.parameters():
        nn.init.normal_(parameter, std=0.2)
    image = torch.randn(1, *edges)
    with torch.no_grad():
        whole = translator(image[None])[0]
    for window in (8, 15, 30):
        parts = translated(translator, image, window)
        assert_allclose(parts.numpy(), whole.numpy(), atol=1e-4 * whole.abs().max())


def test_larger_volumes_than_those_fitted(sides, trained):
    large, _ = make_ct_phantoms(2, kernel="soft", size=24, random_state=5)
    made = trained.translate(large)
    assert made.shape == large.shape
    corner = trained.translate(large[:, :, :20, :20, :20])
    inside = (slice(None), 0, *[slice(0, 4)] * 3)
    assert_array_equal(made[inside], corner[inside])


def test_slices(sides):
    clear, blurred = (X[:, :, 8] for X in sides)
    gan = CycleGAN(**PLAIN).fit(clear, blurred)
    assert gan.translate(blurred, "b->a").shape == blurred.shape
    assert gan.reconstruct(clear).shape == clear.shape


def test_sides_of_other_edges_and_no_mask(sides):
    clear, blurred = sides
    gan = CycleGAN(**SHORT, mask_channel=None).fit(
        clear[:, :1], blurred[:, :1, 2:-3, :, 1:]
    )
    assert gan.translate(clear[:, :1]).shape == clear[:, :1].shape


def test_reconstruction_comes_back_from_the_start(sides):
    clear, _ = sides
    gan = CycleGAN(**{**PLAIN, "max_iter": 0}).fit(*sides)
    error = np.abs(gan.reconstruct(clear) - clear)[:, 0].mean()
    assert error < 0.5 * np.abs(gan.translate(clear) - clear)[:, 0].mean()
    nothing = CycleGAN(**{**PLAIN, "max_iter": 0}, start="identity").fit(*sides)
    assert_array_equal(nothing.translate(clear), clear)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives(sides, objective):
    gan = CycleGAN(**{**PLAIN, "max_iter": 2}, objective=objective).fit(*sides)
    assert ("penalty a" in gan.history_["losses"]) == bool(
        OBJECTIVES[objective].penalty_weight
    )
    assert np.isfinite(gan.translate(sides[0])).all()


def test_held_out_volumes_choose(sides):
    gan = CycleGAN(**SHORT).fit(*sides)
    assert gan.history_["score_steps"] == [0, 3]
    assert gan.start_used_ == (gan.best_iter_ == 0)
    filters = CycleGAN(**{**SHORT, "max_iter": 1}).fit(*sides)
    identity = CycleGAN(**{**SHORT, "max_iter": 1}, start="identity").fit(*sides)
    assert filters.validation_scores_[0] < 0.7 * identity.validation_scores_[0]


def brightness_by_class(n, seed):
    """Slices of three classes in order, each of a brightness of its own."""
    y = np.repeat(range(3), n // 3)
    noise = np.random.default_rng(seed).normal(size=(len(y), 1, 8, 8))
    return (noise + 20 * y[:, None, None, None]).astype(np.float32)


def test_the_order_of_volumes_does_not_change_the_score_of_the_identity():
    # Of one scanner: 4.7 here, and 6.2 where the first volumes alone were translated.
    X_a, X_b = (brightness_by_class(180, seed) for seed in range(2))
    params = {**SHORT, "max_iter": 1, "mask_channel": None, "start": "identity"}

    def score(seed, rng):
        gan = CycleGAN(**{**params, "random_state": seed})
        return gan.fit(rng(X_a), rng(X_b)).validation_scores_[0]

    in_order = [score(seed, lambda X: X) for seed in range(4)]
    mixed = [score(seed, np.random.default_rng(seed).permutation) for seed in range(4)]
    error = np.hypot(np.std(in_order, ddof=1), np.std(mixed, ddof=1)) / 2
    assert abs(np.mean(in_order) - np.mean(mixed)) < max(3 * error, 0.05 * np.mean(mixed))


def test_volumes_of_all_classes_and_many_patients_are_translated_to_score():
    X = brightness_by_class(180, 0)
    volumes = {"a": X, "b": X}
    # Of side b, one patient has all volumes but 40.
    groups = {"a": np.arange(180), "b": np.maximum(np.arange(180) - 139, 0)}
    held_out = dict.fromkeys("ab", np.arange(180) % 5 == 0)
    score = HeldOutTranslations(
        volumes,
        groups,
        held_out,
        translate=lambda X, *_: X,
        mask_channel=None,
        rng=np.random.RandomState(0),
    )
    n_of_class = np.bincount([round(x.mean() / 20) for x in score.volumes["a"]])
    assert n_of_class.sum() == MAX_SCORED and n_of_class.min() > MAX_SCORED / 6
    last = {x.tobytes() for x in X[140:]}
    assert sum(x.tobytes() in last for x in score.volumes["b"]) == 40


def test_the_start_is_kept_where_nothing_can_be_held_out(sides):
    clear, blurred = sides
    gan = CycleGAN(**SHORT).fit(clear[:3], blurred[:3])
    assert gan.start_used_ and np.isnan(gan.validation_scores_).all()


def test_groups_are_held_out_together(sides, monkeypatch):
    import gansampler.volumes._cyclegan as module

    seen = []
    choose = module.choose_held_out

    def recorded(codes, groups, fraction, rng):
        seen.append((groups, choose(codes, groups, fraction, rng)))
        return seen[-1][1]

    monkeypatch.setattr(module, "choose_held_out", recorded)
    pairs = [np.repeat(np.arange(len(X) // 2), 2) for X in sides]
    CycleGAN(**{**SHORT, "max_iter": 1, "validation_fraction": 0.3}).fit(
        *sides, groups_a=pairs[0], groups_b=pairs[1]
    )
    assert len(seen) == 2
    for groups, held_out in seen:
        assert held_out.any()
        assert not set(groups[held_out]) & set(groups[~held_out])


def test_same_seed_same_bytes(sides, trained):
    again = CycleGAN(**PLAIN).fit(*sides)
    assert_array_equal(again.translate(sides[0]), trained.translate(sides[0]))
    other = CycleGAN(**{**PLAIN, "random_state": 1}).fit(*sides)
    assert not np.array_equal(other.translate(sides[0]), trained.translate(sides[0]))


def test_pickle_clone_and_file(sides, trained, tmp_path):
    clear, _ = sides
    again = pickle.loads(pickle.dumps(trained))
    assert_array_equal(again.translate(clear), trained.translate(clear))
    assert clone(trained).get_params() == trained.get_params()
    trained.save(tmp_path / "gan")
    loaded = CycleGAN.load(tmp_path / "gan")
    for direction in ("a->b", "b->a"):
        assert_array_equal(
            loaded.reconstruct(clear, direction), trained.reconstruct(clear, direction)
        )
    assert loaded.get_params() == trained.get_params()
    assert loaded.history_ == trained.history_
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "gan").read_bytes()
    content = bytearray((tmp_path / "gan").read_bytes())
    content[-5] ^= 1
    (tmp_path / "gan").write_bytes(bytes(content))
    with pytest.raises(ValueError, match="changed after it was written"):
        CycleGAN.load(tmp_path / "gan")


@pytest.mark.parametrize(
    "params", [{"channels": 3}, {"n_blocks": 0}, {"n_blocks": 3}, {"mask_channel": None}]
)
def test_parameters_set_after_fit_leave_the_networks(sides, trained, tmp_path, params):
    clear, _ = sides
    gan = pickle.loads(pickle.dumps(trained)).set_params(**params)
    gan.save(tmp_path / "gan")
    loaded = CycleGAN.load(tmp_path / "gan")
    assert loaded.get_params() == gan.get_params()
    assert_array_equal(loaded.reconstruct(clear), trained.reconstruct(clear))
    assert loaded.critic_.state_dict().keys() == trained.critic_.state_dict().keys()


@pytest.mark.parametrize("early_stopping", [True, False])
def test_interrupted_training_goes_on(sides, tmp_path, monkeypatch, early_stopping):
    params = {
        **SHORT,
        "max_iter": 6,
        "early_stopping": early_stopping,
        "checkpoint_dir": tmp_path,
    }
    whole = CycleGAN(**{**params, "checkpoint_dir": None}).fit(*sides)
    steps = iter(range(100))

    class Stopping(_checkpoint.Checkpoint):
        def save(self, state):
            self.written = -np.inf
            super().save(state)
            if next(steps) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr("gansampler.volumes._cyclegan.Checkpoint", Stopping)
    with pytest.raises(KeyboardInterrupt):
        CycleGAN(**params).fit(*sides)
    assert len(list(tmp_path.iterdir())) == 1
    resumed = CycleGAN(**params).fit(*sides)
    assert resumed.history_ == whole.history_
    assert_array_equal(resumed.translate(sides[0]), whole.translate(sides[0]))
    assert not list(tmp_path.iterdir())


def test_bad_input(sides, trained):
    clear, blurred = sides
    for arguments, message in [
        ((clear, blurred[:, :1]), "as many channels"),
        ((clear, blurred[:, :, 0]), "as many channels and dimensions"),
        ((clear[:1], blurred), "too few"),
        ((clear[..., :6], blurred), "8 voxels or more"),
        ((np.where(clear > 100, np.nan, clear), blurred), "NaN or infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            CycleGAN(**PLAIN).fit(*arguments)
    for params, message in [
        ({"mask_channel": 2}, "mask_channel=2 is not there"),
        ({"window": (3, 1)}, "low < high"),
        ({"window": {"a": (0, 1)}}, "keys 'a' and 'b'"),
        ({"objective": "mse"}, "objective"),
        ({"patch_size": 4}, "patch_size"),
    ]:
        with pytest.raises(ValueError, match=message):
            CycleGAN(**{**PLAIN, **params}).fit(clear, blurred)
    with pytest.raises(ValueError, match="direction must be one of"):
        trained.translate(clear, "b->c")
    with pytest.raises(ValueError, match="the volumes fitted have 2"):
        trained.translate(clear[:, :1])


def test_matching_filter_recovers_a_blur():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 24, 24))
    blurred = gaussian_filter(rng.normal(size=(60, 24, 24)), (0, 0.8, 0.8), mode="wrap")
    taps = matching_filter(noise, blurred)
    impulse = np.zeros((7, 7))
    impulse[3, 3] = 1
    assert_allclose(taps, gaussian_filter(impulse, 0.8, mode="constant"), atol=0.02)
    assert taps.sum() == pytest.approx(1)
    assert_allclose(taps, taps[::-1, ::-1])


def test_matching_filter_of_constant_images_is_finite():
    assert np.isfinite(matching_filter(np.zeros((3, 9, 9)), np.ones((2, 8, 8)))).all()


class Shift(nn.Module):
    """Adds a number; as a critic, a score for each half of what it sees."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(float(by)))

    def forward(self, x):
        return x + self.by


def test_translation_losses_by_hand():
    """a = 1, b = 4 everywhere; a->b adds 2, b->a takes 3; critics give x and x - 1."""
    game = TranslationGame(
        {"a->b": Shift(2), "b->a": Shift(-3)},
        {"a": Shift(0), "b": Shift(-1)},
        OBJECTIVES["least-squares"],
        cycle_weight=10,
        identity_weight=5,
    )
    batch = torch.full((2, 1, 4), 1.0), torch.full((2, 1, 4), 4.0)
    critic = {name: value.item() for name, value in game.critic_loss(batch).items()}
    # Side a: real 1, fake 4 - 3 = 1; side b: real 4 - 1 = 3, fake 1 + 2 - 1 = 2.
    assert critic == {"critic a": (0 + 1) / 2, "critic b": (4 + 4) / 2}
    generator = {name: value.item() for name, value in game.generator_loss(batch).items()}
    assert generator == {
        "generator a->b": (2 - 1) ** 2 / 2,
        "generator b->a": (1 - 1) ** 2 / 2,
        "cycle a": 10 * 1,
        "cycle b": 10 * 1,
        "identity a": 5 * 3,
        "identity b": 5 * 2,
    }


def test_penalty_is_of_the_mean_score():
    """The gradient of the mean over four patches is 1/4 at each, 1/2 in norm."""
    game = TranslationGame(
        {"a->b": Shift(2), "b->a": Shift(-3)},
        {"a": Shift(0), "b": Shift(-1)},
        OBJECTIVES["wasserstein-gp"],
        penalty_weight=2.0,
    )
    batch = torch.full((2, 1, 4), 1.0), torch.full((2, 1, 4), 4.0)
    losses = game.critic_loss(batch)
    assert losses["penalty a"].item() == pytest.approx(2 * (0.5 - 1) ** 2)


def test_image_pool():
    torch.manual_seed(0)
    pool = ImagePool(6, (1, 2))
    first, second = (torch.full((4, 1, 2), float(i)) for i in range(2))
    assert_array_equal(pool(first), first)
    assert_array_equal(pool(second), second)
    # what no room is left for takes the place of the oldest
    assert pool.images[:, 0, 0].tolist() == [1, 1, 0, 0, 1, 1]
    seen = torch.cat([pool(torch.full((4, 1, 2), float(i))) for i in range(2, 300)])
    values = seen[:, 0, 0]
    newest = torch.arange(2, 300).repeat_interleave(4)
    assert 0.45 < (values == newest).float().mean() < 0.55
    assert pool.images[:, 0, 0].min() > 250
    again = ImagePool(6, (1, 2))
    again.load_state_dict(pool.state_dict())
    assert int(again.n_filled) == 6


def test_patches():
    torch.manual_seed(0)
    a = torch.arange(2 * 6 * 5).reshape(2, 1, 6, 5)
    x, y = next(unpaired_patches(a, a + 1000, 50, (3, 5)))
    assert x.shape == y.shape == (50, 1, 3, 5)
    assert x.max() < 1000 <= y.min()
    corners = set(x[:, 0, 0, 0].tolist())
    assert corners == {5 * row + 30 * image for row in range(4) for image in range(2)}
    assert_array_equal(x[0, 0] - x[0, 0, 0, 0], torch.arange(15).reshape(3, 5))


def test_critic_looks_at_patches():
    critic = PatchCritic(n_channels=1, channels=4, n_dims=2)
    x = torch.zeros(1, 1, 32, 32, requires_grad=True)
    critic(x)[0, 8, 8].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero().squeeze()
    assert int(rows.max() - rows.min()) + 1 == 12
