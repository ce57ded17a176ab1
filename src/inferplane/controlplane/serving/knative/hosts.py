"""Hosts and URLs in Knative mode: those of the service follow from those that Knative gives its components.

`foo-predictor.default.example.com` is the component's, `foo.default.example.com` the service's.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from inferplane.controlplane.serving import names, routes
from inferplane.resources.serving.config import Ingress
from inferplane.resources.serving.inferenceservice import InferenceService

VISIBILITY = "networking.knative.dev/visibility"
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+")


def of_url(url: str) -> str:
    """The host without its port."""
    return urlsplit(url).hostname or ""


def external(component: str, kind: str, component_url: str) -> str:
    """Host of the service: that of its entry component (`component` is its name) without `-predictor` or so."""
    return of_url(component_url).replace(component, component.removesuffix(f"-{kind}"), 1)


def internal(isvc: InferenceService) -> str:
    return routes.cluster_local_host(isvc.metadata.name, isvc.metadata.namespace)


def is_internal(isvc: InferenceService, host: str) -> bool:
    return isvc.metadata.labels.get(VISIBILITY) == "cluster-local" or host == internal(isvc)


def additional(host: str, config: Ingress, domains: Sequence[str] = ()) -> list[str]:
    """`host` under the further domains of the configuration; those that make no host name are left out.

    `domains` are Knative's own (its ConfigMap `config-domain`).
    """
    below = next((host.removesuffix(f".{one}") for one in (*domains, config.ingress_domain) if host.endswith(one)), "")
    if not below or below == host:
        return []
    made = (f"{below}.{domain}" for domain in config.additional_ingress_domains)
    return [one for one in dict.fromkeys(made) if one != host and _HOST.fullmatch(one)]


def url(isvc: InferenceService, host: str, component_url: str, config: Ingress, port: int | None = None) -> str:
    """`status.url`; `host` is the service's own. Raises TemplateError. `port` is that of the gateway."""
    if config.disable_istio_virtual_host and not config.enable_gateway_api:
        return component_url
    if config.path_template and not config.enable_gateway_api:
        return f"{config.url_scheme}://{config.ingress_domain}{routes.path(isvc, config)}"
    return routes.url(config.url_scheme, host, port)


def address(isvc: InferenceService, component: str, config: Ingress) -> str:
    """`status.address.url`: the name of the service where something answers to it, else its entry component's."""
    own = config.enable_gateway_api or config.disable_istio_virtual_host
    host = routes.cluster_local_host(component, isvc.metadata.namespace) if own else internal(isvc)
    return f"http://{host}"


def component_kind(kinds: Sequence[str]) -> str:
    """Which component takes the requests to the service."""
    return names.TRANSFORMER if names.TRANSFORMER in kinds else names.PREDICTOR
