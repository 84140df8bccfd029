"""Groups of rows, patients say, when rows are added."""

from __future__ import annotations

from itertools import count, islice

import numpy as np
from numpy.typing import ArrayLike


def extend_groups(groups: ArrayLike, n_new: int) -> np.ndarray:
    """Append a new group of its own for each of `n_new` rows.

    Numbers go on from the largest; other labels become text, "synthetic-1" and so on,
    past those that are taken.
    """
    known = np.asarray(groups)
    if known.dtype.kind in "iu":
        start = int(known.max()) + 1
        return np.concatenate([known.astype(np.int64), np.arange(start, start + n_new)])
    taken = {str(label) for label in known}
    free = (name for i in count(1) if (name := f"synthetic-{i}") not in taken)
    new = np.array(list(islice(free, n_new)), dtype=object)
    return np.concatenate([known.astype(str).astype(object), new])
