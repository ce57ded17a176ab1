"""Flags of Hugging Face models: KServe's names, and where the model is."""

import pytest

from inferplane.assembly.model_server_options import UsageError, parse
from inferplane.dataplane.runtimes.options import HuggingFaceOptions


def test_what_is_not_given_is_left_to_the_model() -> None:
    assert parse(["--format=huggingface"]).huggingface == HuggingFaceOptions()


@pytest.mark.parametrize("flag", ["--max_length=7", "--max_model_len=7"])
def test_flags_are_kserves(flag: str) -> None:
    switches = ["--disable_special_tokens", "--disable_lower_case", "--return_probabilities"]
    given = ["--task=fill_mask", "--dtype=half", "--tensor_input_names=input_ids,attention_mask", flag]
    found = parse(["--format=huggingface", *given, *switches])
    assert found.huggingface == HuggingFaceOptions(
        task="fill_mask",
        dtype="half",
        max_length=7,
        disable_lower_case=True,
        add_special_tokens=False,
        return_probabilities=True,
        tensor_input_names=("input_ids", "attention_mask"),
    )


@pytest.mark.parametrize(
    ("flags", "directory"),
    [
        ([], "/mnt/models"),
        (["--model_dir=/m"], "/m"),
        (["--model_dir=/m", "--model_id=owner/model"], "hf://owner/model"),
        (["--model_id=owner/model", "--model_revision=v1"], "hf://owner/model:v1"),
    ],
)
def test_a_model_of_the_hub_goes_before_the_directory(flags: list[str], directory: str) -> None:
    assert parse(["--format=huggingface", *flags]).model_dir == directory


def test_probabilities_and_logits_cannot_both_be_had() -> None:
    with pytest.raises(UsageError, match="not allowed with argument --return_probabilities"):
        parse(["--format=huggingface", "--return_probabilities", "--return_raw_logits"])


def test_flags_about_a_log_of_requests_are_warned_of() -> None:
    found = parse(["--format=huggingface", "--disable_log_requests", "--max-log-len=7", "--tokenizer_revision=x"])
    assert [one.partition(":")[0] for one in found.warnings] == [
        "--disable_log_requests", "--max_log_len", "--max-log-len", "--tokenizer_revision"
    ]  # fmt: skip
