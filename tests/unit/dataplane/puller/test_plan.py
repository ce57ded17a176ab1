import pytest

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.puller.plan import Step, steps

OLD, NEW = ModelSpec(storage_uri="s3://b/old"), ModelSpec(storage_uri="s3://b/new")
FETCH, UNLOAD, PLACE, LOAD, REMOVE = Step


@pytest.mark.parametrize(
    ("has", "wants", "beside", "in_place"),
    [
        (None, None, (), ()),
        (OLD, OLD, (), ()),
        (None, NEW, (FETCH, PLACE, LOAD), (FETCH, LOAD, PLACE)),
        (OLD, NEW, (FETCH, UNLOAD, PLACE, LOAD), (FETCH, LOAD, PLACE)),
        (OLD, None, (UNLOAD, REMOVE), (UNLOAD, REMOVE)),
    ],
)
def test_each_change_of_a_model_has_its_steps_in_order(
    has: ModelSpec | None, wants: ModelSpec | None, beside: tuple[Step, ...], in_place: tuple[Step, ...]
) -> None:
    assert steps(has, wants, in_place=False) == beside
    assert steps(has, wants, in_place=True) == in_place


def test_what_is_fetched_is_fetched_before_the_old_one_goes() -> None:
    for in_place in (False, True):
        assert steps(OLD, NEW, in_place=in_place)[0] is FETCH
