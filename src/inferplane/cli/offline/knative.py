"""What the controllers of Knative's kinds would say against objects in files, and against Knative's ConfigMaps.

The judges are theirs: `resources.knative.validation`, `resources.autoscaling_knative.annotations`. Without ConfigMaps
among the files those of one machine count.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from inferplane.cli.manifests import Manifest
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.autoscaling_knative import annotations, config
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.knative import Configuration, KnativeService, RevisionTemplate, Route
from inferplane.resources.knative import config as serving
from inferplane.resources.knative.config import Config
from inferplane.resources.knative.validation import metadata_problems, template_problems

_GROUP = "serving.knative.dev/"
_TEMPLATE = "spec.template."
_ANNOTATIONS = f"{_TEMPLATE}metadata.annotations."


@dataclass(frozen=True, slots=True)
class Settings:
    serving: Config
    autoscaler: AutoscalerConfig


def settings_of(manifests: Iterable[Manifest]) -> Settings:
    """ConfigMaps with a fault count as absent: the fault is said by itself."""
    given = [
        one.body for one in manifests if is_config(one) and not [*problems(one, Settings(Config(), AutoscalerConfig()))]
    ]
    found, autoscaler = Config(), AutoscalerConfig()
    for name, body in {_name(one): one for one in [*serving.config_maps(), config.config_map(), *given]}.items():
        if name == config.NAME:
            autoscaler = config.read(_data(body))
        else:
            found = serving.read(name, _data(body), found)
    return Settings(found, autoscaler)


def is_config(manifest: Manifest) -> bool:
    place = manifest.namespace in ("", config.NAMESPACE)
    return manifest.kind == "ConfigMap" and place and manifest.name in (config.NAME, *serving.NAMES)


def is_ours(manifest: Manifest) -> bool:
    return manifest.api_version.startswith(_GROUP) or is_config(manifest)


def problems(manifest: Manifest, settings: Settings) -> Iterator[tuple[str, str]]:
    """Paths and words. Raises msgspec.ValidationError for what the schema let pass."""
    if is_config(manifest):
        yield from _of_config(manifest.body)
        return
    match manifest.kind:
        case "Service":
            service = msgspec.convert(manifest.body, KnativeService)
            yield from _split(metadata_problems(service.metadata))
            yield from _of_template(service.spec.template, settings, service.metadata.name)
        case "Configuration":
            configuration = msgspec.convert(manifest.body, Configuration)
            yield from _split(metadata_problems(configuration.metadata))
            yield from _of_template(configuration.spec.template, settings, configuration.metadata.name)
        case "Route":
            yield from _split(metadata_problems(msgspec.convert(manifest.body, Route).metadata))


def _of_template(template: RevisionTemplate, settings: Settings, parent: str) -> Iterator[tuple[str, str]]:
    yield from _split(template_problems(template, settings.serving, parent=parent), _TEMPLATE)
    yield from _split(annotations.problems(template.metadata.annotations, settings.autoscaler), _ANNOTATIONS)


def _of_config(body: JsonObject) -> Iterator[tuple[str, str]]:
    try:
        if _name(body) == config.NAME:
            config.read(_data(body))
        else:
            serving.read(_name(body), _data(body), Config())
    except (config.BadConfig, serving.BadConfig) as error:
        yield from _split(error.problems, "data.")


def _split(sentences: Iterable[str], prefix: str = "") -> Iterator[tuple[str, str]]:
    for one in sentences:
        path, _, words = one.partition(": ")
        yield f"{prefix}{path}", words


def _name(body: JsonObject) -> str:
    return text_at(body, "metadata", "name")


def _data(body: JsonObject) -> dict[str, str]:
    return {key: text for key, text in object_at(body, "data").items() if isinstance(text, str)}
