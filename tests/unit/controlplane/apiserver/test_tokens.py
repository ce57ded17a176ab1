from datetime import UTC, datetime, timedelta

import pytest

from inferplane.controlplane.apiserver.tokens import Bearer, issue, read, signing_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = signing_key("secret")
BEARER = Bearer("default", "iris", "u-1", pod="iris-0", bound="u-2", audiences=("a",))


def test_a_token_says_whom_it_is_for_until_its_time_is_over() -> None:
    token = issue(KEY, BEARER, NOW, 600, "id")
    assert read(KEY, token, NOW + timedelta(seconds=599)) == BEARER
    assert read(KEY, token, NOW + timedelta(seconds=600)) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b", "...."])
def test_what_is_no_token_of_ours_is_nobodys(token: str) -> None:
    assert read(KEY, token, NOW) is None


def test_a_token_that_was_changed_or_signed_by_another_is_nobodys() -> None:
    header, claims, signature = issue(KEY, BEARER, NOW, 600, "id").split(".")
    assert read(KEY, f"{header}.{claims[:-2]}xx.{signature}", NOW) is None
    assert read(signing_key("other"), f"{header}.{claims}.{signature}", NOW) is None
