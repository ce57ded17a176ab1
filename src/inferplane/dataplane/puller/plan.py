"""From what a server has of a model and what it should have, to what is to be done, in order. Pure.

A server that takes a new version in place of the old one answers throughout; one that cannot (KServe's own keep a model
that is loaded) has to unload the old one first, after the new one has been fetched.
"""

from enum import StrEnum

from inferplane.dataplane.puller.config import ModelSpec


class Step(StrEnum):
    FETCH = "fetch"
    """Brings the files of the wanted version."""
    UNLOAD = "unload"
    """Has the server let go of the model."""
    PLACE = "place"
    """Makes the model's directory the wanted version's, and removes the files of others."""
    LOAD = "load"
    """Has the server load the wanted version."""
    REMOVE = "remove"
    """Removes all files."""


def steps(has: ModelSpec | None, wants: ModelSpec | None, *, in_place: bool) -> tuple[Step, ...]:
    """`has`: what the server was last given, even if it could not load it. None is no model."""
    if has == wants:
        return ()
    if wants is None:
        return Step.UNLOAD, Step.REMOVE
    if in_place:
        # What serves stays where the link leads until the new version has been loaded.
        return Step.FETCH, Step.LOAD, Step.PLACE
    if has is None:
        return Step.FETCH, Step.PLACE, Step.LOAD
    return Step.FETCH, Step.UNLOAD, Step.PLACE, Step.LOAD
