"""`/openapi.json`, made from the table of endpoints: OpenAPI 3.1."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from inferplane.dataplane.server.http.endpoints import ENDPOINTS, Body, Endpoint, Gives
from inferplane.inference.datatypes import Datatype
from inferplane.kernel.json import Json, JsonObject

_TEXT: JsonObject = {"type": "string"}
_FLAG: JsonObject = {"type": "boolean"}
_COUNT: JsonObject = {"type": "integer"}
_NUMBER: JsonObject = {"type": "number"}


def _list(of: Json) -> JsonObject:
    return {"type": "array", "items": of}


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _of(required: str = "", /, **properties: Json) -> JsonObject:
    found: JsonObject = {"type": "object", "properties": properties}
    return {**found, "required": [*required.split()]} if required else found


_PARAMETERS: JsonObject = {
    "type": ["object", "null"],
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_SHAPE = _list({"type": "integer", "minimum": -1})
_TENSOR = _of("name datatype shape", name=_TEXT, datatype=_TEXT, shape=_SHAPE)
_DATATYPE: JsonObject = {"type": "string", "enum": [*Datatype]}
_NAMED_TENSORS = _list(_TENSOR)

SCHEMAS: dict[str, Json] = {
    "Error": _of("error", error=_TEXT, detail={}),
    Body.V1.value: {
        "type": "object",
        "properties": {"instances": _list({}), "inputs": {"type": ["array", "object"]}},
        "anyOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    },
    Body.EXAMPLES.value: _of(
        "examples", signature_name=_TEXT, context={"type": "object"}, examples=_list({"type": "object"})
    ),
    "InferInput": _of(
        "name shape datatype",
        name=_TEXT,
        shape=_SHAPE,
        datatype=_DATATYPE,
        parameters=_PARAMETERS,
        data=_list({}),
    ),
    Body.V2.value: _of(
        "inputs",
        id={"type": ["string", "null"]},
        parameters=_PARAMETERS,
        inputs={**_list(_ref("InferInput")), "minItems": 1},
        outputs={"type": ["array", "null"], "items": _of("name", name=_TEXT, parameters=_PARAMETERS)},
    ),
    Body.GENERATE.value: _of(id=_TEXT, text_input=_TEXT, parameters=_PARAMETERS),
    Body.INDEX.value: _of(ready=_FLAG),
    Body.OPTIONS.value: _of(parameters={"type": "object"}),
    Gives.STATUS.value: _of("status", status=_TEXT),
    Gives.LIVE.value: _of("live", live=_FLAG),
    Gives.READY.value: _of("ready", ready=_FLAG),
    Gives.MODELS.value: _of("models", models=_list(_TEXT)),
    Gives.MODEL_READY.value: _of("name ready", name=_TEXT, ready=_FLAG),
    Gives.SERVER.value: _of("name version extensions", name=_TEXT, version=_TEXT, extensions=_list(_TEXT)),
    Gives.METADATA.value: _of(
        "name platform inputs outputs",
        name=_TEXT,
        versions={"type": ["array", "null"], "items": _TEXT},
        platform=_TEXT,
        inputs=_NAMED_TENSORS,
        outputs=_NAMED_TENSORS,
    ),
    Gives.CONFIG.value: _of("name backend input output", name=_TEXT, backend=_TEXT, input=_list({}), output=_list({})),
    Gives.STATISTICS.value: _of("model_stats", model_stats=_list(_of("name inference_count", name=_TEXT))),
    Gives.INDEX.value: _list(_of("name state reason", name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT)),
    Gives.LOADED.value: _of("name load", name=_TEXT, load=_FLAG),
    Gives.UNLOADED.value: _of("name unload", name=_TEXT, unload=_FLAG),
    Gives.PREDICTION.value: {},
    Gives.RESULTS.value: _of("results", results=_list({})),
    Gives.VERSIONS.value: _of(
        "model_version_status", model_version_status=_list(_of("version state", version=_TEXT, state=_TEXT))
    ),
    Gives.SIGNATURES.value: _of("model_spec metadata", model_spec={"type": "object"}, metadata={"type": "object"}),
    "InferOutput": _of(
        "name shape datatype", name=_TEXT, shape=_SHAPE, datatype=_DATATYPE, parameters=_PARAMETERS, data=_list({})
    ),
    Gives.INFERENCE.value: _of(
        "model_name outputs",
        model_name=_TEXT,
        model_version={"type": ["string", "null"]},
        id=_TEXT,
        parameters=_PARAMETERS,
        outputs=_list(_ref("InferOutput")),
    ),
    Gives.GENERATION.value: _of("model_name model_version", model_name=_TEXT, model_version=_TEXT),
    "OpenAIError": _of("error", error={"type": ["object", "string"]}),
    Body.COMPLETION.value: _of(
        "model prompt",
        model=_TEXT,
        prompt={"type": ["string", "array"]},
        max_tokens=_COUNT,
        temperature=_NUMBER,
        top_p=_NUMBER,
        stop={"type": ["string", "array"]},
        stream=_FLAG,
    ),
    Body.CHAT.value: _of(
        "model messages",
        model=_TEXT,
        messages=_list(_of("role", role=_TEXT, content=_TEXT)),
        max_completion_tokens=_COUNT,
        temperature=_NUMBER,
        top_p=_NUMBER,
        stop={"type": ["string", "array"]},
        stream=_FLAG,
    ),
    Body.EMBEDDING.value: _of("model input", model=_TEXT, input={"type": ["string", "array"]}, encoding_format=_TEXT),
    Body.RERANK.value: _of("model query documents", model=_TEXT, query=_TEXT, documents=_list(_TEXT), top_n=_COUNT),
    Gives.MODEL_CARDS.value: _of("object data", object=_TEXT, data=_list(_ref(Gives.MODEL_CARD))),
    Gives.MODEL_CARD.value: _of("id object", id=_TEXT, object=_TEXT, created=_COUNT, owned_by=_TEXT),
    Gives.COMPLETION.value: _of("id choices", id=_TEXT, model=_TEXT, choices=_list({"type": "object"})),
    Gives.CHAT.value: _of("id choices", id=_TEXT, model=_TEXT, choices=_list({"type": "object"})),
    Gives.EMBEDDING.value: _of("data usage", model=_TEXT, data=_list({"type": "object"}), usage={"type": "object"}),
    Gives.RERANK.value: _of("results", id=_TEXT, model=_TEXT, results=_list({"type": "object"})),
    Gives.ANYTHING.value: {},
}

_SAYS = {
    400: "The request does not fit the protocol or the model",
    404: "There is no such model or version",
    408: "The request did not arrive in time",
    413: "The body is too large",
    415: "The content type or the content coding is not understood",
    422: "The body does not have the protocol's form",
    500: "The model failed",
    501: "The model does not do this",
    503: "The model is not ready, or too many requests wait",
    504: "The time for the request is over",
}


def document(version: str, examples: Mapping[Body, Mapping[str, JsonObject]] = MappingProxyType({})) -> JsonObject:
    """`examples`: requests by the kind of their body and the name of their model."""
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        path = paths.setdefault(endpoint.path, {})
        if isinstance(path, dict):
            path[endpoint.method.lower()] = _operation(endpoint, examples.get(endpoint.body, {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inferplane model server", "version": version},
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(endpoint: Endpoint, examples: Mapping[str, JsonObject]) -> JsonObject:
    operation: JsonObject = {
        "summary": endpoint.summary,
        "operationId": _id(endpoint),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[^/:]+$"}}
            for name in re.findall(r"{(\w+)}", endpoint.path)
        ],
        "responses": {"200": _success(endpoint.gives), **_failures(endpoint)},
    }
    if endpoint.body is not Body.NONE:
        operation["requestBody"] = _request_body(endpoint.body, examples)
    return operation


def _id(endpoint: Endpoint) -> str:
    words = re.findall(r"\w+", endpoint.path) or ["root"]
    return "_".join([endpoint.method.lower(), *words]).replace(".", "_")


def _request_body(body: Body, examples: Mapping[str, JsonObject]) -> JsonObject:
    plain: JsonObject = {"schema": _ref(body)}
    if examples:
        plain["examples"] = {model: {"value": request} for model, request in examples.items()}
    content: JsonObject = {"application/json": plain}
    if body is Body.V2:
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return {"required": body not in (Body.INDEX, Body.OPTIONS), "content": content}


def _success(gives: Gives) -> JsonObject:
    if gives is Gives.TEXT:
        return {"description": "Text", "content": {"text/plain": {"schema": _TEXT}}}
    if gives is Gives.EVENTS:
        return {
            "description": "Server-sent events",
            "content": {"text/event-stream": {"schema": _of("data", data=_TEXT)}},
        }
    content: JsonObject = {"application/json": {"schema": _ref(gives)}}
    if gives is Gives.INFERENCE:
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return {"description": "Good", "content": content}


def _failures(endpoint: Endpoint) -> JsonObject:
    return {str(code): _failure(code, endpoint.refusal) for code in endpoint.failures}


def _failure(code: int, schema: str) -> JsonObject:
    return {"description": _SAYS[code], "content": {"application/json": {"schema": _ref(schema)}}}


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Inferplane model server</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{font:14px ui-monospace,monospace}td{padding:.2rem .8rem .2rem 0;vertical-align:top}</style></head>
<body><h1>Inferplane model server</h1><p>The same for machines: <a href="openapi.json">openapi.json</a></p>
<table>%s</table></body></html>
"""


def page() -> str:
    """The endpoints for people. Loads nothing from elsewhere."""
    rows = (f"<tr><td>{e.method}</td><td><code>{e.path}</code></td><td>{e.summary}</td></tr>" for e in ENDPOINTS)
    return PAGE % "".join(rows)
