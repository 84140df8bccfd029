"""Code and commands in the documentation that show no output: they run as they stand.

(Examples with `>>>` are doctests, in test_docs.py.) A page takes for granted what a reader
has at hand: a table, sites, folders of volumes. Here these are small, and games short.
"""

import re
import shlex
import sys
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import make_table, needs_routed_scoring
from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler

import gansampler
from gansampler import cli, datasets
from gansampler.datasets import make_ct_phantoms, make_liver_phantoms, phantom_spacing
from gansampler.harmonize import harmonization_report

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NEEDS = {"radiomics": ["radiomics"], "volumes": ["radiomics"], "harmonize": ["radiomics"]}
NEEDS |= {"io": ["SimpleITK", "pydicom"], "scale": ["distributed"]}
BRIEFLY = {"translate": ["--steps", "2"]}


def blocks(page, language):
    found = re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [block for block in found if ">>>" not in block]


def commands(page):
    text = "".join(blocks(page, "console")).replace("\\\n", " ")
    # What stands behind || is for the shell; demo has a test of its own, in test_cli.py.
    return re.findall(r"^(gansampler (?!demo).*?)(?: \|\| .*)?$", text, re.MULTILINE)


def table():
    """Features, labels, and what else is known of twenty patients at two sites."""
    X, y = make_table(counts=(30, 10), n_features=6, seed=0)
    i = np.arange(len(X))
    rows = {"id": i // 3, "hospital": np.where(i // 3 % 2, "A", "B"), "age": 40 + i % 37}
    return X, y, pd.DataFrame({**rows, "sex": i % 5 % 2})


@pytest.fixture
def brief(monkeypatch):
    """Two steps a game, few phantoms, and features that take no time."""
    brief = {
        "GANOverSampler": {"max_iter": 2},
        "TabularGAN": {"max_iter": 2},
        "VolumeGANOverSampler": {"max_iter": 2},
        "CycleGAN": {"max_iter": 0},
        "RadiomicsExtractor": {"feature_classes": ("firstorder",)},
    }
    for name, params in brief.items():
        for param, value in params.items():
            defaults = getattr(gansampler, name).__init__.__kwdefaults__
            monkeypatch.setitem(defaults, param, value)
    few = {"rim": 9, "homogeneous": 11}
    monkeypatch.setattr(
        datasets,
        "make_liver_phantoms",
        lambda n, **how: make_liver_phantoms(few, size=16, **how),
    )
    monkeypatch.setattr(
        datasets, "make_ct_phantoms", lambda n, **how: make_ct_phantoms(6, size=16, **how)
    )


def given(page):
    """Names that the code of a page takes for granted."""
    X, y, patients = table()
    sites = patients.hospital.to_numpy()
    classifier = LogisticRegression()
    steps = [("gan", gansampler.GANOverSampler(random_state=0)), ("clf", classifier)]
    names = {name: getattr(gansampler, name) for name in gansampler.__all__}
    names |= {"StandardScaler": StandardScaler, "LogisticRegression": LogisticRegression}
    names |= {"Pipeline": Pipeline, "cross_validate": cross_validate}
    names |= {"X": X, "y": y, "classifier": classifier, "pipeline": Pipeline(steps)}
    if page == "audit":
        names["pipeline"].fit(X, y)
        names |= {"X_counterfactual": 1.1 * X, "kernel": sites, "patient": patients.id}
        names |= {"sites": sites}
    if page == "choosing":
        names |= {"folds": StratifiedKFold(3)}
    if page == "datasheet":
        sampler = gansampler.GANOverSampler(random_state=0)
        sampler.fit_resample(X, y)
        names |= {"sampler": sampler, "X": X.to_numpy()}
    if page == "harmonize":
        volumes, _ = make_ct_phantoms(40, kernel="soft", size=16, random_state=0)
        names |= {"patients": patients, "patients_test": patients[:20]}
        names |= {"sites": sites, "sites_test": sites[:20], "X_test": X[:20]}
        names |= {"harmonization_report": harmonization_report, "volumes": volumes}
    if page == "scale":
        search = GridSearchCV(Pipeline(steps), {"clf__C": [0.1, 1.0]}, cv=3)
        client = sys.modules["distributed"].Client
        local = partial(client, n_workers=1, threads_per_worker=1, dashboard_address=None)
        names |= {"Client": lambda address: local(), "joblib": joblib, "search": search}
    if page == "radiomics":
        names["X"], names["y"] = make_liver_phantoms(
            {"rim": 8, "homogeneous": 8}, size=16, random_state=0
        )
    if page == "io":
        write_patients()
        names |= {"X_new": np.zeros((2, 2, 48, 48, 48), dtype="float32")}
    return names


def write_patients():
    """Two CT series with contours, as the page on files has them."""
    from volume_files import make_volume, rectangle, write_rtstruct

    from gansampler.io import write_volume

    Path("rs").mkdir()
    Path("ct").mkdir()
    for name in ("patient_1", "patient_2"):
        volume = make_volume()
        write_volume(Path("ct", name), volume)
        contours = [rectangle(volume, k, (1, 1), (8, 10)) for k in (1, 2, 3, 4)]
        write_rtstruct(Path("rs", f"{name}.dcm"), [(1, "GTV", contours)])


def write_kernels(*folders):
    """Phantoms of two kernels, each in a folder."""
    pytest.importorskip("SimpleITK", reason="translate needs SimpleITK")
    from gansampler.io import Geometry, write_stack

    geometry = Geometry(spacing=phantom_spacing(16), modality="CT")
    for folder, kernel in zip(folders, ("soft", "sharp"), strict=True):
        X, _ = make_ct_phantoms(4, kernel=kernel, size=16, random_state=0)
        write_stack(folder, X, geometry)


def pages(has):
    return [pytest.param(page, id=page.stem) for page in PAGES if has(page)]


@needs_routed_scoring
@pytest.mark.parametrize("page", pages(partial(blocks, language="python")))
def test_code_of_a_page_runs(page, brief, tmp_path, monkeypatch):
    for package in NEEDS.get(page.stem, []):
        pytest.importorskip(package, reason=f"{page.name} needs {package}")
    monkeypatch.chdir(tmp_path)
    names = given(page.stem)
    with sklearn.config_context():
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", pages(commands))
def test_commands_of_a_page_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X, y, patients = table()
    outcome = y.map({0: "no", 1: "yes"}).rename("outcome")
    real = pd.concat([patients.rename(columns={"id": "patient"}), X, outcome], axis=1)
    for name in ("IN", "REAL", "SYNTHETIC", "real", "synthetic", "patients", "train"):
        real.to_csv(f"{name}.csv", index=False)
    for line in commands(page):
        _, command, *arguments = shlex.split(line)
        if command == "translate":
            write_kernels(*arguments[:2])
        run = [command, *arguments, *BRIEFLY.get(command, [])]
        assert cli.main(run) in (0, 1), capsys.readouterr().err
