"""The hosts of a Route and its tags. Pure. Rules: knative/serving `pkg/reconciler/route/domains`."""

import re
from dataclasses import dataclass

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject
from inferplane.resources.knative import Route, words
from inferplane.resources.knative.config import CLUSTER_DOMAIN, Config, Network
from inferplane.resources.serving.templates import TemplateError, rendered

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+")
_LOCAL_DOMAIN = f"svc.{CLUSTER_DOMAIN}"


class InvalidHost(InferplaneError):
    """A template made something that is not a host name."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """`external` is empty where only the cluster reaches it. `local`: short, longer, full name."""

    external: str
    local: tuple[str, str, str]

    @property
    def main(self) -> str:
        return self.external or self.local[-1]

    @property
    def service(self) -> str:
        """Name of the Service that stands for it inside of the cluster."""
        return self.local[0].partition(".")[0]

    @property
    def cluster_local(self) -> str:
        return self.local[-1]


def of(route: Route, tag: str, config: Config) -> Hosts:
    """Of one traffic group; `tag` is empty for the default one. Raises InvalidHost."""
    meta = route.metadata
    network = config.network
    name = _filled("tag-template", network.tag_template, {"Tag": tag, "Name": meta.name}) if tag else meta.name
    local = (f"{name}.{meta.namespace}", f"{name}.{meta.namespace}.svc", f"{name}.{meta.namespace}.{_LOCAL_DOMAIN}")
    domain = config.domains.of(meta.labels)
    if meta.labels.get(words.VISIBILITY) == words.CLUSTER_LOCAL or domain == _LOCAL_DOMAIN:
        return Hosts("", (local[0], local[1], _checked("name", local[2])))
    return Hosts(_external(route, name, domain, network), local)


def _external(route: Route, name: str, domain: str, network: Network) -> str:
    meta = route.metadata
    data: JsonObject = {
        "Name": name,
        "Namespace": meta.namespace,
        "Domain": domain,
        "Labels": {**meta.labels},
        "Annotations": {**meta.annotations},
    }
    return _checked("domain-template", _filled("domain-template", network.domain_template, data))


def _filled(key: str, template: str, data: JsonObject) -> str:
    try:
        return rendered(template, data)
    except TemplateError as error:
        raise InvalidHost(f"config-network: {key}: {error}") from error


def _checked(key: str, host: str) -> str:
    if not _HOST.fullmatch(host):
        raise InvalidHost(f"config-network: {key} makes {host!r}, which is not a host name")
    return host
