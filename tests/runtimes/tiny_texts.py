"""Directories of models that read texts: tiny, with random weights, and a tokenizer that was trained on a few lines."""

import json
from functools import cache
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "the quick brown fox jumps over the lazy dog",
    "paris is the capital of france and rome is the capital of italy",
    "a model reads texts, and says what they are about",
    "hello world, how are you today?",
]
POSITIONS = 24
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@cache
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer(lowercase=True)
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.train_from_iterator(
        LINES, trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    )
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


SIZES: dict[str, object] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
    # Answers of random weights differ more this way.
    "initializer_range": 0.4,
}


def saved(directory: Path, kind: type, **settings: object) -> Path:
    """A BERT of the class `kind`, as its authors would save it."""
    return saved_as(directory, kind, transformers.BertConfig, **SIZES, **settings)


def saved_as(directory: Path, kind: type, config: type, **settings: object) -> Path:
    """A model of any class, with the same words."""
    torch.manual_seed(11)
    kind(config(vocab_size=len(tokenizer()), **settings)).eval().save_pretrained(directory)
    tokenizer().save_pretrained(directory)
    return directory


def edited(file: Path, **changes: object) -> None:
    """None takes a field away."""
    found = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))
