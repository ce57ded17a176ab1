"""What an engine does, as metrics: in the Prometheus client's own registry, which the server tells beside its own."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from inferplane.dataplane.runtimes.huggingface.engine import State

_LABELS = ("model_name",)
RUNNING = Gauge("inferplane_generation_running", "Texts that are generated together", _LABELS)
WAITING = Gauge("inferplane_generation_waiting", "Texts that wait to be generated", _LABELS)
STEPS = Counter("inferplane_generation_steps", "Calls of the model for one more token of each text", _LABELS)
TOKENS = Counter("inferplane_generation_tokens", "Tokens generated", _LABELS)
PROMPT_TOKENS = Counter("inferplane_generation_prompt_tokens", "Tokens of prompts read", _LABELS)


def counting(name: str) -> Callable[[State], None]:
    """To be called with the state whenever it has changed."""
    running, waiting = RUNNING.labels(name), WAITING.labels(name)
    steps, tokens, prompts = STEPS.labels(name), TOKENS.labels(name), PROMPT_TOKENS.labels(name)
    before = State()

    def count(state: State) -> None:
        running.set(state.running)
        waiting.set(state.waiting)
        steps.inc(state.steps - before.steps)
        tokens.inc(state.tokens - before.tokens)
        prompts.inc(state.prompt_tokens - before.prompt_tokens)
        before.steps, before.tokens, before.prompt_tokens = state.steps, state.tokens, state.prompt_tokens

    return count
