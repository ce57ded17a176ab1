"""Encoders of transformers: what they answer over V1, V2 and gRPC is what the library answers when it is called itself.

One server has a model of each task, as a directory of models. What concerns no protocol is asked of the model itself.
"""

import ast
import asyncio
import base64
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tests.runtimes import tiny_texts
from tests.runtimes.serving import Server, serving, why_not
from tests.runtimes.tiny_texts import POSITIONS, SIZES, edited, saved, saved_as

from inferplane.dataplane.model.predictor import PredictorConfig, tell_near_predictor, tell_predictor
from inferplane.dataplane.openai.answers import Embedding, Rerank
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import EmbeddingRequest, RerankRequest
from inferplane.dataplane.runtimes.huggingface.encoder import EncoderModel
from inferplane.dataplane.runtimes.huggingface.inputs import arrays
from inferplane.dataplane.runtimes.huggingface.remote import RemoteEncoderModel
from inferplane.dataplane.runtimes.options import HuggingFaceOptions, RuntimeOptions
from inferplane.dataplane.runtimes.registry import models
from inferplane.dataplane.server.batching.join import RowJoining
from inferplane.inference.errors import InvalidInput, Unimplemented
from inferplane.inference.tensors import InferInput, InferRequest, InferResponse, output
from inferplane.kernel.errors import InferplaneError

TEXTS = ["hello world", "the quick brown fox jumps over the lazy dog", "paris is the capital of france"]
MASKED = ["paris is the [MASK] of france", "the [MASK] brown [MASK] jumps"]
PAIRS = [["hello world", "how are you?"], ["the fox", "jumps over the dog today"]]
BYTES = np.array(TEXTS, dtype=object)

