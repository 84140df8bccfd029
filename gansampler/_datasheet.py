"""`Datasheet`: what those who are to approve a synthetic data set need to know of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ._files import replacing
from ._provenance import described, digest, digest_of_file, plain, utc
from ._start import MIN_CLASS_ROWS
from .report import datasheet_page, versions

NOT_STATED = "not stated"
FORMAT = 1
"""Of the JSON text; raised when an older reader would misread it."""

ADDED = "real rows, followed by synthetic ones"
DRAWN = "synthetic rows only"
CHANGED = "the rows of the source, changed"

NO_PRIVACY = (
    "A copy check is not a proof of privacy: a row that passes may still tell something "
    "about a patient, and a set of rows more than each of them."
)
SAME_PATIENTS = (
    "The rows are those of the source, changed: they need the protection that it needs."
)
PACKAGES = (
    "gansampler",
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "imbalanced-learn",
    "pandas",
)
TRAINING = ("n_iter", "best_iter", "start_used")
SHIFT = 0.005
"""Difference of class shares up to which it is rounding to whole rows."""


@dataclass(frozen=True)
class Datasheet:
    """Datasheet of a synthetic data set: source, generator, checks, limits; as plain data.

    `Datasheet.of` writes one for a fitted sampler, a generator or a harmonizer. The form
    is that of datasheets for datasets [1]_. It answers the five groups of measures of the
    Synthesis Study Trustworthiness Test, SynTRUST [2]_, and says what it leaves open.

    Parameters
    ----------
    title : str
    created : str
        Time in UTC, ISO 8601.
    source : dict
        The real data: ``name``, ``licence``, ``shape``, ``n_rows``, ``n_columns`` (None
        for volumes), ``n_classes`` (None without labels), and ``sha256`` of all values, of
        X and y; docs/datasheet.md tells how it is taken.
    content : dict
        What the data set holds: ``kind`` in words, and how many rows are ``n_real`` and
        ``n_synthetic``.
    classes : list of dict
        ``class``, its rows ``n_real`` in the source and ``n_synthetic``, and its share
        ``prior_before`` in the source and ``prior_after`` in the data set.
    generator : dict
        ``name``, all its ``params``, what it was ``given`` besides, and of its ``training``
        the number of steps ``n_iter``, the one kept, ``best_iter``, and whether that is its
        start, ``start_used``, where it has these.
    seeds : dict
        ``random_state`` as given, and that of the ``generator`` within a sampler; None
        where it is no integer.
    checks : dict
        ``copy_check``: its level ``alpha`` and the ``acceptance_rate`` of each class;
        ``diagnosis``: ``alpha``, ``verdicts`` and the ``statistics`` that they rest on;
        either is None if it was not made. Further ones by their names.
    limits : list of str
        What is known to be wrong, or not known.
    trust : list of dict
        Of each ``group`` of measures of SynTRUST, whether it is ``answered`` ("in part" or
        "no"; a data set alone answers none in full), and ``how``.
    intended_use : str
    versions : dict
        Package -> version.
    files : list of dict
        ``name`` and ``sha256`` of files, see `with_files`.

    References
    ----------
    .. [1] Gebru et al. (2021), Datasheets for datasets, Communications of the ACM 64(12),
       doi 10.1145/3458723.
    .. [2] Osuala et al. (2023), Data synthesis and adversarial networks: A review and
       meta-analysis in cancer imaging, Medical Image Analysis 84,
       doi 10.1016/j.media.2022.102704.

    Examples
    --------
    >>> from gansampler import Datasheet, GANOverSampler
    >>> from gansampler.datasets import load_hcc_tace
    >>> X, y = load_hcc_tace(return_X_y=True)
    >>> sampler = GANOverSampler(max_iter=40, random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> sheet = Datasheet.of(sampler, X, y, source="HCC-TACE-Seg", licence="CC BY 4.0")
    >>> sheet.content["n_synthetic"], sheet.intended_use
    (60, 'not stated')
    >>> sheet.classes[1]["prior_before"], sheet.classes[1]["prior_after"]
    (0.14..., 0.5)
    >>> sheet == Datasheet.from_json(sheet.to_json())
    True
    """

    title: str
    created: str
    source: dict[str, Any]
    content: dict[str, Any]
    classes: list[dict[str, Any]]
    generator: dict[str, Any]
    seeds: dict[str, int | None]
    checks: dict[str, Any]
    limits: list[str]
    trust: list[dict[str, str]]
    intended_use: str
    versions: dict[str, str]
    files: list[dict[str, str]]

    @classmethod
    def of(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        y_new: Any = None,
        title: str | None = None,
        source: str | None = None,
        licence: str | None = None,
        intended_use: str | None = None,
        given: Mapping[str, Any] | None = None,
        checks: Mapping[str, Any] | None = None,
        limits: Iterable[str] = (),
        created: datetime | str | None = None,
    ) -> Datasheet:
        """Describe what a fitted estimator made of real data.

        Parameters
        ----------
        estimator : estimator
            A sampler after `fit_resample`: the data set is what that returned. A fitted
            generator, with `y_new`: it is what was drawn. Another fitted estimator, such
            as `ComBat` or `CycleGAN`: it is X, transformed.
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, ...)
            The real rows or volumes, as given to `estimator`.
        y : array-like of shape (n_samples,), default=None
            Their labels; needed for a sampler.
        y_new : array-like of shape (n_new,), default=None
            Labels of the rows drawn from a generator, which replace those of X.
        title, source, licence, intended_use : str, default=None
            What only the user knows: the name of the data set, what the real data are,
            under which licence, and what for. None is said as "not stated".
        given : mapping of name -> object, default=None
            What the estimator was given besides X and y: the columns that groups or sites
            were read from, say.
        checks : mapping of name -> object, default=None
            Further checks and what came out: plain data, or something with `to_dict`. A
            `Diagnosis` by the name of "diagnosis" is told class by class.
        limits : iterable of str, default=()
            Further known limits, such as messages of `CopyWarning`.
        created : datetime or str, default=None
            Time, in ISO 8601 if text; without a time zone it is UTC. None: now.

        Returns
        -------
        Datasheet

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted, or is a sampler that was loaded, which does not
            know what was made.
        ValueError
            If X or y are not those given to the sampler, or lengths differ.
        TypeError
            If `estimator` has no `get_params`, or is a sampler without `is_synthetic_`.
        """
        _check_fitted(estimator)
        kind = _kind(estimator, y_new)
        shape = [int(n) for n in np.shape(X)]
        labels = None if y is None else _labels(y)
        _check_rows(estimator, shape[0], labels)
        n_synthetic = 0
        if kind != CHANGED:
            made = estimator.is_synthetic_ if kind == ADDED else np.ones(len(y_new))
            n_synthetic = int(np.count_nonzero(made))
        sheet = cls(
            title=title or "Datasheet of synthetic data",
            created=utc(created),
            source={
                "name": source or NOT_STATED,
                "licence": licence or NOT_STATED,
                "shape": shape,
                "n_rows": shape[0],
                "n_columns": shape[1] if len(shape) == 2 else None,
                "n_classes": None if labels is None else len(set(labels)),
                "sha256": digest(X, y),
            },
            content={
                "kind": kind,
                "n_real": 0 if kind == DRAWN else shape[0],
                "n_synthetic": n_synthetic,
            },
            classes=_shares(_class_counts(estimator, labels, y_new), kind),
            generator=_generator(estimator, given or {}),
            seeds=_seeds(estimator),
            checks=_checks(estimator, checks or {}),
            limits=[],
            trust=[],
            intended_use=intended_use or NOT_STATED,
            versions=versions(PACKAGES),
            files=[],
        )
        known = [*_limits(sheet, estimator), *map(str, limits)]
        sheet = replace(sheet, limits=known)
        return replace(sheet, trust=_trust(sheet))

    def with_files(self, *paths: str | os.PathLike[str]) -> Datasheet:
        """Return a datasheet that names these files too, with SHA-256 of their bytes.

        Parameters
        ----------
        *paths : path-like

        Returns
        -------
        Datasheet
        """
        named = [
            {"name": Path(path).name, "sha256": digest_of_file(path)} for path in paths
        ]
        return replace(self, files=[*self.files, *named])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dicts, numbers and text."""
        return {"format": FORMAT, **asdict(self)}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `to_dict` as JSON text, and write it to `path` where one is given.

        The same datasheet gives the same text. The file is there whole, or as it was
        before.

        Parameters
        ----------
        path : path-like, default=None

        Returns
        -------
        str
        """
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False)
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8", newline="\n")
        return text

    @classmethod
    def from_json(cls, text: str) -> Datasheet:
        """Return the datasheet that `to_json` made text of.

        Parameters
        ----------
        text : str

        Returns
        -------
        Datasheet

        Raises
        ------
        ValueError
            If the text is no datasheet, or one of a format that is not known.
        """
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"The text is no JSON: {error}") from error
        names = {field.name for field in fields(cls)} | {"format"}
        if not isinstance(found, dict) or found.keys() != names:
            wrong = names ^ found.keys() if isinstance(found, dict) else names
            raise ValueError(
                f"The JSON is no datasheet: it lacks, or has besides, {sorted(wrong)}."
            )
        if found.pop("format") != FORMAT:
            raise ValueError(
                f"The datasheet is of another format than {FORMAT}, which this gansampler "
                "reads. Install the one that wrote it; see its versions."
            )
        return cls(**found)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the datasheet as one HTML file that loads nothing else.

        Parameters
        ----------
        path : path-like, default=None
            Where to write it as well. The file is there whole, or as it was before.

        Returns
        -------
        str
        """
        text = datasheet_page(self.to_dict())
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
        return text

    def summary(self) -> str:
        """Return what matters most of the datasheet, in Markdown."""
        source, content = self.source, self.content
        shape = " x ".join(map(str, source["shape"]))
        lines = [
            f"# {self.title}",
            "",
            f"- intended use: {self.intended_use}",
            f"- source: {source['name']}, {shape}; licence: {source['licence']}",
            f"- content: {content['kind']}; {content['n_real']} real, "
            f"{content['n_synthetic']} synthetic",
            f"- generator: {self.generator['name']}, gansampler "
            f"{self.versions.get('gansampler', NOT_STATED)}, seed "
            f"{self.seeds.get('random_state', 'not needed')}",
            f"- date: {self.created}",
            *self._class_lines(),
            "",
            "## Known limits",
            "",
            *(f"- {limit}" for limit in self.limits),
            "",
            "## SynTRUST",
            "",
            *(f"- {t['group']}: {t['answered']}. {t['how']}" for t in self.trust),
        ]
        return "\n".join(lines)

    def _class_lines(self) -> Iterator[str]:
        if self.classes:
            yield from ("", "## Classes", "")
        of_class: dict[str, list[str]] = {}
        for found in (self.checks["copy_check"] or {}).get("acceptance_rate", []):
            words = f"{found['rate']:.0%} of the drawn rows passed the copy check"
            of_class.setdefault(json.dumps(found["class"]), []).append(words)
        for found in (self.checks["diagnosis"] or {}).get("verdicts", []):
            words = f"judged {found['verdict']}"
            of_class.setdefault(json.dumps(found["class"]), []).append(words)
        for c in self.classes:
            yield "; ".join(
                [
                    f"- {c['class']}: {c['n_real']} real, {c['n_synthetic']} synthetic",
                    f"share {c['prior_before']:.3f} before, {c['prior_after']:.3f} after",
                    *of_class.get(json.dumps(c["class"]), []),
                ]
            )


