"""Texts that a model writes: those of `generate` for the same prompt alone, whoever is in the batch with it."""

import json
import math
import queue
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import torch
import tritonclient.grpc as triton
from tests.e2e.whole import eventually
from tests.runtimes.generative_models import CONTEXT, made, saved, trained
from tests.runtimes.serving import Server, serving
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from inferplane.dataplane.runtimes.huggingface.batching import Limits, Run, Sampling
from inferplane.dataplane.runtimes.huggingface.decoders import DecoderRows, EncodedGroups
from inferplane.dataplane.runtimes.huggingface.engine import Generator
from inferplane.dataplane.runtimes.huggingface.sampling import choose
from inferplane.dataplane.runtimes.huggingface.states import StateRows, keeps_keys_and_values

torch.set_num_threads(1)

PROMPT = "The quick brown"
PROMPTS = ["The", "A model is asked, a model", "où il fait", "Köln " * 9, "def answer(", "x"]


# The batch, in this process.


def stepped(generator: Generator, runs: Sequence[Run]) -> None:
    """Two join at a time, while others are under way; prompts are read eight tokens at a time."""
    waiting, rows, number = [*runs], list[Run](), 0
    while rows or waiting:
        chosen = generator.step() if rows else []
        for run, one in zip(rows, chosen, strict=True):
            run.take(one)
        if waiting and number % 4 == 0:
            joining, waiting = waiting[:2], waiting[2:]
            generator.begin(joining)
            while (first := generator.advance(8)) is None:
                pass
            rows += joining
            for run, one in zip(joining, first, strict=True):
                run.take(one)
        done = [row for row, run in enumerate(rows) if run.ended]
        if done:
            generator.leave(done)
            rows = [run for run in rows if not run.ended]
        number += 1


def runs_of(prompts: Sequence[str], sampling: Sampling | None = None) -> list[Run]:
    tokenizer = trained()
    return [
        Run(index, tokenizer(prompt)["input_ids"], sampling or Sampling(), Limits(9 + 7 * index), tokenizer.decode, 3)
        for index, prompt in enumerate(prompts)
    ]


def alone(model: torch.nn.Module, run: Run) -> list[int]:
    """What the library itself writes."""
    prompt = torch.tensor([run.prompt])
    found = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=run.limits.max_tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return list(found[0].tolist())


@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral", "gpt2"])
def test_texts_that_join_and_leave_a_batch_are_those_written_alone(kind: str) -> None:
    model, runs = made(kind), runs_of(PROMPTS)
    stepped(DecoderRows(model, 0, most_rows=6 if kind == "llama" else 8), runs)
    assert [[*run.prompt, *run.tokens] for run in runs] == [alone(model, run) for run in runs]


def test_texts_behind_an_encoder_are_those_written_alone() -> None:
    model, runs = made("t5"), runs_of(PROMPTS)
    stepped(EncodedGroups(model, 0, 0), runs)
    assert [[0, *run.tokens] for run in runs] == [alone(model, run) for run in runs]


def test_texts_of_a_model_that_keeps_a_state_are_those_written_alone() -> None:
    model, runs = made("mamba"), runs_of(PROMPTS)
    assert not keeps_keys_and_values(model)
    stepped(StateRows(model), runs)
    assert [[*run.prompt, *run.tokens] for run in runs] == [alone(model, run) for run in runs]


def test_a_batch_that_grows_past_its_buffers_goes_on() -> None:
    model = made("llama")
    runs = [*runs_of(["The"]), *runs_of(["A model"])]
    for run, count in zip(runs, (200, 270), strict=True):
        run.limits = Limits(count)
    stepped(DecoderRows(model, 0, most_rows=2), runs)
    assert [[*run.prompt, *run.tokens] for run in runs] == [alone(model, run) for run in runs]


# Sampling.


def drawn(scores: list[float], count: int = 4000, **how: Any) -> dict[int, float]:
    """How often each token was chosen, as a share."""
    runs = [Run(0, [1], Sampling(**how), Limits(9), str, seed) for seed in range(count)]
    tokens = [one.token for one in choose(torch.tensor([scores] * count), runs)]
    return {token: tokens.count(token) / count for token in sorted({*tokens})}


SCORES = torch.tensor([0.5, 0.25, 0.125, 0.125]).log().tolist()


