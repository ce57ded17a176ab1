"""Tokens of ServiceAccounts: made by the `token` subresource, known again when a client shows one.

A token is a JWT signed with a key that derives from the administrator's token, so that it needs no file of its own. It
ends at its time, and with the ServiceAccount or the Pod that it is bound to.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime

import msgspec

from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

ISSUER = "https://kubernetes.default.svc.cluster.local"
_claims: msgspec.json.Decoder[JsonObject] = msgspec.json.Decoder()
_HEADER: JsonObject = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token is for. `bound` is the uid of the Pod it ends with, empty when it isn't bound."""

    namespace: str
    account: str
    uid: str
    pod: str = ""
    bound: str = ""
    audiences: tuple[str, ...] = (ISSUER,)

    @property
    def username(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.account}"

    @property
    def groups(self) -> tuple[str, ...]:
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated")


def signing_key(token: str) -> bytes:
    return hmac.digest(token.encode(), b"service account tokens", hashlib.sha256)


def issue(key: bytes, bearer: Bearer, now: datetime, seconds: int, identifier: str) -> str:
    """A token that is good from `now` for so many seconds."""
    begin = int(now.timestamp())
    subject: JsonObject = {
        "namespace": bearer.namespace,
        "serviceaccount": {"name": bearer.account, "uid": bearer.uid},
    }
    if bearer.bound:
        subject["pod"] = {"name": bearer.pod, "uid": bearer.bound}
    claims: JsonObject = {
        "aud": list[Json](bearer.audiences),
        "exp": begin + seconds,
        "iat": begin,
        "nbf": begin,
        "iss": ISSUER,
        "jti": identifier,
        "sub": bearer.username,
        "kubernetes.io": subject,
    }
    signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
    return f"{signed}.{_text(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def read(key: bytes, token: str, now: datetime) -> Bearer | None:
    """Whom the token is for; None when it isn't ours or is over."""
    signed, _, signature = token.rpartition(".")
    if signed.count(".") != 1 or not hmac.compare_digest(
        _text(hmac.digest(key, signed.encode(), hashlib.sha256)).encode(), signature.encode()
    ):
        return None
    claims = _claims.decode(_bytes(signed.partition(".")[2]))
    # Two clocks of one machine don't differ, but one may be set back: what was good stays good.
    if number_at(claims, "exp") <= now.timestamp():
        return None
    subject = object_at(claims, "kubernetes.io")
    return Bearer(
        namespace=text_at(subject, "namespace"),
        account=text_at(subject, "serviceaccount", "name"),
        uid=text_at(subject, "serviceaccount", "uid"),
        pod=text_at(subject, "pod", "name"),
        bound=text_at(subject, "pod", "uid"),
        audiences=tuple(str(one) for one in list_at(claims, "aud")),
    )


def _encoded(value: JsonObject) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
