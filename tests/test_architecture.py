"""Imports run one way, and the light ones stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gansampler

PACKAGE = Path(gansampler.__file__).parent

# What each part may import of the package; `cli` and `__init__` may import everything.
ALLOWED = {
    "_warnings": set(),
    "_files": set(),
    "metrics": set(),
    "datasets": set(),
    "adversarial": set(),
    "_prior": set(),
    "_calibration": {"_prior"},
    "_frames": set(),
    "_groups": set(),
    "_saving": {"_files"},
    "_checkpoint": {"_saving", "_warnings"},
    "_state": {"_encoding", "_frames", "_saving", "_start", "adversarial"},
    "_start": set(),
    "_mixed": set(),
    "_ties": set(),
    "_encoding": {"_mixed", "_ties"},
    "report": set(),
    "checks": {"metrics", "_encoding", "_frames", "_mixed", "_files", "_groups", "report"},
    "_provenance": set(),
    "_datasheet": {"_files", "_provenance", "_start", "report"},
    "_held_out": {"_groups", "_start", "checks", "metrics"},
    "_adversarial": {"_checkpoint", "_warnings", "adversarial"},
    "_conditional": {
        "_adversarial",
        "_groups",
        "_held_out",
        "_prior",
        "_start",
        "_warnings",
    },
    "_tabular": {
        "_adversarial",
        "_checkpoint",
        "_conditional",
        "_encoding",
        "_frames",
        "_groups",
        "_held_out",
        "_prior",
        "_saving",
        "_start",
        "_state",
        "adversarial",
    },
    "_drawing": {"_groups", "_warnings", "adversarial", "checks"},
    "_base_sampler": {
        "_adversarial",
        "_conditional",
        "_drawing",
        "_groups",
        "_prior",
        "_warnings",
        "adversarial",
        "checks",
    },
    "_oversampler": {
        "_base_sampler",
        "_frames",
        "_prior",
        "_saving",
        "_state",
        "_tabular",
        "checks",
    },
    "io": {"_files", "_warnings"},
    "_pyradiomics": set(),
    "radiomics": {"_pyradiomics"},
    "harmonize": {"_frames", "_groups", "_warnings", "report", "volumes"},
    "augment": set(),
    "audit": {"_groups"},
    "volumes": {
        "_adversarial",
        "_base_sampler",
        "_frames",
        "_checkpoint",
        "_conditional",
        "_groups",
        "_held_out",
        "_prior",
        "_saving",
        "_start",
        "_state",
        "adversarial",
        "checks",
        "metrics",
    },
}


def imports_of(path):
    """Parts of the package that a file imports, from any depth."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [name.name for name in node.names]
            yield from (name.split(".")[0] for name in names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "gansampler"
        ):
            yield "absolute import"


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_run_one_way(part):
    home = PACKAGE / part
    files = sorted(home.rglob("*.py")) if home.is_dir() else [home.with_suffix(".py")]
    for path in files:
        assert set(imports_of(path)) <= ALLOWED[part] | {part}, path


def test_every_part_is_listed():
    parts = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()
    }
    assert parts - {"__pycache__"} == ALLOWED.keys() | {"__init__", "cli"}


def test_import_alone_does_not_load_torch():
    code = "import sys, gansampler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_public_names_exist():
    for name in gansampler.__all__:
        assert getattr(gansampler, name) is not None
    assert set(gansampler.__all__) == set(dir(gansampler))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gansampler.nothing
