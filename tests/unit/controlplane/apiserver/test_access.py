import pytest

from inferplane.controlplane.apiserver.access import allowed


@pytest.mark.parametrize(
    ("path", "header", "may"),
    [
        ("/api/v1/pods", "Bearer secret", True),
        ("/api/v1/pods", "bearer  secret", True),
        ("/api/v1/pods", "Bearer other", False),
        ("/api/v1/pods", "Basic secret", False),
        ("/api/v1/pods", "", False),
        ("/healthz", "", True),
        ("/readyz/ping", "", True),
        ("/version", "", True),
        ("/healthzz", "", False),
        ("/versions/secret", "", False),
    ],
)
def test_the_holder_of_the_token_may_everything_and_strangers_ask_for_health_only(
    path: str, header: str, may: bool
) -> None:
    assert allowed(path, header, "secret") is may
