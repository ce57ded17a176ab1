"""Models on a whole platform: apply → Ready → gateway, by V1, V2, gRPC and the official client of OpenAI."""

import ast
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import openai
import pytest
import transformers
import tritonclient.grpc as triton
from tests.e2e.whole import INFERPLANE, Whole, eventually, whole_platform
from tests.runtimes import generative_models
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
    """With a service that classifies, one that embeds, one that writes, and one whose weights were cut."""
    directory = tmp_path_factory.mktemp("models")
    classifier = transformers.BertForSequenceClassification
    saved(directory / "classes", classifier, num_labels=3)
    saved(directory / "vectors", transformers.BertModel)
    generative_models.saved("llama", directory / "writer")
    weights = saved(directory / "broken", classifier, num_labels=3) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    flags = {"classes": ["--return_probabilities"], "vectors": [], "writer": [], "broken": []}
    manifest = directory / "services.yaml"
    manifest.write_text(
        "".join(
            SERVICE.format(name=name, flags=json.dumps(given), directory=directory / name)
            for name, given in flags.items()
        )
    )
    with whole_platform(tmp_path_factory.mktemp("home")) as platform:
        platform.kubectl("apply", "-f", manifest)
        ready = ("wait", "--for=condition=Ready", "--timeout=170s", "isvc/classes", "isvc/vectors", "isvc/writer")
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


def said(asking: openai.OpenAI, words: str, tokens: int = 60) -> list[str]:
    """The pieces of a streamed chat."""
    chunks = asking.chat.completions.create(
        model="writer",
        messages=[{"role": "user", "content": words}],
        max_completion_tokens=tokens,
        temperature=0,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def counted(platform: Whole, metric: str) -> float:
    """One of the engine's metrics."""
    with urllib.request.urlopen(f"{platform.gateway}/serving/default/writer/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"inferplane_generation_{metric}{{")).rsplit(" ", 1)[1])


def test_a_chat_streams_to_openais_client_as_it_is_written(platform: Whole) -> None:
    with client(platform, "writer") as asking:
        pieces = said(asking, "hello")
        whole = asking.chat.completions.create(
            model="writer",
            messages=[{"role": "user", "content": "hello"}],
            max_completion_tokens=60,
            temperature=0,
            extra_body={"ignore_eos": True},
        )
    assert len(pieces) > 10
    assert "".join(pieces) == whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 60


def test_sixteen_streams_share_their_steps(platform: Whole) -> None:
    before = counted(platform, "steps_total")
    with client(platform, "writer") as asking, ThreadPoolExecutor(16) as threads:
        texts = [*threads.map(lambda number: "".join(said(asking, f"dog {number}", 600)), range(16))]
        alone = "".join(said(asking, "dog 7", 600))
    assert len({*texts}) > 1
    assert texts[7] == alone
    # One after the other they would be 17 × 599.
    assert counted(platform, "steps_total") - before < 17 * 599 / 4


def test_a_client_that_leaves_makes_room(platform: Whole) -> None:
    with client(platform, "writer") as asking:
        stream = asking.completions.create(
            model="writer", prompt="dog", max_tokens=4000, stream=True, extra_body={"ignore_eos": True}
        )
        next(iter(stream))
        before = counted(platform, "tokens_total")
        stream.close()
    eventually(lambda: counted(platform, "running") == 0, within=60)
    assert counted(platform, "tokens_total") - before < 2000


def test_why_a_model_does_not_load_is_told(platform: Whole) -> None:
    def told() -> bool:
        words = [str(INFERPLANE), "why", "broken"]
        said = subprocess.run(words, env=platform.environ, capture_output=True, text=True, timeout=60, check=False)
        return "broken: the weights cannot be loaded: SafetensorError" in said.stdout

    eventually(told, within=90)
