"""How vectors of tokens become one of the text. The mean, as KServe has it, unless the directory is one of
sentence-transformers that says otherwise (`modules.json` and its Pooling's `config.json`)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import torch

from inferplane.dataplane.runtimes.huggingface.loading import read_any, read_json
from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import JsonObject, number_at, text_at

Pooling: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
"""[n, tokens, size] and the mask [n, tokens] → [n, size]."""


def mean(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def first(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Of the first token that is no padding: BERT's [CLS]."""
    return states[torch.arange(len(states), device=states.device), mask.long().argmax(1)]


def last(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    places = torch.arange(mask.shape[1], device=states.device) * mask
    return states[torch.arange(len(states), device=states.device), places.argmax(1)]


def largest(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    return states.masked_fill(mask.unsqueeze(-1) == 0, torch.finfo(states.dtype).min).amax(1)


_MODES: Mapping[str, Pooling] = {"mean": mean, "cls": first, "lasttoken": last, "max": largest}
_APPLIED = ("Transformer", "Pooling", "Normalize")
_MODULES = "modules.json"


def pooling_of(directory: Path) -> Pooling:
    """ModelLoadError for layers and modes that would change the vectors and are not done here."""
    file = directory / _MODULES
    if not file.is_file():
        return mean
    modules = _modules(file)
    kinds = [text_at(one, "type").rpartition(".")[2] for one in modules]
    others = [kind for kind in kinds if kind not in _APPLIED]
    if others:
        raise ModelLoadError(
            f"{file}: {', '.join(others)} is not applied here; of sentence-transformers' layers "
            f"{', '.join(_APPLIED)} are",
            fix="serve it with a custom model that calls sentence-transformers",
        )
    places = [text_at(one, "path") for one, kind in zip(modules, kinds, strict=True) if kind == "Pooling"]
    return _mode(directory / places[0] / "config.json") if places else mean


def _modules(file: Path) -> list[JsonObject]:
    found = read_any(file)
    if not isinstance(found, list):
        raise ModelLoadError(f"{file}: expected a JSON list, got {type(found).__name__}")
    return [one for one in found if isinstance(one, dict)]


def _mode(file: Path) -> Pooling:
    settings = read_json(file)
    named = text_at(settings, "pooling_mode")
    modes = [named] if named else [_SHORT.get(key, key) for key, value in settings.items() if _is_on(key, value)]
    if len(modes) == 1 and modes[0] in _MODES:
        return _MODES[modes[0]]
    raise ModelLoadError(f"{file}: expected one pooling mode of {', '.join(_MODES)}, got {', '.join(modes) or 'none'}")


def _is_on(key: str, value: object) -> bool:
    return key.startswith("pooling_mode_") and value is True


_SHORT = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
}


def longest_of(directory: Path) -> int | None:
    """How many tokens sentence-transformers would give to the model; None where it says nothing."""
    file = directory / "sentence_bert_config.json"
    found = number_at(read_json(file), "max_seq_length") if file.is_file() else 0
    return found or None
