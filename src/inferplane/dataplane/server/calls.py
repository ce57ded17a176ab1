"""Calls on their way through a model: decoded one by one, computed together where they fit, encoded one by one.

A batch that fails is computed again one by one, so that one bad request fails alone.
"""

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from time import perf_counter

from inferplane.dataplane.model.hooks import Hooks, Timings, log_latency
from inferplane.dataplane.model.model import InferenceVerb, Model
from inferplane.dataplane.model.upstream import translated
from inferplane.dataplane.server.answers import JSON, Answer, with_headers
from inferplane.dataplane.server.batching.forms import JoiningForms
from inferplane.dataplane.server.batching.join import Joining, Part
from inferplane.dataplane.server.ids import new_id
from inferplane.dataplane.server.reply import Reply
from inferplane.inference.errors import DeadlineExceeded, InferenceFailure
from inferplane.inference.forms import Filled
from inferplane.inference.tensors import InferRequest

log = logging.getLogger("inferplane.server")

Headers = dict[str, str]

_JSON = "application/json"
_BINARY = "inference-header-content-length"


@dataclass(frozen=True, slots=True)
class Joint:
    """How requests that differ in their numbers alone are taken in, and answered together; None where they can't be.

    `remember` is told of a request that had to be read whole.
    """

    read: Callable[[bytes, JoiningForms], Filled | None]
    remember: Callable[[bytes, object, JoiningForms], None]
    write: Callable[[object, Sequence[Filled]], list[bytes] | None]
    content_type: bytes = JSON


@dataclass(frozen=True, slots=True)
class Codec:
    """How a body becomes a payload and a result an answer, for one protocol."""

    protocol: str
    read: Callable[[bytes, Headers, Model], object]
    write: Callable[[object, object], Answer]
    failure: Callable[[Exception], Answer]
    joint: Joint | None = None
    labelled: Callable[[Answer, str], Answer] | None = None
    """The form that KServe's batcher gives an answer, with the id of the batch; None where it leaves it alone."""


class Call:
    """One request for a model. Times are on the monotonic clock; `deadline` None leaves all the time there is.

    Defaults are the class's, so that making one costs what differs.
    """

    payload: object = None
    prepared: object = None
    is_prepared = False
    filled: Filled | None = None
    part: Part | None = None
    kind: Hashable | None = None
    rows = 1
    result: object = None
    has_result = False
    answer: Answer | None = None
    preprocessing = 0.0
    postprocessing = 0.0
    verb = InferenceVerb.PREDICT
    _response_headers: Headers | None = None

    def __init__(
        self,
        codec: Codec,
        body: bytes,
        headers: Headers,
        reply: Reply,
        since: float,
        deadline: float | None,
    ) -> None:
        self.codec = codec
        self.body = body
        self.headers = headers
        self.reply = reply
        self.since = since
        self.deadline = deadline
        self.size = len(body)

    @property
    def left(self) -> bool:
        """Nobody waits for the answer: the client has gone, or was told that its time is over."""
        return self.reply.done()

    @property
    def response_headers(self) -> Headers:
        """What the model puts into it is sent with the answer."""
        if self._response_headers is None:
            self._response_headers = {}
        return self._response_headers

    @property
    def has_response_headers(self) -> bool:
        return bool(self._response_headers)


