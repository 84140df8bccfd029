"""CycleGAN: unpaired translation between two kinds of images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._adversarial import AdversarialEstimator, check_resumable
from .._checkpoint import Checkpoint
from .._groups import check_groups
from .._held_out import choose_held_out
from .._saving import Arrays, read, write
from .._state import params_from_json, params_to_json
from ..adversarial import (
    History,
    ImagePool,
    Objective,
    Plan,
    TranslationGame,
    isolated,
    mixed_precision,
    resolve_device,
    unpaired_patches,
)
from ._held_out import DIRECTIONS, HeldOutTranslations
from ._scaling import VolumeScaler, Window
from ._state import load_modules, modules_to_arrays, scaler_from_json, scaler_to_json
from ._translation import (
    PatchCritic,
    Translator,
    matching_filter,
    translated,
)
from ._validation import check_volumes, split_channels

KIND = "CycleGAN"
SIDES = ("a", "b")

AT_ONCE = 64
"""Edge of the windows in which large volumes are translated."""

BETAS = (0.5, 0.999)
"""Of Adam, as in the original."""


class CycleGAN(AdversarialEstimator):
    """Unpaired translation between two kinds of volumes or slices.

    Two generators, one for each direction, play against two critics of patches. What is
    translated there and back should be as before (cycle-consistency), and what is of the
    target side already should stay as it is (identity).

    The generators start at a filter that matches the mean power spectra of the two sides,
    and learn what is left: reconstruction kernels and detectors are such filters, nearly.
    Which step is kept, the start included, is chosen on held-out volumes by the energy
    score of radiomic features, in both directions. A generator sees a bounded number of
    voxels around each voxel, so volumes of any size can be translated part by part without
    seams; and it has no normalisation layers, so intensities keep their meaning.

    Works for 2D slices, of shape (n, channel, height, width), as well.

    Parameters
    ----------
    mask_channel : int or None, default=-1
        Channel that is a mask: it is not learned from, and stays as it is. None: there is
        none.
    window : None, (low, high), or mapping of side -> (low, high), default=None
        Intensities between which images are learned, in physical units: one for both sides
        where their units are the same, as of two scanners, or ``{"a": ..., "b": ...}``.
        What lies outside is cut off. None takes the range of each side, of both together
        where `same_units`.
    same_units : bool, default=True
        Whether an intensity means the same on both sides, as in CT from two scanners. The
        start then keeps intensities; otherwise, as from MR to CT, it maps windows on each
        other.
    start : {"spectrum", "identity"}, default="spectrum"
        What generators do before they learn: match the power spectrum, or nothing.
    objective : str or Objective, default="least-squares"
        What critics and generators play for, see `TabularGAN`.
    penalty : float or None, default=None
        Weight of the objective's gradient penalty; None takes its own.
    cycle_weight : float, default=10.0
        Weight of cycle-consistency, in L1 of intensities scaled to [-1, 1].
    identity_weight : float, default=5.0
        Weight of the identity term; useful only where units are the same.
    n_critic : int, default=1
        Steps of the critics for one of the generators.
    channels : int, default=32
        Channels of the networks.
    n_blocks : int, default=2
        Residual blocks of a generator; each looks four voxels farther.
    pool_size : int, default=50
        Earlier translations that critics see again; 0 shows them the newest only.
    patch_size : int, default=16
        Edge in voxels of the patches that are learned from; shorter edges are taken whole.
    learning_rate_init : float, default=0.0002
        Step size of Adam, for all players.
    max_iter : int, default=300
        Largest number of generator steps; 0 keeps the start.
    batch_size : int, default=8
        Patches of each side in a batch.
    early_stopping : bool, default=True
        Whether to choose the step to keep, the start included, on held-out volumes; where
        there are too few to hold two out, the start is kept. If not, the last step is.
    validation_fraction : float, default=0.2
        Share of the volumes of each side to hold out, in (0, 1).
    n_iter_no_change : int, default=5
        Training stops after this many scores in a row without progress.
    mixed_precision : "auto" or bool, default="auto"
        Whether networks compute in bfloat16, on CPU or a CUDA GPU; "auto": on the latter.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train, as in `VolumeGAN`.
    checkpoint_dir : path-like, default=None
        As in `TabularGAN`, but the file holds translated patches too, see `pool_size`.
    verbose, random_state
        As in `TabularGAN`; on CPU, the same bytes need the same number of threads.

    Attributes
    ----------
    start_used_ : bool
        Whether the start was kept, which is then fitted to all volumes.
    n_iter_, best_iter_ : int
        Steps made; the step kept.
    loss_curve_ : list of float
        Loss of both critics after each step, penalties left out.
    validation_scores_ : list of float
        Mean held-out energy score, in standard deviations of features, of both directions
        together.
    history_ : dict
        ``losses`` by name, one value a step ("critic a", "critic b", "generator a->b",
        "generator b->a", "cycle a", "cycle b", "identity a", "identity b", and penalties),
        as players pay them, weights included; ``score_steps``, ``scores``, ``best_step``,
        ``n_iter``.
    generator_ : ModuleDict
        Of the directions "a->b" and "b->a".
    critic_ : ModuleDict
        Of the sides "a" and "b".
    window_ : dict of side -> ndarray of shape (n_image_channels, 2)

    See Also
    --------
    CycleGANHarmonizer : Bring volumes of many sites to one.

    References
    ----------
    .. [1] Zhu et al. (2017), Unpaired image-to-image translation using cycle-consistent
       adversarial networks.
    .. [2] Isola et al. (2017), Image-to-image translation with conditional adversarial
       networks.
    .. [3] Shrivastava et al. (2017), Learning from simulated and unsupervised images
       through adversarial training.

    Examples
    --------
    >>> from gansampler import CycleGAN
    >>> from gansampler.datasets import make_ct_phantoms
    >>> soft, _ = make_ct_phantoms(12, kernel="soft", size=16, random_state=0)
    >>> sharp, _ = make_ct_phantoms(12, kernel="sharp", size=16, random_state=1)
    >>> gan = CycleGAN(max_iter=0, random_state=0).fit(soft, sharp)
    >>> like_sharp = gan.translate(soft, "a->b")
    >>> bool(like_sharp[:, 0].std() > soft[:, 0].std())
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **AdversarialEstimator._parameter_constraints,
        "mask_channel": [Integral, None],
        "window": ["array-like", Mapping, None],
        "same_units": ["boolean"],
        "start": [StrOptions({"spectrum", "identity"})],
        "cycle_weight": [Interval(Real, 0, None, closed="left")],
        "identity_weight": [Interval(Real, 0, None, closed="left")],
        "channels": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [Interval(Integral, 0, None, closed="left")],
        "pool_size": [Interval(Integral, 0, None, closed="left")],
        "patch_size": [Interval(Integral, 8, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    def __init__(
        self,
        *,
        mask_channel: int | None = -1,
        window: Window | Mapping[str, Window] | None = None,
        same_units: bool = True,
        start: str = "spectrum",
        objective: str | Objective = "least-squares",
        penalty: float | None = None,
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        n_critic: int = 1,
        channels: int = 32,
        n_blocks: int = 2,
        pool_size: int = 50,
        patch_size: int = 16,
        learning_rate_init: float = 0.0002,
        max_iter: int = 300,
        batch_size: int = 8,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 5,
        mixed_precision: bool | str = "auto",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.mask_channel = mask_channel
        self.window = window
        self.same_units = same_units
        self.start = start
        self.objective = objective
        self.penalty = penalty
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.n_critic = n_critic
        self.channels = channels
        self.n_blocks = n_blocks
        self.pool_size = pool_size
        self.patch_size = patch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.mixed_precision = mixed_precision
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X_a: ArrayLike,
        X_b: ArrayLike,
        *,
        groups_a: ArrayLike | None = None,
        groups_b: ArrayLike | None = None,
    ) -> CycleGAN:
        """Learn to translate between two sides, from volumes that are no pairs.

        Parameters
        ----------
        X_a : array-like of shape (n_a, channel, depth, height, width)
            Volumes of side a, in physical units.
        X_b : array-like of shape (n_b, channel, depth, height, width)
            Volumes of side b, with as many channels; edges may differ.
        groups_a, groups_b : array-like of shape (n_a,), (n_b,), default=None
            Patients: the volumes of a group are held out together.

        Returns
        -------
        self : CycleGAN

        Raises
        ------
        ValueError
            If a side is no stack of volumes, holds NaN or infinity, fewer than two volumes,
            or edges shorter than 8; if the sides differ in channels or dimensions; if the
            window or the mask channel do not fit them.
        """
        check_resumable(self)
        device = resolve_device(self.device)
        volumes = {
            side: check_volumes(X, min_volumes=2)
            for side, X in zip(SIDES, (X_a, X_b), strict=True)
        }
        self._check_sides(volumes)
        groups = {
            side: check_groups(given, len(volumes[side]))
            for side, given in zip(SIDES, (groups_a, groups_b), strict=True)
        }
        self._learn_scales(volumes)
        rng = check_random_state(self.random_state)
        with isolated(rng.randint(2**31 - 1), device, n_threads=None):
            checkpoint = None
            if self.checkpoint_dir is not None:
                params = params_to_json(self)
                del params["checkpoint_dir"], params["verbose"]
                checkpoint = Checkpoint(
                    self.checkpoint_dir, params, *volumes.values(), *groups.values()
                )
            self._play(volumes, groups, rng, device, checkpoint)
        return self

    def _check_sides(self, volumes: dict[str, np.ndarray]) -> None:
        a, b = volumes.values()
        if a.ndim != b.ndim or a.shape[1] != b.shape[1]:
            raise ValueError(
                "X_a and X_b must have as many channels and dimensions as each other; got "
                f"shapes {a.shape} and {b.shape}."
            )
        if min(*a.shape[2:], *b.shape[2:]) < 8:
            raise ValueError(
                "Edges must be of 8 voxels or more, for patches to be told from each "
                f"other; got shapes {a.shape} and {b.shape}."
            )

    def _learn_scales(self, volumes: dict[str, np.ndarray]) -> None:
        """Set which channels are images, and a scaler for those of each side."""
        self.image_channels_, self.mask_channel_ = split_channels(
            volumes["a"].shape[1], self.mask_channel
        )
        images = {side: X[:, self.image_channels_] for side, X in volumes.items()}
        windows = self._windows(images)
        self.scalers_ = {
            side: VolumeScaler(None, windows[side]).fit(images[side]) for side in SIDES
        }
        self.window_ = {side: scaler.window_ for side, scaler in self.scalers_.items()}

    def _windows(self, images: dict[str, np.ndarray]) -> dict[str, Any]:
        if isinstance(self.window, Mapping):
            if set(self.window) != set(SIDES):
                raise ValueError(
                    "window must have the keys 'a' and 'b', and no others; got "
                    f"{list(self.window)}."
                )
            return dict(self.window)
        if self.window is not None or not self.same_units:
            return dict.fromkeys(SIDES, self.window)
        low = [min(X[:, c].min() for X in images.values()) for c in range(self._n_images)]
        high = [max(X[:, c].max() for X in images.values()) for c in range(self._n_images)]
        both = [(x, y if y > x else x + 1) for x, y in zip(low, high, strict=True)]
        return dict.fromkeys(SIDES, both)

    @property
    def _n_images(self) -> int:
        return len(self.image_channels_)

    def _play(
        self,
        volumes: dict[str, np.ndarray],
        groups: dict[str, np.ndarray],
        rng: np.random.RandomState,
        device: torch.device,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Train on the volumes not held out."""
        held_out = {
            side: choose_held_out(
                np.zeros(len(X), dtype=int), groups[side], self.validation_fraction, rng
            )
            if self._chooses_step
            else np.zeros(len(X), dtype=bool)
            for side, X in volumes.items()
        }
        U = {
            side: self.scalers_[side].transform(X[:, self.image_channels_])
            for side, X in volumes.items()
        }
        kept = {side: u[~held_out[side]] for side, u in U.items()}
        translators: dict[str, nn.Module] = {}
        critics: dict[str, nn.Module] = {}
        pools: dict[str, nn.Module] = {}
        edges = [min(*pair, self.patch_size) for pair in zip(*self._edges(U), strict=True)]
        for source, target in (SIDES, SIDES[::-1]):
            filters = self._filters(kept[source], kept[target])
            translators[f"{source}->{target}"] = self._new_translator(filters).to(device)
            critics[target] = self._new_critic(self.channels).to(device)
            if self.pool_size:
                size = max(self.pool_size, self.batch_size)
                pools[target] = ImagePool(size, (self._n_images, *edges)).to(device)
        game = TranslationGame(
            translators,
            critics,
            self._objective,
            self.penalty,
            cycle_weight=self.cycle_weight,
            identity_weight=self.identity_weight,
            pools=pools,
        )
        draw_batches = partial(
            unpaired_patches,
            torch.as_tensor(kept["a"]).to(device),
            torch.as_tensor(kept["b"]).to(device),
            patch=tuple(edges),
        )
        plan = Plan(
            max_iter=self.max_iter,
            n_critic=self.n_critic,
            learning_rate=self.learning_rate_init,
            betas=BETAS,
            n_iter_no_change=self.n_iter_no_change,
        )
        score = None
        if self._chooses_step:
            score = HeldOutTranslations(
                volumes,
                groups,
                held_out,
                translate=partial(self._shown, device=device),
                mask_channel=self.mask_channel_,
                rng=rng,
            )
        with mixed_precision(device, self.mixed_precision):
            history = self._train(
                game, draw_batches, self.batch_size, plan, score, checkpoint
            )
        # On the CPU, so that a pickle opens on a machine without a GPU.
        self.generator_: nn.ModuleDict = game.generator.cpu().eval()
        self.critic_: nn.ModuleDict = game.critic.cpu().eval()
        self.keep_history_(history)
        if self.start_used_:
            self._fit_start(U)

    @staticmethod
    def _edges(U: dict[str, np.ndarray]) -> list[tuple[int, ...]]:
        return [u.shape[2:] for u in U.values()]

    def _fit_start(self, U: dict[str, np.ndarray]) -> None:
        """Fit the start anew, on all volumes."""
        for direction in DIRECTIONS:
            source, target = direction.split("->")
            filters = self._filters(U[source], U[target])
            self.generator_[direction] = self._new_translator(filters).eval()

    def _filters(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """What the start does to each image channel, shape (n_images, *taps)."""
        if self.start == "identity":
            return np.ones((self._n_images, *[1] * (source.ndim - 2)))
        pairs = zip(source.swapaxes(0, 1), target.swapaxes(0, 1), strict=True)
        return np.stack([matching_filter(*pair) for pair in pairs])

    def _new_translator(self, filters: np.ndarray) -> Translator:
        return Translator(filters, channels=self.channels, n_blocks=self.n_blocks)

    def _new_critic(self, channels: int) -> PatchCritic:
        n_dims = len(self.scalers_["a"].shape_) - 1
        return PatchCritic(n_channels=self._n_images, channels=channels, n_dims=n_dims)

    def keep_history_(self, history: History) -> None:
        super().keep_history_(history)
        both = (history.losses.get(f"critic {side}", []) for side in SIDES)
        self.loss_curve_ = [a + b for a, b in zip(*both, strict=True)]

    def translate(self, X: ArrayLike, direction: str = "a->b") -> np.ndarray:
        """Show volumes of one side as they would look on the other.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
            Volumes of the side translated from, of any size.
        direction : {"a->b", "b->a"}, default="a->b"

        Returns
        -------
        ndarray of the shape of X
            float32 in the units of the side translated to, whole numbers where those fitted
            were. A mask stays as it is.

        Raises
        ------
        ValueError
            If the direction is unknown, or X has other channels or dimensions than the
            volumes fitted, or edges shorter than 4.
        """
        volumes, *_ = self._checked(X, direction)
        return self._shown(volumes, direction)

    def reconstruct(self, X: ArrayLike, direction: str = "a->b") -> np.ndarray:
        """Translate volumes to the other side and back.

        Parameters
        ----------
        X : array-like of shape (n_samples, channel, depth, height, width)
        direction : {"a->b", "b->a"}, default="a->b"
            The way there.

        Returns
        -------
        ndarray of the shape of X
            As X, where nothing is lost on the way; in its units.

        Raises
        ------
        ValueError
            As `translate`.
        """
        volumes, source, target = self._checked(X, direction)
        there = self._translated(self._scaled(volumes, source), direction)
        back = self._translated(there, f"{target}->{source}")
        result = volumes.copy()
        result[:, self.image_channels_] = self.scalers_[source].inverse_transform(back)
        return result

    def _checked(self, X: ArrayLike, direction: str) -> tuple[np.ndarray, str, str]:
        check_is_fitted(self)
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {DIRECTIONS}; got {direction!r}.")
        volumes = check_volumes(X)
        n_channels = self._n_images + (self.mask_channel_ is not None)
        n_dims = len(self.scalers_["a"].shape_) - 1
        if volumes.shape[1] != n_channels or volumes.ndim != n_dims + 2:
            raise ValueError(
                f"X has shape {volumes.shape}; the volumes fitted have {n_channels} "
                f"channel(s) and {n_dims} spatial axes."
            )
        source, target = direction.split("->")
        return volumes, source, target

    def _shown(
        self,
        volumes: np.ndarray,
        direction: str,
        generator: nn.ModuleDict | None = None,
        device: torch.device | None = None,
    ) -> np.ndarray:
        """Volumes of one side as they would look on the other, with the masks they have."""
        source, target = direction.split("->")
        U = self._translated(self._scaled(volumes, source), direction, generator, device)
        result = volumes.copy()
        result[:, self.image_channels_] = self.scalers_[target].inverse_transform(U)
        return result

    def _scaled(self, volumes: np.ndarray, side: str) -> np.ndarray:
        return self.scalers_[side].transform(volumes[:, self.image_channels_])

    def _translated(
        self,
        U: np.ndarray,
        direction: str,
        generator: nn.ModuleDict | None = None,
        device: torch.device | None = None,
    ) -> np.ndarray:
        """Translate volumes in network units."""
        translator = cast(Translator, (generator or self.generator_)[direction])
        images = (torch.as_tensor(u).to(device or "cpu") for u in U)
        made = [translated(translator, image, AT_ONCE) for image in images]
        return torch.stack(made).float().cpu().numpy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted CycleGAN to a file without pickle, see `load`.

        Parameters
        ----------
        path : path-like
            The file, that is there whole or as it was before.

        Raises
        ------
        TypeError
            If a parameter has no form in JSON.
        """
        check_is_fitted(self)
        state = {
            "params": params_to_json(self),
            "mask_channel": self.mask_channel_,
            "history": self.history_,
            "scalers": {side: scaler_to_json(self.scalers_[side]) for side in SIDES},
        }
        arrays = modules_to_arrays(self._modules())
        write(path, KIND, state, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CycleGAN:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        CycleGAN
            Fitted; it translates as the one that was saved.

        Raises
        ------
        ValueError
            If the file is none of ours, damaged, or holds something else.
        """
        state, arrays = read(path, KIND)
        try:
            gan = cls(**params_from_json(state["params"]))
            gan._restore(state, arrays)
        except (KeyError, TypeError, IndexError, RuntimeError) as error:
            raise ValueError(f"{path} holds no whole CycleGAN: {error!r}.") from error
        return gan

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.scalers_ = {side: scaler_from_json(state["scalers"][side]) for side in SIDES}
        self.window_ = {side: scaler.window_ for side, scaler in self.scalers_.items()}
        mask = state["mask_channel"]
        n_channels = self.scalers_["a"].shape_[0] + (mask is not None)
        self.image_channels_, self.mask_channel_ = split_channels(n_channels, mask)
        # Sizes of what was fitted: parameters may have been set since.
        channels = len(arrays["critic.a.layers.0.bias"])
        block = "generator.a->b.blocks.{}.first.bias"
        n_blocks = sum(block.format(i) in arrays for i in range(len(arrays)))
        self.generator_ = nn.ModuleDict(
            {
                d: Translator(
                    arrays[f"generator.{d}.filters"], channels=channels, n_blocks=n_blocks
                )
                for d in DIRECTIONS
            }
        )
        self.critic_ = nn.ModuleDict({side: self._new_critic(channels) for side in SIDES})
        load_modules(self._modules(), arrays)
        self.keep_history_(History(**state["history"]))

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator_, "critic": self.critic_}