def test_tokens_are_drawn_by_their_probability() -> None:
    assert drawn(SCORES, temperature=1.0) == pytest.approx({0: 0.5, 1: 0.25, 2: 0.125, 3: 0.125}, abs=0.03)


def test_a_low_temperature_prefers_the_likely() -> None:
    assert drawn(SCORES, temperature=0.5)[0] == pytest.approx(0.25 / (0.25 + 0.0625 + 2 * 0.015625), abs=0.03)


def test_top_k_leaves_the_likeliest() -> None:
    assert drawn(SCORES, temperature=1.0, top_k=2) == pytest.approx({0: 2 / 3, 1: 1 / 3}, abs=0.03)


def test_top_p_leaves_the_fewest_that_make_it_up() -> None:
    assert drawn(SCORES, temperature=1.0, top_p=0.6) == pytest.approx({0: 2 / 3, 1: 1 / 3}, abs=0.03)


def test_top_p_is_of_what_top_k_leaves() -> None:
    assert drawn(SCORES, temperature=1.0, top_k=2, top_p=0.6) == {0: 1.0}


def test_a_tail_longer_than_what_is_looked_at_first_is_still_cut_right() -> None:
    shares = drawn([0.0] * 2000, count=2000, temperature=1.0, top_p=0.9)
    assert max(shares) > 1024
    assert len(shares) == pytest.approx(1800 * (1 - math.exp(-2000 / 1800)), rel=0.1)


def test_rows_are_drawn_each_in_its_own_way() -> None:
    hows = [Sampling(), Sampling(temperature=1.0, top_k=1), Sampling(temperature=1.0, bias=((3, 100.0),))]
    runs = [Run(0, [1], how, Limits(9), str, 1) for how in hows]
    assert [one.token for one in choose(torch.tensor([SCORES] * 3), runs)] == [0, 0, 3]


def test_penalties_count_what_was_written() -> None:
    run = Run(0, [1], Sampling(presence_penalty=0.5, frequency_penalty=0.2), Limits(9), str)
    for _ in range(2):
        run.take(choose(torch.tensor([[1.0, 0.9, 0.0, 0.0]]), [run])[0])
    assert run.tokens == [0, 1]


def test_log_probabilities_are_the_models_own() -> None:
    run = Run(0, [1], Sampling(logprobs=2, temperature=1.0, top_k=1), Limits(9), str)
    chosen = choose(torch.tensor([SCORES]), [run])[0]
    assert chosen.logprob == pytest.approx(SCORES[0])
    assert [other.token for other in chosen.others] == [0, 1]


# A server.


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with serving("huggingface", directory) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.http}/openai/v1", api_key="none", max_retries=0) as found:
        yield found


