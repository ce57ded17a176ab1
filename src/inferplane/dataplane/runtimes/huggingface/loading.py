"""A model directory as the Hub lays it out → its configuration, tokenizer and model, each checked before it is used.

transformers goes on where an answer would be wrong: it fills weights that are missing with random ones, and makes a
tokenizer without words where its files are missing. Here these are errors. Nothing is fetched, no code of the
directory is run unless `--trust_remote_code` says so, and pickled weights are read by PyTorch's reader that runs
nothing.
"""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import torch
import transformers

from inferplane.dataplane.runtimes.options import HuggingFaceOptions
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import ModelLoadError, ModelMissingError
from inferplane.kernel.json import Json, JsonObject

LIBRARY = f"transformers {transformers.__version__}, torch {torch.__version__}"
CONFIG = "config.json"

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_NAMED = 6

# Where a configuration says how many tokens a model takes; the least of them counts.
_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_LENGTH_UNSAID = 2048

_DTYPES = {
    "float16": torch.float16,
    "half": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float": torch.float32,
}


def read_config(directory: Path) -> JsonObject:
    """`config.json` as it is."""
    return read_json(directory / CONFIG, _seen(directory))


def read_json(file: Path, instead: str = "") -> JsonObject:
    """An object. `instead`: what is there where the file is not."""
    found = read_any(file, instead)
    if not isinstance(found, dict):
        raise ModelLoadError(f"{file}: expected a JSON object, got {type(found).__name__}")
    return found


