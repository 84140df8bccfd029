"""Rows of a generator that pass the checks: draw, check, refill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ._groups import one_per_group
from ._warnings import CopyWarning, warn
from .adversarial import single_thread
from .checks import ConformalCopyCheck, choose, is_faithful

MAX_ROUNDS = 10
"""Rounds of drawing and checking before rows that look like copies are let through."""

CANDIDATES = 4
"""Candidates for each row wanted, where the class is visibly missed."""

BLOCK = 20_000
"""Rows that are drawn, checked and chosen from at a time; it bounds memory."""


class Draws(NamedTuple):
    """Rows, the cleanest first, their latent rows, and how many were clean of how many."""

    rows: np.ndarray
    latent: np.ndarray
    n_clean: int
    n_drawn: int


class CheckedDraws:
    """Draws rows of a fitted generator and lets through those that pass the checks.

    Parameters
    ----------
    gan : ConditionalGenerator
        Fitted; `draw_(codes, rng)` draws a row, or a volume, for each class code.
    real : tuple of ndarray, of shapes (n, ...), (n,), (n,)
        What it was fitted on: rows or volumes, labels and groups. Only those of classes to
        be drawn are needed.
    embed : callable
        Takes rows to where distances are measured, shape (n, k).
    copy_alpha : float or None
        Level of the copy check; None: no such check.
    keep_faithful : bool
        Whether to choose among more candidates where an energy test tells the rows of a
        class from the real ones.
    rng : RandomState

    Attributes
    ----------
    acceptance_rate : dict
        Class -> share of drawn rows that passed the copy check.
    """

    def __init__(
        self,
        gan: Any,
        real: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        embed: Callable[[np.ndarray], np.ndarray],
        copy_alpha: float | None,
        keep_faithful: bool,
        rng: np.random.RandomState,
    ) -> None:
        self.gan, self.keep_faithful, self.rng = gan, keep_faithful, rng
        self.embed = embed
        self.acceptance_rate: dict[Any, float] = {}
        X, self.y, self.groups = real
        self.no_rows = X[:0]
        self.check: ConformalCopyCheck | None = None
        with single_thread():
            self.latent = embed(X)
            if copy_alpha is not None:
                check = ConformalCopyCheck(alpha=copy_alpha, scale=None, random_state=rng)
                self.check = check.fit(self.latent, self.y, self.groups)

    def draw(self, label: Any, n_rows: int) -> list[np.ndarray]:
        """Draw exactly `n_rows` of a class, in blocks of shape (n, ...).

        What the last round leaves missing is filled with the rows that look least like
        copies, and a warning says how many.
        """
        rows, n_clean, n_drawn, n_missing = [], 0, 0, 0
        mine = self.y == label
        is_missed = None
        n_blocks = -(-n_rows // BLOCK)
        with single_thread():
            for n in np.diff(np.linspace(0, n_rows, n_blocks + 1).astype(int)):
                draws = self._draw_clean(label, n)
                chosen = np.arange(n)
                # Where clean rows are short there is nothing to choose from.
                if self.keep_faithful and draws.n_clean >= n:
                    if is_missed is None:
                        is_missed = not self._is_faithful(mine, draws.latent)
                    if is_missed:
                        draws, chosen = self._choose(label, mine, draws, n)
                rows.append(draws.rows[chosen])
                n_clean, n_drawn = n_clean + draws.n_clean, n_drawn + draws.n_drawn
                n_missing += max(n - draws.n_clean, 0)
        label = getattr(label, "item", lambda: label)()
        self.acceptance_rate[label] = n_clean / n_drawn
        if n_missing:
            warn(
                f"{n_missing} of {n_rows} synthetic rows of class {label!s} "
                f"look like copies of real rows: {n_drawn} draws held too few clean "
                "ones. Ask for fewer rows of this class, raise shrinkage, or lower "
                "copy_alpha, which in a class of n rows does nothing below 2 / (n + 1).",
                CopyWarning,
            )
        return rows

    def _choose(
        self, label: Any, mine: np.ndarray, draws: Draws, n_rows: int
    ) -> tuple[Draws, np.ndarray]:
        """Draw more rows of a class, and say which of all to take."""
        more = self._draw_clean(label, (CANDIDATES - 1) * n_rows)
        n_extra = min(more.n_clean, len(more.rows))
        draws = Draws(
            np.concatenate([draws.rows, more.rows[:n_extra]]),
            np.concatenate([draws.latent, more.latent[:n_extra]]),
            draws.n_clean + more.n_clean,
            draws.n_drawn + more.n_drawn,
        )
        chosen = choose(
            self.latent[mine], draws.latent, n_rows, self.groups[mine], self.rng
        )
        return draws, chosen

    def _is_faithful(self, mine: np.ndarray, drawn: np.ndarray) -> bool:
        """The energy test, on one row of each patient: those are alike."""
        apart = one_per_group(self.groups[mine], self.rng)
        return is_faithful(self.latent[mine][apart], drawn, self.rng)

    def _draw_clean(self, label: Any, n_rows: int) -> Draws:
        """Draw rows, drop those that look like copies, top up, in rounds."""
        code = int(np.searchsorted(self.gan.classes_, label))
        level = -np.inf if self.check is None else self.check.level(label)
        rows = self.no_rows
        latent, p = np.empty((0, self.latent.shape[1])), np.empty(0)
        n_clean, n_drawn = 0, 0
        for _ in range(MAX_ROUNDS):
            rate = max((n_clean + 1) / (n_drawn + 1), 0.1)
            n_wanted = int(np.ceil((n_rows - n_clean) / rate))
            drawn = self.gan.draw_(np.full(n_wanted, code), self.rng)
            encoded = self.embed(drawn)
            p_drawn = np.ones(n_wanted)
            if self.check is not None:
                p_drawn = self.check.p_values(encoded, np.full(n_wanted, label))
            n_drawn += n_wanted
            n_clean += int((p_drawn > level).sum())
            # Clean rows first, as they came, then those that look least like copies.
            p = np.concatenate([p, p_drawn])
            best = np.argsort(-np.where(p > level, np.inf, p), kind="stable")[:n_rows]
            rows, p = np.concatenate([rows, drawn])[best], p[best]
            latent = np.concatenate([latent, encoded])[best]
            if n_clean >= n_rows:
                break
        return Draws(rows, latent, n_clean, n_drawn)
