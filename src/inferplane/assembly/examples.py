"""Models are asked their own example before they count as ready: what it takes them to answer first is done then, and
a model that refuses it never gets requests."""

import logging
from pathlib import Path

from inferplane.dataplane.model.example import Example, beside
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import Metrics
from inferplane.inference.errors import ModelLoadError

log = logging.getLogger("inferplane.server")


async def warmed_up(repository: ModelRepository, name: str) -> None:
    """Runs the example of a model that has been loaded, if it has one, and leaves it there for metadata.

    ModelLoadError when the model does not answer the one that was written for us.
    """
    model = repository.existing(name)
    directory = getattr(model, "directory", None)
    example = beside(directory) if isinstance(directory, Path) else None
    if example is None:
        return
    answer = await _answered(repository, name, example)
    if answer.status >= 400:
        said = " ".join(answer.body.decode(errors="replace").split()) if isinstance(answer.body, bytes) else ""
        if not example.has_to_work:
            log.info("does not answer its example model=%s file=%s: %s", name, example.file.name, said)
            return
        raise ModelLoadError(
            f"{example.file}: the model does not answer its own example: {said}",
            fix="correct the example, or leave it out; --warmup=false starts without running it",
        )
    model.example = example
    log.info("answered its example model=%s file=%s", name, example.file.name)


async def _answered(repository: ModelRepository, name: str, example: Example) -> Answer:
    """Counted nowhere: by a dispatch of its own."""
    dispatch = Dispatch(repository, Metrics())
    try:
        outcome = (dispatch.infer if example.tensors else dispatch.predict)(name, example.body, {})
        return outcome if isinstance(outcome, Answer) else await outcome
    finally:
        dispatch.close()
