"""Models that read texts: classes of texts and of their tokens, words in place of masks, vectors, ranks.

Texts beyond the model's tokens are cut, as KServe's server does; over V2 the answer's parameter `truncated` names the
rows. The OpenAI endpoints refuse such texts instead. Waiting requests are joined where `--max_batch_size` is set: rows
are padded to the longest of them, so that answers differ in the last bits.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.openai.answers import Embedding, Rerank
from inferplane.dataplane.openai.errors import InvalidField, unsupported
from inferplane.dataplane.openai.models import Headers
from inferplane.dataplane.openai.requests import EmbeddingRequest, RerankRequest
from inferplane.dataplane.runtimes.huggingface import loading, vectors
from inferplane.dataplane.runtimes.huggingface.heads import LENGTH, OUTPUT, Known, Rows
from inferplane.dataplane.runtimes.huggingface.inputs import Texts, texts_of
from inferplane.dataplane.runtimes.huggingface.reading import CUT, INPUTS, Encoded, Reader
from inferplane.dataplane.runtimes.huggingface.tasks import Task
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.torch_devices import device_of
from inferplane.inference.errors import InferenceError, ModelLoadError, ModelNotReady
from inferplane.inference.tensors import TensorMetadata

log = logging.getLogger("inferplane.runtimes")

_PAD = "[PAD]"
# sentence-transformers and the vectors of KServe need no more than the hidden states.
_UNUSED = {Task.TEXT_EMBEDDING: ("pooler.",)}


class EncoderModel(RowModel):
    def __init__(self, name: str, directory: Path, task: Task, options: RuntimeOptions) -> None:
        super().__init__(name)
        self.directory = directory
        self.task = task
        self.options = options
        self.notes: list[str] = []
        self._reader: Reader | None = None
        self._model: Any = None
        self._device = torch.device("cpu")
        self._joins = False

    # Life.

    def load(self) -> bool:
        torch.set_num_threads(self.options.nthread)
        asked = self.options.huggingface
        self._device = device_of(self.options.device, self.directory)
        config = loading.loaded_config(self.directory, asked)
        tokenizer = loading.loaded_tokenizer(self.directory, asked)
        kind, unused = _auto_class(self.task, config), _UNUSED.get(self.task, ())
        self._model = loading.loaded_model(self.directory, kind, config, asked, self._device, unused)
        self.notes = _padded(tokenizer, self._model)
        self.notes += _unknown_tokens(self.directory, tokenizer, self._model)
        known, positions = Known(tokenizer, self._model.config), loading.positions_of(self._model)
        self._reader = Reader(self.directory, self.task, known, asked, positions)
        self._try(self._reader)
        for note in self.notes:
            log.warning("model=%s %s", self.name, note)
        self.ready = True
        return True

    def _try(self, reader: Reader) -> None:
        """Two texts, before the model is called ready: what cannot work is told now, and first calls are slow."""
        short = {name: column[:1] for name, column in reader.example.items()}
        try:
            alone, padded = [self._output(reader.encoded(texts)) for texts in (short, reader.example)]
            self.predict_rows(reader.example)
        except Exception as error:
            raise ModelLoadError(
                f"{self.directory}: the model fails on a first text: {loading.reason(error)}",
                fix="are its tokenizer and --return_token_type_ids those of this model?",
            ) from error
        self._joins = reader.alike(_values(alone)[0], _values(padded)[0])
        if not self._joins:
            self.notes.append("a text's answer depends on the texts beside it: requests are not joined")

    def stop(self) -> None:
        super().stop()
        self._reader = self._model = None

    @property
    def reader(self) -> Reader:
        if self._reader is None:
            raise ModelNotReady(self.name)
        return self._reader

    # Requests.

    @property
    def joins_requests(self) -> bool:
        return self._joins

    @property
    def is_exact(self) -> bool:
        return False

    def get_input_types(self) -> Sequence[TensorMetadata]:
        return INPUTS

    def get_output_types(self) -> Sequence[TensorMetadata]:
        return [] if self._reader is None else self._reader.outputs

    def rows(self, payload: object) -> Texts:
        return texts_of(payload)

    def predict_rows(self, rows: object) -> Rows:
        reader = self.reader
        encoded = reader.encoded(cast(Texts, rows))
        with torch.inference_mode():
            return reader.rows(self._output(encoded), encoded)

    def _output(self, encoded: Encoded) -> Any:
        try:
            with torch.inference_mode():
                return self._model(**encoded.tensors.to(self._device), return_dict=True)
        except Exception as error:
            raise InferenceError(loading.reason(error)) from error

    def result(self, payload: object, predicted: Rows) -> object:
        return self.reader.result(self.name, payload, predicted)

    # The OpenAI endpoints.

    async def create_embedding(self, request: EmbeddingRequest, headers: Headers) -> Embedding:
        if self.task is not Task.TEXT_EMBEDDING:
            raise unsupported(self.name, "Embeddings API")
        rows = await asyncio.to_thread(self._uncut, vectors.texts_of(request), vectors.place_in(request))
        return vectors.embedding(request, rows[OUTPUT], int(rows[LENGTH].sum()))

    async def create_rerank(self, request: RerankRequest, headers: Headers) -> Rerank:
        if self.task is not Task.TEXT_EMBEDDING and not self._is_cross_encoder:
            raise unsupported(self.name, "Rerank API")
        documents = vectors.documents_of(request)
        pairs = self._is_cross_encoder
        texts = vectors.pairs_of(request, documents) if pairs else vectors.query_and(request, documents)
        rows = await asyncio.to_thread(
            self._uncut, texts, vectors.place_in_pairs if pairs else vectors.place_after_query
        )
        scores = vectors.logistic(rows[OUTPUT]) if pairs else vectors.nearness(rows[OUTPUT])
        return vectors.ranking(request, documents, scores, int(rows[LENGTH].sum()))

    def _uncut(self, texts: Texts, place: Callable[[int], str]) -> Rows:
        """`place`: the field of the request that has the row. InvalidField for a text with too many tokens."""
        rows = self.predict_rows(texts)
        for row in np.flatnonzero(rows[CUT])[:1].tolist():
            raise InvalidField(
                place(row),
                f"This model's maximum context length is {self.reader.limit} tokens, however you requested "
                f"{self.reader.tokens(texts, row)} tokens in {place(row)}. Please reduce the length of the input.",
                code="context_length_exceeded",
            )
        return rows

    @property
    def _is_cross_encoder(self) -> bool:
        """Whether a pair of texts gets one number."""
        return self.task is Task.SEQUENCE_CLASSIFICATION and self.reader.head.config.num_labels == 1


def _values(given: Any) -> "torch.Tensor":
    """Logits, or hidden states."""
    return cast("torch.Tensor", given.logits if "logits" in given else given.last_hidden_state)


def _auto_class(task: Task, config: "transformers.PretrainedConfig") -> Any:
    if task is Task.TEXT_EMBEDDING:
        # Of a model with a decoder, which would want texts too, the half that reads.
        half = config.is_encoder_decoder or (config.architectures or [""])[0].endswith("EncoderModel")
        return transformers.AutoModelForTextEncoding if half else transformers.AutoModel
    if task is Task.FILL_MASK:
        return transformers.AutoModelForMaskedLM
    if task is Task.TOKEN_CLASSIFICATION:
        return transformers.AutoModelForTokenClassification
    return transformers.AutoModelForSequenceClassification


def _padded(tokenizer: "transformers.PreTrainedTokenizerBase", model: "transformers.PreTrainedModel") -> list[str]:
    """Gives the tokenizer a token to pad with where it has none, as KServe does; returns what there is to say of it."""
    notes = []
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": _PAD})
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            with loading.quiet():
                model.resize_token_embeddings(len(tokenizer))
        model.config.pad_token_id = tokenizer.pad_token_id
        notes.append(f"the tokenizer has no padding token: {_PAD} was added")
    if model.config.pad_token_id is None:
        # Classifiers that read to the last token would refuse several texts at a time.
        model.config.pad_token_id = tokenizer.pad_token_id
    return notes


def _unknown_tokens(
    directory: Path, tokenizer: "transformers.PreTrainedTokenizerBase", model: "transformers.PreTrainedModel"
) -> list[str]:
    """What there is to say of tokens that the model has no vectors for; ModelLoadError where words are among them."""
    words, tokens, rows = tokenizer.vocab_size, len(tokenizer), model.get_input_embeddings().num_embeddings
    if words > rows:
        raise ModelLoadError(
            f"{directory}: the tokenizer has {words} tokens, the model {rows}: they are not of one model",
            fix="copy tokenizer and model from the same place",
        )
    return (
        [f"the tokenizer has {tokens} tokens, the model {rows}: the last ones cannot be used"] if tokens > rows else []
    )
