"""Probes and lifecycle hooks of a container: exactly one handler, with what it needs."""

from inferplane.controlplane.apiserver.builtin.services import target_errors
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, required

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SECONDS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
# Of these a success is final, so one must be enough.
_ONCE = ("livenessProbe", "startupProbe")


def probe_errors(container: JsonObject, path: str) -> list[FieldError]:
    found = []
    for name in _PROBES:
        probe = container.get(name)
        if isinstance(probe, dict):
            here = f"{path}.{name}"
            found += _handler_errors(probe, here, _HANDLERS)
            found += _number_errors(probe, here)
            if name in _ONCE and probe.get("successThreshold") != 1:
                found.append(invalid(f"{here}.successThreshold", probe.get("successThreshold"), "must be 1"))
    for hook in ("postStart", "preStop"):
        handler = object_at(container, "lifecycle").get(hook)
        if isinstance(handler, dict):
            found += _handler_errors(handler, f"{path}.lifecycle.{hook}", _HOOK_HANDLERS)
    return found


def _number_errors(probe: JsonObject, path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{key}", number, "must be greater than or equal to 0")
        for key in _SECONDS
        if isinstance(number := probe.get(key), int) and number < 0
    ]


def _handler_errors(probe: JsonObject, path: str, handlers: tuple[str, ...]) -> list[FieldError]:
    given = [name for name in handlers if isinstance(probe.get(name), dict)]
    if not given:
        return [required(path, "must specify a handler type")]
    found = [forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in given[1:]]
    name = given[0]
    handler = object_at(probe, name)
    if name == "exec" and not handler.get("command"):
        found.append(required(f"{path}.exec.command"))
    if name in ("httpGet", "tcpSocket", "grpc"):
        found += target_errors(handler.get("port"), f"{path}.{name}.port")
    return found
