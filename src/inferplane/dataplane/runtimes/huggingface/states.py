"""Steps of models that keep another state than keys and values (Mamba, Qwen3-Next, LFM2, …): a call for each text.

Their states are those of a text from its first token on and cannot be padded, so texts take turns in place of sharing
a step.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Run
from inferplane.dataplane.runtimes.huggingface.sampling import choose


def keeps_keys_and_values(model: PreTrainedModel) -> bool:
    """Whether that is all that its layers keep, so that its texts can share steps."""
    if getattr(model, "_is_stateful", False):
        return False
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


@dataclass(slots=True)
class _Row:
    run: Run
    cache: DynamicCache
    length: int = 0


class StateRows:
    """A `Generator`."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._rows: list[_Row] = []
        self._begun: list[Run] = []
        self._read: list[tuple[_Row, Chosen]] = []
        taken = inspect.signature(model.forward).parameters
        self._cache_name = "cache_params" if "cache_params" in taken else "past_key_values"
        self._takes_positions = "position_ids" in taken

    def begin(self, runs: Sequence[Run]) -> None:
        self._begun, self._read = [*runs], []

    def advance(self, most: int) -> list[Chosen] | None:
        """One prompt, whole."""
        run = self._begun[len(self._read)]
        row = _Row(run, DynamicCache(config=self._model.config))
        self._read.append((row, self._next(row, run.prompt)))
        if len(self._read) < len(self._begun):
            return None
        read, self._begun, self._read = self._read, [], []
        self._rows += [row for row, _ in read]
        return [chosen for _, chosen in read]

    def abandon(self) -> None:
        self._begun, self._read = [], []

    def step(self) -> list[Chosen]:
        return [self._next(row, row.run.tokens[-1:]) for row in self._rows]

    def leave(self, rows: Sequence[int]) -> None:
        gone = set(rows)
        self._rows = [row for number, row in enumerate(self._rows) if number not in gone]

    def clear(self) -> None:
        self._rows = []

    def _next(self, row: _Row, tokens: Sequence[int]) -> Chosen:
        with torch.inference_mode():
            ids = torch.tensor([[*tokens]], device=self._model.device)
            places = torch.arange(row.length, row.length + len(tokens), device=ids.device)[None]
            further = {"position_ids": places} if self._takes_positions else {}
            found = self._model(input_ids=ids, use_cache=True, **{self._cache_name: row.cache}, **further)
            row.length += len(tokens)
            return choose(found.logits[:, -1], [row.run])[0]
