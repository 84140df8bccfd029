"""What the files beside the package say of it agrees with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import gansampler

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [Requirement(line) for line in PROJECT["dependencies"]]
IN_CONDA = {"torch": "pytorch"}


def read(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not part of a source release")
    return path.read_text()


def test_conda_recipe():
    recipe = read("conda/meta.yaml")
    for requirement in REQUIREMENTS:
        name = IN_CONDA.get(requirement.name, requirement.name)
        (bounds,) = re.findall(rf"^    - {name} (\S+)$", recipe, re.MULTILINE)
        assert Requirement(f"x{bounds}").specifier == requirement.specifier
    assert recipe.count(f"- python {PROJECT['requires-python']}\n") == 2
    assert f'version = "{gansampler.__version__}"' in recipe
    (entry,) = PROJECT["scripts"].items()
    assert f"- {entry[0]} = {entry[1]}" in recipe


def test_citation_names_this_version():
    assert f"version: {gansampler.__version__}\n" in read("CITATION.cff")


def test_pins_are_within_the_range():
    pins = dict(
        line.split("==") for line in read("constraints.txt").splitlines() if "==" in line
    )
    pins = {name.lower(): version.split()[0] for name, version in pins.items()}
    for requirement in REQUIREMENTS:
        assert requirement.specifier.contains(pins[requirement.name])


def test_every_requirement_has_a_least_version():
    """`.ci/minimum` tries them."""
    for requirement in REQUIREMENTS:
        assert [bound.operator for bound in requirement.specifier].count(">=") == 1
