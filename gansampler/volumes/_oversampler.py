"""VolumeGANOverSampler: the generator of volumes as an imbalanced-learn sampler."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from imblearn.utils import check_target_type
from numpy.typing import ArrayLike
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length

from .._base_sampler import CHECKS, BaseGANOverSampler, Table
from .._frames import TableFormat, within_dtype
from .._prior import Prior
from ..checks import Diagnosis, diagnose_classes
from ._features import volume_features
from ._gan import VolumeGAN
from ._scaling import Window
from ._validation import check_volumes


class VolumeGANOverSampler(BaseGANOverSampler):
    """Oversample volumes with a conditional Wasserstein GAN and a copy check.

    `fit_resample` trains a `VolumeGAN` and draws as many volumes as each class needs.
    Volumes whose radiomic features lie so near those of a real volume that they look like
    its copies are redrawn. What is returned are the volumes given, followed by the new
    ones.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        Volumes to add, as in every imbalanced-learn oversampler. Leave it at "auto" if
        `target_prior` is given.
    target_prior : {"uniform", "empirical"} or mapping of class -> probability, \
            default=None
        Share of each class in the returned stack; see `GANOverSampler`.
    target_size : float or "extended", default=None
        Volumes in the returned stack, as a multiple of those given; see `GANOverSampler`.
    mask_channel, window, objective, penalty, n_critic, shrinkage, texture_steps
        As in `VolumeGAN`.
    channels, flips, rotation, translation, learning_rate_init, max_iter, batch_size
        As in `VolumeGAN`.
    early_stopping, validation_fraction, n_iter_no_change
        As in `VolumeGAN`.
    checks : collection of {"memorization", "fidelity", "diagnosis"}, default=all
        What stands between the generator and the stack, as in `GANOverSampler`, with
        distances between radiomic features.
    copy_alpha : float or None, default=0.1
        Level of the copy check: at most this share of fresh volumes is rejected, or
        2 / (n + 1) in a class of n volumes where that is larger. None switches it off.
    extractor : callable or None, default=None
        Takes a stack of volumes to a table of features, (n, n_features), between which
        distances are measured, `RadiomicsExtractor(...).fit_transform` for instance. None
        takes some forty features that need no other package, and no time.
    mixed_precision, checkpoint_dir, device, verbose, random_state
        As in `VolumeGAN`.

    Attributes
    ----------
    sampling_strategy_, is_synthetic_, groups_resampled_, acceptance_rate_, history_
        As in `GANOverSampler`.
    gan_ : VolumeGAN or None
        The fitted generator; None when there was nothing to add.
    diagnosis_ : Diagnosis or None
        Verdict on the volumes made of each class, by their features.

    See Also
    --------
    VolumeGAN : The generator alone.
    RadiomicsExtractor : The next step of a pipeline.

    Examples
    --------
    >>> from gansampler import VolumeGANOverSampler
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms({"homogeneous": 14, "rim": 8}, size=16, random_state=0)
    >>> sampler = VolumeGANOverSampler(max_iter=2, random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> X_res.shape, int(sampler.is_synthetic_.sum())
    ((28, 2, 16, 16, 16), 6)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseGANOverSampler._parameter_constraints,
        **VolumeGAN._parameter_constraints,
        "extractor": [callable, None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        target_prior: Prior | None = None,
        target_size: float | str | None = None,
        mask_channel: int | None = -1,
        window: Window | Sequence[Window] | None = None,
        objective: Any = "wasserstein-gp",
        penalty: float | None = None,
        n_critic: int = 5,
        shrinkage: float = 0.5,
        texture_steps: int = 30,
        channels: int = 16,
        flips: tuple[int, ...] = (-1,),
        rotation: float = 5.0,
        translation: float = 0.05,
        learning_rate_init: float = 0.0002,
        max_iter: int = 200,
        batch_size: int = 16,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 4,
        checks: Collection[str] = CHECKS,
        copy_alpha: float | None = 0.1,
        extractor: Callable[[np.ndarray], Any] | None = None,
        mixed_precision: bool | str = "auto",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.target_prior = target_prior
        self.target_size = target_size
        self.mask_channel = mask_channel
        self.window = window
        self.objective = objective
        self.penalty = penalty
        self.n_critic = n_critic
        self.shrinkage = shrinkage
        self.texture_steps = texture_steps
        self.channels = channels
        self.flips = flips
        self.rotation = rotation
        self.translation = translation
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.checks = checks
        self.copy_alpha = copy_alpha
        self.extractor = extractor
        self.mixed_precision = mixed_precision
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit_resample(
        self, X: Any, y: Any, *, groups: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train the generator and return the volumes given followed by synthetic ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
            In physical units, with a mask of zeros and ones in `mask_channel`.
        y : array-like of shape (n_samples,)
            Class labels, of at least two classes.
        groups : array-like of shape (n_samples,), default=None
            Patients: the volumes of a group are held out together, and are not each other's
            neighbours in the copy check.

        Returns
        -------
        X_resampled : ndarray of shape (n_samples_new, channel, depth, height, width)
        y_resampled : ndarray of shape (n_samples_new,)

        Raises
        ------
        ValueError
            If X is no stack of volumes, a mask is empty, y holds only one class, lengths
            differ, or the classes wanted cannot be reached by adding volumes.
        """
        self._validate_params()
        return super().fit_resample(X, y, groups=groups)

    def _check_X_y(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        volumes = check_volumes(X, min_volumes=2)
        y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        check_consistent_length(volumes, y)
        self.n_features_in_ = int(np.prod(volumes.shape[1:]))
        given = np.asarray(X)
        # Integers stay what they are; the rows given come back bit for bit.
        return given if given.dtype.kind in "iuf" else volumes, y, is_one_vs_all

    def _fit_resample(
        self, X: np.ndarray, y: np.ndarray, groups: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        new, y_new = self._draw_rows(X, y, groups)
        new = within_dtype(new, X.dtype).astype(X.dtype)
        return np.concatenate([X, new]), np.concatenate([y, y_new])

    def _make_gan(self, rng: np.random.RandomState) -> VolumeGAN:
        shared = VolumeGAN._get_param_names()
        params = {name: getattr(self, name) for name in shared}
        return VolumeGAN(**{**params, "random_state": rng.randint(2**31 - 1)})

    def _features(self, X: np.ndarray) -> Any:
        if self.extractor is None:
            return volume_features(X, self.gan_.scaler_.mask_channel_)
        table = self.extractor(X)
        values = np.asarray(table, dtype=float)
        if values.ndim != 2 or len(values) != len(X) or not np.isfinite(values).all():
            raise ValueError(
                f"extractor must give a row of finite numbers for each of {len(X)} "
                f"volumes; got shape {values.shape}, "
                f"{np.count_nonzero(~np.isfinite(values))} of them NaN or infinity."
            )
        return table

    def _embedding(self, real: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Distances are measured between standardised features."""
        scaler = StandardScaler().fit(np.asarray(self._features(real)))
        return lambda X: scaler.transform(np.asarray(self._features(X)))

    def _judge(self, real: Table, synthetic: Table, **settings: Any) -> Diagnosis:
        tables = [self._features(X) for X, _ in (real, synthetic)]
        known, new = (np.asarray(table, dtype=float) for table in tables)
        return diagnose_classes(
            (known, real[1]),
            (new, synthetic[1]),
            format_=TableFormat(tables[0], "auto"),
            **settings,
        )
