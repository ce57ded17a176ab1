"""Tiny models that write, with random weights, and a tokenizer trained on the spot."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

CONTEXT = 4096

TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Grüße aus Köln, où il fait très froid — 今日は寒いです。",
    "A model is asked, a model answers; what it says is made of tokens.",
    "def answer(question: str) -> str:\n    return question[::-1]\n",
] * 4

CHAT = (
    "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
    "<|{{ message.role }}|>{{ message.content }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def trained() -> PreTrainedTokenizerFast:
    """Byte-level: every text has tokens, and many characters have several."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "</s>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", chat_template=CHAT, model_max_length=CONTEXT
    )


_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.4,  # far from each other: the likeliest token is no matter of rounding
}
_TOKENS = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1}


def made(kind: str) -> PreTrainedModel:
    """llama, qwen2, mistral (with a window), gpt2, mamba or t5."""
    torch.manual_seed(7)
    size = len(trained())
    if kind == "llama":
        model = LlamaForCausalLM(LlamaConfig(vocab_size=size, **_SIZES, **_TOKENS))
    elif kind == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(vocab_size=size, **_SIZES, **_TOKENS))
    elif kind == "mistral":
        model = MistralForCausalLM(MistralConfig(vocab_size=size, sliding_window=12, **_SIZES, **_TOKENS))
    elif kind == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=size, n_embd=64, n_layer=2, n_head=4, n_positions=CONTEXT, initializer_range=0.4,
                       **_TOKENS)
        )  # fmt: skip
    elif kind == "mamba":
        model = MambaForCausalLM(
            MambaConfig(vocab_size=size, hidden_size=64, num_hidden_layers=2, initializer_range=0.4, **_TOKENS)
        )
    else:
        model = T5ForConditionalGeneration(
            T5Config(vocab_size=size, d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, initializer_factor=3.0,
                     decoder_start_token_id=0, **_TOKENS)
        )  # fmt: skip
    return model.eval()


def saved(kind: str, directory: Path) -> Path:
    made(kind).save_pretrained(directory)
    trained().save_pretrained(directory)
    return directory