def read_any(file: Path, instead: str = "") -> Json:
    try:
        return cast(Json, json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelMissingError(
            f"no {file.name} in {file.parent}{f', found {instead}' if instead else ''}",
            fix="put there what the model's save_pretrained writes",
        ) from None
    except OSError as error:
        raise ModelLoadError(f"{file}: cannot be read: {error.strerror}", fix="check its permissions") from error
    except ValueError as error:
        raise ModelLoadError(f"{file}: not JSON: {one_line(error)}", fix="copy it again") from error


def dtype_of(asked: str, device: "torch.device") -> "torch.dtype":
    """KServe's `auto`: float16 on a GPU, else float32."""
    if asked == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return _DTYPES[asked]


def loaded_config(directory: Path, options: HuggingFaceOptions) -> "transformers.PretrainedConfig":
    plain = read_config(directory)
    kind, file = plain.get("model_type"), directory / CONFIG
    own_code = "AutoConfig" in cast(JsonObject, plain.get("auto_map") or {})
    if own_code and not options.trust_remote_code:
        raise ModelLoadError(
            f"{file}: the model brings code of its own (auto_map), which is not run",
            fix="--trust_remote_code, if you trust whoever wrote it",
        )
    if not own_code and kind not in transformers.CONFIG_MAPPING:
        written = plain.get("transformers_version")
        raise ModelLoadError(
            f"{file}: expected a model_type that transformers {transformers.__version__} knows, got {kind!r}"
            + (f"; written by transformers {written}" if written else ""),
            fix="serve it with the transformers that wrote it" if kind else "put the model's own config.json there",
        )
    with _told(file):
        return transformers.AutoConfig.from_pretrained(
            directory, trust_remote_code=options.trust_remote_code, local_files_only=True
        )


def loaded_tokenizer(directory: Path, options: HuggingFaceOptions) -> "transformers.PreTrainedTokenizerBase":
    asked = {"do_lower_case": False} if options.disable_lower_case else {}
    with _told(directory, "the tokenizer cannot be loaded", "save it again with the tokenizer's save_pretrained"):
        found = transformers.AutoTokenizer.from_pretrained(
            directory, trust_remote_code=options.trust_remote_code, local_files_only=True, **asked
        )
    files = sorted(set(found.vocab_files_names.values()))
    if files and not any((directory / file).is_file() for file in files):
        raise ModelMissingError(
            f"no tokenizer in {directory}: {type(found).__name__} looked for {', '.join(files)}, found "
            f"{_seen(directory)}",
            fix="put there what the tokenizer's save_pretrained writes",
        )
    return found


def loaded_model(
    directory: Path,
    kind: type,
    config: "transformers.PretrainedConfig",
    options: HuggingFaceOptions,
    device: "torch.device",
    unused: Sequence[str] = (),
) -> "transformers.PreTrainedModel":
    """`kind` is one of transformers' auto classes; weights with a name in `unused` may be missing."""
    _check_weights(directory)
    _check_class(directory, kind, config, options)
    with _told(directory, "the weights cannot be loaded", "copy the files again"):
        model, told = kind.from_pretrained(  # type: ignore[attr-defined]  # transformers is not typed here
            directory,
            config=config,
            dtype=dtype_of(options.dtype, device),
            trust_remote_code=options.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, in one line
        )
    other = [f"{name} is {list(have)}, expected {list(want)}" for name, have, want in sorted(told["mismatched_keys"])]
    missing = sorted(name for name in told["missing_keys"] if not any(part in name for part in unused))
    if other or missing:
        raise ModelLoadError(
            f"{directory}: the weights do not fill {type(model).__name__}: "
            + "; ".join(filter(None, (_listed("of another size: ", other), _listed("missing: ", missing)))),
            fix=f"they were saved for {', '.join(config.architectures or ['?'])}: check {CONFIG} and --task",
        )
    return model.to(device).eval()


def token_limit(
    directory: Path,
    config: "transformers.PretrainedConfig",
    tokenizer: "transformers.PreTrainedTokenizerBase",
    asked: int | None,
    positions: int | None = None,
) -> int:
    """How many tokens a text may have. ModelLoadError when more are asked for than the model has positions.

    `positions` are those of the weights, which may be fewer than the configuration says (`positions_of`).
    """
    said = [getattr(config, name, None) for name in _LENGTHS]
    # XLNet's -1 is no limit.
    known = [length for length in [*said, positions] if length is not None and length > 0]
    most = min(known, default=None)
    if asked is not None:
        if most is not None and asked > most:
            raise ModelLoadError(
                f"--max_model_len={asked}: {directory / CONFIG} says that the model takes {most} tokens",
                fix=f"--max_model_len={most}, or less",
            )
        return asked
    return min(_LENGTH_UNSAID if most is None else most, int(tokenizer.model_max_length))


def positions_of(model: "transformers.PreTrainedModel") -> int | None:
    """Of tables whose first positions are kept for padding, such as RoBERTa's: how many are left; else None."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return int(part.num_embeddings - part.padding_idx - 1)
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the library's bars and reports: what they tell is in the errors."""
    transformers.logging.disable_progress_bar()
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(level)


@contextlib.contextmanager
def _told(what: Path, failed: str = "cannot be loaded", fix: str = "") -> Iterator[None]:
    """Whatever transformers raises, in one line."""
    try:
        with quiet():
            yield
    except Exception as error:
        hint = fix
        if isinstance(error, ImportError) or "trust_remote_code" in str(error):
            hint = "--trust_remote_code, if you trust whoever wrote the code" if "trust" in str(error) else fix
        raise ModelLoadError(f"{what}: {failed}: {reason(error)}", fix=hint) from error


def reason(error: Exception) -> str:
    """The kind of the error and what it says, in a line of bearable length."""
    said = one_line(error)
    kind = type(error).__name__
    return f"{kind}: {said[:_LONGEST]}{'…' if len(said) > _LONGEST else ''}" if said else kind


_LONGEST = 300


def _check_weights(directory: Path) -> None:
    """That there are some, and that no part is missing."""
    found = next((directory / name for name in _WEIGHTS if (directory / name).is_file()), None)
    if found is None:
        raise ModelMissingError(
            f"no weights in {directory}: looked for {', '.join(_WEIGHTS)}, found {_seen(directory)}",
            fix="put there what the model's save_pretrained writes",
        )
    if found.suffix != ".json":
        return
    parts = cast(JsonObject, read_json(found).get("weight_map") or {}).values()
    missing = sorted({part for part in parts if isinstance(part, str) and not (directory / part).is_file()})
    if missing:
        raise ModelMissingError(f"{found}: parts of the weights are {_listed('missing: ', missing)}", fix="fetch them")


def _check_class(
    directory: Path, kind: type, config: "transformers.PretrainedConfig", options: HuggingFaceOptions
) -> None:
    """That there is a class for the task among transformers' own, or among the trusted code's."""
    if type(config) in kind._model_mapping or options.trust_remote_code:  # type: ignore[attr-defined]
        return
    raise ModelLoadError(
        f"{directory / CONFIG}: transformers {transformers.__version__} has no {kind.__name__} for models of type "
        f"{config.model_type}; the weights were saved for {', '.join(config.architectures or ['?'])}",
        fix="name another --task, or serve it with the transformers that wrote it",
    )


def _listed(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{what}{', '.join(names[:_NAMED])}{more}" if names else ""


def _seen(directory: Path) -> str:
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise ModelMissingError(f"model directory {directory} cannot be read: {error.strerror}") from error
    return (_listed("", names)) or "nothing"
