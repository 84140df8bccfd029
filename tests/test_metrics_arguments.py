"""Every measure says what it got and what would do."""

import inspect

import numpy as np
import pytest

from gansampler import metrics

REAL, SYNTHETIC, HOLDOUT = np.random.default_rng(0).normal(size=(3, 12, 2))
Y = np.arange(12) % 2
TWO = {"X_real": REAL, "X_synthetic": SYNTHETIC}
THREE = {"X_train": REAL, "X_holdout": HOLDOUT, "X_synthetic": SYNTHETIC}
ARGUMENTS = {
    "kolmogorov_smirnov": TWO,
    "wasserstein_iqr": TWO,
    "spearman_difference": TWO,
    "spearman_permutation_ratio": TWO,
    "energy_distance": {"X": REAL, "Y": SYNTHETIC},
    "energy_score": {"observations": REAL, "samples": SYNTHETIC},
    "energy_test": TWO,
    "classifier_two_sample_test": TWO,
    "mutual_information": {"X": REAL, "y": Y},
    "excess_mutual_information": {"X": REAL, "y": Y},
    "mutual_information_difference": {**TWO, "y_real": Y, "y_synthetic": Y},
    "prdc": TWO,
    "nearest_neighbour_distances": TWO,
    "nearest_neighbour_ratios": TWO,
    "near_duplicates": {"X": REAL, "radius": 0.1},
    "variance_ratio": TWO,
    "missing_bins": TWO,
    "dcr_share": THREE,
    "membership_auc": THREE,
}
TABLES = [
    (name, table)
    for name, arguments in ARGUMENTS.items()
    for table in arguments
    if table.startswith("X") or table in ("Y", "observations", "samples")
]
over_tables = pytest.mark.parametrize(("name", "table"), TABLES)
RANDOM = [
    name
    for name in ARGUMENTS
    if "random_state" in inspect.signature(getattr(metrics, name)).parameters
]
over_functions = pytest.mark.parametrize("name", ARGUMENTS)


def call(name, **changes):
    return getattr(metrics, name)(**{**ARGUMENTS[name], **changes})


def test_every_measure_is_here():
    functions = {
        name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))
    }
    assert functions == ARGUMENTS.keys() | {"benjamini_hochberg"}


@over_functions
def test_docstrings_say_range_question_source_and_errors(name):
    doc = inspect.getdoc(getattr(metrics, name))
    for part in ("- Range:", "- Question:", "- Source:", "Raises\n", "Examples\n"):
        assert part in doc


@over_tables
def test_tables_must_be_two_dimensional(name, table):
    with pytest.raises(ValueError, match=rf"{table} must have shape .* got shape \(12,\)"):
        call(name, **{table: REAL[:, 0]})


@over_tables
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_tables_must_be_finite(name, table, value):
    broken = REAL.copy()
    broken[3, 1] = value
    with pytest.raises(ValueError, match=f"{table} must be finite; got 1 NaN or infinite"):
        call(name, **{table: broken})


@over_tables
def test_tables_must_have_rows_and_columns(name, table):
    with pytest.raises(ValueError, match=f"{table} needs at least . row.* got 0"):
        call(name, **{table: REAL[:0]})
    with pytest.raises(ValueError, match=f"{table} has no columns"):
        call(name, **{table: REAL[:, :0]})


@over_tables
def test_tables_must_have_the_same_columns(name, table):
    first = next(iter(ARGUMENTS[name]))
    if table != first:
        with pytest.raises(ValueError, match=f"{table} must have the 2 .* {first}; got 1"):
            call(name, **{table: REAL[:, :1]})


@pytest.mark.parametrize(
    ("name", "n_rows"),
    [
        ("spearman_difference", 2),
        ("spearman_permutation_ratio", 2),
        ("classifier_two_sample_test", 5),
        ("prdc", 6),
        ("nearest_neighbour_distances", 2),
        ("nearest_neighbour_ratios", 2),
        ("variance_ratio", 2),
        ("missing_bins", 2),
    ],
)
def test_some_need_more_rows(name, n_rows):
    with pytest.raises(ValueError, match=f"X_synthetic needs at least {n_rows} row"):
        call(name, X_synthetic=REAL[: n_rows - 1])
    call(name, X_synthetic=SYNTHETIC[:n_rows])


def test_energy_score_needs_two_samples():
    with pytest.raises(ValueError, match=r"samples needs at least 2 row\(s\); got 1"):
        call("energy_score", samples=SYNTHETIC[:1])
    call("energy_score", samples=SYNTHETIC[:2])


@pytest.mark.parametrize(
    ("name", "option", "minimum"),
    [
        ("spearman_permutation_ratio", "n_permutations", 1),
        ("energy_test", "n_permutations", 1),
        ("classifier_two_sample_test", "cv", 2),
        ("mutual_information", "n_bins", 2),
        ("excess_mutual_information", "n_bins", 2),
        ("excess_mutual_information", "n_permutations", 1),
        ("mutual_information_difference", "n_bins", 2),
        ("mutual_information_difference", "n_permutations", 1),
        ("prdc", "n_neighbors", 1),
        ("missing_bins", "n_bins", 2),
        ("missing_bins", "n_permutations", 1),
        ("dcr_share", "n_permutations", 1),
    ],
)
def test_options_have_minima(name, option, minimum):
    with pytest.raises(
        ValueError, match=f"{option} must be at least {minimum}; got {minimum - 1}"
    ):
        call(name, **{option: minimum - 1})
    call(name, **{option: minimum})


@pytest.mark.parametrize("radius", [-1.0, np.nan])
def test_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match=f"radius must be at least 0; got {radius}"):
        call("near_duplicates", radius=radius)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("mutual_information", "y"),
        ("excess_mutual_information", "y"),
        ("mutual_information_difference", "y_real"),
        ("mutual_information_difference", "y_synthetic"),
        ("nearest_neighbour_distances", "groups"),
        ("nearest_neighbour_ratios", "groups"),
    ],
)
def test_labels_must_be_one_a_row(name, labels):
    with pytest.raises(ValueError, match=rf"{labels} must hold .* 12 row.* got shape \(9,"):
        call(name, **{labels: Y[:9]})


@over_functions
def test_inputs_are_not_written_to_and_may_be_lists(name):
    before = {key: np.copy(value) for key, value in ARGUMENTS[name].items()}
    options = {"random_state": 0} if name in RANDOM else {}
    result = call(name, **options)
    for key, value in ARGUMENTS[name].items():
        np.testing.assert_array_equal(value, before[key])
    lists = {key: np.asarray(value).tolist() for key, value in before.items()}
    for ours, theirs in zip(
        np.atleast_1d(np.asarray(result, dtype=object)),
        np.atleast_1d(np.asarray(call(name, **lists, **options), dtype=object)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_repeats_the_result_and_the_global_state_is_left_alone(name):
    state = np.random.get_state()[1].copy()
    first, again = (call(name, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(
        np.hstack([np.ravel(part) for part in first]),
        np.hstack([np.ravel(part) for part in again]),
    )