KINDS: dict[str, tuple[type, dict[str, object]]] = {
    "classes": (transformers.BertForSequenceClassification, {"num_labels": 3}),
    "tokens": (transformers.BertForTokenClassification, {"num_labels": 5}),
    "masks": (transformers.BertForMaskedLM, {}),
    "vectors": (transformers.BertModel, {}),
    "ranks": (transformers.BertForSequenceClassification, {"num_labels": 1}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of models, one a task."""
    directory = tmp_path_factory.mktemp("models")
    for name, (kind, settings) in KINDS.items():
        saved(directory / name, kind, **settings)
    return directory


@pytest.fixture(scope="module")
def served(made: Path) -> Iterator[Server]:
    with serving("huggingface", made) as server:
        yield server


def itself(directory: Path, texts: list[Any], *more: Any) -> Any:
    """The library's own output for the texts, with what it was given."""
    kind, _ = KINDS[directory.name]
    model = kind.from_pretrained(directory).eval()  # type: ignore[attr-defined]  # transformers is not typed here
    encoded = transformers.AutoTokenizer.from_pretrained(directory)(
        texts, *more, padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt"
    )
    with torch.no_grad():
        return model(**encoded), encoded


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def vectors_of(directory: Path, texts: list[str]) -> np.ndarray:
    found, encoded = itself(directory, texts)
    weights = encoded["attention_mask"].unsqueeze(-1).float()
    mean = (found.last_hidden_state * weights).sum(1) / weights.sum(1)
    return np.asarray(torch.nn.functional.normalize(mean, dim=1))


def loaded(directory: Path, **asked: Any) -> EncoderModel:
    [model] = models("huggingface", "m", directory, RuntimeOptions(huggingface=HuggingFaceOptions(**asked)))
    assert isinstance(model, EncoderModel)
    model.load()
    return model


def v1(model: EncoderModel, instances: object) -> Any:
    answer = model.predict({"instances": instances}, {})
    assert isinstance(answer, dict)
    return answer["predictions"]


def v2(model: EncoderModel, texts: list[str]) -> InferResponse:
    answer = model.predict(InferRequest("m", [InferInput("input-0", [len(texts)], "BYTES", texts)]), {})
    assert isinstance(answer, InferResponse)
    return answer


# Answers.


def test_classes_are_the_librarys_over_every_protocol(served: Server, made: Path) -> None:
    wanted = itself(made / "classes", TEXTS)[0].logits.argmax(-1).numpy()
    server = served.of("classes")
    assert server.v1(TEXTS) == wanted.tolist()
    np.testing.assert_array_equal(server.v2({"input-0": BYTES})["output-0"], wanted)
    over_grpc = server.v2_grpc({"input-0": BYTES})["output-0"]
    np.testing.assert_array_equal(over_grpc, wanted)
    assert over_grpc.dtype == np.int64


def test_classes_of_tokens_are_the_librarys_over_every_protocol(served: Server, made: Path) -> None:
    wanted = itself(made / "tokens", TEXTS)[0].logits.argmax(-1).numpy()
    server = served.of("tokens")
    assert server.v1(TEXTS) == [[row] for row in wanted.tolist()]
    for found in (server.v2({"x": BYTES})["output-0"], server.v2_grpc({"x": BYTES})["output-0"]):
        np.testing.assert_array_equal(found, wanted[:, np.newaxis])


def test_masks_are_filled_in_as_the_library_does_over_every_protocol(served: Server, made: Path) -> None:
    found, encoded = itself(made / "masks", MASKED)
    ids = [found.logits[row, encoded["input_ids"][row] == 4].argmax(-1) for row in range(len(MASKED))]
    wanted = [tiny_texts.tokenizer().decode(one) for one in ids]
    server, texts = served.of("masks"), np.array(MASKED, dtype=object)
    assert server.v1(MASKED) == wanted
    assert server.v2({"input-0": texts})["output-0"].tolist() == wanted
    assert [one.decode() for one in server.v2_grpc({"input-0": texts})["output-0"]] == wanted


def test_vectors_are_the_librarys_over_every_protocol(served: Server, made: Path) -> None:
    wanted = vectors_of(made / "vectors", TEXTS)
    server = served.of("vectors")
    close(server.v1(TEXTS), wanted)
    close(server.v2({"input-0": BYTES})["output-0"], wanted)
    over_grpc = server.v2_grpc({"input-0": BYTES})["output-0"]
    close(over_grpc, wanted)
    assert over_grpc.dtype == np.float32


def test_metadata_tells_the_output_of_the_task(served: Server) -> None:
    found = {name: served.of(name).metadata() for name in KINDS}
    assert all(one["inputs"] == [{"name": "input-0", "datatype": "BYTES", "shape": [-1]}] for one in found.values())
    told = {name: [(one["datatype"], one["shape"]) for one in told["outputs"]] for name, told in found.items()}
    assert told == {
        "classes": [("INT64", [-1])],
        "tokens": [("INT64", [-1, 1, -1])],
        "masks": [("BYTES", [-1])],
        "vectors": [("FP32", [-1, 32])],
        "ranks": [("INT64", [-1])],
    }


def test_probabilities_are_the_pipelines_rounded_to_four_digits(made: Path) -> None:
    pipeline = transformers.pipeline("text-classification", model=str(made / "classes"), top_k=None, device="cpu")
    wanted = [{int(one["label"][-1]): round(one["score"], 4) for one in row} for row in pipeline(TEXTS)]
    model = loaded(made / "classes", return_probabilities=True)
    assert v1(model, TEXTS) == [pytest.approx(row, abs=2e-4) for row in wanted]
    [output] = v2(model, TEXTS).outputs
    assert (output.datatype, list(output.shape)) == ("BYTES", [3])
    assert [ast.literal_eval(text) for text in output.view().tolist()] == v1(model, TEXTS)


def test_logits_are_given_as_they_are(made: Path) -> None:
    wanted = itself(made / "classes", TEXTS)[0].logits.numpy()
    found = v1(loaded(made / "classes", return_raw_logits=True), TEXTS)
    close([list(row.values()) for row in found], wanted)


def test_a_model_of_one_class_gives_the_pipelines_probability(made: Path) -> None:
    pipeline = transformers.pipeline("text-classification", model=str(made / "ranks"), device="cpu")
    found = v1(loaded(made / "ranks", return_probabilities=True), TEXTS)
    assert [row[0] for row in found] == pytest.approx([one["score"] for one in pipeline(TEXTS)], abs=1e-4)


def test_probabilities_of_tokens_are_an_object_a_token(made: Path) -> None:
    wanted = itself(made / "tokens", TEXTS)[0].logits.softmax(-1).numpy()
    model = loaded(made / "tokens", return_probabilities=True)
    found = [[list(token.values()) for token in row] for row in v1(model, TEXTS)]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert list(v2(model, TEXTS).outputs[0].shape) == list(wanted.shape[:2])


def test_probabilities_of_masks_are_an_object_a_word(made: Path) -> None:
    found, encoded = itself(made / "masks", MASKED)
    wanted = found.logits[1, encoded["input_ids"][1] == 4].softmax(-1).numpy()
    [_, row] = v1(loaded(made / "masks", return_probabilities=True), MASKED)
    told = [[float(text) for word in mask for text in word.values()] for mask in row]
    np.testing.assert_allclose(told, wanted, atol=1e-4)


def test_offsets_say_where_tokens_were(made: Path) -> None:
    wanted = tiny_texts.tokenizer()(TEXTS, padding=True, return_offsets_mapping=True)["offset_mapping"]
    model = loaded(made / "tokens", return_offsets_mapping=True)
    answer = model.predict({"instances": TEXTS}, {})
    assert isinstance(answer, dict)
    [offsets] = answer["outputs"]
    assert (offsets["name"], offsets["shape"]) == ("offset_mapping", [3, len(wanted[0]), 2])
    np.testing.assert_array_equal(v2(model, TEXTS).outputs[1].view(), wanted)


def test_pairs_are_read_as_the_library_reads_them(made: Path, served: Server) -> None:
    first, second = [[pair[place] for pair in PAIRS] for place in (0, 1)]
    logits = itself(made / "classes", first, second)[0].logits
    model = loaded(made / "classes", return_raw_logits=True)
    for rows in (PAIRS, [{"text": one, "text_pair": other} for one, other in PAIRS]):
        found = [list(row.values()) for row in v1(model, rows)]
        close(found, logits.numpy())
    wanted = logits.argmax(-1).tolist()
    columns = {"a": np.array(first, dtype=object), "b": np.array(second, dtype=object)}
    for tensors in (columns, {"input-0": np.array(PAIRS, dtype=object)}):
        assert served.of("classes").v2_grpc(tensors)["output-0"].tolist() == wanted


def test_one_text_a_row_of_objects_and_base64_is_the_same_text(made: Path) -> None:
    model = loaded(made / "classes", return_raw_logits=True)
    coded = base64.b64encode(b"hello world").decode()
    forms = [["hello world"], [{"text": "hello world"}], [["hello world"]], [{"b64": coded}]]
    assert len({json.dumps(v1(model, form)) for form in forms}) == 1


@pytest.mark.parametrize("name", ["classes", "tokens", "masks", "vectors"])
def test_requests_that_are_computed_together_get_what_each_gets_alone(name: str, made: Path) -> None:
    asked: dict[str, Any] = {} if name in ("vectors", "masks") else {"return_raw_logits": True}
    model = loaded(made / name, **asked)
    joining = RowJoining(model, inexact=True)
    texts = [MASKED[:1], MASKED[1:]] if name == "masks" else [TEXTS[:1], TEXTS[1:]]
    payloads = [{"instances": some} for some in texts]
    parts = [joining.part(payload) for payload in payloads]
    assert parts[0].kind is not None
    assert parts[0].kind == parts[1].kind
    for together, payload in zip(joining.together(payloads, parts, {}), payloads, strict=True):
        _assert_close(together, model.predict(payload, {}))


def _assert_close(found: Any, wanted: Any) -> None:
    numbers = [[*_leaves(one)] for one in (found, wanted)]
    assert len(numbers[0]) == len(numbers[1])
    if isinstance(numbers[0][0], str):
        assert numbers[0] == numbers[1]
    else:
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-3, atol=1e-5)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | np.ndarray):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)
    else:
        yield value


