"""VolumeGAN: a conditional Wasserstein GAN for images with their masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d
from torch import nn

from .._adversarial import check_resumable
from .._checkpoint import Checkpoint
from .._conditional import ConditionalGenerator
from .._held_out import HeldOutScore
from .._prior import Prior
from .._saving import Arrays, labels_from_json, labels_to_json, read, write
from .._state import params_from_json, params_to_json
from ..adversarial import (
    History,
    Objective,
    Plan,
    SynthesisGame,
    balanced_batches,
    isolated,
    mixed_precision,
    resolve_device,
)
from ._augmentation import Moves
from ._features import volume_features
from ._networks import VolumeCritic, VolumeGenerator
from ._scaling import VolumeScaler, Window
from ._start import FieldStart
from ._state import load_modules, modules_to_arrays, scaler_from_json, scaler_to_json
from ._texture import PatchTexture
from ._validation import check_volumes

KIND = "VolumeGAN"

AT_ONCE = 16
"""Volumes drawn or scored in one go."""

HELD_OUT_DRAWS = 50
"""Draws of a class that score a generator, at least."""

LEAST_MASK = 0.5
"""Share of the smallest real mask that a drawn one has at least: it may be smaller, not a
speck."""

ROUNDS = 20
"""How often a volume with too small a mask is drawn again."""


class VolumeGAN(ConditionalGenerator):
    """Conditional Wasserstein GAN for 3D images and their masks.

    The start (step 0) draws a volume in three stages. The mask comes from a Gaussian on its
    signed distance, one per class. The tissues of a real volume of the class are deformed
    until they fit around that mask (without masks, their shapes come from the Gaussian
    too). Mask and tissues are filled with random fields that have the power spectrum and
    the histogram of the class. In adversarial training on whole volumes, a residual
    network then learns to correct what the start draws, from coarse to fine; the critic
    scores image and mask together, by projection on the class. Held-out volumes decide, by
    the energy score of radiomic features, which step is kept, the start included. Last, the
    intensities inside the mask are adjusted until patches are distributed as in real
    volumes of the class.

    Works for 2D slices, of shape (n, channel, height, width), as well.

    Parameters
    ----------
    mask_channel : int or None, default=-1
        Channel of X that is a mask of zeros and ones; None: there is none.
    window : None, (low, high), or sequence of such pairs, default=None
        Intensities, in physical units, between which images are learned, for all image
        channels or for each. What lies outside is cut off. None takes the range of each.
    objective, penalty
        As in `TabularGAN`.
    n_critic : int, default=5
        Critic steps for each generator step; with fewer, a generator runs off from its
        start before the critic knows what is wrong with that.
    shrinkage : float, default=0.5
        Weight of the pooled covariance of shapes in that of a class, in [0, 1].
    texture_steps : int, default=30
        Steps in which the voxels of a drawn volume, inside the mask if there is one, are
        moved to where patches look as in real ones; 0 leaves them, and learns nothing
        for later. Regions of more than 4,000 voxels take up to four times as many.
    channels : int, default=16
        Channels of both networks at the finest level.
    flips : tuple of int, default=(-1,)
        Spatial axes along which real and generated volumes are flipped at random before the
        critic sees them; -1 is width, left and right in the usual orientation.
    rotation : float, default=5.0
        Largest angle, in degrees, by which they are turned about each axis.
    translation : float, default=0.05
        Largest shift along each axis, as a share of the edge.
    learning_rate_init : float, default=0.0002
        Step size of Adam, for both players.
    max_iter : int, default=200
        Largest number of generator steps; 0 keeps the start.
    batch_size : int, default=16
        Volumes in a batch, in expectation the same number of each class.
    early_stopping : bool, default=True
        Whether to choose the step to keep, the start included, on held-out volumes.
    validation_fraction : float, default=0.2
        Share of the volumes of each class to hold out, in (0, 1).
    n_iter_no_change : int, default=4
        Training stops after this many scores in a row without progress.
    copy_alpha : float or None, default=0.1
        Level of the copy check that a step must pass to be kept.
    mixed_precision : "auto" or bool, default="auto"
        Whether networks compute in bfloat16, on CPU or a CUDA GPU; "auto": on the latter.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train, as in `TabularGAN`. Not "mps", where torch lacks derivatives of what
        turns and pools volumes.
    checkpoint_dir, verbose, random_state
        As in `TabularGAN`; on CPU, the same bytes need the same number of threads.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_prior_ : ndarray of shape (n_classes,)
    start_used_ : bool
        Whether the start was kept.
    n_iter_, best_iter_ : int
        Steps made; the step kept.
    loss_curve_, validation_scores_ : list of float
    history_ : dict
        Losses and held-out scores of the training, see `TabularGAN`.
    scaler_ : VolumeScaler
    start_ : FieldStart
        Fitted on all volumes.
    texture_ : PatchTexture or None
        Patch statistics of all volumes; None without `texture_steps`.
    generator_ : VolumeGenerator
    critic_ : VolumeCritic

    See Also
    --------
    VolumeGANOverSampler : The same as a sampler, with checks of what is drawn.

    References
    ----------
    .. [1] Gulrajani et al. (2017), Improved training of Wasserstein GANs.
    .. [2] Miyato and Koyama (2018), cGANs with projection discriminator.
    .. [3] Karras et al. (2020), Training generative adversarial networks with limited
       data.
    .. [4] Raya and Udupa (1990), Shape-based interpolation of multidimensional objects,
       IEEE Trans. Med. Imaging 9.

    Examples
    --------
    >>> from gansampler import VolumeGAN
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(36, size=16, random_state=0)
    >>> gan = VolumeGAN(max_iter=2, random_state=0).fit(X, y)
    >>> X_new, y_new = gan.sample(3, prior="uniform")
    >>> X_new.shape, y_new.tolist()
    ((3, 2, 16, 16, 16), ['homogeneous', 'rim', 'speckled'])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **ConditionalGenerator._parameter_constraints,
        "mask_channel": [Integral, None],
        "window": ["array-like", None],
        "texture_steps": [Interval(Integral, 0, None, closed="left")],
        "channels": [Interval(Integral, 1, None, closed="left")],
        "flips": [tuple, list],
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "translation": [Interval(Real, 0, 1, closed="both")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    def __init__(
        self,
        *,
        mask_channel: int | None = -1,
        window: Window | Sequence[Window] | None = None,
        objective: str | Objective = "wasserstein-gp",
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
        copy_alpha: float | None = 0.1,
        mixed_precision: bool | str = "auto",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
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
        self.copy_alpha = copy_alpha
        self.mixed_precision = mixed_precision
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> VolumeGAN:
        """Learn the distribution of volumes given their class.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
            In physical units.
        y : array-like of shape (n_samples,), default=None
            Class labels; None takes all volumes for one class, labelled 0.
        groups : array-like of shape (n_samples,), default=None
            Patients: the volumes of a group are held out together.

        Returns
        -------
        self : VolumeGAN

        Raises
        ------
        ValueError
            If X is no stack of volumes, holds NaN or infinity, fewer than two volumes, or
            edges shorter than 4; if a mask is empty or not of zeros and ones; if lengths
            differ; if the window or the flips do not fit X.
        """
        check_resumable(self)
        device = resolve_device(self.device)
        volumes = check_volumes(X, min_volumes=2)
        edges = volumes.shape[2:]
        codes, group_of = self._learn_labels(len(volumes), y, groups)
        flips = self._checked_flips(len(edges))
        self.scaler_ = VolumeScaler(self.mask_channel, self.window).fit(volumes)
        self.n_features_in_ = int(np.prod(volumes.shape[1:]))
        rng = check_random_state(self.random_state)
        with isolated(rng.randint(2**31 - 1), device, n_threads=None):
            U = self.scaler_.transform(volumes)
            checkpoint = None
            if self.checkpoint_dir is not None:
                params = params_to_json(self)
                del params["checkpoint_dir"], params["verbose"]
                checkpoint = Checkpoint(
                    self.checkpoint_dir, params, volumes, codes, group_of
                )
            self._play(volumes, U, codes, group_of, flips, rng, device, checkpoint)
            self.texture_: PatchTexture | None = None
            if self.texture_steps:
                self.texture_ = self._new_texture(len(U)).fit(U, codes)
        return self

    def _checked_flips(self, n_dims: int) -> tuple[int, ...]:
        known = range(-n_dims, n_dims)
        wrong = [axis for axis in self.flips if axis not in known]
        if wrong:
            raise ValueError(
                f"flips={self.flips!r} names axes {wrong} that volumes with {n_dims} "
                "spatial axes do not have."
            )
        return tuple(sorted({axis % n_dims for axis in self.flips}))

    def _fit_start(self, U: np.ndarray, codes: np.ndarray) -> FieldStart:
        return self._new_start(len(U)).fit(U, codes, self.shrinkage)

    def _new_start(self, n_rows: int) -> FieldStart:
        return FieldStart(
            n_images=len(self.scaler_.image_channels_),
            has_mask=self.scaler_.mask_channel_ is not None,
            edges=self.scaler_.shape_[1:],
            n_classes=len(self.classes_),
            n_rows=n_rows,
        )

    def _new_texture(self, n_rows: int) -> PatchTexture:
        return PatchTexture(
            has_mask=self.scaler_.mask_channel_ is not None,
            n_images=len(self.scaler_.image_channels_),
            n_dims=len(self.scaler_.shape_) - 1,
            n_classes=len(self.classes_),
            n_rows=n_rows,
        )

    def _new_critic(self, channels: int) -> VolumeCritic:
        return VolumeCritic(
            n_channels=self.scaler_.shape_[0],
            n_classes=len(self.classes_),
            edges=self.scaler_.shape_[1:],
            channels=channels,
        )

    def _play(
        self,
        X: np.ndarray,
        U: np.ndarray,
        codes: np.ndarray,
        groups: np.ndarray,
        flips: tuple[int, ...],
        rng: np.random.RandomState,
        device: torch.device,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Train on the volumes not held out; fit the start to all."""
        held_out, learned = self._hold_out(codes, groups, rng)
        kept = ~held_out
        generator = VolumeGenerator(
            start=self._fit_start(U[kept], codes[kept]),
            learned=torch.as_tensor(learned, dtype=torch.float32),
            channels=self.channels,
        ).to(device)
        critic = self._new_critic(self.channels).to(device)
        game = SynthesisGame(
            generator,
            critic,
            self._objective,
            self.penalty,
            Moves(flips, self.rotation, self.translation),
        )
        score = None
        if self._chooses_step:
            features = volume_features(X, self.scaler_.mask_channel_).to_numpy()
            scaler = StandardScaler().fit(features[kept])
            features = scaler.transform(features)

            def measure(drawn: torch.Tensor) -> np.ndarray:
                made = self.scaler_.inverse_transform(drawn.float().cpu().numpy())
                found = volume_features(made, self.scaler_.mask_channel_)
                return scaler.transform(found.to_numpy())

            score = HeldOutScore(
                (features[kept], codes[kept]),
                (features[held_out], codes[held_out]),
                groups=groups[kept],
                measure=measure,
                copy_alpha=self.copy_alpha,
                generator=generator,
                rng=rng,
                min_draws=HELD_OUT_DRAWS,
                at_once=AT_ONCE,
            )
        draw_batches = partial(
            balanced_batches,
            torch.as_tensor(U[kept]).to(device),
            torch.as_tensor(codes[kept], device=device),
        )
        plan = Plan(
            max_iter=self.max_iter,
            n_critic=self.n_critic,
            learning_rate=self.learning_rate_init,
            n_iter_no_change=self.n_iter_no_change,
        )
        with mixed_precision(device, self.mixed_precision):
            history = self._train(
                game, draw_batches, self.batch_size, plan, score, checkpoint
            )
        # On the CPU, so that a pickle opens on a machine without a GPU.
        self.generator_ = generator.cpu().eval()
        self.critic_ = critic.cpu().eval()
        self.start_ = generator.start if kept.all() else self._fit_start(U, codes)
        self.keep_history_(history)

    def sample(
        self, n_samples: int = 1, *, y: ArrayLike | None = None, prior: Prior = "empirical"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw volumes from the fitted distribution.

        An integer `random_state` gives the same volumes at every call.

        Parameters
        ----------
        n_samples : int, default=1
            Number of volumes; y, if given, says it too.
        y : array-like of shape (n_samples,), default=None
            The class of each volume to draw.
        prior : {"empirical", "uniform"} or mapping of class -> probability, \
                default="empirical"
            Share of each class, met to the volume.

        Returns
        -------
        X : ndarray of shape (n_samples, channel, depth, height, width)
            float32 in the units of the volumes fitted, whole numbers where they were.
        y : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If n_samples is less than 1, or y or prior name an unknown class.
        """
        check_is_fitted(self)
        codes = self._codes_to_draw(n_samples, y, prior)
        rng = check_random_state(self.random_state)
        return self.draw_(codes, rng), self.classes_[codes]

    def score_samples(self, X: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Scores of the critic: higher where it takes a volume for a real one of its class.

        Comparable between volumes of one fit only. Of a short game the critic has learned
        little: it need not prefer real volumes even to noise.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
        y : array-like of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X has other channels or edges than the volumes fitted, or y an unknown class.
        """
        check_is_fitted(self)
        volumes = check_volumes(X, shape=self.scaler_.shape_)
        labels = column_or_1d(y)
        check_consistent_length(volumes, labels)
        codes = torch.as_tensor(self._encode_labels(labels)).split(AT_ONCE)
        U = torch.as_tensor(self.scaler_.transform(volumes)).split(AT_ONCE)
        with torch.no_grad():
            scores = [self.critic_(*part) for part in zip(U, codes, strict=True)]
        return torch.cat(scores).numpy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted generator to one file, without pickle.

        No volume is stored. What is stored tells about them nevertheless: the shapes of
        the tissues of each volume, histograms and spectra of each class, and what patches
        of each volume are like.

        Parameters
        ----------
        path : path-like
            Where to write; a file that was there is replaced when all is written.

        Raises
        ------
        TypeError
            If a parameter or a class label has no form in JSON.

        See Also
        --------
        load : The inverse.
        """
        check_is_fitted(self)
        state = {
            "params": params_to_json(self),
            "classes": labels_to_json(self.classes_),
            "class_prior": self.class_prior_.tolist(),
            "history": self.history_,
            "scaler": scaler_to_json(self.scaler_),
            "n_rows": [self.start_.n_rows, self.generator_.start.n_rows],
            "has_texture": self.texture_ is not None,
        }
        write(path, KIND, state, modules_to_arrays(self._modules()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VolumeGAN:
        """Read a generator that `save` wrote; runs no code from the file.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        VolumeGAN
            Samples the same volumes, bit for bit, as the one that was saved. A
            `random_state` that was no int comes back as None.

        Raises
        ------
        ValueError
            If the file is damaged or was changed, or holds something else.
        """
        state, arrays = read(path, KIND)
        try:
            gan = cls(**params_from_json(state["params"]))
            gan._restore(state, arrays)
        except (KeyError, TypeError, IndexError, RuntimeError) as error:
            raise ValueError(f"{path} holds no whole VolumeGAN: {error!r}.") from error
        return gan

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.classes_ = labels_from_json(state["classes"])
        self.class_prior_ = np.array(state["class_prior"])
        self.scaler_ = scaler_from_json(state["scaler"])
        self.n_features_in_ = int(np.prod(self.scaler_.shape_))
        self.start_, start = (self._new_start(n) for n in state["n_rows"])
        self.texture_ = None
        if state["has_texture"]:
            self.texture_ = self._new_texture(self.start_.n_rows)
        learned = torch.zeros(len(self.classes_))
        # Not the parameter, which may have been set since.
        channels = len(arrays["critic.first.bias"])
        self.generator_ = VolumeGenerator(start=start, learned=learned, channels=channels)
        self.critic_ = self._new_critic(channels)
        load_modules(self._modules(), arrays)
        self.keep_history_(History(**state["history"]))

    def _modules(self) -> dict[str, nn.Module]:
        return {
            "start": self.start_,
            "generator": self.generator_,
            "critic": self.critic_,
            **({} if self.texture_ is None else {"texture": self.texture_}),
        }

    def draw_(self, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw one volume for each class code, none with a mask too small to be one."""
        volumes = np.empty((len(codes), *self.scaler_.shape_), dtype=np.float32)
        for first in range(0, len(codes), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            U = self._draw_once(codes[part], rng)
            if self.scaler_.smallest_mask_ is not None:
                self._redraw_small(U, codes[part], rng, self.scaler_.smallest_mask_)
            if self.texture_ is not None and self.texture_steps:
                self.texture_.refine(U, codes[part], self.texture_steps, rng)
            volumes[part] = self.scaler_.inverse_transform(U)
        return volumes

    def _redraw_small(
        self, U: np.ndarray, codes: np.ndarray, rng: np.random.RandomState, smallest: int
    ) -> None:
        """Draw volumes whose mask is too small beside the smallest real one anew."""
        distances = U[:, -1].reshape(len(U), -1)

        def small() -> np.ndarray:
            return np.flatnonzero((distances > 0).sum(axis=1) < LEAST_MASK * smallest)

        for _ in range(ROUNDS):
            if not len(again := small()):
                return
            U[again] = self._draw_once(codes[again], rng)
        # Where that is of no use, the mask is as small as the smallest real one.
        for i in small():
            most = np.argsort(distances[i], kind="stable")[-smallest:]
            distances[i, most] = distances[i, most].clip(min=1e-6)

    @torch.no_grad()
    def _draw_once(self, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw volumes in network units."""
        drawer = self.start_ if self.start_used_ else self.generator_
        n_noise = self.start_.n_noise if self.start_used_ else self.generator_.start.n_noise
        noise = torch.as_tensor(
            rng.standard_normal((len(codes), n_noise)), dtype=torch.float32
        )
        return drawer(noise, torch.as_tensor(codes)).contiguous().numpy()
