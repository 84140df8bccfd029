"""Reports: from a diagnosis to facts, from facts to pictures, from both to a page."""

from ._facts import facts, versions
from ._html import html
from ._plots import (
    plot_correlations,
    plot_distances,
    plot_marginals,
    plot_projection,
    plot_training,
)
from ._sheet import datasheet_page, datasheet_section

__all__ = [
    "datasheet_page",
    "datasheet_section",
    "facts",
    "html",
    "plot_correlations",
    "plot_distances",
    "plot_marginals",
    "plot_projection",
    "plot_training",
    "versions",
]