def test_requests_may_come_on_several_threads(made: Path) -> None:
    """The tokenizer keeps between calls how texts are cut: it would be another thread's wish."""
    model = loaded(made / "vectors")
    long = " ".join(TEXTS * 4)
    tokens = model.reader.tokens(arrays([long]), 0)

    def ask(turn: int) -> int:
        if turn % 2:
            return model.reader.tokens(arrays([long]), 0)
        return int(model.predict_rows(arrays([long]))["length"][0])

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ask, range(200))] == [POSITIONS, tokens] * 100


# Other architectures.

WORDS = {"bos_token_id": 2, "eos_token_id": 3}
SMALL: dict[str, object] = {"n_positions": POSITIONS, "n_embd": 32, "n_layer": 2, "n_head": 2, **WORDS}
XLNET: dict[str, object] = {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 48}
MODERN: dict[str, object] = {**SIZES, **WORDS, "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}
OTHERS: list[tuple[type, type, dict[str, object], dict[str, object], int]] = [
    (transformers.RobertaForSequenceClassification, transformers.RobertaConfig, {**SIZES, "pad_token_id": 0}, {}, 23),
    (transformers.MPNetForSequenceClassification, transformers.MPNetConfig, {**SIZES, "pad_token_id": 1}, {}, 22),
    (transformers.DebertaV2ForSequenceClassification, transformers.DebertaV2Config, SIZES, {}, POSITIONS),
    (transformers.ModernBertForSequenceClassification, transformers.ModernBertConfig, MODERN, {}, POSITIONS),
    (transformers.XLNetForSequenceClassification, transformers.XLNetConfig, XLNET, {"padding_side": "left"}, 2048),
    (transformers.GPT2ForSequenceClassification, transformers.GPT2Config, SMALL, {"pad_token": None}, POSITIONS),
    (
        transformers.Qwen2ForSequenceClassification,
        transformers.Qwen2Config,
        {**SIZES, "num_key_value_heads": 2},
        {},
        24,
    ),
]


@pytest.mark.parametrize(("kind", "config", "sizes", "words", "limit"), OTHERS, ids=[one[0].__name__ for one in OTHERS])
def test_classes_of_other_architectures_are_the_librarys(
    kind: Any, config: type, sizes: dict[str, object], words: dict[str, object], limit: int, tmp_path: Path
) -> None:
    saved_as(tmp_path, kind, config, num_labels=3, **sizes)
    edited(tmp_path / "tokenizer_config.json", **words)
    texts = [*TEXTS, " ".join(TEXTS * 4)]
    model = loaded(tmp_path, return_raw_logits=True)
    assert model.joins_requests
    itself, words_of = kind.from_pretrained(tmp_path).eval(), transformers.AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        each = [words_of(text, truncation=True, max_length=limit, return_tensors="pt") for text in texts]
        wanted = [itself(**one).logits[0].tolist() for one in each]
    np.testing.assert_allclose([[*row.values()] for row in v1(model, texts)], wanted, rtol=1e-3, atol=1e-5)


def test_the_half_that_reads_of_an_encoder_and_decoder_embeds(tmp_path: Path) -> None:
    sizes: dict[str, object] = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
    saved_as(tmp_path, transformers.T5EncoderModel, transformers.T5Config, **sizes)
    found = v1(loaded(tmp_path), TEXTS)
    np.testing.assert_allclose(found[0], v1(loaded(tmp_path), TEXTS[:1])[0], rtol=1e-3, atol=1e-5)


def test_a_model_whose_answers_change_with_padding_is_not_asked_for_several_requests(tmp_path: Path) -> None:
    sizes: dict[str, object] = {"d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 48, "block_sizes": [1, 1]}
    saved_as(tmp_path, transformers.FunnelModel, transformers.FunnelConfig, **sizes)
    model = loaded(tmp_path)
    assert not model.joins_requests
    assert model.notes == ["a text's answer depends on the texts beside it: requests are not joined"]


# Limits.


def test_what_is_longer_than_the_model_takes_is_cut_and_v2_says_which(made: Path) -> None:
    model = loaded(made / "classes", return_raw_logits=True)
    long = " ".join(TEXTS * 4)
    wanted = itself(made / "classes", ["hello world", long])[0].logits.numpy()
    close([[*row.values()] for row in v1(model, ["hello world", long])], wanted)
    assert v2(model, ["hello world", long]).parameters == {"truncated": "1"}
    assert not v2(model, TEXTS).parameters


def test_the_operator_may_ask_for_fewer_tokens(made: Path) -> None:
    model = loaded(made / "tokens", max_length=5)
    assert [len(row) for [row] in v1(model, TEXTS)] == [5, 5, 5]


def test_no_more_tokens_than_the_model_has_positions_can_be_asked_for(made: Path) -> None:
    with pytest.raises(InferplaneError, match=r"--max_model_len=99: .*config.json says that the model takes 24 tokens"):
        loaded(made / "classes", max_length=99)


@pytest.mark.parametrize("texts", [[""], ["hello world", ""]])
def test_a_text_of_no_tokens_is_the_clients_mistake(made: Path, texts: list[str]) -> None:
    model = loaded(made / "vectors", add_special_tokens=False)
    with pytest.raises(InvalidInput, match=f"row {len(texts) - 1}: a text of no tokens"):
        model.predict({"instances": texts}, {})


def test_mistakes_are_answered_with_400(served: Server) -> None:
    server = served.of("classes")
    status, said = server.refusal("/v1/models/classes:predict", {"instances": [1.5]})
    assert (status, "expected a text" in said) == (400, True)
    status, said = server.refusal("/v1/models/masks:predict", {"instances": ["no mask here"]})
    assert (status, "row 0: no [MASK] among the tokens" in said) == (400, True)


# The OpenAI endpoints' side.


def embedded(model: EncoderModel, **asked: Any) -> Embedding:
    return asyncio.run(model.create_embedding(EmbeddingRequest(model="m", **asked), {}))


def ranked(model: EncoderModel, **asked: Any) -> Rerank:
    return asyncio.run(model.create_rerank(RerankRequest(model="m", **asked), {}))


def test_embeddings_are_the_librarys_and_their_tokens_are_counted(made: Path) -> None:
    model = loaded(made / "vectors")
    found = embedded(model, input=TEXTS)
    close([item.embedding for item in found.data], vectors_of(made / "vectors", TEXTS))
    tokens = sum(len(ids) for ids in tiny_texts.tokenizer()(TEXTS)["input_ids"])
    assert (found.usage.prompt_tokens, found.usage.total_tokens) == (tokens, tokens)


def test_embeddings_in_base64_are_little_endian_floats(made: Path) -> None:
    model = loaded(made / "vectors")
    [coded] = embedded(model, input="hello world", encoding_format="base64").data
    assert isinstance(coded.embedding, str)
    found = np.frombuffer(base64.b64decode(coded.embedding), "<f4")
    close(found, vectors_of(made / "vectors", ["hello world"])[0])


def test_shorter_embeddings_are_of_length_1_again(made: Path) -> None:
    model = loaded(made / "vectors")
    [item] = embedded(model, input="hello world", dimensions=8).data
    whole = vectors_of(made / "vectors", ["hello world"])[0][:8]
    close(item.embedding, whole / np.linalg.norm(whole))


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ["hello", " ".join(TEXTS * 4)]}, "input[1]"),
        ({"input": "hello", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "hello", "dimensions": 99}, "dimensions"),
    ],
)
def test_embeddings_that_cannot_be_had_name_the_field(made: Path, asked: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidField) as refused:
        embedded(loaded(made / "vectors"), **asked)
    assert refused.value.param == param


