"""What must work where the package is installed alone, with no extra."""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import gansampler

assert "torch" not in sys.modules, "import gansampler must not import torch"
missing = ("matplotlib", "SimpleITK", "radiomics", "pytest", "polars")
present = [name for name in missing if find_spec(name)]
assert not present, f"this environment has more than the core: {present}"

from imblearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler, diagnose
from gansampler.datasets import load_hcc_tace

X, y = load_hcc_tace(return_X_y=True)
sampler = GANOverSampler(max_iter=20, random_state=0)
model = make_pipeline(StandardScaler(), sampler, LogisticRegression(max_iter=5000))
assert cross_val_score(model, X, y, cv=3, scoring="roc_auc", error_score="raise").min() > 0
X_all, y_all = sampler.fit_resample(X, y)
assert y_all.value_counts().to_dict() == {0: 72, 1: 72}
assert X_all[: len(X)].equals(X)
made = sampler.is_synthetic_
verdicts = diagnose(X, y, X_all[made], y_all[made], classes=[1]).verdicts_
assert verdicts[1] != "memorizing"

with tempfile.TemporaryDirectory() as folder:
    sampler.save(Path(folder, "sampler"))
    loaded = GANOverSampler.load(Path(folder, "sampler"))
    assert loaded.gan_.sample(5)[0].equals(sampler.gan_.sample(5)[0])
    table, out = Path(folder, "in.csv"), Path(folder, "out.csv")
    X.assign(outcome=y).to_csv(table, index=False)
    command = [Path(sys.executable).with_name("gansampler"), "oversample", table]
    command += ["--target", "outcome", "--out", out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert len(out.read_text().splitlines()) == 1 + 144

names = ("numpy", "pandas", "scikit-learn", "imbalanced-learn", "scipy", "torch")
print(
    f"gansampler {gansampler.__version__} works on Python {sys.version.split()[0]} with",
    ", ".join(f"{name} {version(name)}" for name in names),
)