def _check_fitted(estimator: Any) -> None:
    if not hasattr(estimator, "get_params"):
        raise TypeError(
            f"estimator must have get_params, to tell its parameters; got {estimator!r}."
        )
    if not hasattr(estimator, "fit_resample"):
        check_is_fitted(estimator)
        return
    if hasattr(estimator, "is_synthetic_"):
        return
    name = type(estimator).__name__
    if any(c.__module__.startswith("gansampler.") for c in type(estimator).__mro__):
        raise NotFittedError(
            f"This {name} has made no rows, or was loaded from a file, which does not tell "
            "of them: call fit_resample before Datasheet.of."
        )
    raise TypeError(
        f"{name} does not tell which rows it made. Say so: set its is_synthetic_, True for "
        "each synthetic row of what fit_resample returned; or give a sampler that tells, "
        "such as GANOverSampler."
    )


def _kind(estimator: Any, y_new: Any) -> str:
    if hasattr(estimator, "fit_resample"):
        if y_new is not None:
            raise ValueError("y_new is for generators; a sampler knows what it made.")
        return ADDED
    return CHANGED if y_new is None else DRAWN


def _check_rows(estimator: Any, n_rows: int, labels: list[Any] | None) -> None:
    if labels is not None and len(labels) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y {len(labels)}.")
    if not hasattr(estimator, "fit_resample"):
        return
    if labels is None:
        raise ValueError("The datasheet of a sampler needs y, as given to fit_resample.")
    n_given = int(np.count_nonzero(~estimator.is_synthetic_))
    if n_given != n_rows:
        raise ValueError(
            f"X has {n_rows} rows, but fit_resample was given {n_given}; pass the X and y "
            "that it was given."
        )
    unknown = {plain(c) for c in estimator.sampling_strategy_} - set(labels)
    if unknown:
        raise ValueError(
            f"fit_resample was given rows of the classes {sorted(unknown, key=str)}, which "
            "y lacks; pass the X and y that it was given."
        )


