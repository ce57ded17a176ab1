"""Models as their repository's users see them: listed, loaded, unloaded, described, counted."""

import inspect
from collections.abc import Mapping, Sequence

from inferplane.dataplane.model.lifecycle import OutOfTurn, State
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import BATCHES, LAST, Metrics
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceFailure, InvalidInput, ModelNotReady
from inferplane.inference.tensors import TensorMetadata
from inferplane.kernel.json import Json, JsonObject

EXTENSIONS = (
    "model_repository_extension",
    "model_repository",
    "model_configuration",
    "statistics",
    "binary_tensor_data",
    "parameters",
    "classification",
    "generate",
)
"""V2 extensions that this server has: the first as KServe names it, the others as Triton does."""

VERSION = "1"
"""What Triton's clients call the version of a model that has only one."""


async def index(repository: ModelRepository, *, ready_only: bool) -> list[Json]:
    """Names and states, in the order of registration; `reason` says why where there is something to say."""
    found: list[Json] = []
    for name in repository.known():
        ready = await repository.is_model_ready(name)
        if ready or not ready_only:
            state = "READY" if ready else "LOADING" if repository.is_coming(name) else "UNAVAILABLE"
            found.append({"name": name, "version": VERSION, "state": state, "reason": repository.reason(name)})
    return found


async def load(dispatch: Dispatch, name: str) -> None:
    """Loads a model that is not ready, in every worker.

    Raises ModelNotFound, ModelNotReady (with why), or InvalidInput out of turn.
    """
    if dispatch.everywhere is not None:
        await dispatch.everywhere.everywhere("load", name)
        return
    repository = dispatch.repository
    if name in repository.get_models() and repository.state(name) is State.READY and repository.existing(name).ready:
        return
    try:
        loaded = repository.load(name)
        if inspect.isawaitable(loaded):
            loaded = await loaded
    except InferenceFailure:
        raise
    except OutOfTurn as error:
        raise InvalidInput(str(error)) from error
    except Exception as error:
        raise ModelNotReady(name, f"Error type: {type(error)} error msg: {error}") from error
    if not loaded:
        raise ModelNotReady(name)


async def unload(dispatch: Dispatch, name: str) -> None:
    """In every worker. Raises ModelNotFound, or InvalidInput while the model is being loaded."""
    if dispatch.everywhere is not None:
        await dispatch.everywhere.everywhere("unload", name)
        return
    try:
        dispatch.repository.unload(name)
    except OutOfTurn as error:
        raise InvalidInput(str(error)) from error


def config(name: str, inputs: Sequence[TensorMetadata], outputs: Sequence[TensorMetadata]) -> JsonObject:
    """Triton's ModelConfig, as far as a model here has one."""
    return {
        "name": name,
        "platform": "",
        "backend": "inferplane",
        "max_batch_size": 0,
        "input": [_typed(tensor) for tensor in inputs],
        "output": [_typed(tensor) for tensor in outputs],
    }


def _typed(tensor: TensorMetadata) -> Json:
    kind = "STRING" if tensor.datatype == Datatype.BYTES else tensor.datatype
    return {"name": tensor.name, "data_type": f"TYPE_{kind}", "dims": list(tensor.shape)}


def statistics(metrics: Metrics, name: str) -> JsonObject:
    """Triton's statistics extension, from what the server counts anyway, over all protocols and workers."""
    totals = metrics.totals()
    answered = {
        labels[2]: cells[0]
        for (family, labels), cells in totals.items()
        if family == "inferplane_requests" and labels[0] == name
    }
    good = sum(int(count) for code, count in answered.items() if code.startswith("2"))
    stages = {
        key: _duration(totals.get((family, (name,)), []))
        for key, family in (
            ("queue", "inferplane_queue_wait_seconds"),
            ("compute_input", "request_preprocess_seconds"),
            ("compute_infer", "request_predict_seconds"),
            ("compute_output", "request_postprocess_seconds"),
        )
    }
    nanoseconds = sum(_number(stage["ns"]) for stage in stages.values())
    rows, batches = (totals.get((f"inferplane_batch_{what}", (name,)), []) for what in ("rows", "requests"))
    nothing: JsonObject = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": VERSION,
        "last_inference": int(totals.get((LAST, (name,)), [0.0])[0] * 1000),
        "inference_count": int(rows[-1]) if rows else good,
        "execution_count": int(sum(batches[:-1])) if batches else good,
        "inference_stats": {
            "success": {"count": good, "ns": nanoseconds},
            "fail": {"count": int(sum(answered.values())) - good, "ns": 0},
            **stages,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "response_stats": {},
        "batch_stats": _batches(totals, name),
        "memory_usage": [],
    }


def _batches(totals: Mapping[tuple[str, tuple[str, ...]], Sequence[float]], name: str) -> list[Json]:
    """By number of rows; of runs of more than LARGEST_BATCH nothing is kept."""
    found = sorted(
        (int(labels[1]), cells) for (family, labels), cells in totals.items() if family == BATCHES and labels[0] == name
    )
    stages = ("compute_input", "compute_infer", "compute_output")
    return [
        {
            "batch_size": rows,
            **{
                stage: {"count": int(cells[0]), "ns": int(seconds * 1e9)}
                for stage, seconds in zip(stages, cells[1:], strict=True)
            },
        }
        for rows, cells in found
    ]


def _duration(cells: Sequence[float]) -> JsonObject:
    """Of a histogram of seconds: how many, and their sum in nanoseconds."""
    return {"count": int(sum(cells[:-1])), "ns": int(cells[-1] * 1e9)} if cells else {"count": 0, "ns": 0}


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def ready_only(options: Mapping[str, Json]) -> bool:
    """Of the body of an index request."""
    wanted = options.get("ready", False)
    if not isinstance(wanted, bool):
        raise InvalidInput("ready: expected true or false")
    return wanted
