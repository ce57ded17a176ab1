import httpx
import pytest

from inferplane.dataplane.model.upstream import translated
from inferplane.inference.errors import UpstreamFailed

ASKED = httpx.Request("POST", "http://predictor/v1/models/m:predict")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (httpx.HTTPStatusError("no", request=ASKED, response=httpx.Response(429, request=ASKED)), 429),
        (httpx.HTTPStatusError("moved", request=ASKED, response=httpx.Response(302, request=ASKED)), 502),
        (httpx.ReadTimeout("slow", request=ASKED), 504),
        (httpx.ConnectError("refused", request=ASKED), 503),
        (httpx.ReadError("cut", request=ASKED), 502),
    ],
)
def test_what_went_wrong_behind_keeps_its_status(error: Exception, status: int) -> None:
    found = translated(error)
    assert isinstance(found, UpstreamFailed)
    assert (found.status, str(found)) == (status, f"{type(error).__name__} : {error}")


def test_any_other_error_is_left_alone() -> None:
    error = ValueError("mine")
    assert translated(error) is error
