"""How transformers' models compute the steps of a batch: decoders alone, and decoders behind an encoder.

A decoder's texts share one `RowCache`; they join and leave between any two steps. Behind an encoder, texts that began
together stay together: a step is one call of the model for each such group.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Run
from inferplane.dataplane.runtimes.huggingface.cache import RowCache
from inferplane.dataplane.runtimes.huggingface.sampling import choose


@dataclass(slots=True)
class _Prompts:
    """Being read: `ids` and `mask` are padded on the left, `read` columns are done."""

    runs: list[Run]
    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    cache: DynamicCache
    read: int = 0


class DecoderRows:
    """A `Generator` over a causal language model."""

    def __init__(self, model: PreTrainedModel, pad: int, most_rows: int) -> None:
        self._model = model
        self._pad = pad
        self._device = model.device
        self._cache = RowCache(most_rows, model.device)
        self._runs: list[Run] = []
        """By row of the cache."""
        self._order: list[Run] = []
        """As they joined."""
        self._prompts: _Prompts | None = None
        taken = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in taken
        self._keeps_last = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    def begin(self, runs: Sequence[Run]) -> None:
        ids, mask = padded([run.prompt for run in runs], self._pad, self._device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        self._prompts = _Prompts([*runs], ids, mask, positions, DynamicCache())

    def advance(self, most: int) -> list[Chosen] | None:
        prompts = self._prompts
        assert prompts is not None
        with torch.inference_mode():
            scores = self._read(prompts, most)
            if prompts.read < prompts.ids.shape[1]:
                return None
            self._prompts = None
            self._cache.join(prompts.cache, [len(run.prompt) for run in prompts.runs])
            self._runs += prompts.runs
            self._order += prompts.runs
            return choose(scores, prompts.runs)

    def _read(self, prompts: _Prompts, most: int) -> torch.Tensor:
        until = min(prompts.ids.shape[1], prompts.read + max(1, most // len(prompts.runs)))
        part = slice(prompts.read, until)
        scores = self._called(prompts.ids[:, part], prompts.mask[:, :until], prompts.positions[:, part], prompts.cache)
        prompts.read = until
        return scores

    def abandon(self) -> None:
        self._prompts = None

    def step(self) -> list[Chosen]:
        columns = self._cache.columns
        with torch.inference_mode():
            self._cache.reserve()
            ids = torch.tensor([run.tokens[-1] for run in self._runs], device=self._device)[:, None]
            scores = self._called(ids, columns.step_mask(), columns.step_positions(), self._cache)
            columns.stepped()
            chosen = choose(scores, self._runs)
        if self._runs == self._order:
            return chosen
        of_run = dict(zip(map(id, self._runs), chosen, strict=True))
        return [of_run[id(run)] for run in self._order]

    def leave(self, rows: Sequence[int]) -> None:
        for run in [self._order[row] for row in rows]:
            row = self._runs.index(run)
            with torch.inference_mode():
                self._cache.leave(row)
            last = self._runs.pop()
            if last is not run:
                self._runs[row] = last
        gone = set(rows)
        self._order = [run for row, run in enumerate(self._order) if row not in gone]

    def clear(self) -> None:
        self._cache.clear()
        self._runs, self._order = [], []

    def _called(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: "RowCache | DynamicCache"
    ) -> torch.Tensor:
        """The scores of the last column, [row, vocabulary]."""
        further = {"position_ids": positions} if self._takes_positions else {}
        found = self._model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **further, **self._keeps_last
        )
        return found.logits[:, -1]


class EncodedGroups:
    """A `Generator` over an encoder-decoder. The decoder of all rows of a group has the same length."""

    def __init__(self, model: PreTrainedModel, pad: int, start: int) -> None:
        """`start` is the token that the decoder begins with."""
        self._model = model
        self._pad = pad
        self._start = start
        self._begun: list[Run] = []
        self._groups: list[_Group] = []

    def begin(self, runs: Sequence[Run]) -> None:
        self._begun = [*runs]

    def advance(self, most: int) -> list[Chosen] | None:
        """All at once: an encoder reads a prompt whole."""
        runs, self._begun = self._begun, []
        ids, mask = padded([run.prompt for run in runs], self._pad, self._model.device, left=False)
        with torch.inference_mode():
            encoded = self._model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)
            group = _Group(self._model, runs, encoded, mask)
            self._groups.append(group)
            return group.step([self._start] * len(runs))

    def abandon(self) -> None:
        self._begun = []

    def step(self) -> list[Chosen]:
        with torch.inference_mode():
            return [one for group in self._groups for one in group.step([run.tokens[-1] for run in group.runs])]

    def leave(self, rows: Sequence[int]) -> None:
        gone, first = set(rows), 0
        for group in self._groups:
            size = len(group.runs)
            group.keep([row - first for row in range(first, first + size) if row not in gone])
            first += size
        self._groups = [group for group in self._groups if group.runs]

    def clear(self) -> None:
        self._groups = []


class _Group:
    def __init__(self, model: PreTrainedModel, runs: list[Run], encoded: BaseModelOutput, mask: torch.Tensor) -> None:
        self.runs = runs
        self._model = model
        self._encoded = encoded
        self._mask = mask
        self._cache: EncoderDecoderCache | None = None

    def step(self, latest: Sequence[int]) -> list[Chosen]:
        found = self._model(
            encoder_outputs=self._encoded,
            attention_mask=self._mask,
            decoder_input_ids=torch.tensor(latest, device=self._mask.device)[:, None],
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = found.past_key_values
        return choose(found.logits[:, -1], self.runs)

    def keep(self, rows: Sequence[int]) -> None:
        if len(rows) == len(self.runs):
            return
        self.runs = [self.runs[row] for row in rows]
        if rows and self._cache is not None:
            at = torch.tensor(rows, device=self._mask.device)
            self._cache.batch_select_indices(at)
            self._mask = self._mask[at]
            self._encoded = BaseModelOutput(last_hidden_state=self._encoded.last_hidden_state[at])


def padded(
    prompts: Sequence[Sequence[int]], pad: int, device: torch.device, *, left: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """(tokens, mask) of one row a prompt."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad, device=device)
    mask = torch.zeros((len(prompts), longest), dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        part = slice(longest - len(prompt), longest) if left else slice(0, len(prompt))
        ids[row, part] = torch.tensor(prompt, device=device)
        mask[row, part] = 1
    return ids, mask
