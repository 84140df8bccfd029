"""What was measured, one line of JSON for each (table, variant, repeat, fold, arm).

The lines of a table, variant and arm share a file. Only one process writes; a line that a
killed run left unfinished is passed over, and measured again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
FOLDER = Path(__file__).parent / "cache"


def path_of(folder: Path, collection: str, variant: str, table: str, arm: str) -> Path:
    return folder / collection / variant / table / f"{arm}.jsonl"


def read(path: Path) -> dict[tuple[int, int], Entry]:
    """(repeat, fold) -> the last entry written."""
    entries = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        entries[entry["repeat"], entry["fold"]] = entry
    return entries


def append(path: Path, entry: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * unfinished + json.dumps(entry, separators=(",", ":")) + "\n")


def files(folder: Path) -> Iterator[tuple[str, str, str, str, Path]]:
    """(collection, variant, table, arm, path) of everything measured."""
    for path in sorted(folder.glob("*/*/*/*.jsonl")):
        collection, variant, table, _ = path.relative_to(folder).parts
        yield collection, variant, table, path.name.removesuffix(".jsonl"), path
