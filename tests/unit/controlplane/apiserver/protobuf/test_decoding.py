import base64

import pytest

from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.protobuf import decoding


def text(number: int, value: bytes) -> bytes:
    """A length-delimited field of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def envelope(api_version: bytes, kind: bytes, message: bytes) -> bytes:
    return b"k8s\x00" + text(1, text(1, api_version) + text(2, kind)) + text(2, message)


def test_a_config_map_of_kubectl_becomes_the_json_that_it_is() -> None:
    # What `kubectl create configmap a --from-literal=x=1` puts on the wire: empty texts stand for fields not set.
    metadata = text(1, b"a") + text(2, b"") + text(3, b"default") + number(7, 0) + text(8, b"")
    entry = text(1, b"x") + text(2, b"1")
    raw = envelope(b"v1", b"ConfigMap", text(1, metadata) + text(2, entry))
    assert decoding.decode(raw) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "default"},
        "data": {"x": "1"},
    }


def test_bytes_times_quantities_and_either_types_have_their_json_forms() -> None:
    secret = decoding.decode(envelope(b"v1", b"Secret", text(2, text(1, b"p") + text(2, b"\x00\x01"))))
    assert secret["data"] == {"p": base64.b64encode(b"\x00\x01").decode()}
    created = text(1, text(8, number(1, 60)))
    assert decoding.decode(envelope(b"v1", b"Secret", created))["metadata"] == {
        "creationTimestamp": "1970-01-01T00:01:00Z"
    }
    ports = text(1, number(3, 80) + text(4, number(1, 0) + number(2, 81))) + text(
        1, text(4, number(1, 1) + text(3, b"http"))
    )
    service = decoding.decode(envelope(b"v1", b"Service", text(2, ports)))
    assert service["spec"] == {"ports": [{"port": 80, "targetPort": 81}, {"targetPort": "http"}]}
    limits = text(1, text(1, b"cpu") + text(2, text(1, b"500m")))
    container = text(1, text(1, b"c") + text(8, limits))
    pod = decoding.decode(envelope(b"v1", b"Pod", text(2, text(2, container[2:]))))
    assert pod["spec"] == {"containers": [{"name": "c", "resources": {"limits": {"cpu": "500m"}}}]}


def test_embedded_parts_are_fields_of_their_parent() -> None:
    volume = text(1, b"v") + text(2, text(2, b""))
    pod = decoding.decode(envelope(b"v1", b"Pod", text(2, text(1, volume))))
    assert pod["spec"] == {"volumes": [{"name": "v", "emptyDir": {}}]}


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"k8s\x00\x0a\x7f",
        b"k8s\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        envelope(b"v1", b"NoSuch", b""),
        envelope(b"v1", b"ConfigMap", b"\x0b"),
        envelope(b"v1", b"ConfigMap", number(1, 5)),
    ],
)
def test_what_can_t_be_read_is_400(raw: bytes) -> None:
    with pytest.raises(StatusError) as refused:
        decoding.decode(raw)
    assert refused.value.code == 400


def test_every_type_that_a_field_names_is_in_the_table() -> None:
    table = decoding.table()
    plain = {"s", "y", "i", "u", "b", "d", "Quantity", "IntOrString"}
    missing = {f.type for fields in table.values() for f in fields.values()} - plain - table.keys()
    assert missing == set()
