import pytest

from inferplane.assembly.events import event_settings
from inferplane.inference.cloudevents import Settings


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, Settings()),
        ({"CE_SOURCE": "s", "CE_TYPE": "t", "CE_MERGE": "True"}, Settings("s", "t", merge=True)),
        ({"CE_MERGE": "yes"}, Settings()),
    ],
)
def test_kserves_variables_name_the_answering_events(environment: dict[str, str], settings: Settings) -> None:
    assert event_settings(environment) == settings
