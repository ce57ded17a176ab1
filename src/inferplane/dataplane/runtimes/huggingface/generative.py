"""Models that write texts: causal language models, and encoder-decoders.

All requests, over whichever protocol, become runs of one `Engine`, which generates them together; how is said in
`engine.py` and `decoders.py`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import ClassVar, TypeVar, cast
from uuid import uuid4

import torch
import transformers

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.openai.answers import ChatCompletion, ChatCompletionChunk, Completion
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.models import Headers
from inferplane.dataplane.openai.requests import ChatCompletionRequest, CompletionRequest
from inferplane.dataplane.runtimes.huggingface import chats, completions, loading, plain_texts
from inferplane.dataplane.runtimes.huggingface.asked import Asked, Speaker, asked
from inferplane.dataplane.runtimes.huggingface.batching import Limits, Run, Sampling
from inferplane.dataplane.runtimes.huggingface.counting import counting
from inferplane.dataplane.runtimes.huggingface.decoders import DecoderRows, EncodedGroups
from inferplane.dataplane.runtimes.huggingface.engine import Engine, Generator, Replies, Sizes, State
from inferplane.dataplane.runtimes.huggingface.plain_texts import Texts
from inferplane.dataplane.runtimes.huggingface.tasks import Task
from inferplane.dataplane.runtimes.huggingface.text import Decode
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.inference.errors import InferenceError, ModelLoadError
from inferplane.inference.tensors import InferRequest, TensorMetadata

log = logging.getLogger("inferplane.runtimes")

USUAL_TOKENS = 128
"""Of V1 and V2 requests that do not say how many, where the model's own generation settings do not either."""

_LONG = 20_000
"""Characters. Longer texts are cut into tokens on a thread."""

T = TypeVar("T")


class GenerativeModel(Model):
    streams_text: ClassVar[bool] = True
    """Its V2 answers can come in pieces: parameter `stream`."""

    def __init__(self, name: str, directory: Path, task: Task, options: RuntimeOptions = DEFAULTS) -> None:
        super().__init__(name)
        self.directory = directory
        self.task = task
        self.options = options
        self.notes: list[str] = []
        self._engine: Engine | None = None

    @property
    def library(self) -> str:
        return loading.LIBRARY

    @property
    def state(self) -> State:
        """What its engine is doing."""
        return self._running.state

    # Life.

    def load(self) -> bool:
        options = self.options.huggingface
        torch.set_num_threads(self.options.nthread)
        config = loading.loaded_config(self.directory, options)
        self._tokenizer = loading.loaded_tokenizer(self.directory, options)
        device = loading.device_of(self.options.device, self.directory)
        apart = self.task is Task.TEXT2TEXT_GENERATION
        kind = transformers.AutoModelForSeq2SeqLM if apart else transformers.AutoModelForCausalLM
        model = loading.loaded_model(self.directory, kind, config, options, device)
        self._usual = getattr(model.generation_config, "max_new_tokens", None) or USUAL_TOKENS
        self._speaker = Speaker(
            name=self.name,
            decode=_decode(self._tokenizer),
            ends=_ends(model, self._tokenizer),
            context=loading.token_limit(self.directory, config, self._tokenizer, options.max_length),
            vocabulary=int(model.get_output_embeddings().weight.shape[0]),
            apart=apart,
        )
        sizes = Sizes()
        generator = _generator(model, self._tokenizer, sizes, apart=apart)
        self._rehearse(generator)
        prepare = partial(torch.set_num_threads, self.options.nthread)
        self._engine = Engine(self.name, generator, sizes, prepare, counting(self.name))
        self.ready = True
        return True

    def _rehearse(self, generator: Generator) -> None:
        """Two tokens: what cannot be computed is found now, and what is made at first use is made."""
        token = min(self._speaker.ends, default=0)
        try:
            generator.begin([run := Run(0, [token, token], Sampling(), Limits(3), self._speaker.decode)])
            for chosen in generator.advance(2) or []:
                run.take(chosen)
            generator.step()
            generator.leave([0])
        except Exception as error:
            log.debug("rehearsal failed model=%s", self.name, exc_info=error)
            raise ModelLoadError(
                f"{self.directory}: a text cannot be generated with it: {loading.reason(error)}",
                fix="models that keep another state than keys and values, such as Mamba, are not served",
            ) from error

    def stop(self) -> None:
        super().stop()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def get_input_types(self) -> Sequence[TensorMetadata]:
        return plain_texts.TAKES

    def get_output_types(self) -> Sequence[TensorMetadata]:
        return plain_texts.GIVES

    @property
    def _running(self) -> Engine:
        if self._engine is None:
            raise InferenceError(f"model {self.name} has been stopped")
        return self._engine

    # OpenAI's endpoints.

    async def create_completion(
        self, request: CompletionRequest, headers: Headers
    ) -> Completion | AsyncIterator[Completion]:
        speaker = self._speaker
        how = completions.asked_for(request, speaker)
        size = len(request.prompt) if isinstance(request.prompt, str) else sum(_length(one) for one in request.prompt)
        prompts = await _apart(size, partial(completions.prompts_of, request, self._encoded, speaker))
        runs = how.runs(prompts, speaker, "prompt")
        form = completions.Completions(
            id=f"cmpl-{uuid4().hex}",
            created=int(time()),
            model=request.model,
            runs=runs,
            speaker=speaker,
            echoed=[speaker.decode(run.prompt) if request.echo else "" for run in runs],
            wants_logprobs=request.logprobs is not None,
            include_usage=request.stream_options is not None and request.stream_options.include_usage,
        )
        replies = self._running.submit(runs)
        if request.stream:
            return _until_left(form.chunks(replies), replies)
        with replies:
            return await form.whole(replies)

    async def create_chat_completion(
        self, request: ChatCompletionRequest, headers: Headers
    ) -> ChatCompletion | AsyncIterator[ChatCompletionChunk]:
        speaker = self._speaker
        how = chats.asked_for(request, speaker)
        text = self._templated(request)
        prompt = await _apart(len(text), partial(self._encoded, text, special=False))
        runs = how.runs([prompt], speaker, "messages")
        form = chats.Chats(
            id=f"chatcmpl-{uuid4().hex}",
            created=int(time()),
            model=request.model,
            runs=runs,
            speaker=speaker,
            wants_logprobs=bool(request.logprobs),
            include_usage=request.stream_options is not None and request.stream_options.include_usage,
        )
        replies = self._running.submit(runs)
        if request.stream:
            return _until_left(form.chunks(replies), replies)
        with replies:
            return await form.whole(replies)

    def _templated(self, request: ChatCompletionRequest) -> str:
        messages = chats.conversation(request)
        if not self._tokenizer.chat_template:
            raise InvalidField(
                "messages",
                f"Model {self.name} has no chat template",
                fix="put a chat_template.jinja into the model's directory, or use the Completions API",
            )
        further = request.chat_template_kwargs or {}
        if reserved := sorted(further.keys() & _RESERVED):
            raise InvalidField(
                "chat_template_kwargs", f"chat_template_kwargs: {', '.join(reserved)} cannot be set here"
            )
        prompts = True if request.add_generation_prompt is None else request.add_generation_prompt
        try:
            return cast(
                str,
                self._tokenizer.apply_chat_template(
                    messages, tools=request.tools, add_generation_prompt=prompts, tokenize=False, **further
                ),
            )
        except Exception as error:  # a template raises what it likes, most of all about the order of roles
            raise InvalidField("messages", f"messages: the chat template refuses them: {error}") from error

    def _encoded(self, text: str, *, special: bool | None = None) -> list[int]:
        adds = self.options.huggingface.add_special_tokens if special is None else special
        return cast("list[int]", self._tokenizer(text, add_special_tokens=adds)["input_ids"])

    # V1 and V2.

    async def predict(self, payload: object, headers: Headers) -> object:
        texts = plain_texts.texts_of(payload, self.name)
        how = self._plainly(texts)
        given = cast("list[str]", texts.request.prompt)
        prompts = await _apart(sum(map(len, given)), lambda: [self._encoded(text) for text in given])
        replies = self._running.submit(how.runs(prompts, self._speaker, "instances"))
        if texts.stream:
            return _until_left(self._parts(payload, texts, replies), replies)
        told = [*given] if texts.echo else [""] * len(given)
        with replies:
            async for pieces in replies:
                for piece in pieces:
                    told[piece.index] += piece.text
        return plain_texts.answer(payload, self.name, told, texts.output)

    def _plainly(self, texts: Texts) -> Asked:
        most = texts.request.max_tokens
        return asked(texts.request, self._speaker, most, None, usual=self._usual, temperature=0.0)

    async def _parts(self, payload: object, texts: Texts, replies: Replies) -> AsyncIterator[object]:
        """V2: a response a piece; V1: the text itself."""
        async for pieces in replies:
            text = "".join(piece.text for piece in pieces)
            if isinstance(payload, InferRequest):
                yield plain_texts.answer(payload, self.name, [text], texts.output)
            else:
                yield text


