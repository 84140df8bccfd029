"""The site: `make docs` builds it into docs/_build/html, with warnings as errors."""

import re
from pathlib import Path

import gansampler

ROOT = Path(__file__).parents[1]

project = "gansampler"
author = "gansampler developers"
version = release = gansampler.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
suppress_warnings = ["config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "gansampler"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_sidebars = {"install": [], "migration": []}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "reset_modules": ("matplotlib",),
    # Bytes of an example do not hang on those before it.
    "within_subsection_order": "FileNameSortKey",
}

PAGES = {"../benchmarks/README.md": "benchmarks.md", "../docs/": ""}


def point_into_the_site(app, page, source):
    """Links that are right in the repository, made right on the site."""
    for there, here in PAGES.items():
        source[0] = source[0].replace(f"]({there}", f"]({here}")
    # Other files of the repository are named, not linked.
    source[0] = re.sub(r"\[([^]]+)\]\(\.\./(?!\.)[^)]*\.(?:py|md)\)", r"`\1`", source[0])


def point_included(app, relative_path, parent, content):
    point_into_the_site(app, parent, content)
    content[0] = re.sub(r"\[([^]]+)\]\((?:utility/)?[\w/]+\.(?:py|md)\)", r"\1", content[0])


def without_references_elsewhere(app, what, name, thing, options, lines):
    """Docstrings inherited from scikit-learn refer to its user guide."""
    lines[:] = [re.sub(r":ref:`([^`<]*) <[^`]*>`", r"\1", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", without_references_elsewhere)
    app.connect("source-read", point_into_the_site)
    app.connect("include-read", point_included)
