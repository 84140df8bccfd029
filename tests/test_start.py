"""Where the generator starts: one Gaussian a class, or several."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from gansampler import GANOverSampler, TabularGAN
from gansampler._start import MIN_MODE_ROWS, ClassModes, fit_start
from gansampler.metrics import energy_distance

SEEDS = range(5)


def rng_of(seed):
    return np.random.RandomState(seed)


def groups_of_rows(sizes, seed, d=3, sd=0.2):
    """Rows around well separated centres, and which centre each is of."""
    rng = rng_of(seed)
    centres = 3.0 * np.eye(d)[: len(sizes)]
    of = np.repeat(range(len(sizes)), sizes)
    return centres[of] + sd * rng.normal(size=(len(of), d)), of


@pytest.mark.parametrize("seed", SEEDS)
def test_start_keeps_means_and_dependence_of_classes(seed):
    rng = rng_of(seed)
    codes = np.repeat([0, 1], [4000, 1000])
    factor = np.array([[2.0, 0, 0], [1.5, 0.5, 0], [0, 0.3, 1]])
    rows = rng.normal(size=(5000, 3)) @ factor.T
    rows[codes == 1] += 3
    latent = PCA().fit_transform(rows)
    start = fit_start(latent, codes, 2, shrinkage=0.0)
    for c in (0, 1):
        mine = latent[codes == c]
        assert_allclose(start.location[c], mine.mean(axis=0))
        drawn = start.location[c] + rng.normal(size=(4000, 3)) @ start.scale_tril[c].T
        assert_allclose(spearmanr(drawn)[0], spearmanr(mine)[0], atol=0.1)


def test_start_of_a_class_of_one_row_takes_the_pooled_covariance():
    rng = rng_of(0)
    latent, codes = rng.normal(size=(101, 4)), np.repeat([0, 1], [100, 1])
    start = fit_start(latent, codes, 2, shrinkage=0.0)
    assert_allclose(start.location[1], latent[-1])
    assert_allclose(start.scale_tril[1], start.scale_tril[0], atol=0.1)


def test_a_class_of_few_rows_leans_on_the_others():
    # 20 rows count as much as all classes together, 60 rows three times as much.
    rng = rng_of(0)
    codes = np.repeat([0, 1], [60, 20])
    latent = rng.normal(size=(80, 30)) * np.array([[3.0], [0.5]])[codes]
    own = [np.cov(latent[codes == c], rowvar=False) for c in (0, 1)]
    pooled = (59 * own[0] + 19 * own[1]) / 78
    start = fit_start(latent, codes, 2, shrinkage=0.0)
    for c, trust in enumerate([0.75, 0.5]):
        found = start.scale_tril[c] @ start.scale_tril[c].T
        expected = trust * own[c] + (1 - trust) * pooled
        # Which gives 0.1 * 30 / 80 of its weight to a diagonal.
        beside = ~np.eye(30, dtype=bool)
        assert_allclose(found[beside], 0.9625 * expected[beside], atol=1e-9)


@pytest.mark.parametrize("n_columns, share", [(80, 0.1), (40, 0.1), (10, 0.025)])
def test_classes_vary_where_none_of_their_rows_does(n_columns, share):
    # Column 0 is the class, which no row departs from: a tenth of all that it varies is
    # given to each class where columns are as many as rows, less where they are fewer.
    latent, codes = rng_of(0).normal(size=(40, n_columns)), np.arange(40) % 2
    latent[:, 0] = 6 * codes - 3
    start = fit_start(latent, codes, 2, shrinkage=0.5)
    for c in (0, 1):
        variance = (start.scale_tril[c] @ start.scale_tril[c].T)[0, 0]
        assert variance == pytest.approx(share * 9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(40, 2), (100, 5), (400, 20), (60, 200)])
def test_a_gaussian_has_one_mode(seed, shape):
    latent = rng_of(seed).normal(size=shape)
    modes = ClassModes("auto").fit(latent, np.zeros(len(latent), int), 1, rng_of(seed))
    assert modes.are_single


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_along_one_of_many_directions_are_found(seed):
    rows = rng_of(seed).normal(size=(200, 20))
    of = np.repeat(range(3), [90, 60, 50])
    rows[:, 0] += 8 * of
    latent = PCA().fit_transform(rows)
    codes = np.zeros(200, int)
    (shares,) = (
        ClassModes("auto").fit(latent, codes, 1, rng_of(seed)).memberships(latent, codes)
    )
    assert shares.shape == (200, 3)
    assert len({*zip(of, shares.argmax(axis=1), strict=True)}) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_has_modes_of_its_own(seed):
    first, of_first = groups_of_rows([60, 30, 30], seed)
    second = rng_of(seed + 100).normal(size=(80, 3))
    latent, codes = np.concatenate([first, second]), np.repeat([0, 1], [120, 80])
    modes = ClassModes("auto").fit(latent, codes, 2, rng_of(seed))
    of_modes, of_none = modes.memberships(latent, codes)
    assert of_modes.shape == (120, 3)
    found = of_modes.argmax(axis=1)
    assert len({*zip(of_first, found, strict=True)}) == 3
    assert_array_equal(of_none, np.ones((80, 1)))

    start = fit_start(latent, codes, 2, 0.0, [of_modes, of_none])
    assert_array_equal(start.mode_class, [0, 0, 0, 1])
    assert_allclose(np.sort(start.mode_weight), [0.25, 0.25, 0.5, 1], atol=1e-3)
    for k in range(3):
        mine = first[found == k]
        assert_allclose(start.location[k], mine.mean(axis=0), atol=1e-3)
        spread = np.sqrt(np.diag(start.scale_tril[k] @ start.scale_tril[k].T))
        # Shrunk toward the other class's.
        assert (spread > 0.15).all() and (spread < 0.7).all()


@pytest.mark.parametrize("n_modes", ["auto", 8])
def test_a_few_odd_rows_are_no_mode(n_modes):
    latent, _ = groups_of_rows([60, MIN_MODE_ROWS // 2], 0)
    codes = np.zeros(len(latent), int)
    (shares,) = (
        ClassModes(n_modes).fit(latent, codes, 1, rng_of(0)).memberships(latent, codes)
    )
    assert shares.shape[1] <= len(latent) // MIN_MODE_ROWS
    if n_modes == "auto":
        assert (shares.sum(axis=0) >= MIN_MODE_ROWS).all()


def test_modes_come_as_often_as_they_should():
    latent, of = groups_of_rows([70, 20, 10], 0)
    start = fit_start(latent, np.zeros(100, int), 1, 0.5, [np.eye(3)[of]])
    for n in (1, 10, 1000):
        drawn = start.draw(np.zeros((n, 3)), np.zeros(n, int), rng_of(n))
        counts = (drawn[:, None] == start.location).all(axis=2).sum(axis=0)
        assert_allclose(counts, n * np.array([0.7, 0.2, 0.1]), atol=1)
        assert counts.sum() == n
    # In no order.
    first = (drawn[:20] == start.location[0]).all(axis=1)
    assert 0 < first.sum() < 20


def ring(seed, n=600):
    rng = rng_of(seed)
    angle = rng.randint(8, size=n) * np.pi / 4
    return 2 * np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=(n, 2))


@pytest.mark.parametrize("max_iter", [0, 20])
def test_a_start_of_several_modes_is_kept_where_it_does_better(max_iter):
    X, y = np.concatenate([ring(0), ring(1) + 1]), np.repeat(["a", "b"], 600)
    fresh = ring(2)
    ratio = {}
    for n_modes in (1, "auto"):
        gan = TabularGAN(n_modes=n_modes, max_iter=max_iter, random_state=0).fit(X, y)
        assert gan.start_used_ and gan.best_iter_ == 0
        assert (gan.n_modes_ > 1).all() == (n_modes == "auto")
        drawn, _ = gan.sample(y=["a"] * 600)
        ratio[n_modes] = energy_distance(drawn, fresh) / energy_distance(X[:600], fresh)
    assert ratio["auto"] < 3 < ratio[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_patients_are_no_modes(seed):
    # Patients are normal, and each has 15 rows: modes foretell no other patient.
    rng = rng_of(seed)
    patient = np.repeat(range(26), 15)
    X = rng.normal(size=(26, 15))[patient] + 0.2 * rng.normal(size=(390, 15))
    still = {"max_iter": 1, "learning_rate_init": 1e-9, "validation_fraction": 0.4}
    gan = TabularGAN(**still, copy_alpha=None, random_state=seed)
    assert_array_equal(gan.fit(X, groups=patient).n_modes_, [1])
    assert gan.n_modes_.dtype.kind == "i"
    assert gan.fit(X).n_modes_ > 10


def test_modes_that_are_worse_than_the_game_are_not_taken():
    gan = TabularGAN(n_modes=2, max_iter=600, random_state=0).fit(ring(0, n=2000))
    assert not gan.start_used_ and gan.best_iter_ > 0
    assert_array_equal(gan.n_modes_, [1])


@pytest.mark.parametrize("max_iter", [0, 20])
def test_one_gaussian_a_class_is_drawn_from_one(max_iter):
    X, y = rng_of(0).normal(size=(300, 4)), np.repeat([0, 1, 2], 100)
    gan = TabularGAN(max_iter=max_iter, random_state=0).fit(X, y)
    assert_array_equal(gan.n_modes_, [1, 1, 1])


def test_the_sampler_draws_from_several_modes():
    X, y = np.concatenate([ring(0), ring(1, n=100)]), np.repeat([0, 1], [600, 100])
    X_new, _ = GANOverSampler(random_state=0).fit_resample(X, y)
    angle = np.arctan2(X_new[700:, 1], X_new[700:, 0]) * 4 / np.pi
    centres = np.bincount(np.rint(angle).astype(int) % 8, minlength=8)
    assert (centres > 500 / 8 / 3).all()


def test_wide_tables_start_at_one_gaussian_a_class():
    rng = rng_of(0)
    X, y = rng.normal(size=(80, 200)), np.repeat([0, 1], 40)
    gan = TabularGAN(max_iter=0, random_state=0).fit(X, y)
    assert_array_equal(gan.start_.mode_class, [0, 1])


def test_number_of_modes_can_be_said():
    X = rng_of(0).normal(size=(100, 3))
    for n_modes, expected in [(1, 1), (3, 3), (50, 10)]:
        gan = TabularGAN(n_modes=n_modes, max_iter=0, random_state=0).fit(X)
        assert_array_equal(gan.n_modes_, [expected])
    with pytest.raises(ValueError, match="n_modes"):
        TabularGAN(n_modes=0).fit(X)


def test_generators_of_several_modes_are_saved_whole(tmp_path):
    X, y = np.concatenate([ring(0), ring(1) + 1]), np.repeat(["a", "b"], 600)
    gan = TabularGAN(max_iter=20, random_state=0).fit(X, y)
    assert len(gan.start_.location) > 2
    gan.save(tmp_path / "gan.safetensors")
    again = TabularGAN.load(tmp_path / "gan.safetensors")
    assert_array_equal(again.n_modes_, gan.n_modes_)
    assert_array_equal(again.sample(200)[0], gan.sample(200)[0])
