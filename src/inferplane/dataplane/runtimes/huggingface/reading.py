"""What stands around the model's own computation: texts → tensors of tokens, and its output → rows and answers."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import transformers

from inferplane.dataplane.runtimes.huggingface import heads, loading
from inferplane.dataplane.runtimes.huggingface.heads import LENGTH, Head, Known, Rows
from inferplane.dataplane.runtimes.huggingface.inputs import PAIR, TEXT, Texts, arrays
from inferplane.dataplane.runtimes.huggingface.pooling import longest_of, pooling_of
from inferplane.dataplane.runtimes.huggingface.tasks import Task
from inferplane.dataplane.runtimes.options import HuggingFaceOptions
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output

OFFSETS = "offset_mapping"
CUT = "truncated"
# Of what sums in another order can change, as a share of the largest value.
_TOLERANCE, _HALFS = 1e-3, 5e-2
INPUTS = [TensorMetadata("input-0", Datatype.BYTES, [-1])]


@dataclass(frozen=True, slots=True)
class Encoded:
    """`tensors` are what the model is given; the others have one entry a text. `cut`: it is not there as a whole."""

    tensors: "transformers.BatchEncoding"
    cut: Array
    offsets: Array | None


class Reader:
    """Of one model. `limit` is in tokens."""

    def __init__(
        self, directory: Path, task: Task, known: Known, options: HuggingFaceOptions, positions: int | None = None
    ) -> None:
        longest = longest_of(directory) if task is Task.TEXT_EMBEDDING else None
        asked = options.max_length or longest
        self.limit = loading.token_limit(directory, known.config, known.tokenizer, asked, positions)
        self.head = _head(directory, task, known, options)
        self._tokenizer = known.tokenizer
        # A call sets how the tokenizer cuts and pads, and calls come from several threads.
        self._turn = Lock()
        self._options = options
        self._has_offsets = task is Task.TOKEN_CLASSIFICATION and options.return_offsets_mapping

    @property
    def outputs(self) -> list[TensorMetadata]:
        offsets = [TensorMetadata(OFFSETS, Datatype.INT64, [-1, -1, 2])] if self._has_offsets else []
        return [self.head.metadata, *offsets]

    @property
    def example(self) -> Texts:
        """Two texts of different lengths, that any model of the task answers."""
        short = f"a {self._tokenizer.mask_token or ''}"
        return arrays([short, f"{short}, and a few words more"])

    def encoded(self, texts: Texts) -> Encoded:
        with self._turn:
            found = self._tokenizer(
                texts[TEXT].tolist(),
                texts[PAIR].tolist() if PAIR in texts else None,
                max_length=self.limit,
                truncation=True,
                padding=True,
                add_special_tokens=self._options.add_special_tokens,
                return_token_type_ids=self._options.return_token_type_ids or None,
                return_offsets_mapping=self._has_offsets,
                return_tensors="pt",
            )
        offsets = found.pop(OFFSETS, None)
        for row, length in enumerate(found["attention_mask"].sum(1).tolist()):
            if not length:
                raise InvalidInput(f"row {row}: a text of no tokens", fix="send one that is not empty")
        # A tokenizer that is written in Python does not tell what it has cut.
        told = found.encodings or [None] * len(texts[TEXT])
        cut = np.array([one is not None and bool(one.overflowing) for one in told])
        return Encoded(found, cut, None if offsets is None else offsets.numpy())

    def alike(self, alone: "torch.Tensor", padded: "torch.Tensor") -> bool:
        """Whether the model says the same of a text, [tokens, …] or […], with and without padding."""
        if alone.ndim > 1:
            size = len(alone)
            padded = padded[-size:] if self._tokenizer.padding_side == "left" else padded[:size]
        most = float(alone.abs().max()) or 1.0
        return bool((alone - padded).abs().max() <= most * (_TOLERANCE if alone.dtype == torch.float32 else _HALFS))

    def tokens(self, texts: Texts, row: int) -> int:
        """How many the row has as a whole."""
        with self._turn, loading.quiet():
            found = self._tokenizer(*[column[row] for column in texts.values()])
        return len(found["input_ids"])

    def rows(self, given: Any, encoded: Encoded) -> Rows:
        """The head's, with how many tokens each text has and whether it was cut. `given` is the model's output."""
        found = self.head.rows(given, encoded.tensors)
        found |= {LENGTH: encoded.tensors["attention_mask"].sum(1).cpu().numpy(), CUT: encoded.cut}
        return found if encoded.offsets is None else {**found, OFFSETS: encoded.offsets}

    def result(self, name: str, payload: object, computed: Rows) -> object:
        rows = self.head.cut(computed)
        answers = self.head.answers(rows)
        if isinstance(payload, InferRequest):
            outputs = [heads.as_tensor(answers)]
            outputs += [output(OFFSETS, rows[OFFSETS])] if OFFSETS in rows else []
            cut = ",".join(str(row) for row in np.flatnonzero(rows[CUT]))
            return InferResponse(None, name, outputs, parameters={CUT: cut} if cut else None)
        found: dict[str, Any] = {"predictions": answers}
        return {**found, "outputs": [_v1(OFFSETS, rows[OFFSETS])]} if OFFSETS in rows else found


_HEADS: dict[Task, type[Head]] = {
    Task.SEQUENCE_CLASSIFICATION: heads.SequenceHead,
    Task.TOKEN_CLASSIFICATION: heads.TokenHead,
    Task.FILL_MASK: heads.MaskHead,
}


def _head(directory: Path, task: Task, known: Known, options: HuggingFaceOptions) -> Head:
    if options.return_offsets_mapping and not known.tokenizer.is_fast:
        raise ModelLoadError(
            f"{directory}: --return_offsets_mapping: {type(known.tokenizer).__name__} does not know where its tokens "
            "were",
            fix="save the tokenizer as tokenizer.json",
        )
    if task is Task.TEXT_EMBEDDING:
        return heads.EmbeddingHead(known, options, pooling_of(directory))
    if task is Task.FILL_MASK and known.tokenizer.mask_token_id is None:
        raise ModelLoadError(f"{directory}: the tokenizer has no mask token, which fill_mask needs")
    return _HEADS[task](known, options)


def _v1(name: str, values: Array) -> dict[str, object]:
    """A tensor beside V1's predictions."""
    return {"name": name, "shape": list(values.shape), "datatype": Datatype.INT64, "data": values.ravel()}
