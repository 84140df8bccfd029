"""Held-out rows: which they are, and how a generator is scored on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ._groups import some_of_class
from ._start import MIN_CLASS_ROWS
from .checks import ConformalCopyCheck
from .metrics import energy_score

Generator = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes noise and class codes to draws; an `nn.Module` mostly."""

MAX_ROWS = 1000
"""Rows of a class that are held out at most."""

SEARCHED_ROWS = 20_000
"""Training rows of a class, at most, near which draws are taken for copies."""

DRAWS_PER_ROW = 5
MIN_DRAWS, MAX_DRAWS = 250, 2000
"""Draws of a class that score a generator, for each held-out row, and their bounds."""


def choose_held_out(
    codes: np.ndarray, groups: np.ndarray, fraction: float, rng: np.random.RandomState
) -> np.ndarray:
    """Mask of rows to hold out: whole groups, up to a fraction of every class.

    Classes of fewer than `MIN_CLASS_ROWS` rows keep them all.
    """
    counts = np.bincount(codes)
    room = np.minimum(np.rint(fraction * counts), MAX_ROWS).astype(int)
    room[counts < MIN_CLASS_ROWS] = 0
    room = np.minimum(room, counts - 1)
    _, group_codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(group_codes, kind="stable"), sizes.cumsum()[:-1])
    held_out = np.zeros(len(codes), dtype=bool)
    for g in rng.permutation(len(members)):
        if not room.any():
            break
        taken = np.bincount(codes[members[g]], minlength=len(counts))
        if (taken <= room).all():
            held_out[members[g]] = True
            room -= taken
    return held_out


class HeldOutScore:
    """Energy score of held-out rows under a generator, classes weighted alike.

    The noise is drawn once, so that steps are compared on the same draws. A step whose
    draws fail the copy check against the training rows clearly more often than those of
    the start, or than fresh rows would, is not fit to be kept, and scores None, as does
    one whose draws are not finite.

    Parameters
    ----------
    train, held_out : tuple of (ndarray of shape (n, r), ndarray of int, shape (n,))
        Rows and class codes, in the units that distances are taken in.
    groups : ndarray of shape (n_train,)
    measure : callable
        Takes what a generator returns to rows in those units.
    copy_alpha : float or None
    generator : nn.Module
        The generator at its start; draws its own `noise(n)`.
    min_draws : int, default=250
        Draws of a class, at least.
    at_once : int, default=2000
        Draws made in one go.
    """

    def __init__(
        self,
        train: tuple[np.ndarray, np.ndarray],
        held_out: tuple[np.ndarray, np.ndarray],
        *,
        groups: np.ndarray,
        measure: Callable[[torch.Tensor], np.ndarray],
        copy_alpha: float | None,
        generator: nn.Module,
        rng: np.random.RandomState,
        min_draws: int = MIN_DRAWS,
        at_once: int = MAX_DRAWS,
    ) -> None:
        self.rows, self.codes = held_out
        self.measure, self.at_once = measure, at_once
        classes, counts = np.unique(self.codes, return_counts=True)
        self.weight = dict(
            zip(classes, len(self.codes) / (len(classes) * counts), strict=True)
        )
        n_draws = np.clip(DRAWS_PER_ROW * counts, min_draws, MAX_DRAWS)
        noise: Callable[[int], torch.Tensor] = generator.noise  # type: ignore[assignment]
        self.noise = {c: noise(int(n)) for c, n in zip(classes, n_draws, strict=True)}
        self.copy_limit = None
        if copy_alpha is not None and len(classes):
            check = ConformalCopyCheck(alpha=copy_alpha, scale=None, random_state=rng)
            some = np.zeros(len(train[1]), dtype=bool)
            for c in classes:
                some[some_of_class(train[1], c, SEARCHED_ROWS, rng)] = True
            check.fit(train[0][some], train[1][some], groups[some])
            self.copy_limit = _CopyLimit(
                check, {c: self._draw(generator, c) for c in classes}
            )

    def __call__(self, generator: Generator) -> np.ndarray | None:
        losses = np.empty(len(self.rows))
        for c in self.noise:
            draws = self._draw(generator, c)
            if not np.isfinite(draws).all():
                return None
            if self.copy_limit is not None and self.copy_limit.exceeded(draws, c):
                return None
            mine = self.codes == c
            losses[mine] = self.weight[c] * energy_score(self.rows[mine], draws)
        return losses

    @torch.no_grad()
    def _draw(self, generator: Generator, c: int) -> np.ndarray:
        noise = self.noise[c]
        y = torch.full((len(noise),), int(c), device=noise.device)
        parts = zip(noise.split(self.at_once), y.split(self.at_once), strict=True)
        return np.concatenate([self.measure(generator(*part)) for part in parts])


class _CopyLimit:
    """How many draws may fail the check: three standard errors above what is normal."""

    def __init__(self, check: ConformalCopyCheck, draws: dict[int, np.ndarray]) -> None:
        self.check = check
        self.limit = {}
        for c, start_draws in draws.items():
            normal = max(check.level(c), self._share(start_draws, c))
            error = np.sqrt(normal * (1 - normal) / len(start_draws))
            self.limit[c] = normal + 3 * error

    def exceeded(self, draws: np.ndarray, c: int) -> bool:
        return self._share(draws, c) > self.limit[c]

    def _share(self, draws: np.ndarray, c: int) -> float:
        accepted = self.check.accept(draws, np.full(len(draws), c))
        return float((~accepted).mean())
