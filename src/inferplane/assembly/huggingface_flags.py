"""Flags of Hugging Face models, which are those of KServe's server for them.

`--model_id` names a model of the Hub and is fetched as the storage URI of that model would be. KServe also takes what
vLLM's engine takes; without that engine these flags are unknown here.
"""

import argparse

from inferplane.assembly.server_flags import WithoutEffect, count
from inferplane.dataplane.runtimes.options import HuggingFaceOptions

MODEL_DIR = "/mnt/models"

DTYPES = ("auto", "float16", "half", "float32", "float", "bfloat16")
BACKENDS = ("auto", "huggingface", "vllm")


def add_huggingface_flags(to: argparse.ArgumentParser) -> None:
    of = "huggingface: "
    to.add_argument("--model_id", default="", help=of + "a model of the Hub, OWNER/MODEL, in place of --model_dir")
    to.add_argument("--model_revision", default="", help=of + "the branch, tag or commit of --model_id")
    to.add_argument("--task", default="", help=of + "what the model is for (as its config.json says when empty)")
    to.add_argument("--backend", choices=BACKENDS, default="auto", help=of + "what runs the model")
    to.add_argument("--dtype", choices=DTYPES, default="auto", help=of + "auto is float16 on a GPU, else float32")
    tokens = "tokens that a text may have (the model's when not given)"
    to.add_argument("--max_model_len", "--max_length", type=count, help=of + tokens)
    to.add_argument("--max_num_seqs", type=count, default=32, help=of + "texts that are generated together")
    _add_switches(to)
    to.add_argument("--tensor_input_names", default="", help=of + "tensors that a predictor is sent, with commas")
    nothing = of + "without effect"
    to.add_argument("--tokenizer_revision", action=WithoutEffect, help=nothing)
    to.add_argument("--disable_log_requests", nargs=0, action=WithoutEffect, help=nothing)
    to.add_argument("--max_log_len", "--max-log-len", type=int, action=WithoutEffect, help=nothing)


def _add_switches(to: argparse.ArgumentParser) -> None:
    switches = {
        "--trust_remote_code": "run the Python code that the model's directory brings",
        "--disable_lower_case": "the tokenizer leaves upper case as it is",
        "--disable_special_tokens": "texts get no tokens such as [CLS]",
        "--return_token_type_ids": "the model is told which of a pair's texts a token is of",
        "--return_offsets_mapping": "token_classification tells where in the text each token was",
    }
    for flag, told in switches.items():
        to.add_argument(flag, action="store_true", help=f"huggingface: {told}")
    scores = to.add_mutually_exclusive_group()
    scores.add_argument("--return_probabilities", action="store_true", help="huggingface: of all classes or tokens")
    scores.add_argument("--return_raw_logits", action="store_true", help="huggingface: of all classes or tokens")


def huggingface_options(found: argparse.Namespace) -> HuggingFaceOptions:
    return HuggingFaceOptions(
        task=found.task,
        backend=found.backend,
        dtype=found.dtype,
        max_length=found.max_model_len,
        max_num_seqs=found.max_num_seqs,
        trust_remote_code=found.trust_remote_code,
        disable_lower_case=found.disable_lower_case,
        add_special_tokens=not found.disable_special_tokens,
        return_token_type_ids=found.return_token_type_ids,
        return_offsets_mapping=found.return_offsets_mapping,
        return_probabilities=found.return_probabilities,
        return_raw_logits=found.return_raw_logits,
        tensor_input_names=tuple(name for name in found.tensor_input_names.split(",") if name),
    )


def model_uri(found: argparse.Namespace) -> str:
    """Where the model is: `--model_id` before `--model_dir`, as in KServe. Empty where nothing says."""
    if found.model_id:
        return f"hf://{found.model_id}" + (f":{found.model_revision}" if found.model_revision else "")
    return found.model_dir or (MODEL_DIR if found.format == "huggingface" else "")
