"""Encoders on a whole platform: apply → Ready → gateway, by V1, V2, gRPC and the official client of OpenAI."""

import ast
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import openai
import pytest
import transformers
import tritonclient.grpc as triton
from tests.e2e.whole import INFERPLANE, Whole, eventually, whole_platform
from tests.runtimes.tiny_texts import saved

pytestmark = pytest.mark.e2e

TEXTS = ["hello world", "the quick brown fox jumps over the lazy dog", "paris is the capital of france"]
SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {name}
spec:
  predictor:
    model:
      modelFormat:
        name: huggingface
      args: {flags}
      storageUri: file://{directory}
---
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """With a service that classifies, one that embeds, and one whose weights were cut."""
    directory = tmp_path_factory.mktemp("models")
    classifier = transformers.BertForSequenceClassification
    saved(directory / "classes", classifier, num_labels=3)
    saved(directory / "vectors", transformers.BertModel)
    weights = saved(directory / "broken", classifier, num_labels=3) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    flags = {"classes": ["--return_probabilities"], "vectors": [], "broken": []}
    manifest = directory / "services.yaml"
    manifest.write_text(
        "".join(
            SERVICE.format(name=name, flags=json.dumps(given), directory=directory / name)
            for name, given in flags.items()
        )
    )
    with whole_platform(tmp_path_factory.mktemp("home")) as platform:
        platform.kubectl("apply", "-f", manifest)
        ready = ("wait", "--for=condition=Ready", "--timeout=170s", "isvc/classes", "isvc/vectors")
        platform.run("kubectl", *ready, timeout=180)
        yield platform


def asked(platform: Whole, name: str, path: str, body: object) -> Any:
    request = urllib.request.Request(
        platform.gateway + path, json.dumps(body).encode(), {"Host": f"{name}.default.localhost"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def by_grpc(platform: Whole, name: str) -> list[str]:
    given = triton.InferInput("input-0", [len(TEXTS)], "BYTES")
    given.set_data_from_numpy(np.array(TEXTS, dtype=object))
    authority = [("grpc.default_authority", f"{name}.default.localhost")]
    with triton.InferenceServerClient(urlsplit(platform.gateway).netloc, channel_args=authority) as channel:
        found = channel.infer(name, [given], client_timeout=60).as_numpy("output-0")
    return [text.decode() for text in found]


def client(platform: Whole, name: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{platform.gateway}/serving/default/{name}/openai/v1", api_key="none")


def test_v1_v2_and_grpc_say_the_same(platform: Whole) -> None:
    over_v1 = asked(platform, "classes", "/v1/models/classes:predict", {"instances": TEXTS})["predictions"]
    tensor = {"name": "input-0", "shape": [3], "datatype": "BYTES", "data": TEXTS}
    [over_v2] = asked(platform, "classes", "/v2/models/classes/infer", {"inputs": [tensor]})["outputs"]
    over_grpc = by_grpc(platform, "classes")
    assert [set(row) for row in over_v1] == [{"0", "1", "2"}] * 3
    assert [json.loads(json.dumps(ast.literal_eval(text))) for text in over_v2["data"]] == over_v1
    assert over_grpc == over_v2["data"]


def test_openais_client_gets_embeddings(platform: Whole) -> None:
    over_v1 = asked(platform, "vectors", "/v1/models/vectors:predict", {"instances": TEXTS})["predictions"]
    with client(platform, "vectors") as asking:
        found = asking.embeddings.create(model="vectors", input=TEXTS)
    np.testing.assert_allclose([item.embedding for item in found.data], over_v1, rtol=1e-4, atol=1e-6)
    assert found.usage.prompt_tokens == found.usage.total_tokens > len(TEXTS)


def test_openais_client_is_told_of_too_long_a_text(platform: Whole) -> None:
    too_long = pytest.raises(openai.BadRequestError, match="maximum context length is 24 tokens")
    with client(platform, "vectors") as asking, too_long:
        asking.embeddings.create(model="vectors", input=" ".join(TEXTS * 4))


def test_documents_are_ranked(platform: Whole) -> None:
    body = {"model": "vectors", "query": "a fox", "documents": TEXTS, "top_n": 2}
    found = asked(platform, "vectors", "/openai/v1/rerank", body)["results"]
    scores = [one["relevance_score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert [one["document"]["text"] for one in found] == [TEXTS[one["index"]] for one in found]


def test_why_a_model_does_not_load_is_told(platform: Whole) -> None:
    def told() -> bool:
        words = [str(INFERPLANE), "why", "broken"]
        said = subprocess.run(words, env=platform.environ, capture_output=True, text=True, timeout=60, check=False)
        return "broken: the weights cannot be loaded: SafetensorError" in said.stdout

    eventually(told, within=90)