def _labels(y: Any) -> list[Any]:
    """Class of each row; of one-hot rows, its number, as samplers have it."""
    y = np.asarray(y)
    return plain(y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.ravel())


def _class_counts(
    estimator: Any, labels: list[Any] | None, y_new: Any
) -> dict[Any, tuple[int, int]]:
    """Class -> its rows in the source, and synthetic ones."""
    if labels is None:
        return {}
    real, made = Counter(labels), Counter([] if y_new is None else _labels(y_new))
    for label, n in getattr(estimator, "sampling_strategy_", {}).items():
        made[plain(label)] += int(n)
    classes = sorted({*real, *made}, key=lambda c: (type(c).__name__, c))
    return {label: (real[label], made[label]) for label in classes}


def _shares(counts: dict[Any, tuple[int, int]], kind: str) -> list[dict[str, Any]]:
    """Rows of each class, and its share before and after."""
    before = {label: real for label, (real, _) in counts.items()}
    after = {
        label: made if kind == DRAWN else real + made
        for label, (real, made) in counts.items()
    }
    n_before, n_after = max(sum(before.values()), 1), max(sum(after.values()), 1)
    return [
        {
            "class": label,
            "n_real": real,
            "n_synthetic": made,
            "prior_before": before[label] / n_before,
            "prior_after": after[label] / n_after,
        }
        for label, (real, made) in counts.items()
    ]


