"""Where data and estimators come from, as plain data that are the same in every run."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np


def digest(*tables: Any) -> str:
    """SHA-256 of arrays or tables, these column by column; None is left out.

    Of each part go in its name (empty without columns), its dtype and shape as text, and
    its bytes in C order, little-endian; the values of what is not numeric go in as a JSON
    list.
    """
    sha = hashlib.sha256()
    for name, part in (pair for table in tables for pair in _columns(table)):
        is_numeric = part.dtype.kind in "biufc"
        dtype = part.dtype.newbyteorder("<").str if is_numeric else "object"
        sha.update(f"{name} {dtype} {part.shape}".encode())
        if is_numeric:
            part = np.ascontiguousarray(part, dtype=dtype)
            sha.update(part.reshape(-1).view(np.uint8).data)
        else:
            sha.update(json.dumps(part.tolist(), default=str).encode())
    return sha.hexdigest()


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _columns(values: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each column; an array is one nameless part."""
    if values is None:
        return
    if hasattr(values, "iloc") and hasattr(values, "columns"):
        for j, name in enumerate(values.columns):
            yield str(name), _as_array(values.iloc[:, j])
    elif hasattr(values, "columns"):
        for name in values.columns:
            yield str(name), _as_array(values[name])
    else:
        yield "", values.toarray() if hasattr(values, "toarray") else _as_array(values)


def _as_array(column: Any) -> np.ndarray:
    """An array, of numbers where pandas has numbers in types of its own."""
    dtype = getattr(getattr(column, "dtype", None), "numpy_dtype", None)
    kind = getattr(dtype, "kind", "O")
    if kind == "f":
        return column.to_numpy(dtype, na_value=np.nan)
    if kind in "biu" and not column.isna().any():
        return column.to_numpy(dtype)
    return np.asarray(column)


def described(estimator: Any) -> dict[str, Any]:
    """Name and parameters of an estimator, and of those that are parameters of it."""
    params = estimator.get_params(deep=False)
    return {
        "name": type(estimator).__name__,
        "params": {name: plain(params[name]) for name in sorted(params)},
    }


def plain(value: Any) -> Any:
    """A value that JSON knows and that is the same in every run.

    Numbers that are not finite become text, mappings whose keys are not text lists of
    pairs, estimators their parameters, and other objects the names of what they are.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {str(key): plain(item) for key, item in value.items()}
        return [[plain(key), plain(item)] for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=str)
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if hasattr(value, "get_params") and not isinstance(value, type):
        return described(value)
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return type(value).__name__


def utc(created: datetime | str | None) -> str:
    """A time, or now, in UTC and ISO 8601, to the second."""
    if isinstance(created, str):
        try:
            created = datetime.fromisoformat(created)
        except ValueError as error:
            raise ValueError(f"created={created!r} is no time of ISO 8601.") from error
    if created is None:
        created = datetime.now(UTC)
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return created.astimezone(UTC).isoformat(timespec="seconds")
