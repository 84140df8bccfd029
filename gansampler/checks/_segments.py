"""Do rows lie on straight lines between real rows, as interpolation puts them?"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from ._neighbours import chunks, distances_to_others

NEIGHBOURS = 10
"""Nearest real rows whose pairs are tried as the ends of a segment."""

MARGIN = 0.02
"""Share of a segment at either end that counts as its end."""

ON_SEGMENT = 0.1
"""Ratio of distances, to a segment and to a row, up to which a row may lie on it."""


def is_interpolated(
    spaces: list[tuple[np.ndarray, np.ndarray]], groups: np.ndarray, alpha: float
) -> np.ndarray:
    """Tell which new rows lie on a segment between two real rows, in any of the spaces.

    The statistic is the distance to the nearest segment between two of the nearest real
    rows over the distance to the nearest real row: 0 for an interpolation, about 1 for a
    copy with noise. A row counts where it is at most `ON_SEGMENT` and, since in few
    columns any row is near some segment, among the lowest `alpha` of the real rows' own.

    Parameters
    ----------
    spaces : list of (real rows of shape (n, d), new rows of shape (m, d))
        The same rows in different units; a line in one is a curve in another.
    groups : ndarray of shape (n,)
        Rows of a group are not each other's neighbours.
    alpha : float

    Returns
    -------
    ndarray of bool, shape (m,)
    """
    n, m = len(spaces[0][0]), len(spaces[0][1])
    theirs, ours = np.ones(n), np.ones(m)
    for real, new in spaces:
        width = max(n, NEIGHBOURS * real.shape[1])
        for part in chunks(n, width):
            rows = np.arange(n)[part]
            distances = distances_to_others(real, rows, groups)
            ratios = _segment_ratios(real[part], real, distances)
            theirs[part] = np.minimum(theirs[part], ratios)
        for part in chunks(m, width):
            ratios = _segment_ratios(new[part], real, cdist(new[part], real))
            ours[part] = np.minimum(ours[part], ratios)
    p = (1 + np.searchsorted(np.sort(theirs), ours, side="right")) / (n + 1)
    return (ours <= ON_SEGMENT) & (p <= max(alpha, 1 / (n + 1)))


def _segment_ratios(
    rows: np.ndarray, real: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Distance to the nearest segment over that to the nearest row; 1 where that is 0."""
    k = min(NEIGHBOURS, len(real))
    nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
    # With the row itself at the origin, the ends of segments are a and b.
    ends = real[nearest] - rows[:, None, :]
    inner = np.einsum("rad,rbd->rab", ends, ends)
    reachable = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
    squared = np.where(reachable, np.einsum("raa->ra", inner), np.inf)
    a, b = np.triu_indices(k, 1)
    length = squared[:, a] + squared[:, b] - 2 * inner[:, a, b]
    along = squared[:, a] - inner[:, a, b]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.nan_to_num(along / length, nan=0.5), MARGIN, 1 - MARGIN)
        to_segment = squared[:, a] - 2 * share * along + share**2 * length
        to_row = squared.min(axis=1)
        ratio = np.nanmin(to_segment, axis=1, initial=np.inf) / to_row
    ratio = np.where(np.isfinite(ratio), ratio, 1.0)
    return np.sqrt(np.clip(ratio, 0.0, 1.0))
