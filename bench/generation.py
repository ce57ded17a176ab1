"""Texts generated together against one after the other: tokens a second that clients of the server receive.

usage: .venv-runtimes/huggingface/bin/python -m bench.generation [--texts 16] [--tokens 128] [--size 384] [--layers 6]

A model server serves a Llama of that size with random weights (the time of a step does not depend on what they say).
The same streaming completions are asked for one after the other, then all at once, in turns; the best turn of each
counts. Exit code 1 when together is not four times as fast.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

WANTED = 4.0
_READY = re.compile(r"ready model=\S+ url=(\S+)")
_MODEL = """
import sys
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

directory, size, layers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(7)
config = LlamaConfig(vocab_size=8192, hidden_size=size, intermediate_size=3 * size, num_hidden_layers=layers,
                     num_attention_heads=size // 64, num_key_value_heads=max(1, size // 128),
                     max_position_embeddings=4096, eos_token_id=0, bos_token_id=None, pad_token_id=0)
LlamaForCausalLM(config).save_pretrained(directory)
words = Tokenizer(models.BPE())
words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
words.train_from_iterator(["what is asked, and what is answered"], trainers.BpeTrainer(
    special_tokens=["</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
words.add_tokens([f" word{number}" for number in range(8192 - words.get_vocab_size())])
PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="</s>").save_pretrained(directory)
"""


@contextmanager
def served(size: int, layers: int) -> Iterator[str]:
    """Its URL."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, "-c", _MODEL, directory, str(size), str(layers)], check=True)
        server = subprocess.Popen(
            [sys.executable, "-m", "inferplane.assembly.model_server", "--format=huggingface", "--model_name=m",
             f"--model_dir={directory}", "--host=127.0.0.1", "--http_port=0", "--grpc_port=0"],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            yield _announced(server)
        finally:
            server.kill()
            server.communicate()


def _announced(server: "subprocess.Popen[str]") -> str:
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        if (ready := _READY.search(line)) is not None:
            return ready[1]
        said.append(line)
    raise SystemExit("".join(said))


async def streamed(client: aiohttp.ClientSession, number: int, tokens: int) -> int:
    """The tokens that one text was told to have."""
    body = {
        "model": "m",
        "prompt": f"what is asked, number {number}",
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    found = 0
    async with client.post("/openai/v1/completions", json=body) as answer:
        async for line in answer.content:
            if b'"usage"' in line:
                found = json.loads(line.removeprefix(b"data: "))["usage"]["completion_tokens"]
    return found


async def measured(url: str, texts: int, tokens: int, turns: int) -> tuple[float, float]:
    """Tokens a second: (one after the other, together)."""
    alone = together = 0.0
    async with aiohttp.ClientSession(url) as client:
        await streamed(client, 0, 4)
        for _ in range(turns):
            start = time.monotonic()
            one_by_one = [await streamed(client, number, tokens) for number in range(texts)]
            alone = max(alone, sum(one_by_one) / (time.monotonic() - start))
            start = time.monotonic()
            at_once = await asyncio.gather(*(streamed(client, number, tokens) for number in range(texts)))
            together = max(together, sum(at_once) / (time.monotonic() - start))
            assert sum(one_by_one) == sum(at_once) == texts * tokens
    return alone, together


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--turns", type=int, default=2)
    asked = parser.parse_args()
    with served(asked.size, asked.layers) as url:
        alone, together = asyncio.run(measured(url, asked.texts, asked.tokens, asked.turns))
    ratio = together / alone
    print(f"● one after the other    {alone:8.0f} tokens/s")
    print(f"● {asked.texts} together           {together:8.0f} tokens/s   {ratio:.1f} times")
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
