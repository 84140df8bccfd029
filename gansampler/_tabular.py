"""TabularGAN: a conditional Wasserstein GAN for small, wide tables."""

from __future__ import annotations

import copy
import os
from functools import partial
from importlib.metadata import version
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    check_memory,
    column_or_1d,
    validate_data,
)

from ._adversarial import check_resumable
from ._checkpoint import Checkpoint
from ._conditional import ConditionalGenerator
from ._encoding import TableEncoder
from ._frames import TableFormat, naming_the_column
from ._groups import some_of_class
from ._held_out import HeldOutScore
from ._prior import Prior
from ._saving import VERSION, read, write
from ._start import ClassModes, Start, fit_start
from ._state import params_from_json, params_to_json, restore, state_of
from .adversarial import (
    Critic,
    History,
    Objective,
    Plan,
    ResidualGenerator,
    SynthesisGame,
    balanced_batches,
    clearly_below,
    isolated,
    n_processes,
    resolve_device,
    single_thread,
    together,
)
from .adversarial.distributed import agreed

REFERENCE_DRAWS = 2000
"""Rows of each class drawn to learn when a category is to be chosen."""

SCORE_EVERY = ([150, 300, 800, 2000], [10, 20, 20, 50])
"""Steps from one score to the next, by training rows: many rows are worth more patience."""

MAX_ROWS = 100_000
"""Rows that a fit looks at, at most: beyond, quantiles, components and start change little,
and steps with batches of hundreds see no more."""


