"""The Ingress of an InferenceService, for clusters whose ConfigMap asks for Ingress instead of the Gateway API.

One object of the service's name with a rule for each host: the service's own, then one for each component. KServe sends
a transformer's host to the predictor and makes the explainer's from the transformer's name; here each leads where it
says. An Ingress knows neither weights nor patterns: canaries take no share of it, and explanations are found at the
one path that the model's name makes. Pure.
"""

from collections.abc import Mapping

from inferplane.controlplane.serving import names, routes
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ORDER = (names.EXPLAINER, names.TRANSFORMER, names.PREDICTOR)


def of(isvc: InferenceService, services: Mapping[str, str], config: Config) -> list[JsonObject]:
    """`services`: kind of component → its Service. With the name alone as metadata but for annotations.

    None when the service is internal. Raises InvalidHost and TemplateError.
    """
    ingress, name = config.ingress, isvc.metadata.name
    hosts = {kind: routes.component_host(isvc, kind, ingress) for kind in _ORDER if kind in services}
    top = routes.host(isvc, name, ingress)
    if routes.is_internal(isvc, ingress):
        return []
    entry = services.get(names.TRANSFORMER) or services[names.PREDICTOR]
    paths = [_path("/", "Prefix", entry)]
    if names.EXPLAINER in services:
        explained = (f"/v1/models/{name}:explain", f"/v2/models/{name}/explain")
        paths = [*(_path(path, "Exact", services[names.EXPLAINER]) for path in explained), *paths]
    rules = [_rule(top, *paths), *(_rule(host, _path("/", "Prefix", services[kind])) for kind, host in hosts.items())]
    annotations: JsonObject = {key: text for key, text in isvc.metadata.annotations.items() if key != _LAST_APPLIED}
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"ingressClassName": ingress.ingress_class_name, "rules": [*rules]},
        }
    ]


def _rule(host: str, *paths: JsonObject) -> JsonObject:
    return {"host": host, "http": {"paths": [*paths]}}


def _path(path: str, kind: str, service: str) -> JsonObject:
    backend: dict[str, Json] = {"service": {"name": service, "port": {"number": 80}}}
    return {"path": path, "pathType": kind, "backend": backend}
