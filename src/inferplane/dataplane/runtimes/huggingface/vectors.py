"""Embeddings and ranks in the forms of the OpenAI endpoints: requests → texts, and what was computed → answers.

Documents are ranked by the one number that a cross-encoder gives to a pair, through the logistic function, or by the
cosine between their vectors and the query's.
"""

import base64
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from inferplane.dataplane.openai.answers import Embedding, EmbeddingItem, Rerank, RerankDocument, RerankResult, Usage
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import EmbeddingRequest, RerankRequest
from inferplane.dataplane.runtimes.huggingface.inputs import Texts, arrays
from inferplane.dataplane.server.ids import new_id
from inferplane.inference.errors import Unimplemented
from inferplane.inference.tensors import Array


def texts_of(request: EmbeddingRequest) -> Texts:
    """Tokens are refused: they would be those of another model's tokenizer."""
    given = [request.input] if isinstance(request.input, str) else request.input
    if not given:
        raise InvalidField("input", "expected at least one text")
    if not all(isinstance(one, str) for one in given):
        raise Unimplemented("'input' as token lists is not supported", fix="send texts")
    return arrays(cast(list[str], given))


def place_in(request: EmbeddingRequest) -> Callable[[int], str]:
    return lambda row: "input" if isinstance(request.input, str) else f"input[{row}]"


def embedding(request: EmbeddingRequest, vectors: Array, tokens: int) -> Embedding:
    """`vectors` [n, size], each of length 1. `dimensions` keeps the first of them, at length 1 again."""
    encode = _encoding(request.encoding_format)
    cut = _shortened(vectors, request.dimensions)
    items = [
        EmbeddingItem(object="embedding", index=index, embedding=encode(vector)) for index, vector in enumerate(cut)
    ]
    usage = Usage(prompt_tokens=tokens, total_tokens=tokens)
    return Embedding(object="list", model=request.model, data=items, usage=usage)


def _encoding(name: str | None) -> Callable[[Array], list[float] | str]:
    if name in (None, "float"):
        return lambda vector: cast(list[float], vector.tolist())
    if name == "base64":
        return lambda vector: base64.b64encode(vector.astype("<f4").tobytes()).decode()
    raise InvalidField("encoding_format", f"expected float or base64, got {name}")


def _shortened(vectors: Array, size: int | None) -> Array:
    if size is None:
        return vectors
    if not 0 < size <= vectors.shape[1]:
        raise InvalidField(
            "dimensions", f"expected 1 to {vectors.shape[1]}, which the model's vectors have, got {size}"
        )
    first = vectors[:, :size]
    return cast(Array, first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12))


def documents_of(request: RerankRequest) -> list[str]:
    if not request.documents:
        raise InvalidField("documents", "expected at least one text")
    if request.top_n is not None and request.top_n < 1:
        raise InvalidField("top_n", f"expected 1 or more, got {request.top_n}")
    found = [one if isinstance(one, str) else one.get("text") for one in request.documents]
    for index, text in enumerate(found):
        if not isinstance(text, str):
            raise InvalidField(f"documents[{index}]", "expected a text, or an object with a text")
    return cast(list[str], found)


def pairs_of(request: RerankRequest, documents: Sequence[str]) -> Texts:
    return arrays([request.query] * len(documents), documents)


def place_in_pairs(row: int) -> str:
    return f"documents[{row}]"


def query_and(request: RerankRequest, documents: Sequence[str]) -> Texts:
    return arrays([request.query, *documents])


def place_after_query(row: int) -> str:
    return f"documents[{row - 1}]" if row else "query"


def logistic(logits: Array) -> Array:
    """[n, 1] → [n]."""
    return cast(Array, 1 / (1 + np.exp(-logits[:, 0].astype(np.float64))))


def nearness(vectors: Array) -> Array:
    """Cosines of the first, the query's, with the others, all of length 1."""
    return cast(Array, vectors[1:] @ vectors[0])


def ranking(request: RerankRequest, documents: Sequence[str], scores: Array, tokens: int) -> Rerank:
    """The most relevant first; of equals the one that came first."""
    order = np.argsort(np.negative(scores), kind="stable")[: request.top_n].tolist()
    shown = request.return_documents is not False
    results = [
        RerankResult(
            index=index,
            relevance_score=float(scores[index]),
            document=RerankDocument(text=documents[index]) if shown else None,
        )
        for index in order
    ]
    usage = Usage(prompt_tokens=tokens, total_tokens=tokens)
    return Rerank(id=f"rerank-{new_id()}", model=request.model, results=results, usage=usage)