def test_a_text_with_too_many_tokens_is_told_how_many_there_may_be(made: Path) -> None:
    long = " ".join(TEXTS * 4)
    tokens = len(tiny_texts.tokenizer()(long)["input_ids"])
    with pytest.raises(InvalidField, match=f"context length is 24 tokens, however you requested {tokens} tokens"):
        embedded(loaded(made / "vectors"), input=long)


def test_tokens_of_another_tokenizer_are_not_taken(made: Path) -> None:
    with pytest.raises(Unimplemented, match="'input' as token lists is not supported"):
        embedded(loaded(made / "vectors"), input=[1, 2, 3])


def test_a_cross_encoder_ranks_by_its_one_number(made: Path) -> None:
    logits = itself(made / "ranks", ["hello"] * len(TEXTS), TEXTS)[0].logits[:, 0]
    found = ranked(loaded(made / "ranks"), query="hello", documents=TEXTS)
    assert [one.index for one in found.results] == logits.argsort(descending=True).tolist()
    scores = torch.sigmoid(logits).sort(descending=True).values
    close([one.relevance_score for one in found.results], scores.numpy())
    assert [one.document.text if one.document else "" for one in found.results] == [
        TEXTS[one.index] for one in found.results
    ]


def test_vectors_rank_by_their_cosine(made: Path) -> None:
    query, *documents = vectors_of(made / "vectors", ["hello", *TEXTS])
    wanted = np.array([document @ query for document in documents])
    asked = {"query": "hello", "documents": [{"text": one} for one in TEXTS], "top_n": 2, "return_documents": False}
    found = ranked(loaded(made / "vectors"), **asked)
    assert [one.index for one in found.results] == np.argsort(-wanted)[:2].tolist()
    close([one.relevance_score for one in found.results], np.sort(wanted)[:0:-1])
    assert all(one.document is None for one in found.results)


