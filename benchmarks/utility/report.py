"""Tables and pictures of what was measured so far, in results/.

    python benchmarks/utility/report.py --focus ours+1

Scores are computed from the cache of `run.py`; those kept in results/ stand for what it
lacks. `--focus` names the arm that the table of tables and some pictures are about.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cache
import pandas as pd
import pictures
from inference import (
    ROPE,
    bayesian_signed_rank,
    corrected_t_test,
    critical_difference,
    interval,
    mean_ranks,
)
from metrics import METRICS
from scores import Measured, collect, merged, with_fallback
from tables import N_FOLDS, unit_of

RESULTS = Path(__file__).parent / "results"
STAND_IN = "start"
"""Looked at closely where the arm that was asked for has not run."""

LEAK = 0.03
"""A mean gain in AUC above this is taken for a leak until it is explained."""

RANKED = ("auc", "ap", "balanced", "log_loss_corrected")


class Comparison:
    """All arms on one variant of the tables of a collection."""

    def __init__(self, scores: pd.DataFrame, collection: str, variant: str) -> None:
        mine = (scores["collection"] == collection) & (scores["variant"] == variant)
        self.scores = scores[mine]
        self.name = f"{collection}, {variant}"
        self.arms = [a for a in self.scores["arm"].unique() if a != "none"]

    def wide(self, metric: str) -> pd.DataFrame:
        """A row for each cell and classifier, a column for each arm."""
        index = ["unit", "table", "repeat", "fold", "classifier"]
        return self.scores.pivot_table(metric, index, "arm").dropna(subset="none")

    def gains(self, metric: str, over: str = "none") -> pd.DataFrame:
        """Differences to an arm in cells that both have, as `wide`."""
        wide = self.wide(metric)
        return wide.sub(wide[over], axis=0)

    def complete(self, metric: str) -> list[str]:
        """Arms to rank: measured wherever `none` was, and able to differ from it.

        An arm that failed on more than half of the folds is `none` by another name.
        """
        wide = self.wide(metric)
        failed = self.scores["failure"].notna().groupby(self.scores["arm"]).mean() > 0.5
        left_out = set(failed.index[failed])
        if not METRICS[metric].needs_decision:
            left_out.add("threshold")
        return [a for a in wide.columns[wide.notna().all()] if a not in left_out]

    def ranks(self, metric: str) -> tuple[pd.Series, float]:
        """Mean ranks over units, and their critical difference."""
        means = per_unit(self.wide(metric)[self.complete(metric)])
        ranks = mean_ranks(means * METRICS[metric].better)
        return ranks, critical_difference(len(ranks), len(means))


def per_unit(cells: pd.DataFrame) -> pd.DataFrame:
    """Means over repeats, folds and classifiers, then over the tables of a unit."""
    return cells.groupby(["unit", "table"]).mean().groupby("unit").mean()


def markdown(rows: list[dict[str, object]]) -> str:
    head = list(rows[0]) if rows else ["nothing"]
    lines = [head, ["---"] * len(head), *([row[k] for k in head] for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


# Sections of the report: a comparison in, Markdown out.


def gains_table(c: Comparison) -> str:
    """Mean gain over none with its 95% interval, and units won."""
    columns = {"units": {}}
    for name, metric in METRICS.items():
        gains = per_unit(c.gains(name))
        for arm in c.arms:
            mine = gains[arm].dropna().to_numpy()
            mean, half = interval(mine)
            won = int((mine * metric.better > 0).sum())
            columns["units"][arm] = len(mine)
            columns.setdefault(metric.label, {})[arm] = f"{mean:+.4f} ± {half:.4f} ({won})"
    slopes = per_unit(c.wide("slope")).median()
    order = per_unit(c.gains("auc")).mean().drop("none").sort_values(ascending=False).index
    rows = [
        {
            "arm": arm,
            **{k: v[arm] for k, v in columns.items()},
            "slope": f"{slopes[arm]:.2f}",
        }
        for arm in order
    ]
    means = {name: per_unit(c.wide(name))["none"].mean() for name in METRICS}
    none = {METRICS[name].label: f"{mean:.4f}" for name, mean in means.items()}
    rows.insert(0, {"arm": "none", "units": "", **none, "slope": f"{slopes['none']:.2f}"})
    return markdown(rows)


def ranks_table(c: Comparison) -> str:
    """Mean ranks of the arms that are complete; 1 is best."""
    found = {METRICS[name].label: c.ranks(name) for name in RANKED}
    arms = sorted(
        set().union(*(ranks.index for ranks, _ in found.values())),
        key=lambda arm: found["ROC AUC"][0].get(arm, 99),
    )
    rows = [
        {"arm": arm}
        | {label: f"{r[arm]:.2f}" if arm in r else "" for label, (r, _) in found.items()}
        for arm in arms
    ]
    rows.append(
        {"arm": "critical difference"} | {k: f"{cd:.2f}" for k, (_, cd) in found.items()}
    )
    return markdown(rows)


def signed_rank_table(c: Comparison) -> str:
    """P(worse), P(within the rope), P(better) of each arm."""
    rows = []
    for arm in c.arms:
        row = {"arm": arm}
        for name in ("auc", "ap"):
            for other in ("none", "smote-5"):
                if other not in c.wide(name) or other == arm:
                    row[f"{METRICS[name].label}, over {other}"] = ""
                    continue
                gains = per_unit(c.gains(name, other))[arm].dropna().to_numpy()
                shares = " / ".join(f"{p:.3f}" for p in bayesian_signed_rank(gains))
                row[f"{METRICS[name].label}, over {other}"] = shares
        rows.append(row)
    return markdown(rows)


def t_tests(c: Comparison, arm: str) -> pd.DataFrame:
    """Gain in AUC on every table, and its corrected t-test over folds."""
    cells = c.gains("auc")[arm].dropna()
    folds = cells.groupby(["table", "repeat", "fold"]).mean().groupby("table")
    tests = folds.apply(lambda g: corrected_t_test(g.to_numpy(), N_FOLDS))
    return pd.DataFrame({"gain": folds.mean(), "p": tests}).sort_values("gain")


def significance_table(c: Comparison) -> str:
    """Tables on which an arm is better or worse than none, each test at level .05."""
    rows = []
    for arm in c.arms:
        tests = t_tests(c, arm)
        sure = tests[tests["p"] < 0.05]["gain"]
        worst, best = tests["gain"].min(), tests["gain"].max()
        rows.append(
            {
                "arm": arm,
                "tables": len(tests),
                "lost": (sure < 0).sum(),
                "won": (sure > 0).sum(),
                "largest loss": f"{worst:+.3f}",
                "largest gain": f"{best:+.3f}",
            }
        )
    return markdown(rows)


def tables_table(c: Comparison, focus: str) -> str:
    """Every table, the losses first."""
    none = c.wide("auc")["none"].groupby("table").mean()
    rows = [
        {
            "table": table,
            "AUC of none": f"{none[table]:.3f}",
            "gain": f"{row.gain:+.4f}",
            "p, corrected t-test": f"{row.p:.3f}",
        }
        for table, row in t_tests(c, focus).iterrows()
    ]
    return markdown(rows)


def classifiers_table(c: Comparison) -> str:
    """Mean gain in AUC by classifier."""
    gains = c.gains("auc")
    by = gains.groupby(["unit", "table", "classifier"]).mean()
    by = by.groupby(["unit", "classifier"]).mean().groupby("classifier").mean()
    none = c.wide("auc")["none"].groupby("classifier").mean()
    rows = [{"arm": "none"} | {k: f"{v:.4f}" for k, v in none.items()}]
    rows += [{"arm": a} | {k: f"{v:+.4f}" for k, v in by[a].items()} for a in c.arms]
    return markdown(rows)


def costs_table(c: Comparison) -> str:
    """Rows trained on, median seconds of a fold, folds that kept the start, failures."""
    folds = c.scores.drop_duplicates(["table", "repeat", "fold", "arm"])
    rows = []
    for arm, mine in folds.groupby("arm", sort=False):
        failed = mine["failure"].dropna().astype(str).astype(str)
        reasons = failed.str.slice(0, 60).value_counts()
        kept = mine["kept"].dropna()
        rows.append(
            {
                "arm": arm,
                "folds": len(mine),
                "rows": f"{mine['n_rows'].median():.0f}",
                "s, resampling": f"{mine['resampling'].median():.2f}",
                "s, classifiers": f"{mine['classifying'].median():.2f}",
                "start kept": f"{(kept == 0).mean():.0%}" if len(kept) else "",
                "failed": len(failed),
                "most often": reasons.index[0] if len(reasons) else "",
            }
        )
    return markdown(rows)


def permuted_table(c: Comparison) -> str:
    """AUC where labels mean nothing: .5 for every arm."""
    means = per_unit(c.wide("auc"))
    rows = []
    for arm in means:
        mean, half = interval(means[arm].dropna())
        verdict = "yes" if abs(mean - 0.5) <= half else "NO"
        rows.append(
            {"arm": arm, "ROC AUC": f"{mean:.4f} ± {half:.4f}", "holds .5": verdict}
        )
    return markdown(rows)


def write(scores: pd.DataFrame, focus: str, out: Path) -> str:
    lines = ["# What was measured", ""]
    lines.append(
        "Gains are differences to no resampling. ± is half a 95% interval over units "
        "(tables; of KEEL, data sets); in brackets, units won. "
        f"Rope {ROPE:g}. How it was measured: PROTOCOL.md.\n"
    )
    for collection, variant in scores[["collection", "variant"]].drop_duplicates().values:
        c = Comparison(scores, collection, variant)
        lines.append(f"## {c.name}\n")
        if variant == "permuted":
            lines += [doc(permuted_table), permuted_table(c)]
            continue
        for section in (
            gains_table,
            ranks_table,
            signed_rank_table,
            significance_table,
            classifiers_table,
            costs_table,
        ):
            lines += [doc(section), section(c)]
        shown = focus if focus in c.arms else STAND_IN
        if shown in c.arms:
            lines += [f"{tables_table.__doc__} Arm: {shown}.\n", tables_table(c, shown)]
        means = per_unit(c.gains("auc")).mean()
        lines += [
            f"**{a}: {g:+.3f} in AUC. Look for a leak.**\n"
            for a, g in means.items()
            if g > LEAK
        ]
        pictures.comparison(c, shown, per_unit, out)
    return "\n".join(lines)


def read(paths: list[Path]) -> Measured:
    scores, reliability = (pd.read_csv(path, low_memory=False) for path in paths)
    return scores, reliability


def doc(section) -> str:
    return section.__doc__ + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--focus", default="ours+1", help="arm to look at closely")
    add("--repeats", nargs="+", type=int, help="only these")
    add("--cache", type=Path, default=cache.FOLDER)
    add("--results", type=Path, default=RESULTS)
    add("--jobs", type=int, default=1)
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    kept = [args.results / name for name in ("scores.csv.xz", "reliability.csv.xz")]
    if any(cache.files(args.cache)):
        scores, reliability = collect(args.cache, args.jobs)
        if all(path.exists() for path in kept):
            scores, reliability = merged(read(kept), (scores, reliability))
        for table, path in zip((with_fallback(scores), reliability), kept, strict=True):
            table.to_csv(path, index=False, float_format="%.5f")
    scores, reliability = read(kept)
    if args.repeats:
        scores = scores[scores["repeat"].isin(args.repeats)]
    keys = zip(scores["collection"], scores["table"], strict=True)
    scores["unit"] = [unit_of(*key) for key in keys]
    (args.results / "report.md").write_text(write(scores, args.focus, args.results))
    pictures.reliability_curves(reliability, args.focus, args.results)
    print(f"{args.results / 'report.md'} and pictures beside it.")


if __name__ == "__main__":
    main()
