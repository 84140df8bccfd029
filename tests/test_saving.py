"""Files of fitted generators: the same rows again, and nothing else is read."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from conftest import make_table
from numpy.testing import assert_array_equal
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from gansampler import GANOverSampler, TabularGAN
from gansampler._files import replacing


def fitted(X, y, **params):
    settings = {"max_iter": 30, "hidden_layer_sizes": (16, 8), "random_state": 0}
    return TabularGAN(**{**settings, **params}).fit(X, y)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("labels", [None, ["no", "yes"], [False, True], [1.0, 2.0]])
@pytest.mark.parametrize("n_features", [6, 300])
def test_round_trip(tmp_path, labels, early_stopping, n_features):
    # Without early stopping the last step is kept, and the residual counts.
    X, y = make_table((40, 15), n_features, seed=0, labels=labels)
    X["count"] = np.arange(len(X)) % 5
    gan = fitted(X, y, early_stopping=early_stopping)
    assert gan.start_used_ or not early_stopping
    gan.save(tmp_path / "gan.safetensors")
    again = TabularGAN.load(tmp_path / "gan.safetensors")
    rows, classes = gan.sample(50, prior="uniform")
    rows_again, classes_again = again.sample(50, prior="uniform")
    pd.testing.assert_frame_equal(rows, rows_again, check_exact=True)
    assert_array_equal(classes, classes_again)
    assert classes.dtype == classes_again.dtype
    assert_array_equal(gan.score_samples(X, y), again.score_samples(X, y))
    assert again.get_params() == gan.get_params()
    assert_array_equal(again.feature_names_in_, gan.feature_names_in_)
    assert again.loss_curve_ == gan.loss_curve_
    assert again.n_iter_ == gan.n_iter_


@pytest.mark.parametrize("fitted_with", [(16,), (16, 8), (9, 8, 7)])
def test_parameters_set_after_fit_leave_the_networks(tmp_path, fitted_with):
    X, y = make_table((40, 15), 4, seed=0)
    gan = fitted(X, y, hidden_layer_sizes=fitted_with, early_stopping=False)
    gan.set_params(hidden_layer_sizes=(8,), n_components=2)
    gan.save(tmp_path / "gan")
    again = TabularGAN.load(tmp_path / "gan")
    assert_array_equal(gan.sample(20)[0], again.sample(20)[0])
    assert_array_equal(gan.score_samples(X, y), again.score_samples(X, y))
    assert again.get_params() == gan.get_params()


def test_arrays_and_polars_come_back_as_they_are(tmp_path):
    pl = pytest.importorskip("polars")
    X, y = make_table((30, 12), 4, seed=0)
    frame = pl.DataFrame({name: X[name].to_numpy() for name in X.columns})
    frame = frame.with_columns(pl.lit(3).cast(pl.Int16).alias("stage"))
    for table in (X.to_numpy(np.float32), frame):
        gan = fitted(table, y)
        gan.save(tmp_path / "gan")
        rows, _ = TabularGAN.load(tmp_path / "gan").sample(5)
        expected, _ = gan.sample(5)
        assert type(rows) is type(expected)
        assert_array_equal(np.asarray(rows), np.asarray(expected))
    assert rows.schema == frame.schema


def test_sampler_round_trip(tmp_path):
    X, y = make_table((30, 12), 4, seed=0)
    sampler = GANOverSampler(
        target_prior={0: 0.5, 1: 0.5}, max_iter=20, checks={"fidelity"}, random_state=0
    )
    sampler.fit_resample(X, y)
    sampler.save(tmp_path / "sampler")
    again = GANOverSampler.load(tmp_path / "sampler")
    assert again.target_prior == {0: 0.5, 1: 0.5}
    assert again.checks == ("fidelity",)
    for one, other in zip(sampler.gan_.sample(7), again.gan_.sample(7), strict=True):
        assert_array_equal(np.asarray(one), np.asarray(other))
    # A sampler that has made nothing yet can be saved for its parameters.
    GANOverSampler(max_iter=7).save(tmp_path / "sampler")
    assert GANOverSampler.load(tmp_path / "sampler").max_iter == 7


def test_what_cannot_be_saved_is_named(tmp_path):
    sampler = GANOverSampler(sampling_strategy=lambda y: {1: 5})
    with pytest.raises(TypeError, match=r"sampling_strategy=.* cannot be saved"):
        sampler.save(tmp_path / "sampler")
    assert list(tmp_path.iterdir()) == []


def test_no_row_is_stored_and_quantiles_can_be_fewer(tmp_path):
    X, y = make_table((60, 20), 5, seed=0)
    gan = fitted(X, y)
    gan.save(tmp_path / "all")
    gan.save(tmp_path / "few", store_quantiles=7)
    for name, n_quantiles in (("all", 80), ("few", 7)):
        arrays = load_tensors((tmp_path / name).read_bytes())
        assert len(arrays["scores.quantiles"]) == n_quantiles
        rows = X.to_numpy()[:, None, :]
        for array in arrays.values():
            if array.ndim == 2 and array.shape[1] == X.shape[1]:
                assert not (rows == array).all(axis=2).any()
    drawn, _ = TabularGAN.load(tmp_path / "few").sample(200)
    assert (drawn >= X.min()).all().all() and (drawn <= X.max()).all().all()
    with pytest.raises(ValueError, match="at least 2; got 1"):
        gan.save(tmp_path / "one", store_quantiles=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "gan"
    fitted(*make_table((20, 10), 3, seed=0)).save(path)
    return path


def test_the_same_content_gives_the_same_bytes(saved, tmp_path):
    TabularGAN.load(saved).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def damaged(content, rng):
    """A file with a byte flipped, cut short, or with two fields exchanged."""
    kind = rng.integers(3)
    if kind == 0:
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= 1 << rng.integers(8)
        return bytes(changed)
    if kind == 1:
        return content[: rng.integers(len(content))]
    arrays = load_tensors(content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    names = list(arrays)
    one, other = rng.choice(len(names), 2, replace=False)
    arrays[names[one]], arrays[names[other]] = arrays[names[other]], arrays[names[one]]
    return save_tensors(arrays, header)


def test_damaged_files_are_refused(saved, tmp_path):
    content, rng = saved.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "damaged"
    n_damaged = 0
    while n_damaged < 200:
        changed = damaged(content, rng)
        if changed == content:
            continue
        n_damaged += 1
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="damaged"):
            TabularGAN.load(path)


def rewritten(saved, change):
    """The file with its state changed and a digest to match."""
    from gansampler._saving import _serialize

    content = saved.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    file = json.loads(header["gansampler"])["file"]
    change(file)
    return _serialize(file, load_tensors(content))


def test_unknown_versions_and_kinds_are_refused(saved, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(rewritten(saved, lambda file: file.update(version=99)))
    with pytest.raises(ValueError, match="version 99"):
        TabularGAN.load(path)
    with pytest.raises(ValueError, match="holds a TabularGAN, not a GANOverSampler"):
        GANOverSampler.load(saved)
    path.write_text("feature_0,label\n1,2\n")
    with pytest.raises(ValueError, match="not a file of gansampler"):
        TabularGAN.load(path)


# Writing


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_error_leaves_the_file_as_it_was_and_no_other(tmp_path, error):
    path = tmp_path / "precious.csv"
    path.write_text("precious")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half a")
        raise error
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other modes")
def test_a_new_file_has_the_mode_of_any_and_an_old_one_keeps_its_own(tmp_path):
    new, old, other = (tmp_path / name for name in ("new", "old", "other"))
    other.touch()
    old.touch()
    old.chmod(0o600)
    for path in (new, old):
        with replacing(path) as temporary:
            temporary.write_text("all")
    assert new.stat().st_mode == other.stat().st_mode
    assert old.stat().st_mode & 0o777 == 0o600


def test_nothing_half_written_is_left(saved, tmp_path, monkeypatch):
    gan = TabularGAN.load(saved)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):
        gan.save(tmp_path / "gan")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_write_in_that_is_not_there_is_named(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere to write gan in; cr"):
        TabularGAN.load(saved).save(tmp_path / "nowhere" / "gan")
