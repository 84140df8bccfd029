"""The report: whole, readable without a network, and safe with any name."""

import json
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from gansampler import GANOverSampler, diagnose
from gansampler.datasets import load_hcc_tace
from gansampler.report import facts
from gansampler.report._facts import STATISTICS, shorten

matplotlib = pytest.importorskip("matplotlib")


def diagnosis_of(d, labels=("no", "yes"), names=None, n=30, missing=None):
    """A diagnosis of d heavy-tailed features, one constant; a class may be left out."""
    rng = np.random.default_rng(d)
    y = np.repeat(np.array(labels), n)
    X, X_new = np.exp(2 * rng.normal(size=(2, len(y), d)))
    X[:, 0] = X_new[:, 0] = 1.0
    if d > 1:
        X[0, 1] = 1e12
    names = [f"f{j}" for j in range(d)] if names is None else names
    kept = np.ones(len(y), dtype=bool) if missing is None else y != missing
    return diagnose(
        pd.DataFrame(X, columns=names),
        y,
        pd.DataFrame(X_new[kept], columns=names),
        y[kept],
        n_permutations=19,
        random_state=0,
    )


class Page(HTMLParser):
    """Counts tags, checks that they nest, and gathers text and what is loaded."""

    VOID = ("meta", "br", "img", "link", "hr", "input", "col", "path", "use", "rect")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads, self.text = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [v for k, v in attributes if k in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("d", [1, 3, 1000])
def test_page_is_whole_and_loads_nothing(d):
    page = Page(diagnosis_of(d).to_html())
    assert page.open == []
    assert "script" not in page.tags
    assert all(load.startswith(("#", "data:")) for load in page.loads)
    assert "privacy" in page.text


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("rim", "speckled"), (1.0, 2.0)])
def test_page_names_every_class_and_verdict(labels):
    diagnosis = diagnosis_of(5, labels, missing=labels[1])
    assert diagnosis.verdicts_[labels[1]] == "collapsed"
    text = Page(diagnosis.to_html()).text
    for label, verdict in diagnosis.verdicts_.items():
        assert f"Class {label}" in text
        assert verdict in text
    assert "no synthetic row of this class" in text


def test_facts_are_plain_and_of_the_stated_shapes():
    diagnosis = diagnosis_of(60, missing="no")
    found = facts(diagnosis)
    assert list(found["classes"]) == ["no", "yes"]
    assert found["classes"]["no"]["statistics"] == {}
    c = found["classes"]["yes"]
    assert {s["statistic"] for group in c["statistics"].values() for s in group} == set(
        diagnosis.statistics_["statistic"]
    )
    assert [len(c["distances"][k]) for k in ("real_real", "synthetic_real")] == [30, 30]
    assert len(c["worst_features"]) == len(c["predictive_features"]) == 8
    shifts = [feature["w1_iqr"] for feature in c["worst_features"]]
    assert shifts == sorted(shifts, reverse=True)
    drawn = [panel["name"] for panels in c["marginals"].values() for panel in panels]
    assert len(drawn) == len(set(drawn)) == 8
    correlations = c["correlations"]
    assert correlations["is_subset"]
    assert correlations["real"].shape == correlations["synthetic"].shape == (40, 40)
    assert len(set(correlations["columns"])) == 40
    assert found["projection"]["real"]["yes"].shape == (30, 2)
    assert found["projection"]["synthetic"]["no"].shape == (0, 2)
    assert found["training"] is None


def test_every_statistic_has_its_words():
    X, y = np.random.default_rng(0).normal(size=(80, 4)), np.repeat(["a", "b"], 40)
    known = {"X_holdout": X + 0.1, "y_holdout": y, "n_permutations": 19, "random_state": 0}
    taken = diagnose(X, y, X[::-1], y[::-1], **known).statistics_["statistic"]
    assert set(taken) <= STATISTICS.keys()


def test_copies_are_at_distance_zero():
    X, y = np.random.default_rng(0).normal(size=(40, 30)), np.repeat([0, 1], 20)
    diagnosis = diagnose(X, y, X, y, n_permutations=19, random_state=0)
    assert (facts(diagnosis)["classes"][0]["distances"]["synthetic_real"] == 0).all()


def test_same_diagnosis_same_page():
    diagnosis = diagnosis_of(2)
    assert diagnosis.to_html() == diagnosis.to_html()


def test_any_name_can_be_drawn():
    names = ["$\\broken{", "a" * 300, "line\nbreak", "数", "$x$", ""]
    diagnosis = diagnosis_of(6, labels=("", "$y$"), names=names)
    assert Page(diagnosis.to_html()).open == []


def test_long_names_are_cut_in_the_middle():
    name = "original_glcm_MaximalCorrelationCoefficient_log-sigma-3-0-mm-3D"
    cut = shorten(name, 26)
    assert len(cut) == 26
    assert cut.startswith("original_glc")
    assert cut.endswith("3-0-mm-3D")


def test_names_are_escaped():
    nasty = '<b>&"x</b><script>alert(1)</script>'
    diagnosis = diagnosis_of(3, labels=(nasty, "no"), names=[nasty, "a", "b"])
    page = Page(diagnosis.to_html())
    assert "script" not in page.tags
    assert nasty in page.text


def test_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    text = diagnosis_of(3).to_html(path)
    assert path.read_text(encoding="utf-8") == text
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere .*; create it first"):
        diagnosis_of(3).to_html(tmp_path / "nowhere" / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"gansampler\[plot\]"):
        diagnosis_of(3).to_html()


def test_pictures():
    before = dict(matplotlib.rcParams)
    diagnosis = diagnosis_of(6)
    for figure in (
        diagnosis.plot_distances("yes"),
        diagnosis.plot_marginals("yes"),
        diagnosis.plot_marginals(),
        diagnosis.plot_correlations("no"),
        diagnosis.plot_projection(),
    ):
        assert any(ax.lines or ax.collections or ax.images for ax in figure.axes)
    with pytest.raises(ValueError, match="history_"):
        diagnosis.plot_training()
    with pytest.raises((KeyError, ValueError), match="maybe"):
        diagnosis.plot_distances("maybe")
    assert dict(matplotlib.rcParams) == before


def test_picture_goes_on_the_axes_given():
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.subplots()
    assert diagnosis_of(3).plot_distances("no", ax) is figure
    assert ax.lines


def test_training_curves_of_the_sampler():
    sampler = GANOverSampler(max_iter=60, random_state=0)
    sampler.fit_resample(*load_hcc_tace(return_X_y=True))
    figure = sampler.diagnosis_.plot_training()
    assert all(ax.lines for ax in figure.axes)
    page = Page(sampler.diagnosis_.to_html())
    assert "training" in page.text.lower()
    assert json.loads(sampler.diagnosis_.to_json())["verdicts"][0]["class"] == 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_classes(n):
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(20 + n, 4)), np.repeat(["many", "few"], [20, n])
    diagnosis = diagnose(
        X, y, rng.normal(size=(n, 4)), ["few"] * n, n_permutations=19, random_state=0
    )
    assert Page(diagnosis.to_html()).open == []
