"""The documentation: its code runs, its links lead somewhere, its site builds."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gansampler

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("guide/*.md")])
TEXTS = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("**/*.md")]
MODULES = ["gansampler"] + [
    f"gansampler.{name}"
    for name in ("adversarial", "audit", "augment", "checks", "datasets", "harmonize", "io")
] + ["gansampler.metrics", "gansampler.radiomics", "gansampler.volumes"]  # fmt: skip


def public():
    """Every public function and class, once."""
    found = {}
    for name in MODULES:
        if name.endswith(("io", "radiomics")):
            pytest.importorskip("SimpleITK", reason="needs the extra imaging")
        module = importlib.import_module(name)
        for key in getattr(module, "__all__", ["RadiomicsExtractor"]):
            thing = getattr(module, key)
            if callable(thing) and getattr(thing, "__module__", "").startswith(
                "gansampler"
            ):
                found.setdefault(thing, f"{name}.{key}")
    return found


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if ">>>" in page.read_text()],
    ids=lambda page: page.stem,
)
def test_examples_of_a_page_run(page):
    result = doctest.testfile(
        str(page),
        module_relative=False,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert result.attempted > 2 and result.failed == 0


def anchors(path):
    """What headings can be linked by."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        # What the site includes stands under another name.
        included = DOCS / "benchmarks.md"
        if there == included:
            there = ROOT / "benchmarks" / "README.md"
        assert there.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{target} has no such heading"


def test_every_public_name_is_in_the_reference():
    reference = (DOCS / "api.rst").read_text()
    names = set(re.findall(r"^   (?:\w+\.)?(\w+)$", reference, re.MULTILINE))
    # Of gansampler.checks, these serve the samplers.
    inner = {"choose", "diagnose_classes", "is_faithful"}
    missing = {thing.__name__ for thing in public()} - names - inner
    assert not missing


def test_every_public_name_is_documented():
    for thing, name in public().items():
        text = thing.__doc__
        assert text and not text.startswith(f"{thing.__name__}("), (
            f"{name} has no docstring"
        )
        for key, method in inspect.getmembers(thing, callable):
            ours = getattr(method, "__module__", None) or ""
            if not key.startswith("_") and ours.startswith("gansampler"):
                assert inspect.getdoc(method), f"{name}.{key} has no docstring"


def test_site_builds_without_a_warning(tmp_path):
    for package in ("sphinx", "pydata_sphinx_theme", "numpydoc", "sphinx_gallery"):
        pytest.importorskip(package, reason="needs the extra docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-D", "plot_gallery=0", DOCS, tmp_path / "html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {path.name: path.read_text() for path in (tmp_path / "html").glob("*.html")}
    assert "Ten minutes" in pages["tutorial.html"]
    assert gansampler.__version__ in pages["index.html"] + pages["api.html"]
