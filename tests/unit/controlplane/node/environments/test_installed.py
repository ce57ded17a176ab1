import pytest

from inferplane.controlplane.node.environments.installed import applies


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("torch>=2.5 ; extra == 'e'", True),
        ("torch>=2.5", True),
        ("tensorflow ; (python_version < '3') and extra == 'e'", False),
        ("tensorflow ; (python_version >= '3') and extra == 'e'", True),
        ("tensorflow ; extra == 'other'", False),
    ],
)
def test_an_extra_needs_what_is_for_this_machine(line: str, expected: bool) -> None:
    assert applies(line, "e") is expected
