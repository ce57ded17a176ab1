"""Models of the Hugging Face library transformers.

`runtime` picks a model's class by its task (`tasks`), which `config.json` tells. `loading` makes tokenizer and model
of a directory. `encoder` classifies, fills in and embeds texts, and ranks them; `generative` writes.
"""
