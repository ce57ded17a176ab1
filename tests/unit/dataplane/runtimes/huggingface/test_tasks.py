"""What a model is for, by its configuration alone."""

from pathlib import Path

import pytest

from inferplane.dataplane.runtimes.huggingface.tasks import Task, task_of
from inferplane.inference.errors import ModelLoadError

HERE = Path("/m")


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForSequenceClassification", Task.SEQUENCE_CLASSIFICATION),
        ("RobertaForTokenClassification", Task.TOKEN_CLASSIFICATION),
        ("DistilBertForMaskedLM", Task.FILL_MASK),
        ("XLMWithLMHeadModel", Task.FILL_MASK),
        ("BertModel", Task.TEXT_EMBEDDING),
        ("T5EncoderModel", Task.TEXT_EMBEDDING),
        ("LlamaForCausalLM", Task.TEXT_GENERATION),
        ("GPT2LMHeadModel", Task.TEXT_GENERATION),
        ("T5ForConditionalGeneration", Task.TEXT2TEXT_GENERATION),
        ("MarianMTModel", Task.TEXT2TEXT_GENERATION),
        ("EncoderDecoderModel", Task.TEXT2TEXT_GENERATION),
    ],
)
def test_the_end_of_the_architectures_name_tells_the_task(architecture: str, task: Task) -> None:
    assert task_of(HERE, {"architectures": [architecture]}) is task


@pytest.mark.parametrize(
    ("asked", "task"),
    [
        ("fill_mask", Task.FILL_MASK),
        ("text-classification", Task.SEQUENCE_CLASSIFICATION),
        ("feature-extraction", Task.TEXT_EMBEDDING),
        ("TEXT_EMBEDDING", Task.TEXT_EMBEDDING),
        ("summarization", Task.TEXT2TEXT_GENERATION),
    ],
)
def test_the_flag_goes_before_the_configuration_in_kserves_words_and_the_hubs(asked: str, task: Task) -> None:
    assert task_of(HERE, {"architectures": ["BertForMaskedLM"]}, asked) is task


def test_only_some_tasks_generate() -> None:
    assert [task for task in Task if task.is_generative] == [Task.TEXT_GENERATION, Task.TEXT2TEXT_GENERATION]


@pytest.mark.parametrize(
    ("architectures", "asked", "said"),
    [
        (["BertForQuestionAnswering"], "", "/m/config.json: Task couldn't be inferred from BertForQuestionAnswering"),
        ([], "", "/m/config.json: no architectures"),
        (None, "", "/m/config.json: no architectures"),
        (["BertModel"], "multiple_choice", "Task multiple_choice is not supported. Currently supported tasks are: seq"),
    ],
)
def test_what_is_not_served_is_told_with_what_is(architectures: list[str] | None, asked: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        task_of(HERE, {"architectures": [*architectures] if architectures is not None else None}, asked)
