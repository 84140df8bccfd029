"""The gallery: every example runs, ends with a picture, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
GALLERY = sorted(EXAMPLES.glob("plot_*.py"))

# Without a screen, and with deprecations as errors, as in the tests.
RUN = """
import runpy, sys, warnings
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot as plt
shown = []
plt.show = lambda: shown.extend(plt.get_fignums())
warnings.simplefilter("error", DeprecationWarning)
warnings.simplefilter("error", FutureWarning)
runpy.run_path(sys.argv[1], run_name="__main__")
assert shown, "no picture"
assert set(shown) == set(plt.get_fignums()), "a picture is not shown"
"""


def needs(path):
    return ["matplotlib"] + ["radiomics"] * ("RadiomicsExtractor" in path.read_text())


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_runs_and_shows_a_picture(path, tmp_path):
    for package in needs(path):
        pytest.importorskip(package, reason=f"{path.name} needs {package}")
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Warning" not in run.stderr, "what readers would see on the page"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_is_written_for_a_gallery(path):
    docstring, *cells = path.read_text().split("\n# %%\n")
    _, title, underline, blank, *_ = docstring.splitlines()
    assert underline == "=" * len(title) and blank == ""
    assert len(cells) >= 3
    assert all(cell.startswith(("# ", "\n# ")) for cell in cells), "a cell without a word"


def test_there_are_ten():
    assert [path.stem[:7] for path in GALLERY] == [f"plot_{k:02}" for k in range(1, 11)]
    assert (EXAMPLES / "README.rst").is_file()
