"""`gansampler translate`: volumes of one folder as they would look in another."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._files import replacing
from ._output import (
    add_statement_options,
    after,
    check_writable,
    shows_progress,
    statements,
)
from ._tables import some

if TYPE_CHECKING:
    from ..io import Volume

DATASHEET = "datasheet.json"
MASK = "_mask"
SAME_SPACING = 0.05
"""Share by which spacings may differ between volumes."""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "translate",
        help="show volumes of one scanner or modality as another would",
        description="Train a CycleGAN between two folders of volumes that need be no "
        "pairs, and write those of A as they would look among those of B. A volume is a "
        "NIfTI or NRRD file, or a folder with a DICOM series; NAME_mask.nii.gz is the mask "
        "of NAME.nii.gz, and stays as it is. Needs the extra `imaging`.",
        epilog="Example: gansampler translate soft_kernel/ sharp_kernel/ "
        "--window -1000 1000 --out like_sharp/",
    )
    parser.add_argument("table", metavar="A", type=Path, help="folder to translate")
    parser.add_argument("target", metavar="B", type=Path, help="folder to translate to")
    parser.add_argument(
        "--out",
        required=True,
        metavar="OUT",
        type=Path,
        help="folder to make: volumes under their names, and datasheet.json",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="intensities to learn, in the unit of the volumes; what lies outside is cut "
        "off (default: the range of both folders)",
    )
    parser.add_argument(
        "--other-units",
        action="store_true",
        help="an intensity means something else in B, as from MR to CT; each folder has "
        "the window of its own range",
    )
    parser.add_argument(
        "--steps", type=int, default=300, help="most training steps (default: 300)"
    )
    parser.add_argument("--save", metavar="FILE", type=Path, help="write the CycleGAN too")
    add_statement_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder of translated volumes and their datasheet."""
    _check_new(arguments.out)
    if arguments.save is not None:
        check_writable(arguments.save, "--save", force=False)
    from .._datasheet import Datasheet
    from ..io import write_volume
    from ..volumes import CycleGAN

    names, volumes = _read(arguments.table)
    _, targets = _read(arguments.target)
    _check_spacing([*volumes, *targets])
    window = None if arguments.window is None else tuple(arguments.window)
    gan = CycleGAN(
        mask_channel=None,
        window=window,
        same_units=not arguments.other_units,
        start="identity" if arguments.other_units else "spectrum",
        identity_weight=0.0 if arguments.other_units else 5.0,
        max_iter=arguments.steps,
        verbose=shows_progress(arguments),
        random_state=arguments.seed,
    )
    learned = _middles(volumes)
    gan.fit(learned, _middles(targets))
    kind = targets[0]
    sheet = Datasheet.of(
        gan,
        learned,
        given={"A": arguments.table.name, "B": arguments.target.name},
        limits=[
            f"Trained on the middle of each volume, {learned.shape[2:]} voxels of A.",
            "No pairs were seen: that each patient is shown as the other side would have "
            "shown them is not known.",
        ],
        **statements(arguments),
    )
    with replacing(arguments.out) as folder:
        folder.mkdir()
        written: list[Path] = []
        for name, volume in zip(names, volumes, strict=True):
            images = gan.translate(volume.images[None])[0]
            mask = volume.array[len(images) :]
            made = replace(
                volume,
                array=np.concatenate([images, mask]),
                dtype=kind.dtype,
                modality=kind.modality,
                unit=kind.unit,
            )
            files = [folder / name, *([folder / _mask_name(name)] if len(mask) else [])]
            write_volume(files[0], made, *files[1:])
            written.extend(file for file in files if file.is_file())
        sheet.with_files(*written).to_json(folder / DATASHEET)
    if arguments.save is not None:
        with after(arguments.out):
            gan.save(arguments.save)
    kept = "the start" if gan.start_used_ else f"step {gan.best_iter_}"
    print(f"{kept} of {gan.n_iter_} steps did best on held-out volumes and was kept")
    print(f"wrote {len(names)} volumes and their datasheet to {arguments.out}")
    return 0


def _check_new(out: Path) -> None:
    if out.exists():
        raise ValueError(f"{out} exists; choose another --out, nothing is overwritten.")
    if not out.parent.is_dir():
        raise ValueError(f"the folder of --out, {out.parent}, does not exist.")


def _read(folder: Path) -> tuple[list[str], list[Volume]]:
    """Names and volumes in a folder, with their masks."""
    from ..io import read_volume
    from ..io._images import is_image_name

    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder.")
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    found = {p.name: p for p in entries if p.is_dir() or is_image_name(p)}
    masks = {_mask_name(name) for name in found} & found.keys()
    names = [name for name in found if name not in masks]
    if len(names) < 2:
        raise ValueError(
            f"{folder} holds {len(names)} volume(s), too few to learn from; a volume is a "
            ".nii, .nii.gz or .nrrd file, or a folder with a DICOM series."
        )
    volumes = []
    for name in names:
        mask = found[_mask_name(name)] if _mask_name(name) in masks else None
        volumes.append(read_volume(found[name], mask))
    return names, volumes


def _mask_name(name: str) -> str:
    """NAME_mask.nii.gz of NAME.nii.gz; of a folder NAME, too."""
    from ..io._images import SUFFIXES

    for ending in SUFFIXES:
        if name.lower().endswith(ending):
            return f"{name[: -len(ending)]}{MASK}{name[-len(ending) :]}"
    return f"{name}{MASK}.nii.gz"


def _check_spacing(volumes: list[Volume]) -> None:
    """Refuse volumes of several grids: texture is learned in voxels, not in mm."""
    spacings = np.array([volume.spacing for volume in volumes])
    if (np.abs(spacings / spacings[0] - 1) > SAME_SPACING).any():
        several = sorted({tuple(np.round(s, 2).tolist()) for s in spacings})
        raise ValueError(
            f"the volumes have several spacings, in mm: {some(several)}; resample them to "
            "one, with gansampler.io.resample."
        )


def _middles(volumes: list[Volume]) -> np.ndarray:
    """The middle of each volume, as large as the smallest edges allow."""
    edges = np.min([volume.images.shape[1:] for volume in volumes], axis=0)
    cut = []
    for volume in volumes:
        first = (np.array(volume.images.shape[1:]) - edges) // 2
        box = tuple(slice(f, f + e) for f, e in zip(first, edges, strict=True))
        cut.append(volume.images[(slice(None), *box)])
    return np.stack(cut)
