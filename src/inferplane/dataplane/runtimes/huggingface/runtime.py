"""The runtime `huggingface`: which class serves a directory, by the task of the model in it."""

from importlib.util import find_spec
from pathlib import Path

import transformers  # noqa: F401  # its absence is told before anything is read

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.predictor import current_predictor
from inferplane.dataplane.runtimes.huggingface.loading import read_config
from inferplane.dataplane.runtimes.huggingface.tasks import task_of
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.inference.errors import ModelLoadError


class _HuggingFace:
    suffixes = (".json",)

    def __call__(self, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> Model:
        if options.huggingface.backend == "vllm" and find_spec("vllm") is None:
            raise ModelLoadError(
                "--backend=vllm: Backend is set to 'vllm' but vLLM is not available",
                fix="install vllm in the server's environment, or leave --backend out",
            )
        task = task_of(directory, read_config(directory), options.huggingface.task)
        if task.is_generative:
            from inferplane.dataplane.runtimes.huggingface.generative import GenerativeModel

            return GenerativeModel(name, directory, task, options)
        if options.huggingface.backend == "vllm":
            raise ModelLoadError("--backend=vllm: models that read are run by transformers", fix="leave --backend out")
        predictor = current_predictor()
        if predictor is not None and predictor.predictor_host:
            from inferplane.dataplane.runtimes.huggingface.remote import RemoteEncoderModel

            return RemoteEncoderModel(name, directory, task, options, predictor)
        from inferplane.dataplane.runtimes.huggingface.encoder import EncoderModel

        return EncoderModel(name, directory, task, options)


huggingface = _HuggingFace()