class TabularGAN(ConditionalGenerator):
    """Conditional Wasserstein GAN that starts at a Gaussian copula.

    Columns are mapped to normal scores (by smoothed ranks), and these to principal
    components. The generator starts as one shrunk Gaussian per class on the components,
    which makes it a class-conditional Gaussian copula of the table. In adversarial training
    it learns a correction on the leading components; the others are drawn from the
    Gaussian, given the noise of the leading ones.

    Held-out rows decide when training stops and which step is kept. If no step clearly
    beats the start, the start is kept, and `start_used_` says so. If rows clearly fall into
    groups, a start with several modes per class takes the place of either, provided that
    it does as well on held-out rows.

    Parameters
    ----------
    objective : {"wasserstein-gp", "wasserstein-zero-gp", "wasserstein-clip", \
            "non-saturating", "minimax", "least-squares"} or Objective, \
            default="wasserstein-gp"
        What critic and generator play for: the name of one, or a
        `gansampler.adversarial.Objective` of your own.
    penalty : float, default=None
        Weight of the gradient penalty, at least 0. None takes that of the objective:
        0.03 for the two with "gp" in their name, 0 for the others, whose penalty, where
        one is asked for, is the zero-centred one.
    n_critic : int, default=2
        Critic steps for each generator step.
    start : {"copula", "normal"}, default="copula"
        Where the generator starts: the class-conditional Gaussian copula, or a standard
        normal that knows nothing of classes and dependence.
    n_modes : int or "auto", default="auto"
        Number of Gaussians that model each class; each needs at least 10 rows. "auto" takes
        up to 16, by Schwarz's criterion (BIC) on the leading components. Training always
        starts from one Gaussian per class. Several replace a start that would be kept,
        unless held-out rows clearly speak against them, and a trained generator only if
        held-out rows score them better.
    categorical_features : "auto" or array-like, default="auto"
        Columns that hold categories: a mask, positions, or names. "auto" takes those of
        DataFrames whose dtype is category, string, object or bool, and of arrays of
        objects those that hold no numbers.
    shrinkage : float, default=0.5
        Weight of the pooled within-class covariance in that of a class, in [0, 1]; it falls
        where rows outnumber columns, grows as a class gets smaller, and is 1 below 6 rows.
    n_components : int, default=32
        Number of leading principal components that the game is played on.
    hidden_layer_sizes : tuple of int, default=(128, 128, 128)
        Widths of the hidden layers of both networks.
    learning_rate_init : float, default=0.002
        Step size of Adam, for both players; it falls to zero in the second half of
        `max_iter`.
    max_iter : int, default=2000
        Largest number of generator steps. 0 keeps the start, in a fraction of the time.
    batch_size : int or "auto", default="auto"
        Rows in a batch, in expectation the same number of each class. "auto" takes an
        eighth of the rows, but from 128 to 256.
    early_stopping : bool, default=True
        Whether to hold out rows on which to stop and to choose the step to keep. False
        trains on all rows for `max_iter` steps and keeps the last.
    validation_fraction : float, default=0.2
        Share of the rows of each class to hold out, in (0, 1). After training, the start
        is fitted anew on all rows.
    n_iter_no_change : int, default=10
        Training stops after this many scores in a row that do not clearly beat the start
        or are clearly worse than the best. One is taken every 10 steps on small tables,
        every 50 on large ones, and more rarely in a long training.
    copy_alpha : float or None, default=0.1
        Steps at which clearly more than this share of draws fails the copy check are not
        kept. None switches the check off.
    memory : str, path-like or joblib.Memory, default=None
        Where to keep the encoded table, for fits of the same rows with the same integer
        `random_state`, the candidates of a search say. The results are the same without.
        What is kept tells of the rows, and is pickled.
    checkpoint_dir : path-like, default=None
        Folder in which a training under way is kept, every ten seconds. An interrupted
        `fit`, called again with the same rows and parameters, goes on from there and ends
        with the same bytes (on CPU); an integer `random_state` is needed. The file is
        removed when training is done. It holds weights and losses; no rows, and nothing of
        the start.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to train; "auto" takes a CUDA GPU where there is one.
    verbose : bool, default=False
        Whether to show a progress bar.
    random_state : int, RandomState instance or None, default=None
        Seed of everything drawn in `fit` and `sample`; pass an int to get the same bytes
        again (on CPU).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class among the rows given to `fit`.
    n_iter_ : int
        Generator steps taken.
    best_iter_ : int
        The step that was kept; 0 is the start.
    start_used_ : bool
        Whether the start was kept.
    n_modes_ : ndarray of int, shape (n_classes,)
        Gaussians that each class is drawn from, or that training starts at.
    is_learned_ : ndarray of bool, shape (n_classes,)
        Classes that training may change: those with held-out rows to judge by.
    loss_curve_ : list of float
        The critic's loss without its penalty, at each generator step.
    validation_scores_ : list of float
        Mean energy score of held-out rows at the steps `history_["score_steps"]`; lower
        is better; NaN where the draws failed the copy check.
    history_ : dict
        Every loss by name, the scores and the steps they were taken at.
    format_ : TableFormat
        What X came as: its type, columns and dtypes, no data.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Defined only when X has feature names that are all strings.

    See Also
    --------
    GANOverSampler : Oversampling with this generator and a copy check.

    References
    ----------
    .. [1] Gulrajani et al. (2017), Improved training of Wasserstein GANs.
    .. [2] Liu, Lafferty and Wasserman (2009), The nonparanormal, JMLR 10.
    .. [3] Tewari, Giering and Raghunathan (2011), Parametric characterization of
       multimodal distributions with non-Gaussian modes, ICDM workshops.
    .. [4] Azzalini (1981), A note on the estimation of a distribution function and
       quantiles by a kernel method, Biometrika 68.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from gansampler import TabularGAN
    >>> X, y = load_wine(return_X_y=True)
    >>> gan = TabularGAN(max_iter=40, random_state=0).fit(X, y)
    >>> X_new, y_new = gan.sample(6, prior="uniform")
    >>> X_new.shape, y_new.tolist()
    ((6, 13), [0, 0, 1, 1, 2, 2])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **ConditionalGenerator._parameter_constraints,
        "start": [StrOptions({"copula", "normal"})],
        "n_modes": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "categorical_features": ["array-like", StrOptions({"auto"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "memory": [str, os.PathLike, joblib.Memory, None],
    }

    def __init__(
        self,
        *,
        objective: str | Objective = "wasserstein-gp",
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
        copy_alpha: float | None = 0.1,
        memory: str | os.PathLike[str] | joblib.Memory | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
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
        self.copy_alpha = copy_alpha
        self.memory = memory
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> TabularGAN:
        """Learn the distribution of X given y.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Numbers, NaN where they are missing, and categories.
        y : array-like of shape (n_samples,), default=None
            Class labels; None takes all rows for one class, labelled 0.
        groups : array-like of shape (n_samples,), default=None
            Patients, say: the rows of a group are held out together, and are not each
            other's neighbours in the copy check.

        Returns
        -------
        self : TabularGAN

        Raises
        ------
        ValueError
            If X holds infinity or fewer than two rows, or a column that is neither numeric
            nor categorical; if y is no classification target; if lengths differ; if the
            device is not available.
        """
        check_layers(self.hidden_layer_sizes)
        check_resumable(self)
        device = resolve_device(self.device)
        rows, codes, group_of = self._validate(X, y, groups)
        rng = check_random_state(self.random_state)
        if len(rows) > MAX_ROWS:
            some = _rows_to_learn(codes, rng)
            rows, codes, group_of = rows[some], codes[some], group_of[some]
        with isolated(rng.randint(2**31 - 1), device):
            latent = self._encode(rows, codes, rng)
            checkpoint = None
            if self.checkpoint_dir is not None:
                checkpoint = self._checkpoint(rows, codes, group_of)
            several = self._play(latent, codes, group_of, rng, device, checkpoint)
            # What was learned and chosen holds beside a start that has seen every row.
            modes = self._find_modes(latent, codes, rng) if several else None
            self.start_ = self._fit_start(latent, codes, modes)
            self._calibrate(rng)
        return self

    def sample(
        self, n_samples: int = 1, *, y: ArrayLike | None = None, prior: Prior = "empirical"
    ) -> tuple[Any, np.ndarray]:
        """Draw rows from the fitted distribution.

        As with `GaussianMixture.sample`, an integer `random_state` gives the same rows at
        every call.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows; y, if given, says it too.
        y : array-like of shape (n_samples,), default=None
            The class of each row to draw.
        prior : {"empirical", "uniform"} or mapping of class -> probability, \
                default="empirical"
            Share of each class, met to the row. "empirical" synthesizes the full data.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame, of pandas or polars, if `fit` was given one, with its columns and
            dtypes.
        y : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If n_samples is less than 1, or y or prior name an unknown class.
        """
        check_is_fitted(self)
        codes = self._codes_to_draw(n_samples, y, prior)
        rng = check_random_state(self.random_state)
        with single_thread():
            rows = self.draw_(codes, rng)
        return self.format_.build(rows), self.classes_[codes]

    def score_samples(self, X: ArrayLike, y: ArrayLike | None = None) -> np.ndarray:
        """Scores of the critic: higher where it takes a row for a real one.

        Comparable between rows of one fit only. With ``max_iter=0`` the critic is
        untrained, and its scores mean nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score, real or synthetic, in the units of the table fitted.
        y : array-like of shape (n_samples,), default=None
            Class of each row; None averages the scores under each class, weighted by the
            share of the class in the training rows.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        rows = validate_data(
            self,
            self.format_.to_numbers(X),
            dtype=np.float64,
            reset=False,
            ensure_all_finite="allow-nan",
        )
        with single_thread():
            latent = self.encoder_.transform(rows)[:, : len(self.scale_)] / self.scale_
        if y is not None:
            labels = column_or_1d(y)
            check_consistent_length(rows, labels)
            return self._criticize(latent, self._encode_labels(labels))
        scores = np.zeros(len(rows))
        for c, weight in enumerate(self.class_prior_):
            scores += weight * self._criticize(latent, np.full(len(rows), c))
        return scores

    def save(
        self, path: str | os.PathLike[str], *, store_quantiles: int | None = None
    ) -> None:
        """Write the fitted generator to one file, without pickle.

        No row of the table is stored. What is stored tells about it nevertheless: sorted
        values of every column (all of them, up to 1,000 rows) and their smoothed ranks, its
        categories and how often each class has them, the principal components of the ranks,
        and mean and covariance of each class.

        Parameters
        ----------
        path : path-like
            Where to write; a file that was there is replaced when all is written.
        store_quantiles : int, default=None
            Largest number of quantiles of each column to store, at least 2. Fewer reveal
            less of single rows, but the smallest and largest value are always among them;
            what is drawn after loading is coarser. None stores all that there are.

        Raises
        ------
        ValueError
            If store_quantiles is less than 2.
        TypeError
            If names of columns are neither text nor numbers.

        See Also
        --------
        load : The inverse.
        """
        check_is_fitted(self)
        write(path, type(self).__name__, *state_of(self, store_quantiles))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TabularGAN:
        """Read a generator that `save` wrote; runs no code from the file.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        TabularGAN
            Samples the same rows, bit for bit, as the one that was saved. A `random_state`
            that was no int comes back as None.

        Raises
        ------
        ValueError
            If the file is damaged or was changed, holds something else, or has a version
            that this package does not know.
        """
        state, arrays = read(path, cls.__name__)
        gan = cls(**params_from_json(state["params"]))
        restore(gan, state, arrays)
        return gan

    @property
    def n_modes_(self) -> np.ndarray:
        """Gaussians that each class is drawn from, or that training starts at."""
        return np.bincount(self.start_.mode_class)

    def draw_(self, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw one row for each class code, in numbers, (len(codes), n_features)."""
        latent = self._draw_latent(codes, rng)
        return self.encoder_.inverse_transform(latent, codes, rng).astype(self._dtype)

    def _draw_latent(self, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        noise = rng.standard_normal((len(codes), self.start_.location.shape[1]))
        latent = self.start_.draw(noise, codes, rng)
        if not self.start_used_:
            r = len(self.scale_)
            with torch.no_grad():
                z = torch.as_tensor(noise[:, :r], dtype=torch.float32)
                residual = self.residual_(z, torch.as_tensor(codes))
            learned = self.is_learned_[codes, None]
            latent[:, :r] += learned * residual.double().numpy() * self.scale_
        return latent

    def _calibrate(self, rng: np.random.RandomState) -> None:
        """Let categories and missing values come as often as in each class."""
        if self.encoder_.columns_.has_indicators:
            codes = range(len(self.classes_))
            drawn = [self._draw_latent(np.full(REFERENCE_DRAWS, c), rng) for c in codes]
            self.encoder_.calibrate(drawn, rng)

    def _validate(
        self, X: ArrayLike, y: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.format_ = TableFormat(X, self.categorical_features)
        numbers = self.format_.to_numbers(X)
        with naming_the_column(numbers):
            rows = validate_data(
                self,
                numbers,
                dtype=[np.float64, np.float32],
                ensure_min_samples=2,
                ensure_all_finite="allow-nan",
            )
        self._dtype = rows.dtype
        codes, group_of = self._learn_labels(len(rows), y, groups)
        return rows, codes, group_of

    def _encode(
        self, rows: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Fit the encoder, or recall it; return the rows in its components."""
        memory = (
            os.fspath(self.memory) if isinstance(self.memory, os.PathLike) else self.memory
        )
        encode = check_memory(memory).cache(_encoded)
        self.encoder_, latent, state = encode(
            rows,
            codes,
            list(self.format_.categories),
            rng,
            (version("gansampler"), VERSION),
        )
        rng.set_state(state)
        return latent

    def _checkpoint(
        self, rows: np.ndarray, codes: np.ndarray, groups: np.ndarray
    ) -> Checkpoint:
        """Where this training, of these rows with these parameters, is kept."""
        assert self.checkpoint_dir is not None
        params = params_to_json(self)
        for irrelevant in ("checkpoint_dir", "memory", "verbose", "categorical_features"):
            del params[irrelevant]
        categorical = list(self.format_.categories)
        return Checkpoint(self.checkpoint_dir, params, categorical, rows, codes, groups)

    def _fit_start(
        self, latent: np.ndarray, codes: np.ndarray, modes: ClassModes | None = None
    ) -> Start:
        """Where rows start, with one mode a class or with these."""
        r, memberships = len(self.scale_), None
        if modes is not None:
            memberships = modes.memberships(latent[:, :r], codes)
        start = fit_start(latent, codes, len(self.classes_), self.shrinkage, memberships)
        if self.start == "normal":
            scale_tril = start.scale_tril
            covariance = scale_tril[:, r:] @ scale_tril[:, r:].transpose(0, 2, 1)
            scale_tril[:] = 0
            scale_tril[:, r:, r:] = np.linalg.cholesky(covariance)
            scale_tril[:, range(r), range(r)] = self.scale_
            start.location[:, :r] = 0
        return start

    def _play(
        self,
        latent: np.ndarray,
        codes: np.ndarray,
        groups: np.ndarray,
        rng: np.random.RandomState,
        device: torch.device,
        checkpoint: Checkpoint | None,
    ) -> bool:
        """Train on the leading components, scaled to one, of the rows not held out.

        Returns whether the start is kept, and may have several modes a class.
        """
        r = min(self.n_components, latent.shape[1])
        spread = latent[:, :r].std(axis=0)
        self.scale_ = np.where(spread > 1e-6, spread, 1.0)
        held_out, self.is_learned_ = self._hold_out(codes, groups, rng)
        kept = ~held_out
        start = self._fit_start(latent[kept], codes[kept])

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(array, dtype=torch.float32)

        generator = ResidualGenerator(
            location=tensor(start.location[:, :r] / self.scale_),
            scale_tril=tensor(start.scale_tril[:, :r, :r] / self.scale_[:, None]),
            learned=tensor(self.is_learned_),
            hidden_layer_sizes=self.hidden_layer_sizes,
        ).to(device)
        critic = Critic(
            in_features=r,
            n_classes=len(self.classes_),
            hidden_layer_sizes=self.hidden_layer_sizes,
        ).to(device)
        game = SynthesisGame(generator, critic, self._objective, self.penalty)
        score = None
        if self._chooses_step:
            score = HeldOutScore(
                (latent[kept, :r], codes[kept]),
                (latent[held_out, :r], codes[held_out]),
                groups=groups[kept],
                measure=lambda drawn: drawn.cpu().double().numpy() * self.scale_,
                copy_alpha=self.copy_alpha,
                generator=generator,
                rng=rng,
            )
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = int(np.clip(kept.sum() // 8, 128, 256))
            batch_size += -batch_size % n_processes()
        draw_batches = partial(
            balanced_batches,
            tensor(latent[kept, :r] / self.scale_).to(device),
            torch.as_tensor(codes[kept], device=device),
        )
        plan = Plan(
            max_iter=self.max_iter,
            n_critic=self.n_critic,
            learning_rate=self.learning_rate_init,
            score_every=int(np.interp(kept.sum(), *SCORE_EVERY)),
            n_iter_no_change=self.n_iter_no_change,
        )
        with together(device):
            history = self._train(
                game, draw_batches, int(batch_size), plan, score, checkpoint
            )
            several = agreed(
                self._modes_win(latent[kept], codes[kept], history, game, score, rng)
            )
        if several:
            history.best_step = 0
        # On the CPU, so that a pickle opens on a machine without a GPU.
        self.residual_ = generator.residual.cpu().eval()
        self.critic_ = critic.cpu().eval()
        self.keep_history_(history)
        return several

    def _modes_win(
        self,
        latent: np.ndarray,
        codes: np.ndarray,
        history: History,
        game: SynthesisGame,
        score: HeldOutScore | None,
        rng: np.random.RandomState,
    ) -> bool:
        """Whether a start of several modes is to be taken, if classes have them.

        Held-out rows must not clearly speak against them; and where a step of the game
        would be kept, they must be better off with modes. Without a game, and so without
        held-out rows, BIC alone decides.
        """
        if self.start == "normal":
            return False
        if score is None:
            return self.max_iter == 0
        modes = self._find_modes(latent, codes, rng)
        if modes.are_single:
            return False
        start = self._fit_start(latent, codes, modes).leading(len(self.scale_))

        def draw(noise: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            drawn = start.draw(noise.cpu().double().numpy(), y.cpu().numpy(), rng)
            return torch.as_tensor(drawn / self.scale_)

        losses, of_kept = score(draw), score(game.generator)
        if losses is None or of_kept is None:
            return False
        if history.best_step == 0:
            return not clearly_below(of_kept, losses)
        return bool(losses.mean() < of_kept.mean())

    def _find_modes(
        self, latent: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> ClassModes:
        leading = latent[:, : len(self.scale_)]
        return ClassModes(self.n_modes).fit(leading, codes, len(self.classes_), rng)

    def _criticize(self, latent: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Critic scores in double precision, so that they do not hang on the batch."""
        with single_thread(), torch.no_grad():
            critic = copy.deepcopy(self.critic_).double()
            return critic(torch.as_tensor(latent), torch.as_tensor(codes)).numpy()


def _encoded(
    rows: np.ndarray,
    codes: np.ndarray,
    categorical: list[int],
    rng: np.random.RandomState,
    _version: tuple[str, int],
) -> tuple[TableEncoder, np.ndarray, Any]:
    """A fitted encoder, the rows in its components, and where the random numbers are."""
    encoder = TableEncoder(categorical)
    latent = encoder.fit_transform(rows, codes, rng)
    return encoder, latent, rng.get_state()


def check_layers(sizes: Any) -> None:
    """Refuse hidden_layer_sizes that make no network."""
    widths = tuple(sizes)
    if not widths or not all(isinstance(n, Integral) and int(n) > 0 for n in widths):
        raise ValueError(
            "hidden_layer_sizes must hold at least one width, each a positive integer; "
            f"got {sizes!r}."
        )


def _rows_to_learn(codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Positions of `MAX_ROWS` rows at most: all of small classes, of large ones as many."""
    counts = np.bincount(codes)
    room, limit = MAX_ROWS, 0
    for n_left, count in zip(range(len(counts), 0, -1), np.sort(counts), strict=True):
        limit = room // n_left
        room -= min(count, limit)
    chosen = [some_of_class(codes, c, limit, rng) for c in range(len(counts))]
    return np.sort(np.concatenate(chosen))
