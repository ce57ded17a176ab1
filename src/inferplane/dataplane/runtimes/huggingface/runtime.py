"""The runtime `huggingface`: which class serves a directory, by the task of the model in it."""

from pathlib import Path

import transformers  # noqa: F401  # its absence is told before anything is read

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.huggingface.loading import read_config
from inferplane.dataplane.runtimes.huggingface.tasks import task_of
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions


class _HuggingFace:
    suffixes = (".json",)

    def __call__(self, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> Model:
        task = task_of(directory, read_config(directory), options.huggingface.task)
        if task.is_generative:
            from inferplane.dataplane.runtimes.huggingface.generative import GenerativeModel

            return GenerativeModel(name, directory, task, options)
        from inferplane.dataplane.runtimes.huggingface.encoder import EncoderModel

        return EncoderModel(name, directory, task, options)


huggingface = _HuggingFace()
