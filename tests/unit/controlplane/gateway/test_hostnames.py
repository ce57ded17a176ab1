import pytest

from inferplane.controlplane.gateway.durations import seconds
from inferplane.controlplane.gateway.hostnames import domain, intersect


@pytest.mark.parametrize(
    ("listener", "route", "agreed"),
    [
        ("", "a.example.com", "a.example.com"),
        ("", "", ""),
        ("a.example.com", "", "a.example.com"),
        ("A.example.com", "a.Example.com", "a.example.com"),
        ("*.example.com", "a.b.example.com", "a.b.example.com"),
        ("a.example.com", "*.example.com", "a.example.com"),
        ("*.example.com", "*.a.example.com", "*.a.example.com"),
        ("*.example.com", "example.com", None),
        ("*.example.com", "badexample.com", None),
        ("a.example.com", "b.example.com", None),
    ],
)
def test_listener_and_route_agree_on_the_narrower_host(listener: str, route: str, agreed: str | None) -> None:
    assert intersect(listener, route) == agreed


def test_any_host_is_a_star_to_envoy() -> None:
    assert (domain(""), domain("*.a.b"), domain("a.b")) == ("*", "*.a.b", "a.b")


@pytest.mark.parametrize(
    ("text", "length"), [("60s", 60), ("1h30m", 5400), ("500ms", 0.5), ("0s", 0), ("1m1ms", 60.001)]
)
def test_durations_are_read_as_the_gateway_api_writes_them(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "60", "-1s", "1.5s", "1d", "1s1s1s1s1s", "123456s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(text)
