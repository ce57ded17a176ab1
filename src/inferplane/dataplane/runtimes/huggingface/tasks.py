"""What a model is for. KServe's names of tasks, and how it finds them: by the end of the architecture's name.

Beside KServe's: a bare model (`BertModel`, as in directories of sentence-transformers) is for embeddings, and
`--task` takes the Hub's names too.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import JsonObject


class Task(StrEnum):
    SEQUENCE_CLASSIFICATION = "sequence_classification"
    TOKEN_CLASSIFICATION = "token_classification"
    FILL_MASK = "fill_mask"
    TEXT_EMBEDDING = "text_embedding"
    TEXT_GENERATION = "text_generation"
    TEXT2TEXT_GENERATION = "text2text_generation"

    @property
    def is_generative(self) -> bool:
        return self in (Task.TEXT_GENERATION, Task.TEXT2TEXT_GENERATION)


_HUBS_NAMES = {
    "text_classification": Task.SEQUENCE_CLASSIFICATION,
    "sentiment_analysis": Task.SEQUENCE_CLASSIFICATION,
    "text_ranking": Task.SEQUENCE_CLASSIFICATION,
    "ner": Task.TOKEN_CLASSIFICATION,
    "feature_extraction": Task.TEXT_EMBEDDING,
    "sentence_similarity": Task.TEXT_EMBEDDING,
    "summarization": Task.TEXT2TEXT_GENERATION,
    "translation": Task.TEXT2TEXT_GENERATION,
}

# The first end that fits counts. None: a task that neither KServe nor we serve.
_ENDS: Sequence[tuple[str, Task | None]] = (
    ("ForTokenClassification", Task.TOKEN_CLASSIFICATION),
    ("ForSequenceClassification", Task.SEQUENCE_CLASSIFICATION),
    ("ForMaskedLM", Task.FILL_MASK),
    ("WithLMHeadModel", Task.FILL_MASK),
    ("ForCausalLM", Task.TEXT_GENERATION),
    ("LMHeadModel", Task.TEXT_GENERATION),
    ("ForConditionalGeneration", Task.TEXT2TEXT_GENERATION),
    ("MTModel", Task.TEXT2TEXT_GENERATION),
    ("EncoderDecoderModel", Task.TEXT2TEXT_GENERATION),
    ("Model", Task.TEXT_EMBEDDING),
)


def task_of(directory: Path, config: JsonObject, asked: str = "") -> Task:
    """`asked` is what `--task` says; without it the task of the first architecture in the configuration."""
    if asked:
        return _asked(asked)
    names = config.get("architectures")
    architecture = names[0] if isinstance(names, list) and names else None
    if not isinstance(architecture, str):
        raise ModelLoadError(
            f"{directory / 'config.json'}: no architectures, so that the task is not known", fix=_NAME_IT
        )
    found = next((task for end, task in _ENDS if architecture.endswith(end)), None)
    if found is None:
        raise ModelLoadError(
            f"{directory / 'config.json'}: Task couldn't be inferred from {architecture}, or is not one of those "
            f"that are served: {_served()}",
            fix=_NAME_IT,
        )
    return found


def _asked(name: str) -> Task:
    plain = name.lower().replace("-", "_")
    if plain in set(Task):
        return Task(plain)
    if plain in _HUBS_NAMES:
        return _HUBS_NAMES[plain]
    raise ModelLoadError(f"--task={name}: Task {name} is not supported. Currently supported tasks are: {_served()}.")


def _served() -> str:
    return ", ".join(Task)


_NAME_IT = "name the task with --task"
