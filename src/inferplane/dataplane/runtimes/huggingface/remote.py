"""A tokenizer before a predictor: with `--predictor_host` a model's weights are elsewhere, in Triton, say.

Texts become tensors of tokens that the predictor is asked for over V2, all of them or those in `--tensor_input_names`;
its first output is the model's (logits, or the hidden states of embeddings), and answers are made of it as here.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol
from inferplane.dataplane.runtimes.huggingface import loading
from inferplane.dataplane.runtimes.huggingface.heads import Known
from inferplane.dataplane.runtimes.huggingface.inputs import texts_of
from inferplane.dataplane.runtimes.huggingface.reading import INPUTS, Encoded, Reader
from inferplane.dataplane.runtimes.huggingface.tasks import Task
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, ModelLoadError, ModelNotReady
from inferplane.inference.tensors import InferInput, InferRequest, InferResponse, TensorMetadata


class RemoteEncoderModel(Model):
    def __init__(
        self, name: str, directory: Path, task: Task, options: RuntimeOptions, predictor: PredictorConfig
    ) -> None:
        super().__init__(name)
        self.directory = directory
        self.task = task
        self.options = options.huggingface
        self._predictor = predictor
        self._reader: Reader | None = None

    def load(self) -> bool:
        if self._predictor.wire is PredictorProtocol.REST_V1:
            raise ModelLoadError(
                f"{self.directory}: a predictor of protocol v1 cannot be sent tensors of tokens",
                fix="--predictor_protocol=v2, or grpc-v2",
            )
        config = loading.loaded_config(self.directory, self.options)
        tokenizer = loading.loaded_tokenizer(self.directory, self.options)
        if tokenizer.pad_token is None:
            raise ModelLoadError(
                f"{self.directory}: the tokenizer has no padding token, and the predictor's model gets no new one",
                fix="save it with a pad_token that the model knows",
            )
        self._reader = Reader(self.directory, self.task, Known(tokenizer, config), self.options)
        self._check_names(self._reader)
        self.ready = True
        return True

    def _check_names(self, reader: Reader) -> None:
        given = [*reader.encoded(reader.example).tensors]
        unknown = [name for name in self.options.tensor_input_names if name not in given]
        if unknown:
            raise ModelLoadError(
                f"{self.directory}: --tensor_input_names: the tokenizer gives {', '.join(given)}, and no "
                f"{', '.join(unknown)}",
                fix="leave it out, or see --return_token_type_ids",
            )

    def stop(self) -> None:
        super().stop()
        self._reader = None

    def get_input_types(self) -> Sequence[TensorMetadata]:
        return INPUTS

    def get_output_types(self) -> Sequence[TensorMetadata]:
        return [] if self._reader is None else self._reader.outputs

    def validate(self, payload: Any) -> Any:
        """Left to `texts_of`."""
        return payload

    async def predict(self, payload: Any, headers: dict[str, str]) -> object:
        reader = self._reader
        if reader is None:
            raise ModelNotReady(self.name)
        encoded = await asyncio.to_thread(reader.encoded, texts_of(payload))
        answer = await super().predict(self._request(encoded), headers)
        given = _output(answer)
        rows = reader.rows(SimpleNamespace(logits=given, last_hidden_state=given), encoded)
        return reader.result(self.name, payload, rows)

    def _request(self, encoded: Encoded) -> InferRequest:
        wanted = self.options.tensor_input_names
        tensors = {name: tensor.numpy() for name, tensor in encoded.tensors.items() if not wanted or name in wanted}
        inputs = [InferInput.decoded(name, Datatype.INT64, values) for name, values in tensors.items()]
        return InferRequest(self.name, inputs)


def _output(answer: object) -> "torch.Tensor":
    if not isinstance(answer, InferResponse) or not answer.outputs:
        raise InferenceError(f"the predictor's answer: expected a tensor, got {type(answer).__name__}")
    return torch.from_numpy(answer.outputs[0].as_numpy())
