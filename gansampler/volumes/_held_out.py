"""How good translations are, on volumes that their networks have not learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._groups import some_of_groups
from ..metrics import energy_score
from ._features import volume_features

DIRECTIONS = ("a->b", "b->a")

MAX_SCORED = 50
"""Volumes of a side on which steps are compared, at most."""


class HeldOutTranslations:
    """Energy score of features of held-out volumes, under what is translated to their side.

    Features of intensities, in standard deviations of the side; a mask and its shape are
    the same before and after. What is translated is chosen at random from all volumes of
    the other side, as of many patients as can be. Held-out volumes of the two sides are
    paired at random, and the losses of a pair are added, so that steps are compared in both
    directions at once.

    Parameters
    ----------
    volumes, groups, held_out : dict of side -> ndarray
        Volumes in their units, (n, channel, ...); patients, (n,); a mask, (n,).
    translate : callable
        Takes volumes, a direction and generators; returns the volumes translated.
    mask_channel : int or None
    rng : RandomState
    """

    def __init__(
        self,
        volumes: dict[str, np.ndarray],
        groups: dict[str, np.ndarray],
        held_out: dict[str, np.ndarray],
        *,
        translate: Callable[[np.ndarray, str, Any], np.ndarray],
        mask_channel: int | None,
        rng: np.random.RandomState,
    ) -> None:
        self.translate, self.mask_channel = translate, mask_channel
        self.volumes = {
            side: X[some_of_groups(groups[side], MAX_SCORED, rng)]
            for side, X in volumes.items()
        }
        self.n_pairs = min(int(mask.sum()) for mask in held_out.values())
        self.scaler, self.rows = {}, {}
        for side, X in volumes.items():
            features = self._features(X)
            self.scaler[side] = StandardScaler().fit(features)
            some = rng.permutation(np.flatnonzero(held_out[side]))
            self.rows[side] = self.scaler[side].transform(features)[some]

    def __call__(self, generator: Any) -> np.ndarray | None:
        losses = np.zeros(self.n_pairs)
        for direction in DIRECTIONS:
            source, target = direction.split("->")
            made = self.translate(self.volumes[source], direction, generator)
            if not np.isfinite(made).all():
                return None
            if self.n_pairs:
                draws = self.scaler[target].transform(self._features(made))
                scores = energy_score(self.rows[target], draws)
                losses += [part.mean() for part in np.array_split(scores, self.n_pairs)]
        return losses

    def _features(self, X: np.ndarray) -> np.ndarray:
        return volume_features(X, self.mask_channel, with_shape=False).to_numpy()
