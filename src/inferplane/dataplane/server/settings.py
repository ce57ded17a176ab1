"""How calls of a model are run, as the operator said it; what a model says of itself goes with it."""

from dataclasses import dataclass

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server.batching.decide import Bounds

MAX_BATCH_SIZE = 256
MAX_QUEUE = 1000


@dataclass(frozen=True, slots=True)
class Execution:
    """Times in seconds. None leaves `max_batch_size` and `max_latency` to the model, and sets no `request_timeout`.

    `max_concurrency` is how many calls of a model run at the same time on threads; `max_queue` how many may wait.
    `async_concurrency` bounds the calls of a model with async hooks; None leaves that to its author.
    """

    max_batch_size: int | None = None
    max_latency: float | None = None
    max_concurrency: int = 1
    async_concurrency: int | None = None
    max_queue: int = MAX_QUEUE
    request_timeout: float | None = None
    batcher: bool = False
    """KServe's batcher was asked for: its operator says that rows are independent, whatever the model says of itself,
    and V1 answers have its form."""

    def bounds(self, model: Model) -> Bounds:
        """Flags bound what the model allows; a model's own `max_latency` goes before the server's."""
        rows = [size for size in (model.max_batch_size, self.max_batch_size) if size is not None]
        own = None if model.max_latency is None else model.max_latency / 1000
        return Bounds(rows=min(rows, default=MAX_BATCH_SIZE), latency=self.max_latency or 0.0 if own is None else own)
