"""The arms of the study: what is done to the training rows of a fold.

An arm is named after what makes the rows, and how many:

    smote-5          the minority filled up to the majority
    smote-5@.33      the minority filled up to a third of the table
    smote-5+3        both classes extended: three times the majority is added to it, and
                     the minority is filled up to that
    smote-5+3@.33    both

Any generator can be given any number of rows. A new one is one more line in `GENERATORS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from rivals import Rival
from rivals_env import PYTHON
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.preprocessing import QuantileTransformer

from gansampler import GANOverSampler


@dataclass(frozen=True)
class Counts:
    """Rows wanted of each class, as a `sampling_strategy`.

    Parameters
    ----------
    prior : float
        Share of the minority; where it has more already, it keeps its rows.
    extra : float
        Rows added to the majority, as a multiple of those it has.
    """

    prior: float = 0.5
    extra: float = 0

    def __call__(self, y: np.ndarray) -> dict[int, int]:
        n = np.bincount(y, minlength=2)
        majority = round((1 + self.extra) * n.max())
        minority = round(self.prior / (1 - self.prior) * majority)
        return {0: max(int(n[0]), majority), 1: max(int(n[1]), minority)}


class GaussianCopula(BaseEstimator):
    """A Gaussian copula for each class, with the marginals of the whole table.

    What gansampler starts from, written by other means: no principal components, and the
    covariance of a class is its own, shrunk by Ledoit and Wolf's rule.
    """

    def __init__(self, sampling_strategy, random_state):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state

    def fit_resample(self, X, y):
        rng = np.random.default_rng(self.random_state)
        to_normal = QuantileTransformer(n_quantiles=len(X), output_distribution="normal")
        # The outermost rows have a finite score, as those between them do.
        limit = norm.ppf(1 - 0.5 / len(X))
        Z = to_normal.fit_transform(X).clip(-limit, limit)
        X_all, y_all = [X], [y]
        for label, wanted in self.sampling_strategy(y).items():
            rows = Z[y == label]
            n, n_new = len(rows), wanted - len(rows)
            centred = rows - rows.mean(axis=0)
            shrinkage = ledoit_wolf_shrinkage(centred, assume_centered=True)
            # (1 - s) S + s m I, without making S.
            spread = rng.normal(size=(n_new, n)) @ centred / np.sqrt(n)
            noise = rng.normal(size=(n_new, X.shape[1])) * np.sqrt(
                centred.var(axis=0).mean()
            )
            new = np.sqrt(1 - shrinkage) * spread + np.sqrt(shrinkage) * noise
            if n_new:
                X_all.append(to_normal.inverse_transform(rows.mean(axis=0) + new))
                y_all.append(np.full(n_new, label))
        return np.concatenate(X_all), np.concatenate(y_all)


def start(strategy, seed):
    """The generator of gansampler before any training."""
    return GANOverSampler(
        sampling_strategy=strategy, max_iter=0, early_stopping=False, random_state=seed
    )


def unchecked(strategy, seed):
    """The start, with rows that look like copies let through."""
    return start(strategy, seed).set_params(checks=())


def one_mode(strategy, seed):
    """The start, with one Gaussian a class."""
    return start(strategy, seed).set_params(n_modes=1)


def fixed(n_steps):
    """The generator after so many steps, with no held-out rows to judge them."""
    return lambda strategy, seed: GANOverSampler(
        sampling_strategy=strategy,
        max_iter=n_steps,
        early_stopping=False,
        random_state=seed,
    )


def smote(k):
    return lambda strategy, seed: SMOTE(
        sampling_strategy=strategy, k_neighbors=k, random_state=seed
    )


def plain(kind):
    return lambda strategy, seed: kind(sampling_strategy=strategy, random_state=seed)


def rival(method):
    return lambda strategy, seed: Rival(method, strategy, seed)


GENERATORS: dict[str, Callable] = {
    "random": plain(RandomOverSampler),
    "smote-3": smote(3),
    "smote-5": smote(5),
    "smote-7": smote(7),
    "borderline": plain(BorderlineSMOTE),
    "adasyn": plain(ADASYN),
    "geometric": rival("geometric"),
    "polynom-fit": rival("polynom-fit"),
    "prowsyn": rival("prowsyn"),
    "copula": plain(GaussianCopula),
    "ctgan": rival("ctgan"),
    "tvae": rival("tvae"),
    "arf": rival("arf"),
    "start": start,
    "unchecked": unchecked,
    "one-mode": one_mode,
    "fixed-100": fixed(100),
    "fixed-400": fixed(400),
    "fixed-1600": fixed(1600),
    "ours": plain(GANOverSampler),
}
UNTOUCHED = ("none", "threshold", "weights")
"""Arms that add no rows: as they are; with a threshold tuned on inner folds; with balanced
class weights."""

RIVALS = ("geometric", "polynom-fit", "prowsyn", "ctgan", "tvae", "arf")
SLOW = ("ctgan", "tvae", "arf")
GROUPS: dict[str, list[str]] = {
    "cheap": [
        *("none", "threshold", "weights", "random", "smote-3", "smote-5", "smote-7"),
        *("borderline", "adasyn", "copula", "random+3", "smote-5+3", "copula+3"),
    ],
    "own": ["start", "start+3", "ours", "ours+3"],
    "dose": [
        *("start+1", "start+2", "start+6", "ours+1", "ours+6"),
        *("start@.25", "start@.33", "start@.4", "start+3@.25", "start+3@.33", "start+3@.4"),
    ],
    "honesty": ["start", "unchecked", "ours", "fixed-100", "fixed-400", "fixed-1600"],
    "rivals": [name for name in RIVALS if name not in SLOW],
    "slow": list(SLOW),
}
"""What `--arms` takes besides single names."""

NAME = re.compile(
    r"(?P<generator>[a-z]+(-[a-z0-9]+)?)(\+(?P<extra>[\d.]+))?(@(?P<prior>[\d.]+))?"
)


@dataclass(frozen=True)
class Arm:
    name: str
    generator: str
    counts: Counts

    @property
    def adds_rows(self) -> bool:
        return self.generator not in UNTOUCHED

    def sampler(self, seed: int) -> BaseEstimator:
        return GENERATORS[self.generator](self.counts, seed)

    def missing(self) -> str | None:
        """Why the arm cannot run here."""
        if self.generator in RIVALS and not PYTHON.exists():
            return "its environment was not built: python benchmarks/utility/rivals_env.py"
        return None


def arm(name: str) -> Arm:
    match = NAME.fullmatch(name)
    if match is None or match["generator"] not in {*UNTOUCHED, *GENERATORS}:
        raise ValueError(f"No arm is called {name!r}.")
    if match["generator"] in UNTOUCHED and name != match["generator"]:
        raise ValueError(f"{match['generator']!r} adds no rows; it takes no + or @.")
    counts = Counts(float(match["prior"] or 0.5), float(match["extra"] or 0))
    return Arm(name, match["generator"], counts)


def expand(names: list[str]) -> list[Arm]:
    """Arms by name or group, each once; `none` first, which all others are held against."""
    flat = [single for name in names for single in GROUPS.get(name, [name])]
    return [arm(name) for name in dict.fromkeys(["none", *flat])]
