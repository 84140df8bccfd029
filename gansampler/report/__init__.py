"""Reports: from a diagnosis to facts, from facts to pictures, from both to a page."""

from ._facts import facts
from ._html import html
from ._plots import (
    plot_correlations,
    plot_distances,
    plot_marginals,
    plot_projection,
    plot_training,
)

__all__ = [
    "facts",
    "html",
    "plot_correlations",
    "plot_distances",
    "plot_marginals",
    "plot_projection",
    "plot_training",
]
