"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; what is there takes the name `path` if the block ends well.

    The file written has the mode of the one it replaces, or that of any new file. A folder
    takes the place of a folder and of all that is in it.

    Raises
    ------
    FileNotFoundError
        If the folder to write in does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name} in; create it first."
        )
    # A folder: nobody else can look in, and the file keeps its name, endings and all.
    with TemporaryDirectory(prefix=".gansampler-", dir=path.parent) as folder:
        temporary = Path(folder, path.name)
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        # A folder takes the place of an empty one only.
        is_folder = temporary.is_dir() and path.is_dir()
        with _moved_aside(path) if is_folder else nullcontext():
            temporary.replace(path)


@contextmanager
def _moved_aside(path: Path) -> Iterator[None]:
    """A folder is out of the way; it is back if the block fails, gone if it ends well."""
    # No temporary folder that removes itself: it holds what may have to come back.
    aside = Path(mkdtemp(prefix=".gansampler-", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        yield
    except BaseException:
        if old.exists():
            old.rename(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside)
