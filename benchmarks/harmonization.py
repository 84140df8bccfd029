"""None, ComBat, CycleGAN and both, side by side, on phantoms of two kernels.

    python benchmarks/harmonization.py

Soft and sharp phantoms of other anatomies; the label is the texture of the lesion. The
table is that of `harmonization_report`, everything fitted inside folds, as Mali et al.
(2025) set arms side by side on a CT phantom. Results: results/harmonization.json.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from gansampler import ComBat, CycleGAN, CycleGANHarmonizer, RadiomicsExtractor
from gansampler.datasets import make_ct_phantoms, phantom_spacing
from gansampler.harmonize import harmonization_report

RESULTS = Path(__file__).parent / "results" / "harmonization.json"
CASES = {"classes alike": (40, 40, 40, 40), "classes unlike": (64, 16, 16, 64)}
"""Smooth and coarse lesions of the soft site, then of the sharp one."""


def main() -> None:
    volumes = CycleGANHarmonizer(
        CycleGAN(max_iter=0, early_stopping=False), reference_site="soft", random_state=0
    )
    features = ComBat(reference_site="soft")
    arms = {
        "none": None,
        "ComBat": (None, features),
        "CycleGAN (its start)": (volumes, None),
        "both": (volumes, features),
    }
    found = {}
    for case, counts in CASES.items():
        parts = []
        for seed, kernel in enumerate(("soft", "sharp")):
            n = dict(
                zip(("smooth", "coarse"), counts[2 * seed : 2 * seed + 2], strict=True)
            )
            parts.append(make_ct_phantoms(n, kernel=kernel, random_state=seed))
        X, y = (np.concatenate(pair) for pair in zip(*parts, strict=True))
        sites = np.repeat(["soft", "sharp"], [len(part[0]) for part in parts])
        begin = time.perf_counter()
        report = harmonization_report(
            X,
            y,
            sites,
            harmonizers=arms,
            extractor=RadiomicsExtractor(spacing=phantom_spacing()),
            random_state=0,
        )
        print(
            f"{case}: {time.perf_counter() - begin:.0f} s\n{report.summary()}\n", flush=True
        )
        found[case] = report.table_.round(4).to_dict(orient="index")
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