def _generator(estimator: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    gan = _gan(estimator)
    training = {
        name: plain(getattr(gan, f"{name}_"))
        for name in TRAINING
        if hasattr(gan, f"{name}_")
    }
    return {**described(estimator), "given": plain(given), "training": training}


def _gan(estimator: Any) -> Any:
    """What was trained: the generator within a sampler, or the estimator itself."""
    return getattr(estimator, "gan_", estimator)


def _seeds(estimator: Any) -> dict[str, int | None]:
    named = {"random_state": estimator, "generator": getattr(estimator, "gan_", None)}
    return {
        name: int(owner.random_state) if isinstance(owner.random_state, Integral) else None
        for name, owner in named.items()
        if hasattr(owner, "random_state")
    }


def _checks(estimator: Any, further: Mapping[str, Any]) -> dict[str, Any]:
    copy_check = None
    alpha = getattr(estimator, "copy_alpha", None)
    rates = getattr(estimator, "acceptance_rate_", {})
    if rates and alpha is not None and "memorization" in estimator.checks:
        copy_check = {
            "alpha": alpha,
            "acceptance_rate": [{"class": c, "rate": r} for c, r in rates.items()],
        }
    found = {
        "copy_check": copy_check,
        "diagnosis": getattr(estimator, "diagnosis_", None),
        **further,
    }
    diagnosis = found["diagnosis"]
    if hasattr(diagnosis, "verdicts_"):
        told = diagnosis.to_dict()
        found["diagnosis"] = {n: told[n] for n in ("alpha", "verdicts", "statistics")}
    return {name: plain(check) for name, check in found.items()}


def _limits(sheet: Datasheet, estimator: Any) -> Iterator[str]:
    """What is wrong or not known, by what happened."""
    made = sheet.content["n_synthetic"]
    if sheet.content["kind"] == CHANGED:
        yield SAME_PATIENTS
    else:
        yield NO_PRIVACY
        if not made:
            yield "No synthetic row was made."
    if hasattr(estimator, "sample_indices_"):
        yield SAME_PATIENTS.replace("The rows", "Synthetic rows")
    if getattr(estimator, "groups_resampled_", ()) is None:
        yield "No groups were given: rows were taken to be of different patients."
    yield from _limits_of_training(sheet, estimator)
    if made:
        if sheet.checks["copy_check"] is None:
            yield "No copy check was made: synthetic rows may be copies of real ones."
        if sheet.checks["diagnosis"] is None:
            yield "What is wrong with the synthetic rows was not diagnosed."
    for found in (sheet.checks["diagnosis"] or {}).get("verdicts", []):
        if found["verdict"] != "healthy":
            yield (
                f"Synthetic rows of class {found['class']} are judged "
                f"{found['verdict']!r}: {found['meaning']}."
            )
    if any(abs(c["prior_after"] - c["prior_before"]) > SHIFT for c in sheet.classes):
        yield (
            "Classes have other shares than in the source: probabilities that models learn "
            "from these rows are shifted, which PriorCorrectedClassifier undoes."
        )
    if sheet.seeds.get("random_state", 0) is None:
        yield "random_state was no integer: the same rows cannot be made again."


def _limits_of_training(sheet: Datasheet, estimator: Any) -> Iterator[str]:
    gan, training = _gan(estimator), sheet.generator["training"]
    made = [c for c in sheet.classes if c["n_synthetic"]]
    for c in made if hasattr(gan, "shrinkage") else []:
        if c["n_real"] < MIN_CLASS_ROWS:
            yield (
                f"Class {c['class']} has {c['n_real']} real rows: its covariance is that "
                "of all classes together, and its synthetic rows tell little that the "
                "other classes do not."
            )
    if training.get("start_used"):
        why = "On held-out rows the training did not clearly beat its start"
        if not training.get("n_iter"):
            why = "There was no training"
        yield f"{why}: what was made comes from the start."
    elif "n_iter" in training and not getattr(gan, "early_stopping", True):
        yield "The step of the training was not chosen on held-out rows."
    elif hasattr(gan, "is_learned_"):
        unlearned = plain(gan.classes_[~gan.is_learned_])
        for c in made:
            if c["class"] in unlearned:
                yield (
                    f"No rows of class {c['class']} could be held out: its synthetic rows "
                    "come from the start of the training."
                )


def _trust(sheet: Datasheet) -> list[dict[str, str]]:
    """Answers to the groups of measures of SynTRUST, as far as a data set has them."""
    checks, source = sheet.checks, sheet.source
    made = [
        words
        for words, found in (
            ("rows that failed a copy check were drawn anew", checks["copy_check"]),
            ("each class was diagnosed, beside what chance gives", checks["diagnosis"]),
        )
        if found is not None
    ]
    made += sorted(checks.keys() - {"copy_check", "diagnosis"})
    is_repeatable = sheet.seeds.get("random_state", 0) is not None
    columns = " x ".join(map(str, source["shape"][1:]))
    answers = {
        "thoroughness": (
            "in part" if made else "no",
            f"{'; '.join(made) or 'no check was made'}. See checks.",
        ),
        "reproducibility": (
            "in part",
            "parameters, versions and the digest of the source are stated; "
            + (
                "with the seeds, the same call gives the same bytes on a CPU."
                if is_repeatable
                else "there is no integer seed, so the same rows cannot be made again."
            ),
        ),
        "usefulness": (
            "no" if sheet.intended_use == NOT_STATED else "in part",
            f"intended use: {sheet.intended_use}. Whether models get better by this data "
            "set was not measured: compare on real rows held out, with and without it.",
        ),
        "scalability": (
            "no",
            f"one source of {source['n_rows']} rows of {columns or 'one'} values; nothing "
            "is known of others.",
        ),
        "tenability": (
            "in part",
            f"{len(sheet.limits)} known limits are stated; whether they can be accepted, "
            "and what experts say of the data, is not.",
        ),
    }
    return [
        {"group": name, "answered": answered, "how": how[:1].upper() + how[1:]}
        for name, (answered, how) in answers.items()
    ]
