import pytest

from inferplane.dataplane.model.lifecycle import TABLE, Event, OutOfTurn, State, after


def test_a_model_is_registered_loaded_and_unloaded() -> None:
    state = State.REGISTERED
    seen = [state := after(state, event) for event in (Event.LOAD, Event.LOADED, Event.UNLOAD, Event.LOAD)]
    assert seen == [State.LOADING, State.READY, State.UNLOADED, State.LOADING]


def test_a_failed_load_may_be_tried_again() -> None:
    assert after(after(State.LOADING, Event.LOAD_FAILED), Event.LOAD) is State.LOADING


def test_every_state_can_be_left_and_every_event_happens_somewhere() -> None:
    assert {state for state, _ in TABLE} == set(State)
    assert {event for _, event in TABLE} == set(Event)


def test_an_event_out_of_turn_says_what_is_possible() -> None:
    with pytest.raises(
        OutOfTurn, match=r"^a model that is Loading cannot unload: possible now is load failed, loaded$"
    ):
        after(State.LOADING, Event.UNLOAD)
