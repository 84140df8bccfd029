"""GANOverSampler: the generator and its copy check as an imbalanced-learn sampler."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any

import joblib
import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils.validation import validate_data

from ._base_sampler import CHECKS, BaseGANOverSampler, Table
from ._frames import TableFormat, is_polars, naming_the_column, within_dtype
from ._prior import Prior
from ._saving import Arrays, read, write
from ._state import params_from_json, params_to_json, restore, state_of
from ._tabular import TabularGAN, check_layers
from .checks import Diagnosis, diagnose_classes


class GANOverSampler(BaseGANOverSampler):
    """Oversample with a conditional Wasserstein GAN and a copy check.

    `fit_resample` trains a `TabularGAN` on the rows given and draws as many rows as each
    class needs. Rows that look like copies of real rows are redrawn. What is returned are
    the original rows, untouched, followed by the synthetic ones.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        Rows to add, as in every imbalanced-learn oversampler. Leave it at "auto" if
        `target_prior` is given.

        - float: rows of the minority class over rows of the majority class in the
          returned table; binary targets only.
        - str: which classes to bring to the size of the largest: "minority",
          "not minority", "not majority", "all", or "auto" for "not majority".
        - dict: class -> number of rows in the returned table.
        - callable: takes y, returns such a dict.

    target_prior : {"uniform", "empirical"} or mapping of class -> probability, \
            default=None
        Share of each class in the returned table, reached exactly and by adding rows only.
        "empirical" keeps the present shares; with `target_size` it extends all classes
        alike. None: as `sampling_strategy` says.
    target_size : float or "extended", default=None
        Size of the returned table, as a multiple of the rows given, at least 1. It can
        extend every class, the majority too. None returns the smallest table that reaches
        the prior, "extended" twice that, which is worth a try for a classifier at its
        defaults on a small, wide table. Without `target_prior`, the class shares are those
        that `sampling_strategy` leads to.
    objective : str or Objective, default="wasserstein-gp"
        Loss of critic and generator: "wasserstein-gp", "wasserstein-zero-gp",
        "wasserstein-clip", "non-saturating", "minimax" or "least-squares", or a
        `gansampler.adversarial.Objective` of your own.
    penalty : float, default=None
        Weight of the gradient penalty; None takes that of the objective.
    n_critic : int, default=2
        Critic steps for each generator step.
    start : {"copula", "normal"}, default="copula"
        Where the generator starts.
    n_modes : int or "auto", default="auto"
        Number of Gaussians that model each class; each needs at least 10 rows. "auto" takes
        more than one (up to 16) only if the rows clearly fall into groups and held-out rows
        do not speak against it.
    categorical_features : "auto" or array-like, default="auto"
        Columns that hold categories, as `SMOTENC` has them: a mask, positions, or names.
        "auto" takes those of DataFrames whose dtype is category, string, object or bool,
        and of arrays of objects those that hold no numbers.
    shrinkage : float, default=0.5
        Weight of the pooled within-class covariance in that of a class, in [0, 1]; it falls
        where rows outnumber columns, grows as a class gets smaller, and is 1 below 6 rows.
    n_components : int, default=32
        Number of leading principal components that the networks see.
    hidden_layer_sizes : tuple of int, default=(128, 128, 128)
        Widths of the hidden layers of both networks.
    learning_rate_init : float, default=0.002
        Step size of Adam, for both players.
    max_iter : int, default=2000
        Largest number of generator steps. 0 skips the training and keeps the start, in
        half the time or less.
    batch_size : int or "auto", default="auto"
        Rows in a batch, in expectation the same number of each class. "auto" takes an
        eighth of the rows, but from 128 to 256.
    early_stopping : bool, default=True
        Whether to choose the step to keep, the start included, on held-out rows.
    validation_fraction : float, default=0.2
        Share of the rows of each class to hold out, in (0, 1).
    n_iter_no_change : int, default=10
        Training stops after this many scores in a row without progress on held-out rows;
        see `TabularGAN`.
    checks : collection of {"memorization", "fidelity", "diagnosis"}, default=all
        Checks to run on the rows drawn. "memorization" redraws rows that look like copies
        of real ones. "fidelity" compares the rows of each class with the real ones by an
        energy test; only if it rejects are more rows drawn and selected by their density
        ratio to real rows, and only if that brings them nearer to real rows left out.
        "diagnosis" judges the rows that were made, see `diagnosis_`. It changes no row and
        takes a fifth of the time (with ``max_iter=0`` about half): leave it out in a
        search.
    copy_alpha : float or None, default=0.1
        Level of the copy check: at most this share of fresh rows is refused, or
        2 / (n + 1) in a class of n rows where that is larger. None switches it off.
    memory : str, path-like or joblib.Memory, default=None
        Where to cache the encoded table for further fits of the same rows with the same
        integer `random_state`, such as the candidates of a search. Results are the same
        with and without. The cache contains information about the rows, as a pickle.
    checkpoint_dir : path-like, default=None
        Folder in which the state of a training is saved, every ten seconds. An interrupted
        `fit_resample`, called again with the same rows and parameters, resumes from there
        and ends with the same bytes (on CPU); it needs an integer `random_state`.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to train; "auto" takes a CUDA GPU where there is one.
    verbose : bool, default=False
        Whether to show a progress bar.
    random_state : int, RandomState instance or None, default=None
        Seed of everything drawn; pass an int to get the same bytes again (on CPU).

    Attributes
    ----------
    sampling_strategy_ : dict
        Class -> number of synthetic rows.
    gan_ : TabularGAN or None
        The fitted generator; None when there was nothing to add and nothing was trained.
    is_synthetic_ : ndarray of bool, shape (n_samples_new,)
        Which of the returned rows are synthetic.
    groups_resampled_ : ndarray of shape (n_samples_new,) or None
        Group of each returned row, a new one for each synthetic row; None when no groups
        were given.
    acceptance_rate_ : dict
        Class -> share of drawn rows that passed the copy check; only classes that rows
        were added to.
    diagnosis_ : Diagnosis or None
        Verdict on the rows made of each class, with its evidence and a report,
        `diagnosis_.to_html("report.html")`; None when nothing was made or not asked for.
        A `DiagnosisWarning` is issued for every verdict but "healthy" and "undetermined".
        For its pictures it holds up to 1,000 real rows per class, and so does a pickle of
        the sampler. The sampler's own diagnosis has `alpha=0.05` and 99 permutations.
    history_ : dict
        Losses and held-out scores of the training, see `TabularGAN`; empty when nothing
        was trained.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Defined only when X has feature names that are all strings.

    See Also
    --------
    TabularGAN : The generator alone.
    imblearn.over_sampling.SMOTE : Interpolation between neighbours.

    Notes
    -----
    Resample training rows only: put the sampler in an imbalanced-learn `Pipeline`, which
    leaves test folds alone. Resampling shifts the class prior, so probabilities predicted
    by a classifier trained on the result are shifted too; `PriorCorrectedClassifier` undoes
    that.

    The copy check measures closeness to real rows. It is no privacy guarantee.

    Examples
    --------
    >>> from collections import Counter
    >>> from gansampler import GANOverSampler
    >>> from gansampler.datasets import load_hcc_tace
    >>> X, y = load_hcc_tace(return_X_y=True)
    >>> sampler = GANOverSampler(max_iter=40, random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> sorted(Counter(y_res.tolist()).items())
    [(0, 72), (1, 72)]
    >>> int(sampler.is_synthetic_.sum())
    60
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseGANOverSampler._parameter_constraints,
        **TabularGAN._parameter_constraints,
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        target_prior: Prior | None = None,
        target_size: float | str | None = None,
        objective: Any = "wasserstein-gp",
        penalty: float | None = None,
        n_critic: int = 2,
        start: str = "copula",
        n_modes: int | str = "auto",
        categorical_features: Any = "auto",
        shrinkage: float = 0.5,
        n_components: int = 32,
        hidden_layer_sizes: tuple[int, ...] = (128, 128, 128),
        learning_rate_init: float = 0.002,
        max_iter: int = 2000,
        batch_size: int | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        checks: Collection[str] = CHECKS,
        copy_alpha: float | None = 0.1,
        memory: str | os.PathLike[str] | joblib.Memory | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.target_prior = target_prior
        self.target_size = target_size
        self.objective = objective
        self.penalty = penalty
        self.n_critic = n_critic
        self.start = start
        self.n_modes = n_modes
        self.categorical_features = categorical_features
        self.shrinkage = shrinkage
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.checks = checks
        self.copy_alpha = copy_alpha
        self.memory = memory
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_resample(
        self, X: Any, y: Any, *, groups: ArrayLike | None = None
    ) -> tuple[Any, Any]:
        """Train the generator and return the rows given followed by synthetic ones.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)
            Numbers, NaN where they are missing, and categories. A sparse matrix is made
            dense inside.
        y : array-like of shape (n_samples,)
            Class labels, of at least two classes.
        groups : array-like of shape (n_samples,), default=None
            Patients, say: the rows of a group are held out together, and are not each
            other's neighbours in the copy check. Without groups equal rows are taken for
            one patient's, where two columns tell nearly all others apart.

        Returns
        -------
        X_resampled : {array-like, dataframe, sparse matrix} of shape \
                (n_samples_new, n_features)
            Of the type of X, with its columns and dtypes; DataFrames may be of pandas,
            with a fresh index in place of theirs, or of polars.
        y_resampled : array-like of shape (n_samples_new,)

        Raises
        ------
        ValueError
            If X holds infinity or a column that is neither numeric nor categorical; if y
            holds a single class or missing labels; if lengths differ; if the class counts
            wanted cannot be reached by adding rows; if both `target_prior` and a
            `sampling_strategy` other than "auto" are given; or if the device is not
            available.

        Warns
        -----
        SmallClassWarning
            If a class has fewer than 6 rows.
        CopyWarning
            If some rows still look like copies after ten rounds of redrawing.
        DiagnosisWarning
            If the synthetic rows of a class have a fault.
        """
        self._format = TableFormat(X, self.categorical_features)
        labels: Any = y
        if is_polars(y):
            if hasattr(y, "columns"):
                if y.width != 1:
                    raise ValueError(
                        f"y should be one column of labels; it has {y.columns}."
                    )
                y = y.to_series()
            labels = y.to_numpy()
        n_missing = 0 if y is None else int(np.asarray(pd.isna(labels)).sum())
        if n_missing:
            raise ValueError(
                f"Input y contains NaN in {n_missing} rows; drop or label them."
            )
        X_resampled, y_resampled = super().fit_resample(
            self._format.to_numbers(X), labels, groups=groups
        )
        if is_polars(y):
            y_resampled = y.__class__(y.name, y_resampled, dtype=y.dtype)
        if self._format.is_plain:
            return X_resampled, y_resampled
        # The rows of X itself on top: numbers would round large integers.
        new = np.asarray(X_resampled)[self.is_synthetic_]
        if self.gan_ is not None:
            self.gan_.format_ = self._format
            if hasattr(self, "feature_names_in_"):
                self.gan_.feature_names_in_ = self.feature_names_in_
        return self._format.stack(X, new), y_resampled

    def fit(self, X: Any, y: ArrayLike, **params: Any) -> GANOverSampler:
        """Check the input only; `fit_resample` is what does the work.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self : GANOverSampler
        """
        numbers = TableFormat(X, self.categorical_features).to_numbers(X)
        return super().fit(numbers, y, **params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def save(
        self, path: str | os.PathLike[str], *, store_quantiles: int | None = None
    ) -> None:
        """Write parameters and the fitted generator to one file, without pickle.

        No row of the table is stored, and neither is `diagnosis_`, which holds some; see
        `TabularGAN.save` for what the file tells about the table.

        Parameters
        ----------
        path : path-like
            Where to write; a file that was there is replaced when all is written.
        store_quantiles : int, default=None
            Largest number of quantiles of each column to store, at least 2.

        Raises
        ------
        ValueError
            If store_quantiles is less than 2.
        TypeError
            If a parameter, a callable say, or names of columns have no form in JSON.
        """
        state: dict[str, Any] = {"params": params_to_json(self), "gan": None}
        arrays: Arrays = {}
        if getattr(self, "gan_", None) is not None:
            state["gan"], arrays = state_of(self.gan_, store_quantiles)
        write(path, type(self).__name__, state, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GANOverSampler:
        """Read what `save` wrote: a sampler with its parameters and `gan_`.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        GANOverSampler

        Raises
        ------
        ValueError
            If the file is damaged or was changed, holds something else, or has a version
            that this package does not know.
        """
        state, arrays = read(path, cls.__name__)
        sampler = cls(**params_from_json(state["params"]))
        if state["gan"] is not None:
            sampler.gan_ = TabularGAN(**params_from_json(state["gan"]["params"]))
            restore(sampler.gan_, state["gan"], arrays)
            sampler.history_ = sampler.gan_.history_
        return sampler

    def _check_X_y(
        self, X: Any, y: Any, accept_sparse: Any = None
    ) -> tuple[Any, np.ndarray, bool]:
        y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        with naming_the_column(X):
            X, y = validate_data(
                self, X=X, y=y, accept_sparse=["csr", "csc"], ensure_all_finite="allow-nan"
            )
        return X, y, is_one_vs_all

    def _fit_resample(
        self, X: Any, y: np.ndarray, groups: ArrayLike | None = None
    ) -> tuple[Any, np.ndarray]:
        check_layers(self.hidden_layer_sizes)
        real = X.toarray() if sparse.issparse(X) else X
        new, y_new = self._draw_rows(real, y, groups)
        new = within_dtype(new, X.dtype).astype(X.dtype, copy=False)
        y_resampled = np.concatenate([y, y_new])
        if sparse.issparse(X):
            return sparse.vstack([X, X.__class__(new)], format=X.format), y_resampled
        return np.concatenate([X, new]), y_resampled

    def _embedding(self, real: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Distances are measured between normal scores."""
        assert self.gan_ is not None
        return self.gan_.encoder_.transform

    def _judge(self, real: Table, synthetic: Table, **settings: Any) -> Diagnosis:
        return diagnose_classes(real, synthetic, format_=self._format, **settings)

    def _make_gan(self, rng: np.random.RandomState) -> TabularGAN:
        shared = TabularGAN._get_param_names()
        params = {name: getattr(self, name) for name in shared}
        # In numbers, categories are codes in known columns.
        params["categorical_features"] = list(self._format.categories)
        return TabularGAN(**{**params, "random_state": rng.randint(2**31 - 1)})