class Computing:
    """What is done with the calls of one model. Holds no state of its own: it may run on several threads."""

    def __init__(
        self,
        hooks: Hooks,
        joining: Joining | None,
        clock: Callable[[], float],
        forms: JoiningForms | None = None,
        *,
        labels: bool = False,
    ) -> None:
        self._hooks = hooks
        self._joining = joining
        self._clock = clock
        self._forms = forms
        self._labels = labels

    def prepare(self, call: Call) -> None:
        """Decodes the body and has the model look at it, unless that can wait until it is computed with others.

        A failure becomes the call's answer.
        """
        forms = self._forms
        filled = None if forms is None else self._filled(call, forms)
        if forms is None or filled is None:
            self._read(call)
            if forms is not None and call.part is not None and call.codec.joint is not None:
                call.codec.joint.remember(call.body, call.payload, forms)
            return
        call.filled = filled
        if forms.joins:
            call.kind = filled.form.kind
            call.rows = filled.rows

    def _filled(self, call: Call, forms: JoiningForms) -> Filled | None:
        joint = call.codec.joint
        if joint is None or call.verb is not InferenceVerb.PREDICT or _BINARY in call.headers:
            return None
        return joint.read(call.body, forms) if call.headers.get("content-type", _JSON) == _JSON else None

    def _read(self, call: Call) -> None:
        hooks = self._hooks
        try:
            call.payload = call.codec.read(call.body, call.headers, hooks.model)
            if type(call.payload) is InferRequest and call.payload.parameters:
                timeout = own_timeout(call.payload, None)
                call.deadline = earlier(call.deadline, None if timeout is None else call.since + timeout)
            if hooks.prepares:
                start = perf_counter()
                call.prepared = hooks.prepared(call.payload, call.headers)
                call.preprocessing = perf_counter() - start
            else:
                call.prepared = hooks.prepared(call.payload, call.headers)
            call.is_prepared = True
            if self._joining is not None and call.verb is InferenceVerb.PREDICT:
                call.part = self._joining.part(call.prepared)
                call.kind, call.rows, _ = call.part
        except Exception as error:
            call.answer = failure(call.codec, hooks.model, error)

    def compute(self, calls: Sequence[Call]) -> float:
        """Sees to it that each has its answer. Returns the seconds that the model took. Runs on the calling thread."""
        seconds = self._compute(calls)
        if self._labels:
            label(calls, new_id())
        return seconds

    def _compute(self, calls: Sequence[Call]) -> float:
        start = perf_counter()
        joint = calls[0].codec.joint
        bodies = None if joint is None else self._joined(joint, calls)
        if joint is not None and bodies is not None:
            return self._filled_in(calls, bodies, joint.content_type, perf_counter() - start)
        for call in calls:
            if not call.is_prepared and call.answer is None:
                self._read(call)
        start = perf_counter()
        if len(calls) == 1 or not self._together(calls):
            for call in calls:
                self._alone(call)
        seconds = perf_counter() - start
        for call in calls:
            self._finish(call, seconds)
        return seconds

    def _filled_in(self, calls: Sequence[Call], bodies: Sequence[bytes], content_type: bytes, seconds: float) -> float:
        logged = self._hooks.model.enable_latency_logging
        for call, body in zip(calls, bodies, strict=True):
            call.is_prepared = call.has_result = True
            call.answer = Answer(200, body, content_type)
            if logged:
                log_latency(self._hooks.model, call.headers, _timings(call, seconds))
        return seconds

    def _joined(self, joint: Joint, calls: Sequence[Call]) -> list[bytes] | None:
        """The bodies of the answers to forms that are alike; None where each has to be read by itself."""
        if self._forms is None:
            return None
        filled = [call.filled for call in calls if call.filled is not None]
        if len(filled) < len(calls):
            return None
        try:
            result = self._forms.together(filled)
            return None if result is None else joint.write(result, filled)
        except Exception as error:
            self._log_failed(error)
            return None

    def _together(self, calls: Sequence[Call]) -> bool:
        """False when the batch fails, or its answers are not one a row."""
        parts = [call.part for call in calls if call.part is not None]
        if self._joining is None or len(parts) < len(calls) or len({part.kind for part in parts}) > 1:
            return False
        try:
            results = self._joining.together([call.prepared for call in calls], parts, calls[0].headers)
        except Exception as error:
            self._log_failed(error)
            return False
        for call, result in zip(calls, results, strict=True):
            call.result = result
            call.has_result = True
        return True

    def _log_failed(self, error: Exception) -> None:
        log.debug("batch failed, computing its requests one by one model=%s error=%s", self._hooks.model.name, error)

    def _alone(self, call: Call) -> None:
        if call.answer is not None:
            return
        try:
            # One before it in the same batch may have taken long.
            if call.deadline is not None and self._clock() >= call.deadline:
                raise DeadlineExceeded(self._hooks.model.name)
            if call.part is not None and self._joining is not None:
                call.result = self._joining.alone(call.prepared, call.part, call.headers)
            else:
                call.result = self._hooks.computed(call.verb, call.prepared, call.headers, call.response_headers)
            call.has_result = True
        except Exception as error:
            call.answer = failure(call.codec, self._hooks.model, error)

    def _finish(self, call: Call, seconds: float) -> None:
        if not call.has_result or call.answer is not None:
            return
        model = self._hooks.model
        try:
            result = call.result
            if self._hooks.finishes:
                start = perf_counter()
                result = self._hooks.finished(result, call.headers, call.response_headers)
                call.postprocessing = perf_counter() - start
            answer = call.codec.write(result, call.payload)
            call.answer = with_headers(answer, call.response_headers) if call.has_response_headers else answer
            if model.enable_latency_logging:
                log_latency(model, call.headers, _timings(call, seconds))
        except Exception as error:
            call.answer = failure(call.codec, model, error)


def label(calls: Sequence[Call], batch: str) -> None:
    """Predictions in the form that KServe's batcher gives them; refusals keep theirs."""
    for call in calls:
        answer, labelled = call.answer, call.codec.labelled
        if labelled is not None and call.verb is InferenceVerb.PREDICT and answer is not None and answer.status == 200:
            call.answer = labelled(answer, batch)


def failure(codec: Codec, model: Model, error: Exception) -> Answer:
    """The error as the protocol words it. What the model's own code raised goes to the log with its traceback."""
    answer = codec.failure(translated(error))
    if answer.status >= 500 and not isinstance(error, InferenceFailure):
        log.error("model failed model=%s protocol=%s", model.name, codec.protocol, exc_info=error)
    return answer


def own_timeout(payload: object, timeout: float | None) -> float | None:
    """Seconds that a request has: V2's request parameter `timeout`, in microseconds, shortens what it is given."""
    if not isinstance(payload, InferRequest) or not payload.parameters:
        return timeout
    given = payload.parameters.get("timeout")
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        return timeout
    return earlier(timeout, given / 1e6)


def earlier(one: float | None, other: float | None) -> float | None:
    """The smaller of two limits, None being no limit."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _timings(call: Call, seconds: float) -> Timings:
    took = Timings(preprocess=call.preprocessing, postprocess=call.postprocessing)
    if call.verb is InferenceVerb.PREDICT:
        took.predict = seconds
    else:
        took.explain = seconds
    return took