def test_a_model_of_several_classes_neither_embeds_nor_ranks(made: Path) -> None:
    model = loaded(made / "classes")
    with pytest.raises(InvalidField, match="Model m does not support Embeddings API"):
        embedded(model, input="a")
    with pytest.raises(InvalidField, match="Model m does not support Rerank API"):
        ranked(model, query="a", documents=["b"])


# A tokenizer before a predictor.


class Predictor:
    """Has the weights, and answers with the library's own output."""

    def __init__(self, directory: Path) -> None:
        kind, _ = KINDS[directory.name]
        self.model = kind.from_pretrained(directory).eval()  # type: ignore[attr-defined]
        self.asked: list[dict[str, str]] = []

    async def predict(self, name: str, payload: object, headers: object) -> InferResponse:
        assert isinstance(payload, InferRequest)
        self.asked.append({tensor.name: tensor.datatype for tensor in payload.inputs})
        with torch.no_grad():
            found = self.model(**{one.name: torch.from_numpy(one.as_numpy()) for one in payload.inputs})
        logits = found.logits if hasattr(found, "logits") else found.last_hidden_state
        return InferResponse("1", name, [output("logits", logits.numpy())])


@pytest.fixture
def far() -> Iterator[Callable[..., tuple[RemoteEncoderModel, Predictor]]]:
    """Makes a model whose weights a predictor has."""

    def make(directory: Path, protocol: str = "v2", **asked: Any) -> tuple[RemoteEncoderModel, Predictor]:
        predictor = Predictor(directory)
        tell_predictor(PredictorConfig("far:8080", protocol))
        tell_near_predictor(predictor)
        [model] = models("huggingface", "m", directory, RuntimeOptions(huggingface=HuggingFaceOptions(**asked)))
        assert isinstance(model, RemoteEncoderModel)
        model.load()
        return model, predictor

    yield make
    tell_predictor(None)
    tell_near_predictor(None)


