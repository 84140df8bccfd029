"""The command `gansampler`: oversample a CSV file, diagnose one, or see it all done."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._files import replacing

if TYPE_CHECKING:
    import pandas as pd

ORIGIN = "gansampler_origin"
NOT_HEALTHY = 1
BAD_INPUT = 2
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
"""What counts as missing in a feature column."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 on success, 1 on a bad diagnosis, 2 on bad input."""
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return arguments.run(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"gansampler: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("gansampler: interrupted; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(
        prog="gansampler",
        description="Oversample small, wide, imbalanced tables with a conditional "
        "Wasserstein GAN whose rows pass a copy check.",
        epilog="Exit status: 0 done, 1 diagnosed as not healthy, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "oversample",
        help="bring a CSV table to a class prior",
        description="Write the rows of IN.csv followed by synthetic ones. The column "
        f"{ORIGIN} of the output says 'real', or the class and seed a row was made from.",
    )
    command.add_argument("table", metavar="IN.csv", type=Path)
    command.add_argument("--target", required=True, metavar="COL", help="the class column")
    command.add_argument(
        "--id",
        metavar="COL",
        help="a column that names rows: kept for real rows, not learned from",
    )
    command.add_argument(
        "--group",
        metavar="COL",
        help="a column that names patients: their rows are held out together",
    )
    command.add_argument(
        "--target-prior",
        metavar="PRIOR",
        help="'uniform', 'empirical', or class=probability pairs like 'no=0.6,yes=0.4' "
        "(default: every class as large as the largest)",
    )
    command.add_argument(
        "--target-size",
        metavar="FACTOR",
        type=_parse_size,
        help="rows to return, as a multiple of the rows given, or 'extended': four times "
        "the fewest that reach the prior (default: the fewest)",
    )
    command.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    command.add_argument("--out", required=True, metavar="OUT.csv", type=Path)
    command.add_argument(
        "--report", metavar="R.html", type=Path, help="write the diagnosis to this page"
    )
    command.add_argument("--force", action="store_true", help="overwrite files")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=_oversample)

    command = commands.add_parser(
        "diagnose",
        help="tell what is wrong with synthetic rows",
        description="Compare synthetic rows, of any generator, with the real rows it was "
        "trained on, and print a verdict on every class. In a table that `gansampler "
        "oversample` wrote, only the synthetic rows are looked at.",
        epilog="Exit status: 0 all classes are healthy, 1 not all are, 2 bad input.",
    )
    command.add_argument("real", metavar="REAL.csv", type=Path)
    command.add_argument("synthetic", metavar="SYNTHETIC.csv", type=Path)
    command.add_argument("--target", required=True, metavar="COL", help="the class column")
    command.add_argument("--id", metavar="COL", help="a column that names rows: left out")
    command.add_argument(
        "--group",
        metavar="COL",
        help="a column of REAL.csv that names patients: a row's own are no neighbours",
    )
    command.add_argument(
        "--holdout", metavar="H.csv", type=Path, help="real rows the generator never saw"
    )
    command.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    command.add_argument(
        "--report", metavar="R.html", type=Path, help="write the diagnosis to this page"
    )
    command.add_argument("--force", action="store_true", help="overwrite R.html")
    command.set_defaults(run=_diagnose)

    command = commands.add_parser(
        "demo",
        help="the whole story on a real radiomics table",
        description="Oversample a real radiomics table that ships with the package and "
        "cross-validate classifiers with and without it.",
    )
    command.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    command.add_argument(
        "--repeats", type=int, default=2, help="repeats of the 5 folds (default: 2)"
    )
    command.set_defaults(run=_demo)
    return parser


def _oversample(arguments: argparse.Namespace) -> int:
    _check_writable(arguments.out, "--out", arguments.force)
    _check_report(arguments)
    import pandas as pd

    from ._oversampler import GANOverSampler

    aside = [name for name in (arguments.id, arguments.group) if name is not None]
    table, X, y = _read_labelled(arguments.table, arguments.target, aside)
    sampler = GANOverSampler(
        target_prior=_parse_prior(arguments.target_prior),
        target_size=arguments.target_size,
        verbose=not arguments.quiet,
        random_state=arguments.seed,
    )
    groups = None if arguments.group is None else table[arguments.group]
    X_new, y_new = sampler.fit_resample(X, y, groups=groups)
    result = X_new.assign(**{arguments.target: y_new})
    synthetic = sampler.is_synthetic_
    for name in aside:
        labels = [f"synthetic-{i + 1}" for i in range(synthetic.sum())]
        result[name] = pd.concat([table[name], pd.Series(labels)], ignore_index=True)
    result = _with_text_of_real_rows(result[table.columns], arguments.table)
    result[ORIGIN] = "real"
    result.loc[synthetic, ORIGIN] = [
        f"synthetic class={label} seed={arguments.seed}" for label in y_new[synthetic]
    ]
    with replacing(arguments.out) as path:
        result.to_csv(path, index=False)
    print(_counts("before", y), _counts("after", y_new), sep="\n")
    for label, rate in sampler.acceptance_rate_.items():
        print(f"class {label}: {rate:.0%} of the drawn rows passed the copy check")
    if sampler.diagnosis_ is not None:
        print(sampler.diagnosis_.summary())
    print(f"wrote {arguments.out}")
    if arguments.report is not None:
        if sampler.diagnosis_ is None:
            print("no row was made: no report was written")
        else:
            _write_report(sampler.diagnosis_, arguments.report)
    return 0


