"""The life of a model in a repository, as a table."""

from enum import StrEnum

from inferplane.kernel.errors import InferplaneError


class State(StrEnum):
    REGISTERED = "Registered"
    LOADING = "Loading"
    READY = "Ready"
    FAILED = "Failed"
    UNLOADED = "Unloaded"


class Event(StrEnum):
    LOAD = "load"
    LOADED = "loaded"
    LOAD_FAILED = "load failed"
    UNLOAD = "unload"


TABLE: dict[tuple[State, Event], State] = {
    (State.REGISTERED, Event.LOAD): State.LOADING,
    (State.REGISTERED, Event.UNLOAD): State.UNLOADED,
    (State.LOADING, Event.LOADED): State.READY,
    (State.LOADING, Event.LOAD_FAILED): State.FAILED,
    (State.READY, Event.LOAD): State.LOADING,
    (State.READY, Event.UNLOAD): State.UNLOADED,
    (State.FAILED, Event.LOAD): State.LOADING,
    (State.FAILED, Event.UNLOAD): State.UNLOADED,
    (State.UNLOADED, Event.LOAD): State.LOADING,
}


class OutOfTurn(InferplaneError):
    """An event that the state has no place for, such as unloading a model that is being loaded."""


def after(state: State, event: Event) -> State:
    """The state that `event` leads to."""
    following = TABLE.get((state, event))
    if following is None:
        possible = ", ".join(sorted(known for at, known in TABLE if at is state))
        raise OutOfTurn(f"a model that is {state} cannot {event}: possible now is {possible}")
    return following
