"""Data and helpers shared by the tests."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.utils.fixes import parse_version

RADMLBENCH = Path(__file__).parents[2] / "shared" / "data" / "radmlbench"


@pytest.fixture
def table():
    """A small imbalanced table of correlated columns, with a shift between classes."""
    return make_table(counts=(60, 20), n_features=12, seed=0)


def make_table(counts, n_features, seed, labels=None):
    """Rows of a factor model, classes shifted, in random order: (DataFrame, Series)."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    factors = rng.normal(size=(len(codes), 4)) + codes[:, None] / 2
    X = factors @ rng.normal(size=(4, n_features)) + rng.normal(
        size=(len(codes), n_features)
    )
    X = np.exp(X / 4)
    y = codes if labels is None else np.asarray(labels)[codes]
    columns = [f"feature_{j}" for j in range(n_features)]
    return pd.DataFrame(X, columns=columns), pd.Series(y, name="label")


def quick(**params):
    """A sampler that trains briefly: for what does not hang on the length of the game."""
    # Here, as it loads torch, which not every test needs.
    from gansampler import GANOverSampler

    return GANOverSampler(**{"max_iter": 20, "random_state": 0, **params})


def counts(y):
    return dict(Counter(np.asarray(y).tolist()))


def radmlbench_tables():
    """Paths of the real radiomics tables, or one skipped parameter without them."""
    paths = sorted(RADMLBENCH.glob("*.gz"))
    if not paths:
        return [pytest.param(None, marks=pytest.mark.skip("needs shared/data/radmlbench"))]
    return [pytest.param(path, id=path.stem) for path in paths]


needs_routed_scoring = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"),
    reason="pipelines hand sites on when they are scored from scikit-learn 1.8 on",
)
