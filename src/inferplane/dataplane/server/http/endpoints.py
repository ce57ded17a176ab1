"""The table of what the server answers over HTTP. Routes are made of it, and so is `/openapi.json`.

`on_lane` endpoints are answered by the lane; the application knows them to tell their methods.
"""

from dataclasses import dataclass
from enum import StrEnum


class Body(StrEnum):
    """What a request's body is; the names of schemas in `openapi`."""

    NONE = ""
    V1 = "V1Request"
    EXAMPLES = "ExamplesRequest"
    V2 = "InferRequest"
    GENERATE = "GenerateRequest"
    INDEX = "IndexRequest"
    OPTIONS = "RepositoryRequest"
    COMPLETION = "CompletionRequest"
    CHAT = "ChatCompletionRequest"
    EMBEDDING = "EmbeddingRequest"
    RERANK = "RerankRequest"


class Gives(StrEnum):
    """What a 200 answer's body is; also names of schemas."""

    STATUS = "Alive"
    LIVE = "Live"
    READY = "Ready"
    MODELS = "Models"
    MODEL_READY = "ModelReady"
    SERVER = "ServerMetadata"
    METADATA = "ModelMetadata"
    CONFIG = "ModelConfig"
    STATISTICS = "ModelStatistics"
    INDEX = "RepositoryIndex"
    LOADED = "Loaded"
    UNLOADED = "Unloaded"
    PREDICTION = "V1Response"
    RESULTS = "Results"
    VERSIONS = "ModelVersions"
    SIGNATURES = "Signatures"
    INFERENCE = "InferResponse"
    GENERATION = "GenerateResponse"
    EVENTS = "Events"
    TEXT = "Text"
    MODEL_CARDS = "ModelList"
    MODEL_CARD = "ModelCard"
    COMPLETION = "Completion"
    CHAT = "ChatCompletion"
    EMBEDDING = "Embedding"
    RERANK = "Rerank"
    ANYTHING = "Anything"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`handler` is the name of the method of `app.Pages` that answers; `failures` the codes beside 200."""

    method: str
    path: str
    handler: str
    summary: str
    gives: Gives
    body: Body = Body.NONE
    failures: tuple[int, ...] = ()
    on_lane: bool = False
    refusal: str = "Error"
    """The schema of what answers with one of `failures`."""


_CALL = (400, 404, 408, 413, 415, 422, 500, 501, 503, 504)
_KNOWN = (404,)
_SERVED = (400, 404, 501, 503)


def _versions(
    method: str, path: str, handler: str, summary: str, gives: Gives, failures: tuple[int, ...] = ()
) -> list[Endpoint]:
    """The endpoint of a model, and of the model in a version."""
    return [
        Endpoint(method, path.format("{model}"), handler, summary, gives, failures=failures),
        Endpoint(
            method,
            path.format("{model}/versions/{version}"),
            handler,
            f"{summary}, by version",
            gives,
            failures=failures,
        ),
    ]


def _calls(verb: str, summary: str, gives: Gives, body: Body) -> list[Endpoint]:
    return [
        Endpoint("POST", f"/v2/models/{model}/{verb}", "lane", f"{summary}{of}", gives, body, _CALL, on_lane=True)
        for model, of in (("{model}", ""), ("{model}/versions/{version}", ", by version"))
    ]


def _servables(which: str, of: str) -> list[Endpoint]:
    """What TensorFlow Serving answers about a version, and with it."""
    path = f"/v1/models/{{model}}/{which}"
    verbs = (("predict", Gives.PREDICTION, Body.V1), ("classify", Gives.RESULTS, Body.EXAMPLES))
    calls = [*verbs, ("regress", Gives.RESULTS, Body.EXAMPLES)]
    return [
        Endpoint("GET", path, "versions", f"State of {of}", Gives.VERSIONS, failures=_SERVED),
        Endpoint("GET", f"{path}/metadata", "signatures", f"Signatures of {of}", Gives.SIGNATURES, failures=_SERVED),
        *(
            Endpoint("POST", f"{path}:{verb}", "lane", f"{verb.title()} with {of}", gives, body, _CALL, on_lane=True)
            for verb, gives, body in calls
        ),
    ]


def _asked(api: str, summary: str, gives: Gives, body: Body) -> Endpoint:
    path = f"/openai/v1/{api}"
    return Endpoint("POST", path, "lane", summary, gives, body, _CALL, on_lane=True, refusal="OpenAIError")


_OPENAI = (
    Endpoint("GET", "/openai/v1/models", "openai_models", "Models that OpenAI's clients can ask", Gives.MODEL_CARDS),
    Endpoint(
        "GET",
        "/openai/v1/models/{model}",
        "openai_model",
        "A model, for OpenAI's clients",
        Gives.MODEL_CARD,
        failures=(404, 503),
        refusal="OpenAIError",
    ),
    _asked("completions", "Complete a text; with stream, events", Gives.COMPLETION, Body.COMPLETION),
    _asked("chat/completions", "Answer a chat; with stream, events", Gives.CHAT, Body.CHAT),
    _asked("embeddings", "Vectors of texts", Gives.EMBEDDING, Body.EMBEDDING),
    _asked("rerank", "Documents by relevance", Gives.RERANK, Body.RERANK),
)
"""The POSTs also without `/openai`."""

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/", "lane", "Whether the process lives", Gives.STATUS, on_lane=True),
    Endpoint("GET", "/metrics", "metrics", "Prometheus metrics, OpenMetrics for those who accept it", Gives.TEXT),
    Endpoint("GET", "/openapi.json", "openapi", "This description", Gives.ANYTHING),
    Endpoint("GET", "/v1/models", "models", "Names of the models", Gives.MODELS),
    Endpoint("GET", "/v1/models/{model}", "model", "Whether a model is ready", Gives.MODEL_READY, failures=(404, 503)),
    Endpoint("POST", "/v1/models/{model}:predict", "lane", "Predict", Gives.PREDICTION, Body.V1, _CALL, on_lane=True),
    Endpoint("POST", "/v1/models/{model}:explain", "lane", "Explain", Gives.PREDICTION, Body.V1, _CALL, on_lane=True),
    Endpoint(
        "POST",
        "/v1/models/{model}:classify",
        "lane",
        "Classify examples",
        Gives.RESULTS,
        Body.EXAMPLES,
        _CALL,
        on_lane=True,
    ),
    Endpoint(
        "POST",
        "/v1/models/{model}:regress",
        "lane",
        "Regress examples",
        Gives.RESULTS,
        Body.EXAMPLES,
        _CALL,
        on_lane=True,
    ),
    Endpoint("GET", "/v1/models/{model}/metadata", "signatures", "Signatures", Gives.SIGNATURES, failures=_SERVED),
    *_servables("versions/{version}", "a version"),
    *_servables("labels/{label}", "the version with a label"),
    Endpoint("GET", "/v2", "server", "Name, version and extensions of the server", Gives.SERVER),
    Endpoint("GET", "/v2/health/live", "lane", "Whether the server lives", Gives.LIVE, on_lane=True),
    Endpoint(
        "GET", "/v2/health/ready", "lane", "Whether all models are ready", Gives.READY, failures=(503,), on_lane=True
    ),
    Endpoint("GET", "/v2/models", "models", "Names of the models", Gives.MODELS),
    Endpoint("GET", "/v2/models/stats", "all_statistics", "Statistics of all models", Gives.STATISTICS),
    *_versions("GET", "/v2/models/{}", "metadata", "Inputs and outputs of a model", Gives.METADATA, _KNOWN),
    *_versions("GET", "/v2/models/{}/ready", "model_ready", "Whether a model is ready", Gives.MODEL_READY, (404, 503)),
    *_versions("GET", "/v2/models/{}/config", "config", "Triton's configuration of a model", Gives.CONFIG, _KNOWN),
    *_versions("GET", "/v2/models/{}/stats", "statistics", "Statistics of a model", Gives.STATISTICS, _KNOWN),
    *_calls("infer", "Infer", Gives.INFERENCE, Body.V2),
    *_calls("explain", "Explain", Gives.INFERENCE, Body.V2),
    *_calls("infer_stream", "Infer, each response an event", Gives.EVENTS, Body.V2),
    *_calls("generate", "Generate", Gives.GENERATION, Body.GENERATE),
    *_calls("generate_stream", "Generate, each response an event", Gives.EVENTS, Body.GENERATE),
    Endpoint("POST", "/v2/repository/index", "index", "Models and their states", Gives.INDEX, Body.INDEX, (400, 422)),
    Endpoint(
        "POST",
        "/v2/repository/models/{model}/load",
        "load",
        "Load a model",
        Gives.LOADED,
        Body.OPTIONS,
        (400, 404, 422, 503),
    ),
    Endpoint(
        "POST",
        "/v2/repository/models/{model}/unload",
        "unload",
        "Unload a model",
        Gives.UNLOADED,
        Body.OPTIONS,
        (400, 404, 422),
    ),
    *_OPENAI,
)
