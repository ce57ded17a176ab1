"""The kinds of `metrics.k8s.io/v1beta1`, which the package with Kubernetes' own kinds lacks, as OpenAPI documents."""

from inferplane.kernel.json import JsonObject


def definitions(prefix: str, reference: str, machinery: str) -> dict[str, JsonObject]:
    """By full name. `prefix` of these kinds, `reference` of a definition, `machinery` of apimachinery's packages."""

    def to(name: str) -> JsonObject:
        return {"$ref": f"{reference}{name}"}

    def listed(item: str) -> JsonObject:
        items: JsonObject = {"type": "array", "items": to(f"{prefix}{item}")}
        meta = to(f"{machinery}apis.meta.v1.ListMeta")
        properties: JsonObject = {**kind, "metadata": meta, "items": items}
        return {"type": "object", "description": f"A list of {item}.", "properties": properties, "required": ["items"]}

    text: JsonObject = {"type": "string"}
    kind: JsonObject = {"apiVersion": text, "kind": text}
    amounts: JsonObject = {"type": "object", "additionalProperties": to(f"{machinery}api.resource.Quantity")}
    measured: JsonObject = {
        **kind,
        "metadata": to(f"{machinery}apis.meta.v1.ObjectMeta"),
        "timestamp": to(f"{machinery}apis.meta.v1.Time"),
        "window": {"type": "string", "description": "How long was measured, up to the timestamp."},
    }
    containers: JsonObject = {"type": "array", "items": to(f"{prefix}ContainerMetrics")}
    return {
        f"{prefix}ContainerMetrics": {
            "type": "object",
            "description": "What one container uses.",
            "properties": {"name": text, "usage": amounts},
            "required": ["name", "usage"],
        },
        f"{prefix}PodMetrics": {
            "type": "object",
            "description": "What a pod's containers use: CPU as an average over the window, memory at its end.",
            "properties": {**measured, "containers": containers},
            "required": ["timestamp", "window", "containers"],
        },
        f"{prefix}NodeMetrics": {
            "type": "object",
            "description": "What a node uses: CPU as an average over the window, memory at its end.",
            "properties": {**measured, "usage": amounts},
            "required": ["timestamp", "window", "usage"],
        },
        f"{prefix}PodMetricsList": listed("PodMetrics"),
        f"{prefix}NodeMetricsList": listed("NodeMetrics"),
    }
