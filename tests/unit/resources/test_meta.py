import msgspec
import pytest

from inferplane.resources.meta import Condition, ConditionStatus, LabelSelector, ObjectMeta, OwnerReference, condition


def selector(**fields: object) -> LabelSelector:
    return msgspec.convert(fields, LabelSelector)


def test_an_empty_selector_matches_everything() -> None:
    assert selector().matches({})


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ["a", "b"], {"k": "a"}, True),
        ("In", ["a", "b"], {}, False),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"k": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {}, True),
        ("DoesNotExist", [], {"k": ""}, False),
    ],
)
def test_expressions_match_as_in_kubernetes(
    operator: str, values: list[str], labels: dict[str, str], expected: bool
) -> None:
    one = selector(matchExpressions=[{"key": "k", "operator": operator, "values": values}])
    assert one.matches(labels) is expected


def test_labels_and_expressions_must_all_match() -> None:
    both = selector(matchLabels={"app": "x"}, matchExpressions=[{"key": "tier", "operator": "Exists"}])
    assert both.matches({"app": "x", "tier": "1"})
    assert not both.matches({"app": "x"})
    assert not both.matches({"app": "y", "tier": "1"})


def test_metadata_keeps_what_it_knows_and_ignores_the_rest() -> None:
    meta = msgspec.convert(
        {"name": "a", "managedFields": [{}], "deletionTimestamp": "2026-01-01T00:00:00Z"}, ObjectMeta
    )
    assert meta.name == "a"
    assert meta.deleting


def test_the_controller_is_the_owner_that_says_so() -> None:
    owners = [OwnerReference(name="a"), OwnerReference(name="b", controller=True)]
    assert ObjectMeta(owner_references=owners).controller_of() == owners[1]
    assert ObjectMeta(owner_references=owners[:1]).controller_of() is None


def test_a_condition_is_found_by_its_type() -> None:
    ready = Condition(type="Ready", status=ConditionStatus.TRUE)
    assert condition([ready], "Ready") is ready
    assert condition([ready], "Available") is None


def test_defaults_are_left_out_on_the_wire() -> None:
    assert msgspec.to_builtins(ObjectMeta(name="a", generate_name="b-")) == {"name": "a", "generateName": "b-"}
