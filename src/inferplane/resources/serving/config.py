"""The ConfigMap `inferenceservice-config`: KServe's keys, each a JSON document, as one value.

The ConfigMap's data goes in, `Config` comes out. A key that is absent has our own default, so that one missing key does
not break what has nothing to do with it; one that is malformed is an error that names it.
"""

# msgspec copies a mutable default for each instance.

from collections.abc import Mapping

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.resources.meta import View

CONFIG_NAMESPACE = "kserve"
CONFIG_NAME = "inferenceservice-config"
MODE_ALIASES = {"RawDeployment": "Standard", "Serverless": "Knative"}


class ConfigError(InferplaneError):
    """The ConfigMap cannot be read."""


class Ingress(View, frozen=True, kw_only=True):
    enable_gateway_api: bool = True
    kserve_ingress_gateway: str = "kserve/kserve-ingress-gateway"
    ingress_domain: str = "localhost"
    additional_ingress_domains: list[str] = []
    domain_template: str = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}"
    path_template: str = "/serving/{{ .Namespace }}/{{ .Name }}"
    url_scheme: str = "http"
    disable_ingress_creation: bool = False
    disable_http_route_timeout: bool = msgspec.field(name="disableHTTPRouteTimeout", default=False)

    @property
    def gateway(self) -> tuple[str, str]:
        """Namespace and name of the Gateway that routes attach to."""
        namespace, slash, name = self.kserve_ingress_gateway.partition("/")
        if not (namespace and slash and name):
            raise ConfigError(
                f"{CONFIG_NAME}: ingress.kserveIngressGateway: expected NAMESPACE/NAME, "
                f"got {self.kserve_ingress_gateway!r}"
            )
        return namespace, name


class RollingUpdate(View, frozen=True, kw_only=True):
    max_surge: str = "25%"
    max_unavailable: str = "25%"


class RolloutStrategy(View, frozen=True, kw_only=True):
    default_rollout: RollingUpdate = RollingUpdate()


class Deploy(View, frozen=True, kw_only=True):
    default_deployment_mode: str = "Standard"
    deployment_rollout_strategy: RolloutStrategy = RolloutStrategy()

    @property
    def mode(self) -> str:
        return MODE_ALIASES.get(self.default_deployment_mode, self.default_deployment_mode)


class StorageInitializer(View, frozen=True, kw_only=True):
    image: str = "kserve/storage-initializer:latest"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    cpu_request: str = "100m"
    cpu_limit: str = "1"


class Resources(View, frozen=True, kw_only=True):
    """For containers that the user brings; each figure only where the container has none."""

    cpu_limit: str = "1"
    memory_limit: str = "2Gi"
    cpu_request: str = "1"
    memory_request: str = "2Gi"


class Services(View, frozen=True, kw_only=True):
    service_cluster_ip_none: bool = msgspec.field(name="serviceClusterIPNone", default=False)


class Defaults(View, frozen=True, kw_only=True):
    """The key `inferenceService`."""

    resource: Resources = Resources()
    service_annotation_disallowed_list: list[str] = []
    service_label_disallowed_list: list[str] = msgspec.field(
        default_factory=lambda: ["networking.knative.dev/visibility"]
    )


class Security(View, frozen=True, kw_only=True):
    auto_mount_service_account_token: bool = True


class Config(View, frozen=True, kw_only=True):
    ingress: Ingress = Ingress()
    deploy: Deploy = Deploy()
    storage_initializer: StorageInitializer = StorageInitializer()
    service: Services = Services()
    inference_service: Defaults = Defaults()
    security: Security = Security()


def parse(data: Mapping[str, str]) -> Config:
    """Raises ConfigError naming the key and what is wrong in it."""
    sections = {field.encode_name: field for field in msgspec.structs.fields(Config)}
    values: dict[str, View] = {}
    for key, field in sections.items():
        if data.get(key):
            values[field.name] = _section(key, data[key], field.type)
    return msgspec.structs.replace(Config(), **values)


def _section(key: str, text: str, type: type[View]) -> View:
    try:
        return msgspec.json.decode(text, type=type)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"ConfigMap {CONFIG_NAMESPACE}/{CONFIG_NAME}, key {key}: {error}", fix="correct the JSON under that key"
        ) from error
