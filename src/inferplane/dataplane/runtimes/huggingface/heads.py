"""What a task makes of a model's output: one answer a row, in the forms of KServe's server.

- sequence classification: the class's number; token classification: a list (in a list) of them, one a token;
- with `--return_probabilities` or `--return_raw_logits`: objects from class number to value;
- fill-mask: the text in place of the masks, or for each mask an object a token of the vocabulary;
- embedding: the vector.

V2 carries these as one tensor: numbers as such, texts as BYTES, and an object as BYTES in the form of Python's `repr`,
which is what KServe's clients read.

Where KServe's probabilities say nothing the pipelines of transformers are followed: a model with one class, or with
classes that do not exclude each other, has its values through the logistic function instead of softmax.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import torch
import transformers

from inferplane.dataplane.runtimes.huggingface.pooling import Pooling
from inferplane.dataplane.runtimes.options import HuggingFaceOptions
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferOutput, TensorMetadata, output

Rows: TypeAlias = dict[str, Array]
OUTPUT = "output-0"
LENGTH = "length"
"""Of each row in tokens, with those that the tokenizer adds."""

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Known:
    """What of a model is known without its weights."""

    tokenizer: "transformers.PreTrainedTokenizerBase"
    config: "transformers.PretrainedConfig"


class Head(ABC):
    """`rows` and `answers` are the two halves: between them rows of several requests may be taken apart."""

    def __init__(self, known: Known, options: HuggingFaceOptions) -> None:
        self.tokenizer, self.config, self.options = known.tokenizer, known.config, options

    @abstractmethod
    def rows(self, given: Any, encoded: "Mapping[str, torch.Tensor]") -> Rows:
        """One row for each text. `given` is what the model gave for `encoded`."""

    def cut(self, rows: Rows) -> Rows:
        """Without the padding that other requests' rows brought."""
        return rows

    @abstractmethod
    def answers(self, rows: Rows) -> list[Any]:
        """One a row, in V1's form."""

    @property
    @abstractmethod
    def metadata(self) -> TensorMetadata: ...

    @property
    def has_scores(self) -> bool:
        return self.options.return_probabilities or self.options.return_raw_logits

    def scores(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Logits, or probabilities, along the last dimension."""
        if self.options.return_raw_logits:
            return logits
        several = self.config.problem_type == "multi_label_classification"
        return torch.sigmoid(logits) if several or logits.shape[-1] == 1 else torch.softmax(logits, -1)

    def by_class(self, values: Array) -> dict[int, float]:
        return {number: self.rounded(value) for number, value in enumerate(values.tolist())}

    def rounded(self, value: float) -> float:
        return value if self.options.return_raw_logits else round(value, _DIGITS)


class SequenceHead(Head):
    """Its rows are logits."""

    def rows(self, given: Any, encoded: "Mapping[str, torch.Tensor]") -> Rows:
        return {OUTPUT: given.logits.float().cpu().numpy()}

    def answers(self, rows: Rows) -> list[Any]:
        logits = rows[OUTPUT]
        if not self.has_scores:
            return cast(list[Any], logits.argmax(-1).tolist())
        return [self.by_class(row) for row in self.scores(torch.from_numpy(logits)).numpy()]

    @property
    def metadata(self) -> TensorMetadata:
        return TensorMetadata(OUTPUT, Datatype.BYTES if self.has_scores else Datatype.INT64, [-1])


class TokenHead(Head):
    """Rows are as long as the longest of their request: what the model says of the padding is among the answers."""

    def rows(self, given: Any, encoded: "Mapping[str, torch.Tensor]") -> Rows:
        found = self.scores(given.logits.float()) if self.has_scores else given.logits.argmax(-1)
        return {OUTPUT: found.cpu().numpy()}

    def cut(self, rows: Rows) -> Rows:
        longest = int(rows[LENGTH].max())
        part = slice(-longest, None) if self.tokenizer.padding_side == "left" else slice(longest)
        return {name: values if values.ndim == 1 else values[:, part] for name, values in rows.items()}

    def answers(self, rows: Rows) -> list[Any]:
        values = rows[OUTPUT]
        if self.has_scores:
            return [[self.by_class(token) for token in row] for row in values]
        return [[row] for row in values.tolist()]

    @property
    def metadata(self) -> TensorMetadata:
        shape = [-1, -1] if self.has_scores else [-1, 1, -1]
        return TensorMetadata(OUTPUT, Datatype.BYTES if self.has_scores else Datatype.INT64, shape)


class MaskHead(Head):
    def rows(self, given: Any, encoded: "Mapping[str, torch.Tensor]") -> Rows:
        masks = encoded["input_ids"] == self.tokenizer.mask_token_id
        found: Array = np.empty(len(masks), dtype=object)
        for row, where in enumerate(masks):
            if not where.any():
                raise InvalidInput(
                    f"row {row}: no {self.tokenizer.mask_token} among the tokens that the model is given",
                    fix=f"put {self.tokenizer.mask_token} where a word is to be filled in",
                )
            found[row] = self._of_masks(given.logits[row, where])
        return {OUTPUT: found}

    def _of_masks(self, logits: "torch.Tensor") -> Any:
        """Of one row: the text, or [masks, vocabulary]."""
        if not self.has_scores:
            return self.tokenizer.decode(logits.argmax(-1))
        return self.scores(logits.float()).cpu().numpy()

    def answers(self, rows: Rows) -> list[Any]:
        if not self.has_scores:
            return cast(list[Any], rows[OUTPUT].tolist())
        return [[self._by_token(mask) for mask in row] for row in rows[OUTPUT]]

    def _by_token(self, values: Array) -> "list[dict[int, float | str]]":
        """An object a token; KServe writes probabilities, but not logits, as texts."""
        raw = self.options.return_raw_logits
        return [{number: value if raw else f"{value:.{_DIGITS}f}"} for number, value in enumerate(values.tolist())]

    @property
    def metadata(self) -> TensorMetadata:
        shape = [-1, -1, self.config.vocab_size] if self.has_scores else [-1]
        return TensorMetadata(OUTPUT, Datatype.BYTES, shape)


class EmbeddingHead(Head):
    """Vectors of length 1."""

    def __init__(self, known: Known, options: HuggingFaceOptions, pooling: Pooling) -> None:
        super().__init__(known, options)
        self.pooling = pooling

    def rows(self, given: Any, encoded: "Mapping[str, torch.Tensor]") -> Rows:
        pooled = self.pooling(given.last_hidden_state.float(), encoded["attention_mask"])
        return {OUTPUT: torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()}

    def answers(self, rows: Rows) -> list[Any]:
        return list(rows[OUTPUT])

    @property
    def metadata(self) -> TensorMetadata:
        return TensorMetadata(OUTPUT, Datatype.FP32, [-1, self.config.hidden_size])


def as_tensor(answers: Sequence[Any]) -> InferOutput:
    """V2's output for V1's answers."""
    if isinstance(answers[0], np.ndarray):
        return output(OUTPUT, np.stack(answers))
    shape: list[int] = []
    level: Any = answers
    while isinstance(level, list) and level and all(type(one) is type(level[0]) for one in level):
        shape.append(len(level))
        lengths = {len(one) for one in level} if isinstance(level[0], list) else set()
        if len(lengths) > 1:
            break
        level = level[0]
    flat = _flat(answers, len(shape))
    if flat and isinstance(flat[0], int):
        return output(OUTPUT, np.array(flat, dtype=np.int64).reshape(shape))
    texts: Array = np.empty(len(flat), dtype=object)
    texts[:] = [one if isinstance(one, str) else repr(one) for one in flat]
    return output(OUTPUT, texts.reshape(shape))


def _flat(nested: Sequence[Any], depth: int) -> list[Any]:
    return list(nested) if depth <= 1 else [leaf for one in nested for leaf in _flat(one, depth - 1)]
