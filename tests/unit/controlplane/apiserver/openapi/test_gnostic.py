"""The protobuf form of the v2 document, read back by field numbers of gnostic's OpenAPIv2.proto."""

from collections.abc import Iterator

from inferplane.controlplane.apiserver.kinds import BUILT_IN
from inferplane.controlplane.apiserver.openapi import v2_protobuf
from inferplane.controlplane.apiserver.openapi.gnostic import encoded

NAME, VALUE = 1, 2


def varint(content: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = content[at]
        result |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return result, at


def fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        if tag & 7 == 0:
            number, at = varint(content, at)
            yield tag >> 3, bytes([number])
        else:
            assert tag & 7 == 2
            size, at = varint(content, at)
            yield tag >> 3, content[at : at + size]
            at += size
    assert at == len(content)


def every(content: bytes, *path: int) -> list[bytes]:
    found = [content]
    for step in path:
        found = [value for one in found for number, value in fields(one) if number == step]
    return found


def entry(content: bytes, name: str, *path: int) -> bytes:
    """The value of a map's entry."""
    (found,) = [one for one in every(content, *path) if every(one, NAME) == [name.encode()]]
    return every(found, VALUE)[0]


def test_definitions_and_paths_are_found_by_name() -> None:
    document = v2_protobuf(BUILT_IN)
    assert every(document, 1) == [b"2.0"]
    pod = entry(document, "io.k8s.api.core.v1.Pod", 9, 1)
    assert every(entry(pod, "spec", 25, 1), 1) == [b"#/definitions/io.k8s.api.core.v1.PodSpec"]
    assert entry(pod, "x-kubernetes-group-version-kind", 31)
    containers = entry(entry(document, "io.k8s.api.core.v1.PodSpec", 9, 1), "containers", 25, 1)
    assert every(containers, 22, 1) == [b"array"]
    assert every(containers, 23, 1, 1) == [b"#/definitions/io.k8s.api.core.v1.Container"]
    assert every(entry(containers, "x-kubernetes-patch-merge-key", 31), 2) == [b'"name"']


def test_a_patch_has_its_query_parameters_and_its_kind() -> None:
    patch = every(entry(v2_protobuf(BUILT_IN), "/api/v1/namespaces/{namespace}/pods/{name}", 8, 2), 8)[0]
    assert b"fieldValidation" in every(patch, 8, 1, 2, 3, 4)
    assert every(entry(patch, "x-kubernetes-group-version-kind", 13), 2) == [
        b'{"group":"","version":"v1","kind":"Pod"}'
    ]


def test_booleans_lists_and_defaults_have_their_forms() -> None:
    schema = encoded(
        {
            "definitions": {
                "A": {
                    "required": ["a", "b"],
                    "default": [1],
                    "additionalProperties": True,
                    "properties": {"a": {"additionalProperties": {"type": "string"}}},
                }
            }
        }
    )
    one = entry(schema, "A", 9, 1)
    assert every(one, 19) == [b"a", b"b"]
    assert every(one, 5, 2) == [b"[1]"]
    assert every(one, 21, 2) == [b"\x01"]
    assert every(entry(one, "a", 25, 1), 21, 1, 22, 1) == [b"string"]
