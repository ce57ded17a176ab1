"""The format of a model that nobody has named, and what to say where the files are in another than was named."""

import logging
from pathlib import Path

from inferplane.dataplane.runtimes.files import contents
from inferplane.dataplane.runtimes.registry import FORMATS, UnknownFormat
from inferplane.dataplane.storage.local import fetch
from inferplane.dataplane.storage.uris import LOCAL, store_of
from inferplane.inference.errors import ModelLoadError, ModelMissingError
from inferplane.inference.formats.detection import amiss, found_in, named, several
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.server")

NOT_LOADED = (ModelLoadError.__name__, ModelMissingError.__name__)
"""Errors of models that another format may be the reason of."""


def detected(directory: Path) -> str:
    """The format of the files there; says in the log what was found. UnknownFormat where that is none, or several."""
    there = contents(directory)
    recognized = found_in(directory)
    found = recognized or named(directory)
    if not found:
        raise UnknownFormat(
            f"no model that is known in {directory}: found {there}",
            fix=f"name its format: --format={'|'.join(FORMATS)}",
        )
    if several(found):
        raise UnknownFormat(
            f"{directory} holds models of several formats: {'; '.join(map(str, found))}",
            fix="keep one of them there, or choose by --format",
        )
    first = found[0]
    if first.format not in FORMATS:
        raise UnknownFormat(
            f"{directory}: {first}: not served by inferplane serve",
            fix=first.advice or f"apply an InferenceService with modelFormat.name: {first.format}",
        )
    if recognized:
        log.info("found %s", first)
    return first.format


def disagreement(format: str, uri: str) -> str | None:
    """What the files tell about why a model of that format is not there; None where they tell nothing."""
    if not format or store_of(uri) != LOCAL:
        return None
    try:
        directory = fetch(uri)
    except InferplaneError:
        return None  # that it is not there is what is being told already
    told = amiss(format, directory)
    return f"{directory}: {told[0]}: {told[1]}" if told else None