@pytest.mark.parametrize("name", ["classes", "tokens", "masks", "vectors"])
def test_a_predictor_that_has_the_weights_is_asked_in_tokens(name: str, made: Path, far: Any) -> None:
    texts = MASKED if name == "masks" else TEXTS
    here = v1(loaded(made / name), texts)
    model, predictor = far(made / name)
    _assert_close(asyncio.run(model.predict({"instances": texts}, {}))["predictions"], here)
    assert predictor.asked == [dict.fromkeys(("input_ids", "token_type_ids", "attention_mask"), "INT64")]


def test_only_the_tensors_that_are_named_are_sent(made: Path, far: Any) -> None:
    model, predictor = far(made / "classes", tensor_input_names=("input_ids", "attention_mask"))
    asyncio.run(model.predict({"instances": TEXTS}, {}))
    assert predictor.asked == [{"input_ids": "INT64", "attention_mask": "INT64"}]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"protocol": "v1"}, "protocol v1 cannot be sent tensors of tokens: --predictor_protocol=v2"),
        ({"tensor_input_names": ("ids",)}, "the tokenizer gives input_ids, token_type_ids, attention_mask, and no ids"),
    ],
)
def test_a_predictor_that_cannot_be_asked_is_told_at_the_start(
    made: Path, far: Any, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(InferplaneError, match=said):
        far(made / "classes", **asked)


# What does not load.


def without(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        file = directory / name
        file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])

    return change


