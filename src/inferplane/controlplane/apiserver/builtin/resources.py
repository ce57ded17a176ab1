"""Requests and limits of a container."""

from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.quantities import amount
from inferplane.resources.schemas.values import invalid

# Only these may be requested below their limit.
_OVERCOMMITTED = ("cpu", "memory", "ephemeral-storage")


def resource_errors(resources: JsonObject, path: str) -> list[FieldError]:
    limits, requests = object_at(resources, "limits"), object_at(resources, "requests")
    found = _sign_errors(limits, f"{path}.limits") + _sign_errors(requests, f"{path}.requests")
    for name, wanted in requests.items():
        limit = limits.get(name)
        if limit is None:
            continue
        if amount(str(wanted)) > amount(str(limit)):
            message = f"must be less than or equal to {name} limit of {limit}"
            found.append(invalid(f"{path}.requests", wanted, message))
        elif name not in _OVERCOMMITTED and amount(str(wanted)) != amount(str(limit)):
            found.append(invalid(f"{path}.requests", wanted, f"must be equal to {name} limit of {limit}"))
    return found


def _sign_errors(amounts: JsonObject, path: str) -> list[FieldError]:
    return [
        invalid(f"{path}[{name}]", value, "must be greater than or equal to 0")
        for name, value in amounts.items()
        if amount(str(value)) < 0
    ]
