"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; what is there takes the name `path` if the block ends well.

    The file written has the mode of the one it replaces, or that of any new file.
    """
    path = Path(path)
    # A folder: nobody else can look in, and the file keeps its name, endings and all.
    with TemporaryDirectory(prefix=".gansampler-", dir=path.parent) as folder:
        temporary = Path(folder, path.name)
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
