"""From the evidence on a class to a verdict: the decision table, and what to do."""

from __future__ import annotations

from ._evidence import Evidence

FEW_ROWS = 30
"""Rows, or patients, below which finding nothing says little."""

VERY_FEW_ROWS = 5
"""Below which nothing can be found."""

VERDICTS = {
    "memorizing": "too many synthetic rows lie closer to a real row than fresh rows would",
    "interpolating": "synthetic rows lie on straight lines between pairs of real rows",
    "label-noise": "synthetic rows of this class look like real rows of another",
    "collapsed": "synthetic rows leave out a part of the class, or repeat one another",
    "underfit": "synthetic rows are spread or correlated unlike the real ones",
    "undetermined": "nothing was found, but there are too few rows to be sure",
    "healthy": "nothing tells the synthetic rows from fresh ones",
}

ADVICE = {
    "memorizing": "train the generator for fewer steps, regularize it more (`shrinkage`), "
    "or ask for fewer rows; draw those anew that `ConformalCopyCheck` refuses",
    "interpolating": "these rows add nothing beyond the pairs they lie between: take a "
    "generator of the class in place of interpolation, or none where rows are very few",
    "label-noise": "check the labels of the real rows, and let the generator tell classes "
    "more apart (less `shrinkage`)",
    "collapsed": "give the generator a stronger critic (`n_critic`, `penalty`), more "
    "training, or a start that covers the class, such as a copula",
    "underfit": "let the generator follow the class more closely (less `shrinkage`, more "
    "components or modes, more training), or collect more rows",
    "healthy": "nothing to change",
}


def advice(e: Evidence, name: str) -> str:
    """What to do about a verdict; parameters are named as ours are, if there is one."""
    if e.n_synthetic == 0:
        return "draw rows of it, or leave it out of `classes` if none were meant to be made"
    if name == "undetermined":
        lacking = []
        if e.n_groups < FEW_ROWS:
            what = "real rows" if e.n_groups == e.n_real else "patients"
            lacking.append(f"collect more {what} of the class ({e.n_groups} now)")
        if e.n_synthetic < FEW_ROWS:
            lacking.append(f"draw more synthetic ones ({e.n_synthetic} now)")
        return f"{' and '.join(lacking)}: it takes {FEW_ROWS} of either"
    return ADVICE[name]


def verdict(e: Evidence) -> str:
    """Verdict on one class; the first rule that holds names it.

    Comparisons with a statistic that could not be taken (nan) are false.
    """
    if e.n_synthetic == 0:
        return "collapsed"
    if min(e.n_groups, e.n_synthetic) < VERY_FEW_ROWS:
        return "undetermined"
    if _is_repeated(e) and e.n_distinct <= min(10, e.n_real / 2):
        return "collapsed"
    if e["share_interpolated"] >= max(0.5, e.null_high("share_interpolated")):
        return "interpolating"
    if _is_memorized(e):
        return "memorizing"
    if _is_shrunk(e):
        return "collapsed"
    if _has_label_noise(e):
        return "label-noise"
    if _is_repeated(e) or _leaves_out(e):
        return "collapsed"
    if _is_underfit(e):
        return "underfit"
    if min(e.n_groups, e.n_synthetic) < FEW_ROWS:
        return "undetermined"
    return "healthy"


def _is_memorized(e: Evidence) -> bool:
    close = e["share_too_close"] >= e.null_high("share_too_close")
    # Copies under much noise: by the ratio alone, or by a shift of all ratios.
    paired = e["share_paired"] >= e.null_high("share_paired")
    margin = e.null_high("ratio_lower") - 0.5
    shifted = e["ratio_lower"] - 0.5 >= max(0.25, 1.5 * margin)
    return close or paired or shifted


def _has_label_noise(e: Evidence) -> bool:
    found = e["label_noise"] >= 0.1 and e["label_noise_z"] > 2.33
    # Rows like those of no class at all have lost more than their label.
    plausible = e["precision_any_class"] >= e.null_low("precision")
    return found and plausible and e["real_accuracy"] >= 0.65


def _is_repeated(e: Evidence) -> bool:
    share = e["near_duplicates"]
    return share >= 0.4 and share > e.null_high("near_duplicates")


def _is_shrunk(e: Evidence) -> bool:
    return e["variance_ratio"] <= 0.5 and e.p_value("variance_ratio") <= 0.01


def _leaves_out(e: Evidence) -> bool:
    missing = e["missing_bin_mass"] >= 0.15 and e.p_value("missing_bin_mass") <= 0.01
    return missing and e.p_value("precision") > 0.02


def _is_underfit(e: Evidence) -> bool:
    far = e["share_too_far"] >= e.level + 4 * e.standard_error
    far = far and e.p_value("share_too_far") <= 0.02
    elsewhere = e["energy_ratio"] >= 1.2 and e.p_value("energy") <= 0.01
    margin = e.null_high("correlation_ratio") - 1
    uncorrelated = e["correlation_ratio"] - 1 >= max(0.2, 2 * margin)
    outside = e["precision"] <= 0.45 and e.p_value("precision") <= 0.02
    return far or elsewhere or uncorrelated or outside
