import pytest

from inferplane.controlplane.apiserver import bodies
from inferplane.controlplane.apiserver.errors import StatusError


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b'{"a": [1, "x"]}', "application/json; charset=utf-8"),
        (b'{"a": [1, "x"]}', ""),
        (b"a:\n- 1\n- x\n", "application/yaml"),
        (b'{"a": [1, "x"]}', "application/apply-patch+yaml"),
    ],
)
def test_json_and_yaml_are_read_alike(raw: bytes, content_type: str) -> None:
    assert bodies.read_object(raw, content_type).object == {"a": [1, "x"]}


def test_a_time_in_yaml_stays_the_text_that_it_is() -> None:
    assert bodies.read_yaml(b"when: 2020-01-01\nat: 2020-01-01T00:00:00Z\n") == {
        "when": "2020-01-01",
        "at": "2020-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("raw", "code"), [(b'{"a":', 400), (b"", 400), (b"[]", 400), (b"a: [", 400), (b"\xff\xfe", 400)]
)
def test_what_is_not_one_object_is_400(raw: bytes, code: int) -> None:
    with pytest.raises(StatusError) as refused:
        bodies.read_object(raw, "application/yaml" if raw.startswith(b"a:") else "application/json")
    assert refused.value.code == code


def test_another_type_is_415_and_says_which_there_are() -> None:
    with pytest.raises(StatusError, match="application/json, application/yaml") as refused:
        bodies.read_object(b"{}", "text/html")
    assert refused.value.code == 415


def test_fields_written_twice_are_named_by_path() -> None:
    raw = b'{"a": 1, "b": [{"c": 1, "c": 2}], "a": {"d": 1, "d": 2}}'
    assert bodies.duplicates(raw) == ("b[0].c", "a", "a.d")
    assert bodies.duplicates(b'{"a": {"b": 1}, "c": {"b": 1}}') == ()


@pytest.mark.parametrize("content_type", ["application/json", "application/yaml"])
def test_numbers_are_as_go_writes_them(content_type: str) -> None:
    raw = b'{"a": [1.0, -2e3, 1.5, {"b": -0.0}], "c": 1e21, "d": 9.9e20}'
    read = bodies.read_object(raw, content_type).object
    assert repr(read) == "{'a': [1, -2000, 1.5, {'b': 0}], 'c': 1e+21, 'd': 990000000000000000000}"


def test_numbers_in_yaml_are_too() -> None:
    assert repr(bodies.read_yaml(b"a: [1.0, 1.5]\nb:\n  c: 3.0\n")) == "{'a': [1, 1.5], 'b': {'c': 3}}"


def test_a_number_that_no_machine_can_hold_is_400() -> None:
    with pytest.raises(StatusError, match="out of range"):
        bodies.read_json(b'{"a": 1e400}')
