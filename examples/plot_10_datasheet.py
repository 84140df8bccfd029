"""
Save a generator, share a table
===============================

A fitted generator goes into one file without pickle. What it made goes to others with a
datasheet: where the data came from, how they were made, what the checks said, and what
is known to be wrong. Here a made-up table takes the place of 84 patients, for teaching,
say.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from matplotlib import pyplot as plt
from safetensors.numpy import load_file

from gansampler import ConformalCopyCheck, Datasheet, TabularGAN, diagnose
from gansampler.datasets import load_hcc_tace

folder = TemporaryDirectory()
here = Path(folder.name)

# %%
# A whole synthetic table
# -----------------------
#
# ``TabularGAN`` is the generator alone. To stand for a table it keeps the classes as
# unequal as they are: ``prior="empirical"``. Unlike ``GANOverSampler`` it hands out what
# it draws, so the copy check is up to us.

X, y = load_hcc_tace(return_X_y=True)
gan = TabularGAN(max_iter=0, random_state=0).fit(X, y)
X_drawn, y_drawn = gan.sample(300, prior="empirical")

passed = ConformalCopyCheck().fit(X, y).accept(X_drawn, y_drawn)
X_new, y_new = X_drawn[passed], y_drawn[passed]
print(f"{passed.sum()} of {len(passed)} rows passed the copy check")
rates = pd.Series(passed).groupby(y_drawn).mean()
print("by class:", rates.round(2).to_dict())

diagnosis = diagnose(X, y, X_new, y_new, random_state=0)
print(diagnosis.verdicts_)

# %%
# With 12 patients, a class is tested at 2 / 13, the lowest level there is; so more of it
# is refused, and the rest of it is too little to judge.
#
# One file, without pickle
# ------------------------
#
# Loading it runs no code from the file, and the generator in it draws the same rows.

gan.save(here / "liver.gan")
loaded = TabularGAN.load(here / "liver.gan")
print("the same rows drawn:", loaded.sample(300)[0].equals(X_drawn))

# %%
# A damaged file, or one that was changed, is refused.

changed = bytearray((here / "liver.gan").read_bytes())
changed[-1] ^= 1
(here / "changed.gan").write_bytes(changed)
try:
    TabularGAN.load(here / "changed.gan")
except ValueError as error:
    print("refused:", str(error).replace(str(here), "FOLDER"))

# %%
# What the file tells
# -------------------
#
# No row is stored. But the sorted values of each column are: with 84 patients that is
# every value of every feature. Means and covariances of the classes are stored too. So
# the file tells much about the table; share it only where you would share those.
# ``store_quantiles`` keeps fewer values, the extremes among them.

gan.save(here / "few.gan", store_quantiles=20)
for name in ("liver.gan", "few.gan"):
    stored = load_file(here / name)["scores.quantiles"].shape
    print(f"{name}: {stored[0]} values of each of {stored[1]} columns")
rough, _ = TabularGAN.load(here / "few.gan").sample(300)

# %%
# The datasheet
# -------------
#
# Only you know source, licence and use; the rest is read off the generator and the data.
# The digests tell which source and which file are meant, without giving them away.

labels_new = pd.Series(y_new, index=X_new.index, name="outcome")
pd.concat([X_new, labels_new], axis=1).to_csv(here / "made.csv", index=False)
sheet = Datasheet.of(
    gan,
    X,
    y,
    y_new=y_new,
    title="Radiomics of liver tumours, made up",
    source="HCC-TACE-Seg",
    licence="CC BY 4.0",
    intended_use="teaching",
    checks={
        "diagnosis": diagnosis,
        "copy_check": {
            "alpha": 0.1,
            "acceptance_rate": [{"class": c, "rate": r} for c, r in rates.items()],
        },
    },
    limits=["Rows that the copy check refused were left out, and not drawn anew."],
).with_files(here / "made.csv")

print(sheet.title)
print("source:", sheet.source["name"], sheet.source["shape"], sheet.source["licence"])
print("content:", sheet.content)
print(pd.DataFrame(sheet.classes).round(3).to_string(index=False))
print("files:", [file["name"] for file in sheet.files])
print("known limits:")
for limit in sheet.limits:
    print("-", limit)

# %%
# For machines and for people: JSON that reads back as it was, and one page of HTML.

text = sheet.to_json(here / "made.datasheet.json")
page = sheet.to_html(here / "made.html")
print("reads back:", Datasheet.from_json(text) == sheet)
print("written:", sorted(path.name for path in here.glob("made*")))

# %%
# Three features: the patients, the rows made, and rows from the file with 20 values a
# column.

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained", sharey=True)
FEATURES = X.columns[[0, 120, 240]]
tables = {
    "84 patients": (X, "#444444", "-"),
    "made": (X_new, "#d95f02", "-"),
    "made, 20 quantiles": (rough, "#1f78b4", "--"),
}
for ax, feature in zip(axes, FEATURES, strict=True):
    for name, (table, colour, line) in tables.items():
        ax.ecdf(table[feature], color=colour, linestyle=line, label=name)
    ax.set_xlabel(feature.replace("_original_", "\n"), fontsize=9)
axes[0].set_ylabel("share of rows")
axes[0].legend(frameon=False, fontsize=9)
plt.show()

folder.cleanup()
