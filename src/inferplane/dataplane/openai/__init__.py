"""The OpenAI-compatible endpoints: what comes in, what goes out, and what a model has to have to be asked by them."""
