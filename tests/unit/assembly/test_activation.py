"""How many requests the activator may hold."""

from inferplane.assembly.activation import capacity


def test_each_request_needs_two_files_and_the_control_plane_keeps_some() -> None:
    assert capacity(20_000) == 9488
    assert capacity(65_536) == 32_256


def test_where_files_are_few_a_quarter_is_for_requests() -> None:
    assert capacity(1024) == 256
