"""Measures of synthetic rows against real rows: pure functions of arrays.

Distances are Euclidean, in the units of the columns: bring them to one scale first.
"""

from ._coverage import PRDC, MissingBins, missing_bins, prdc, variance_ratio
from ._dependence import (
    SpearmanDifference,
    SpearmanPermutationRatio,
    spearman_difference,
    spearman_permutation_ratio,
)
from ._inference import RankTest
from ._joint import (
    EnergyTest,
    classifier_two_sample_test,
    energy_distance,
    energy_score,
    energy_test,
)
from ._marginals import (
    KolmogorovSmirnov,
    benjamini_hochberg,
    kolmogorov_smirnov,
    wasserstein_iqr,
)
from ._membership import DCRShare, dcr_share, membership_auc
from ._neighbours import (
    NearestNeighbourRatios,
    NearestNeighbours,
    near_duplicates,
    nearest_neighbour_distances,
    nearest_neighbour_ratios,
)
from ._predictive import (
    MutualInformationDifference,
    excess_mutual_information,
    mutual_information,
    mutual_information_difference,
)

__all__ = [
    "PRDC",
    "DCRShare",
    "EnergyTest",
    "KolmogorovSmirnov",
    "MissingBins",
    "MutualInformationDifference",
    "NearestNeighbourRatios",
    "NearestNeighbours",
    "RankTest",
    "SpearmanDifference",
    "SpearmanPermutationRatio",
    "benjamini_hochberg",
    "classifier_two_sample_test",
    "dcr_share",
    "energy_distance",
    "energy_score",
    "energy_test",
    "excess_mutual_information",
    "kolmogorov_smirnov",
    "membership_auc",
    "missing_bins",
    "mutual_information",
    "mutual_information_difference",
    "near_duplicates",
    "nearest_neighbour_distances",
    "nearest_neighbour_ratios",
    "prdc",
    "spearman_difference",
    "spearman_permutation_ratio",
    "variance_ratio",
    "wasserstein_iqr",
]