def written(directory: Path, prompt: str, count: int) -> str:
    """What the library writes behind the prompt."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory)
    given = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    found = model.generate(**given, max_new_tokens=count, do_sample=False)
    return str(tokenizer.decode(found[0, given["input_ids"].shape[1] :], skip_special_tokens=True))


@pytest.fixture(scope="module")
def forty(directory: Path) -> str:
    return written(directory, PROMPT, 40)


def completed(client: openai.OpenAI, prompt: str = PROMPT, count: int = 40, **fields: Any) -> Any:
    return client.completions.create(model="m", prompt=prompt, max_tokens=count, **{"temperature": 0.0, **fields})


def test_a_completion_is_what_the_library_writes(client: openai.OpenAI, forty: str) -> None:
    found = completed(client)
    assert found.choices[0].text == forty
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (len(trained()(PROMPT)["input_ids"]), 40)


def test_a_streamed_completion_is_the_same_in_pieces(client: openai.OpenAI, forty: str) -> None:
    chunks = [*completed(client, stream=True, stream_options={"include_usage": True})]
    assert len(chunks) > 10
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == forty
    assert chunks[-2].choices[0].finish_reason == "length"
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 40)


def test_a_chat_goes_through_the_models_template(client: openai.OpenAI, directory: Path) -> None:
    said = [{"role": "user", "content": "The dog"}, {"role": "assistant", "content": "x"}]
    messages: Any = [*said, {"role": "user", "content": [{"type": "text", "text": "sleeps"}]}]
    found = client.chat.completions.create(model="m", messages=messages, max_completion_tokens=12, temperature=0)
    prompt = "<|user|>The dog</s><|assistant|>x</s><|user|>sleeps</s><|assistant|>"
    assert found.choices[0].message.content == written(directory, prompt, 12)


def test_a_streamed_chat_is_the_same_in_pieces(client: openai.OpenAI) -> None:
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "dog"}], "max_tokens": 30, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    chunks = [*client.chat.completions.create(**asked, stream=True)]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason


def test_several_prompts_are_answered_in_their_order(client: openai.OpenAI) -> None:
    together = client.completions.create(model="m", prompt=PROMPTS, max_tokens=20, temperature=0)
    one_by_one = [completed(client, prompt, 20).choices[0].text for prompt in PROMPTS]
    assert [choice.text for choice in together.choices] == one_by_one


def test_a_seed_gives_the_same_text_again_and_another_seed_another(client: openai.OpenAI) -> None:
    same, again, other = (completed(client, temperature=1.0, seed=seed).choices[0].text for seed in (5, 5, 6))
    assert same == again != other


def test_several_texts_of_one_prompt_differ(client: openai.OpenAI) -> None:
    found = completed(client, temperature=1.0, n=3, seed=1)
    assert len({choice.text for choice in found.choices}) == 3
    assert found.usage.prompt_tokens == len(trained()(PROMPT)["input_ids"])


def test_a_text_ends_before_a_stop_string(client: openai.OpenAI, forty: str) -> None:
    stop = forty[10:13]
    found = completed(client, stop=[stop, "never there"])
    assert (found.choices[0].text, found.choices[0].finish_reason) == (forty[: forty.index(stop)], "stop")


def test_log_probabilities_of_tokens_are_told(client: openai.OpenAI) -> None:
    told = completed(client, count=3, logprobs=2).choices[0].logprobs
    assert [len(told.tokens), len(told.token_logprobs), len(told.top_logprobs)] == [3, 3, 3]
    assert told.token_logprobs[0] == pytest.approx(max(told.top_logprobs[0].values()))
    chat = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "x"}],
        max_tokens=2,
        logprobs=True,
        top_logprobs=3,
        temperature=0,
    )
    assert [len(one.top_logprobs) for one in chat.choices[0].logprobs.content] == [3, 3]


def test_a_prompt_is_repeated_where_that_is_asked(client: openai.OpenAI, forty: str) -> None:
    assert completed(client, echo=True).choices[0].text == PROMPT + forty


def test_a_prompt_may_be_tokens(client: openai.OpenAI, forty: str) -> None:
    found = client.completions.create(model="m", prompt=trained()(PROMPT)["input_ids"], max_tokens=40, temperature=0)
    assert found.choices[0].text == forty


def test_a_text_that_is_too_long_is_refused_with_both_numbers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        completed(client, count=CONTEXT)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "prompt")
    asked_for = CONTEXT + len(trained()(PROMPT)["input_ids"])
    assert f"maximum context length is {CONTEXT} tokens, and {asked_for} were asked for" in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": [""]}, "stop"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [[1, 100_000]]}, "prompt"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logprobs": 99}, "logprobs"),
        ({"extra_body": {"top_k": -2}}, "top_k"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(client: openai.OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**{"model": "m", "prompt": "x", "max_tokens": 5, **fields})
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "nobody", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0]"),
        ({"role": "tool", "content": "x"}, "messages"),
    ],
)
def test_a_message_that_the_model_cannot_read_is_refused(client: openai.OpenAI, message: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="m", messages=[message], max_tokens=5)
    assert refused.value.param == param


def test_texts_of_waiting_requests_share_their_steps(server: Server, client: openai.OpenAI) -> None:
    before = told(server, "generation_steps_total")
    with ThreadPoolExecutor(16) as threads:
        texts = [*threads.map(lambda _: completed(client, count=600, extra_body={"ignore_eos": True}), range(16))]
    assert len({text.choices[0].text for text in texts}) == 1
    # One after the other would take 16 × 599.
    assert told(server, "generation_steps_total") - before <= 4 * 599


def test_a_client_that_leaves_makes_room(server: Server, client: openai.OpenAI) -> None:
    stream = completed(client, count=CONTEXT - 10, stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    before = told(server, "generation_tokens_total")
    stream.close()
    eventually(lambda: told(server, "generation_running") == 0, within=60)
    assert told(server, "generation_tokens_total") - before < CONTEXT / 2


def told(server: Server, metric: str) -> float:
    with urllib.request.urlopen(f"{server.http}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"inferplane_{metric}{{")).rsplit(" ", 1)[1])


# V1 and V2.


def test_v1_answers_texts(server: Server, forty: str) -> None:
    answer = server.post("/v1/models/m:predict", {"instances": [PROMPT, PROMPT], "parameters": {"max_new_tokens": 40}})
    assert answer == {"predictions": [forty, forty]}


def test_v2_answers_texts(server: Server, forty: str) -> None:
    tensor = {"name": "input-0", "shape": [1], "datatype": "BYTES", "data": [PROMPT]}
    answer = server.post("/v2/models/m/infer", {"inputs": [tensor], "parameters": {"max_tokens": 40}})
    assert [(one["name"], one["data"]) for one in answer["outputs"]] == [("output-0", [forty])]


def test_grpc_answers_texts(server: Server, forty: str) -> None:
    given = triton.InferInput("text_input", [1], "BYTES")
    given.set_data_from_numpy(np.array([PROMPT.encode()], dtype=object))
    with triton.InferenceServerClient(server.grpc) as client:
        found = client.infer("m", [given], parameters={"max_tokens": 40}, client_timeout=60).as_numpy("text_output")
    assert [text.decode() for text in found] == [forty]


def test_a_stream_of_grpc_brings_pieces(server: Server, forty: str) -> None:
    given = triton.InferInput("text_input", [1], "BYTES")
    given.set_data_from_numpy(np.array([PROMPT.encode()], dtype=object))
    found: queue.Queue[Any] = queue.Queue()
    with triton.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: found.put((result, error)))
        asked = {"max_tokens": 40, "stream": True}
        client.async_stream_infer("m", [given], parameters=asked, enable_empty_final_response=True)
        pieces, last = [], False
        while not last:
            result, error = found.get(timeout=60)
            assert error is None
            last = result.get_response().parameters["triton_final_response"].bool_param
            pieces += [] if last else [result.as_numpy("text_output")[0].decode()]
    assert len(pieces) > 1
    assert "".join(pieces) == forty


def test_generate_answers_one_text_and_its_stream_pieces(server: Server, forty: str) -> None:
    body = {"text_input": PROMPT, "max_tokens": 40}
    assert server.post("/v2/models/m/generate", body)["text_output"] == forty
    request = urllib.request.Request(f"{server.http}/v2/models/m/generate_stream", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        events = [json.loads(event.removeprefix(b"data: ")) for event in answer.read().split(b"\n\n")[:-1]]
    assert len(events) > 1
    assert "".join(event["text_output"] for event in events) == forty


def test_what_the_model_takes_and_gives_is_told(server: Server) -> None:
    found = server.metadata()
    assert found["inputs"] == [{"name": "text_input", "datatype": "BYTES", "shape": [-1]}]
    assert found["outputs"] == [{"name": "text_output", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"instances": [3]}, "instances[0]: expected a text"),
        ({"instances": ["x"], "parameters": {"max_tokens": "many"}}, "max_tokens"),
        ({"instances": ["x" * 9000]}, "maximum context length"),
    ],
)
def test_what_is_no_text_is_the_clients_mistake(server: Server, body: Any, word: str) -> None:
    status, said = server.refusal("/v1/models/m:predict", body)
    assert (status, word in said) == (400, True)


# Encoder-decoders.


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    directory = saved("t5", tmp_path_factory.mktemp("t5"))
    with serving("huggingface", directory) as found:
        yield directory, found


def test_an_encoder_decoder_answers_what_the_library_writes(translator: tuple[Path, Server]) -> None:
    directory, server = translator
    tokenizer, model = AutoTokenizer.from_pretrained(directory), AutoModelForSeq2SeqLM.from_pretrained(directory)
    found = model.generate(**tokenizer(PROMPT, return_tensors="pt"), max_new_tokens=20, do_sample=False)
    wanted = tokenizer.decode(found[0], skip_special_tokens=True)
    with openai.OpenAI(base_url=f"{server.http}/openai/v1", api_key="none") as client:
        assert completed(client, count=20).choices[0].text == wanted
        with pytest.raises(openai.BadRequestError, match="'echo' is not supported by encoder-decoder models"):
            completed(client, echo=True)
    assert server.v1([PROMPT])[0].startswith(wanted)