def config(**changes: object) -> Callable[[Path], None]:
    return lambda directory: edited(directory / "config.json", **changes)


def no_tokenizer(directory: Path) -> None:
    for file in directory.glob("tokenizer*"):
        file.unlink()


def another_tokenizer(directory: Path) -> None:
    file = directory / "tokenizer.json"
    found = json.loads(file.read_text())
    found["model"]["vocab"] |= {f"word{number}": len(found["model"]["vocab"]) + number for number in range(50)}
    file.write_text(json.dumps(found))


def no_mask(directory: Path) -> None:
    edited(directory / "tokenizer_config.json", mask_token=None)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("run",)


def pickled(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    torch.save({"weights": Evil()}, directory / "pytorch_model.bin")


def half_of_the_shards(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    (directory / "model-00001-of-00002.safetensors").write_bytes(b"")


def emptied(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()


WRONG: list[tuple[str, str, Callable[[Path], None], dict[str, object], str]] = [
    ("an empty directory", "classes", emptied, {}, "no config.json in .*, found nothing"),
    ("no configuration", "classes", without("config.json"), {}, "no config.json in .*, found model.safetensors, token"),
    ("half a configuration", "classes", cut("config.json"), {}, "config.json: not JSON: .*copy it again"),
    ("no architecture", "classes", config(architectures=None), {}, "no architectures, .*name the task with --task"),
    (
        "an architecture without a task",
        "classes",
        config(architectures=["BertForQuestionAnswering"]),
        {},
        "Task couldn't be inferred from BertForQuestionAnswering.*text_embedding",
    ),
    ("a task that is not served", "classes", config(), {"task": "multiple_choice"}, "Task multiple_choice is not supp"),
    (
        "no model type",
        "classes",
        config(model_type=None),
        {},
        "expected a model_type that transformers .* knows, got N",
    ),
    (
        "a model of a later transformers",
        "classes",
        config(model_type="bert9", transformers_version="9.1.0"),
        {},
        "got 'bert9'; written by transformers 9.1.0.*serve it with the transformers that wrote it",
    ),
    (
        "a model with code of its own",
        "classes",
        config(model_type="mine", auto_map={"AutoConfig": "mine.Config"}),
        {},
        "brings code of its own.*--trust_remote_code",
    ),
    (
        "a model without a head for the task",
        "classes",
        config(model_type="clip", architectures=["CLIPModel"]),
        {"task": "fill_mask"},
        "has no AutoModelForMaskedLM for models of type clip; the weights were saved for CLIPModel",
    ),
    (
        "no tokenizer",
        "classes",
        no_tokenizer,
        {},
        "no tokenizer in .*: BertTokenizer looked for .*vocab.txt, found conf",
    ),
    ("half a tokenizer", "classes", cut("tokenizer.json"), {}, "the tokenizer cannot be loaded: .*save it again"),
    (
        "the tokenizer of another model",
        "classes",
        another_tokenizer,
        {},
        "the tokenizer has .* tokens, the model .*same",
    ),
    ("no mask token", "masks", no_mask, {}, "the tokenizer has no mask token"),
    (
        "no weights",
        "classes",
        without("model.safetensors"),
        {},
        "no weights in .*: looked for model.safetensors, model.s",
    ),
    ("half the weights", "classes", cut("model.safetensors"), {}, "the weights cannot be loaded: SafetensorError"),
    ("half of the shards", "classes", half_of_the_shards, {}, "missing: model-00002-of-00002.safetensors"),
    ("a pickle that runs something", "classes", pickled, {}, "the weights cannot be loaded: UnpicklingError"),
    (
        "weights of another size",
        "classes",
        config(hidden_size=48),
        {},
        r"do not fill BertForSequenceClassification: of another size: bert\.\S+ is \[\d+\], expected \[\d+\]",
    ),
    (
        "weights of another architecture",
        "masks",
        config(),
        {"task": "sequence_classification"},
        "missing: .*classifier.bias.*saved for BertForMaskedLM: check config.json and --task",
    ),
]


@pytest.mark.parametrize(("what", "name", "change", "asked", "said"), WRONG, ids=[one[0] for one in WRONG])
def test_what_cannot_be_loaded_says_why(
    what: str,
    name: str,
    change: Callable[[Path], None],
    asked: dict[str, object],
    said: str,
    made: Path,
    tmp_path: Path,
) -> None:
    directory = tmp_path / "model"
    shutil.copytree(made / name, directory)
    change(directory)
    with pytest.raises(InferplaneError, match=said) as refused:
        loaded(directory, **asked)
    assert "\n" not in str(refused.value)


def test_a_server_ends_with_the_reason(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "classes", tmp_path / "model")
    cut("model.safetensors")(tmp_path / "model")
    said = why_not("huggingface", tmp_path / "model")
    assert "cannot serve model=m" in said
    assert "the weights cannot be loaded: SafetensorError" in said


def test_a_device_that_is_not_there_is_named(made: Path) -> None:
    options = RuntimeOptions(device="abc", huggingface=HuggingFaceOptions())
    [model] = models("huggingface", "m", made / "classes", options)
    with pytest.raises(InferplaneError, match="the device abc cannot be used"):
        model.load()


def test_an_engine_that_is_not_installed_is_named(made: Path) -> None:
    with pytest.raises(InferplaneError, match="Backend is set to 'vllm' but vLLM is not available"):
        loaded(made / "classes", backend="vllm")


# What loads though something is missing.


def test_a_tokenizer_without_padding_gets_one_and_says_so(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "classes", tmp_path / "model")
    edited(tmp_path / "model" / "tokenizer_config.json", pad_token=None)
    model = loaded(tmp_path / "model", return_raw_logits=True)
    wanted = loaded(made / "classes", return_raw_logits=True)
    assert model.notes == ["the tokenizer has no padding token: [PAD] was added"]
    _assert_close(v1(model, TEXTS), v1(wanted, TEXTS))


def test_vectors_can_be_had_of_a_model_that_fills_masks(made: Path) -> None:
    found = v1(loaded(made / "masks", task="feature-extraction"), TEXTS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("mode", ["cls", "max", "lasttoken", "mean"])
def test_pooling_is_what_sentence_transformers_wrote_down(mode: str, made: Path, tmp_path: Path) -> None:
    directory = tmp_path / "vectors"
    shutil.copytree(made / "vectors", directory)
    key = f"pooling_mode_{mode}_token" if mode in ("cls",) else f"pooling_mode_{mode}"
    key = {"max": "pooling_mode_max_tokens", "mean": "pooling_mode_mean_tokens"}.get(mode, key)
    (directory / "modules.json").write_text(
        json.dumps(
            [
                {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            ]
        )
    )
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, key: True}))
    found, encoded = itself(directory, TEXTS)
    states, lengths = found.last_hidden_state, encoded["attention_mask"].sum(1)
    rows = [states[row, :length] for row, length in enumerate(lengths)]
    pooled = {
        "cls": [row[0] for row in rows],
        "max": [row.amax(0) for row in rows],
        "lasttoken": [row[-1] for row in rows],
        "mean": [row.mean(0) for row in rows],
    }[mode]
    wanted = torch.nn.functional.normalize(torch.stack(pooled), dim=1).numpy()
    close(v1(loaded(directory), TEXTS), wanted)


def test_layers_of_sentence_transformers_that_are_not_applied_are_named(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "vectors", tmp_path / "model")
    dense = {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (tmp_path / "model" / "modules.json").write_text(json.dumps([dense]))
    with pytest.raises(InferplaneError, match=r"modules.json: Dense is not applied here"):
        loaded(tmp_path / "model")


def test_half_precision_is_asked_for(made: Path) -> None:
    wanted = v1(loaded(made / "vectors"), TEXTS)
    found = v1(loaded(made / "vectors", dtype="bfloat16"), TEXTS)
    np.testing.assert_allclose(found, wanted, atol=0.05)
