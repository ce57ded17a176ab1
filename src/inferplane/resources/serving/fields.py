"""Field types that carry what a CRD needs to know: widths of integers, quantities, parts that Kubernetes defines.

`Meta(extra_json_schema=…)` is read by `resources.crds.structural`; the key `definition` names a built-in schema that
stands in that place.
"""

from typing import TYPE_CHECKING, Annotated, TypeAlias

from msgspec import Meta

if TYPE_CHECKING:
    from inferplane.kernel.json import Json, JsonObject
else:
    # msgspec resolves annotations while running and cannot follow the recursive alias; inside, anything goes.
    Json = object
    JsonObject = dict[str, object]

Int32: TypeAlias = Annotated[int, Meta(extra_json_schema={"format": "int32"})]
Count32: TypeAlias = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int32"})]
Count64: TypeAlias = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
Int64: TypeAlias = Annotated[int, Meta(extra_json_schema={"format": "int64"})]
Quantity: TypeAlias = Annotated[int | str, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})]

__all__ = ["Count32", "Count64", "Int32", "Int64", "Json", "JsonObject", "Quantity"]
