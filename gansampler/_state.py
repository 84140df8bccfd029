"""The fitted state of a generator as JSON and arrays, and back; see `_saving`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch

from ._encoding import NormalScores, TableEncoder
from ._frames import TableFormat
from ._saving import Arrays, labels_from_json, labels_to_json
from ._start import Start
from .adversarial import ConditionalMLP, Critic, History

# Fitted arrays that a file holds, without their last underscore.
_OWN_ARRAYS = ("class_prior", "is_learned", "scale")
_START_ARRAYS = ("location", "scale_tril", "mode_class", "mode_weight")
_SCORES_ARRAYS = ("quantiles", "ranks", "decimals", "is_discrete")
_ENCODER_ARRAYS = ("mean", "components", "remainder")
_COLUMNS_ARRAYS = (
    "numeric",
    "pile",
    "fill",
    "column",
    "level",
    "base",
    "share",
    "threshold",
)


def params_to_json(estimator: Any) -> dict[str, Any]:
    """Parameters; a `random_state` that is no int becomes None, and so does a `Memory`.

    Raises
    ------
    TypeError
        If a parameter is neither a number, text, None, nor a collection of these.
    """
    params = estimator.get_params(deep=False)
    if not isinstance(params["random_state"], Integral):
        params["random_state"] = None
    if isinstance(params.get("memory"), joblib.Memory):
        params["memory"] = None
    saved = {}
    for name, value in params.items():
        try:
            saved[name] = _to_json(value)
        except TypeError as error:
            raise TypeError(f"{name}={value!r} cannot be saved: {error}") from None
    return saved


def params_from_json(saved: dict[str, Any]) -> dict[str, Any]:
    return {name: _from_json(value) for name, value in saved.items()}


def _to_json(value: Any) -> Any:
    """JSON has no tuples and no keys but text."""
    if isinstance(value, Mapping):
        return {"mapping": [[_to_json(k), _to_json(v)] for k, v in value.items()]}
    if isinstance(value, (tuple, list, set, frozenset, range, np.ndarray, pd.Index)):
        return {"tuple": [_to_json(item) for item in value]}
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a {type(value).__name__} has no form in JSON.")


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "mapping" in value:
        return {_from_json(k): _from_json(v) for k, v in value["mapping"]}
    return tuple(_from_json(item) for item in value["tuple"])


def state_of(gan: Any, store_quantiles: int | None) -> tuple[dict[str, Any], Arrays]:
    """The fitted state: what JSON knows, and arrays by name."""
    scores = gan.encoder_.scores_
    if store_quantiles is not None:
        if store_quantiles < 2:
            raise ValueError(
                f"store_quantiles must be at least 2; got {store_quantiles!r}."
            )
        scores = scores.coarsened(store_quantiles)
    state = {
        "params": params_to_json(gan),
        "classes": labels_to_json(gan.classes_),
        "format": gan.format_.to_json(),
        "dtype": gan._dtype.str,
        "n_rows": scores.n_rows_,
        "n_features_in": gan.n_features_in_,
        "feature_names_in": getattr(gan, "feature_names_in_", np.array([])).tolist(),
        "history": gan.history_,
    }
    arrays = {name: getattr(gan, f"{name}_") for name in _OWN_ARRAYS}
    arrays |= {f"start.{n}": getattr(gan.start_, n) for n in _START_ARRAYS}
    arrays |= {f"scores.{n}": getattr(scores, f"{n}_") for n in _SCORES_ARRAYS}
    arrays |= {f"encoder.{n}": getattr(gan.encoder_, f"{n}_") for n in _ENCODER_ARRAYS}
    columns = gan.encoder_.columns_
    arrays |= {f"columns.{n}": getattr(columns, f"{n}_") for n in _COLUMNS_ARRAYS}
    for name in ("residual", "critic"):
        module = getattr(gan, f"{name}_")
        arrays |= {f"{name}.{k}": v.numpy() for k, v in module.state_dict().items()}
    return state, arrays


def restore(gan: Any, state: dict[str, Any], arrays: Arrays) -> None:
    """Give an unfitted generator the state that `state_of` took.

    Raises
    ------
    ValueError
        If it is no such state.
    """
    try:
        _restore(gan, state, arrays)
    except (KeyError, TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise ValueError(f"The file holds no whole generator: {error!r}.") from error


def _restore(gan: Any, state: dict[str, Any], arrays: Arrays) -> None:
    gan.classes_ = labels_from_json(state["classes"])
    gan.format_ = TableFormat.from_json(state["format"])
    gan._dtype = np.dtype(state["dtype"])
    gan.n_features_in_ = state["n_features_in"]
    if state["feature_names_in"]:
        gan.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
    for name in _OWN_ARRAYS:
        setattr(gan, f"{name}_", arrays[name])
    gan.start_ = Start(**{name: arrays[f"start.{name}"] for name in _START_ARRAYS})
    gan.encoder_ = TableEncoder(list(gan.format_.categories))
    columns = gan.encoder_.columns_
    columns.n_columns_ = gan.n_features_in_
    for name in _COLUMNS_ARRAYS:
        setattr(columns, f"{name}_", arrays[f"columns.{name}"])
    gan.encoder_.scores_ = NormalScores()
    gan.encoder_.scores_.n_rows_ = state["n_rows"]
    for name in _SCORES_ARRAYS:
        setattr(gan.encoder_.scores_, f"{name}_", arrays[f"scores.{name}"])
    for name in _ENCODER_ARRAYS:
        setattr(gan.encoder_, f"{name}_", arrays[f"encoder.{name}"])
    gan.keep_history_(History(**state["history"]))
    sizes: dict[str, Any] = {
        "in_features": len(gan.scale_),
        "n_classes": len(gan.classes_),
        "hidden_layer_sizes": _widths(arrays),
    }
    gan.residual_ = ConditionalMLP(out_features=len(gan.scale_), **sizes).eval()
    gan.critic_ = Critic(**sizes).eval()
    for name in ("residual", "critic"):
        weights = {
            key.removeprefix(f"{name}."): torch.from_numpy(value)
            for key, value in arrays.items()
            if key.startswith(f"{name}.")
        }
        getattr(gan, f"{name}_").load_state_dict(weights)


def _widths(arrays: Arrays) -> list[int]:
    """Of the networks that were fitted: parameters may have been set since."""
    # Between activations.
    layers = ("first", *(f"hidden.{i}" for i in range(1, len(arrays), 2)))
    biases = (arrays.get(f"critic.{layer}.bias") for layer in layers)
    return [len(bias) for bias in biases if bias is not None]
