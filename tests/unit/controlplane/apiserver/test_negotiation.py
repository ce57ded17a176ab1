import pytest

from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.negotiation import Form, Media, Wanted, negotiate

KUBECTL_GET = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
TABLES = frozenset({Form.TABLE, Form.PARTIAL})


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", Wanted()),
        ("*/*", Wanted()),
        (KUBECTL_GET, Wanted(Form.TABLE, version="v1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Wanted()),
        ("application/vnd.kubernetes.protobuf,application/json", Wanted()),
        ("application/yaml", Wanted(media=Media.YAML)),
    ],
)
def test_the_first_offer_that_can_be_met_is_taken(accept: str, wanted: Wanted) -> None:
    assert negotiate(accept, TABLES) == wanted


def test_a_form_that_the_path_does_not_have_falls_through_to_the_plain_one() -> None:
    assert negotiate(KUBECTL_GET, frozenset()) == Wanted()


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Table;v=v9;g=meta.k8s.io"])
def test_offers_that_can_t_be_met_are_406(accept: str) -> None:
    with pytest.raises(StatusError) as refused:
        negotiate(accept, TABLES)
    assert refused.value.code == 406
