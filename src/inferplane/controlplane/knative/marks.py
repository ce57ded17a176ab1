"""By what our objects are known: the field manager, and the labels and annotations that are passed on."""

from collections.abc import Collection, Mapping

MANAGER = "inferplane-knative"


def without(entries: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in entries.items() if key not in names}
