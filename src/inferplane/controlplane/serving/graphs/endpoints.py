"""The URL by which a graph asks an InferenceService: its address and the path of its model. Pure.

KServe's rules (`pkg/controller/v1alpha1/inferencegraph`): the protocol is that of the transformer's container if there
is one, else of the named runtime, else of the model; a predictor of many models has no path of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.multimodel import is_multi_model
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec, ModelSpec
from inferplane.resources.serving.runtime import ServingRuntime

_PROTOCOL = "PROTOCOL"
_MODEL_NAME_FLAG, _MODEL_NAME_VARIABLE = "--model_name", "MLSERVER_MODEL_NAME"
_PROTOCOLS = ("v1", "v2")


class NoEndpoint(InferplaneError):
    """The service cannot be asked, now or ever."""


@dataclass(frozen=True, slots=True)
class Service:
    """An InferenceService (as it is stored) that a graph names, None where there is none."""

    name: str
    isvc: InferenceService | None

    @property
    def trouble(self) -> str:
        """Why it does not answer, "" when it does."""
        if self.isvc is None:
            return f"InferenceService {self.name} does not exist"
        ready = condition(self.isvc.status.conditions, "Ready")
        if ready is not None and ready.status is ConditionStatus.TRUE:
            return ""
        why = f": {ready.message or ready.reason}" if ready is not None and (ready.message or ready.reason) else ""
        return f"InferenceService {self.name} is not ready{why}"


def url(service: Service, runtimes: Sequence[ServingRuntime], config: Config) -> str:
    """`runtimes` are those that the service may name, of its namespace first. Raises NoEndpoint."""
    isvc = service.isvc
    if isvc is None:
        raise NoEndpoint(service.trouble)
    address = isvc.status.address.url if isvc.status.address else ""
    if not address:
        raise NoEndpoint(f"InferenceService {service.name} has no address yet")
    return address + _path(defaulted(isvc, config), runtimes)


def _path(isvc: InferenceService, runtimes: Sequence[ServingRuntime]) -> str:
    name = isvc.metadata.name
    try:
        spec = msgspec.convert(isvc.spec, InferenceServiceSpec)
    except msgspec.ValidationError as error:
        raise NoEndpoint(f"InferenceService {name}: spec: {error}") from error
    transformer = _first_container(object_at(isvc.spec, names.TRANSFORMER))
    if spec.transformer is not None:
        return _of_protocol(_variable(transformer, _PROTOCOL) or "v1", _model_name(isvc, transformer))
    model = spec.predictor.model
    if is_multi_model(spec.predictor, object_at(isvc.spec, names.PREDICTOR)):
        return ""
    protocol = _protocol(name, model, runtimes) if model is not None else "v1"
    return _of_protocol(protocol, _model_name(isvc, transformer))


def _of_protocol(protocol: str, model: str) -> str:
    return f"/v2/models/{model}/infer" if protocol == "v2" else f"/v1/models/{model}:predict"


def _protocol(name: str, model: ModelSpec, runtimes: Sequence[ServingRuntime]) -> str:
    if not model.runtime:
        return model.protocol_version or "v1"
    found = next((one for one in runtimes if one.metadata.name == model.runtime), None)
    if found is None:
        raise NoEndpoint(f"InferenceService {name} names the runtime {model.runtime}, which does not exist")
    spoken = found.spec.protocol_versions
    protocol = next((one for one in spoken if one in _PROTOCOLS), None)
    if protocol is None:
        words = ", ".join(spoken) or "nothing"
        raise NoEndpoint(f"InferenceService {name}: its runtime {model.runtime} speaks {words}, a graph v1 and v2")
    return protocol


def _model_name(isvc: InferenceService, transformer: JsonObject) -> str:
    predictor = object_at(isvc.spec, names.PREDICTOR)
    model = object_at(predictor, "model")
    return (
        _flag(transformer, _MODEL_NAME_FLAG)
        or _variable(model, _MODEL_NAME_VARIABLE)
        or _flag(model, _MODEL_NAME_FLAG)
        or _flag(_first_container(predictor), _MODEL_NAME_FLAG)
        or isvc.metadata.name
    )


# --- containers -------------------------------------------------------------------------------------------------------


def _first_container(component: JsonObject) -> JsonObject:
    return next((one for one in list_at(component, "containers") if isinstance(one, dict)), {})


def _variable(container: JsonObject, name: str) -> str:
    env = [one for one in list_at(container, "env") if isinstance(one, dict)]
    return next((text_at(one, "value") for one in env if one.get("name") == name), "")


def _flag(container: JsonObject, flag: str) -> str:
    """`--flag VALUE` or `--flag=VALUE`."""
    args = [one for one in list_at(container, "args") if isinstance(one, str)]
    for index, one in enumerate(args):
        name, equals, value = one.partition("=")
        if name == flag:
            return value if equals else next(iter(args[index + 1 : index + 2]), "")
    return ""