def _with_text_of_real_rows(result: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Real rows as they stand in the file: 01 and 1.50 are not 1 and 1.5."""
    import pandas as pd

    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    new = result.iloc[len(text) :].astype(object)
    return pd.concat([text, new.where(new.notna(), "")], ignore_index=True)


def _diagnose(arguments: argparse.Namespace) -> int:
    _check_report(arguments)
    from .checks import diagnose

    aside = [name for name in (arguments.id, arguments.group) if name is not None]
    table, X, y = _read_labelled(arguments.real, arguments.target, aside)
    X_new, y_new, is_ours = _read_synthetic(
        arguments.synthetic, arguments.target, aside, like=X
    )
    X_holdout, y_holdout = None, None
    if arguments.holdout is not None:
        X_holdout, y_holdout, _ = _read_synthetic(
            arguments.holdout, arguments.target, aside, like=X
        )
    diagnosis = diagnose(
        X,
        y,
        X_new,
        y_new,
        # Classes that nothing was added to are not missing from a table of our own.
        classes=y_new.unique() if is_ours else None,
        X_holdout=X_holdout,
        y_holdout=y_holdout,
        groups=None if arguments.group is None else table[arguments.group],
        random_state=arguments.seed,
    )
    print(diagnosis.summary())
    if arguments.report is not None:
        _write_report(diagnosis, arguments.report)
    return 0 if diagnosis.is_healthy else NOT_HEALTHY


def _check_writable(path: Path, option: str, force: bool) -> None:
    if path.exists() and not force:
        raise ValueError(f"{path} exists; choose another {option}, or give --force.")
    if not path.parent.is_dir():
        raise ValueError(f"the folder of {option}, {path.parent}, does not exist.")


def _check_report(arguments: argparse.Namespace) -> None:
    """Find out before the work, not after it, that the report cannot be written."""
    if arguments.report is not None:
        _check_writable(arguments.report, "--report", arguments.force)
        if find_spec("matplotlib") is None:
            raise ValueError(
                "--report needs matplotlib for its pictures: pip install gansampler[plot]"
            )


def _write_report(diagnosis: Any, path: Path) -> None:
    diagnosis.to_html(path)
    print(f"wrote {path}")


def _read_labelled(
    path: Path, target: str, aside: list[str], categories: list[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Read a table; return it, its features, and its labels as text.

    Features that are text are categories, and so are the columns said to be.
    """
    table = _read(path, [target, *aside], categories)
    for name in [target, *aside]:
        if name not in table.columns:
            raise ValueError(
                f"{path} has no column {name!r}; it has {_some(table.columns)}."
            )
    y = table[target]
    n_unlabelled = int((y == "").sum())
    if n_unlabelled:
        raise ValueError(
            f"{path}: column {target!r} has no class in {n_unlabelled} rows; drop or "
            "label them."
        )
    X = table.drop(columns=[target, *aside])
    _check_features(path, X.drop(columns=ORIGIN, errors="ignore"))
    return table, X, y


def _read_synthetic(
    path: Path, target: str, aside: list[str], like: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Series, bool]:
    """Read features and labels, without the columns set aside and without real rows.

    Columns that are text in the table `like` are read as text.

    The flag tells a table that `gansampler oversample` wrote.
    """
    import pandas as pd

    there = pd.read_csv(path, nrows=0).columns
    aside = [name for name in aside if name in there]
    table, X, y = _read_labelled(path, target, aside, _text_columns(like))
    is_ours = ORIGIN in table.columns
    if is_ours:
        made = table[ORIGIN] != "real"
        X, y = X.loc[made].drop(columns=ORIGIN), y[made]
    if len(X) == 0:
        raise ValueError(f"{path} holds no synthetic row.")
    return X, y, is_ours


def _demo(arguments: argparse.Namespace) -> int:
    from imblearn.pipeline import Pipeline
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
    from sklearn.preprocessing import StandardScaler

    from . import datasets
    from ._oversampler import GANOverSampler

    bunch: Any = datasets.load_hcc_tace()
    X, y = bunch.data, bunch.target
    print(bunch.DESCR)
    print(f"\n{len(X)} patients, {X.shape[1]} features")

    sampler = GANOverSampler(random_state=arguments.seed)
    _, y_new = sampler.fit_resample(X, y)
    print(_counts("before", y), _counts("after", y_new), sep="\n")
    for label, rate in sampler.acceptance_rate_.items():
        print(f"class {label}: {rate:.0%} of the drawn rows passed the copy check")
    print(_training_story(sampler.gan_))

    folds = RepeatedStratifiedKFold(
        n_repeats=arguments.repeats, random_state=arguments.seed
    )
    print(
        f"\ncross-validated, {arguments.repeats} x 5 folds, resampling inside the folds\n"
        f"{'':34}{'ROC AUC':>16}{'balanced accuracy':>20}"
    )
    classifiers = {
        "logistic regression": LogisticRegression(C=0.01, max_iter=5000),
        "random forest": RandomForestClassifier(200, random_state=arguments.seed),
    }
    arms: dict[str, Any] = {
        "no resampling": "passthrough",
        "GANOverSampler": GANOverSampler(random_state=arguments.seed),
        "GANOverSampler, 4 x the rows": GANOverSampler(
            target_prior="uniform", target_size=4.0, random_state=arguments.seed
        ),
    }
    for name, classifier in classifiers.items():
        print(name)
        for arm, step in arms.items():
            pipeline = Pipeline(
                [("scale", StandardScaler()), ("gan", step), ("classifier", classifier)]
            )
            scores = cross_validate(
                pipeline, X, y, cv=folds, scoring=["roc_auc", "balanced_accuracy"]
            )
            cells = [
                f"{scores[key].mean():.3f} +- {scores[key].std():.3f}"
                for key in ("test_roc_auc", "test_balanced_accuracy")
            ]
            print(f"  {arm:32}{cells[0]:>16}{cells[1]:>20}", flush=True)
    print(
        "(mean +- standard deviation over folds. Twelve patients of the minority: "
        "differences of\na few hundredths are noise.)"
    )
    return 0


def _training_story(gan: Any) -> str:
    if gan.start_used_:
        return (
            f"{gan.n_iter_} steps of the game did not clearly beat its start, a Gaussian "
            "copula a class,\non held-out rows: the start was kept"
        )
    return f"the game's step {gan.best_iter_} of {gan.n_iter_} did best on held-out rows"


def _read(path: Path, as_text: list[str], categories: list[str] | None) -> pd.DataFrame:
    """Read a table whose labels and identifiers stay the text they are, 007 and NA too.

    Whole numbers stay whole beside missing values.
    """
    import pandas as pd

    try:
        header = pd.read_csv(path, nrows=0).columns
        missing = {name: MISSING for name in header if name not in as_text}
        dtype = {name: str for name in [*as_text, *(categories or [])] if name in header}
        return pd.read_csv(
            path,
            dtype=dtype,
            keep_default_na=False,
            na_values=missing,
            dtype_backend="numpy_nullable",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable CSV table: {error}") from error


def _check_features(path: Path, X: pd.DataFrame) -> None:
    """Refuse columns of text that are no categories."""
    import pandas as pd

    from ._frames import names_rows

    if X.shape[1] == 0:
        raise ValueError("the table has no feature column.")
    for name in _text_columns(X):
        values = X[name].dropna()
        is_number = pd.to_numeric(values, errors="coerce").notna()
        if len(values) / 2 <= is_number.sum() < len(values):
            raise ValueError(
                f"{path}: column {name!r} holds the text {values[~is_number].iloc[0]!r} "
                "among numbers; mend it, or leave the field empty if the value is missing."
            )
        if names_rows(X[name]):
            raise ValueError(
                f"{path}: column {name!r} holds another text in nearly every row; give it "
                "as --id if it names rows, as --group if it names patients, or drop it."
            )


def _text_columns(X: pd.DataFrame) -> list[str]:
    return X.select_dtypes(["string", "object"]).columns.tolist()


def _parse_size(text: str) -> float | str:
    try:
        return text if text == "extended" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor 'extended'"
        ) from None


def _parse_prior(text: str | None) -> Any:
    if text is None or text in ("uniform", "empirical"):
        return text
    prior = {}
    for pair in text.split(","):
        name, _, share = pair.rpartition("=")
        try:
            prior[name.strip()] = float(share)
        except ValueError:
            raise ValueError(
                f"--target-prior must be 'uniform', 'empirical' or pairs like "
                f"'no=0.6,yes=0.4'; got {text!r}."
            ) from None
    return prior


def _counts(when: str, y: pd.Series) -> str:
    counts = y.value_counts().sort_index()
    return f"{when}: " + ", ".join(f"{n} of class {label}" for label, n in counts.items())


def _some(names: Any) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"gansampler: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