_RESERVED = {"conversation", "tools", "documents", "chat_template", "add_generation_prompt", "tokenize", "padding",
             "truncation", "max_length", "return_tensors", "return_dict", "tokenizer_kwargs"}  # fmt: skip


async def _until_left(chunks: AsyncIterator[T], replies: Replies) -> AsyncIterator[T]:
    """When the client leaves, this is closed, and what has not ended is given up."""
    with replies:
        async for chunk in chunks:
            yield chunk


async def _apart(size: int, what: Callable[[], T]) -> T:
    return what() if size < _LONG else await asyncio.to_thread(what)


def _length(prompt: object) -> int:
    return len(prompt) if isinstance(prompt, str | list) else 1


def _decode(tokenizer: "transformers.PreTrainedTokenizerBase") -> Decode:
    """The tokenizer's own decoding without what Python does around it, where there is such a one."""
    rust = getattr(tokenizer, "backend_tokenizer", None)
    if rust is not None and hasattr(rust, "decode"):
        return cast(Decode, partial(rust.decode, skip_special_tokens=True))
    return cast(Decode, partial(tokenizer.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _ends(model: "transformers.PreTrainedModel", tokenizer: "transformers.PreTrainedTokenizerBase") -> frozenset[int]:
    """What the model's generation settings name; a tokenizer's end is often not that of a turn."""
    named = model.generation_config.eos_token_id
    if named is None:
        named = tokenizer.eos_token_id
    return frozenset() if named is None else frozenset([named] if isinstance(named, int) else named)


def _generator(
    model: "transformers.PreTrainedModel",
    tokenizer: "transformers.PreTrainedTokenizerBase",
    sizes: Sizes,
    *,
    apart: bool,
) -> Generator:
    pad = next((one for one in (tokenizer.pad_token_id, model.config.pad_token_id) if one is not None), 0)
    if not apart:
        return DecoderRows(model, pad, sizes.batch)
    start = next(

            one
            for one in (model.generation_config.decoder_start_token_id, model.config.decoder_start_token_id,
                        model.generation_config.bos_token_id, pad)
            if one is not None

    )  # fmt: skip
    return EncodedGroups(model, pad, start)
