"""The logger: exchanges in, events to all sinks."""

import asyncio
from collections.abc import Callable, Sequence

from inferplane.dataplane.agent.delivery import Counts, Delivery
from inferplane.dataplane.agent.events import Event, Events, Exchange
from inferplane.dataplane.agent.settings import LoggerSettings
from inferplane.dataplane.agent.sinks.sink import Sink
from inferplane.kernel.clock import Clock


class Logger:
    """Belongs to one event loop. A slow sink keeps no other one waiting."""

    def __init__(
        self,
        settings: LoggerSettings,
        sinks: Sequence[Sink],
        counts: Callable[[str], Counts],
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._events = Events(settings, new_id)
        self._flush = settings.bounds.flush
        self._clock = clock
        self._deliveries = [Delivery(sink, settings.bounds, counts(sink.name), clock) for sink in sinks]

    def start(self) -> None:
        for delivery in self._deliveries:
            delivery.start()

    def take(self, exchanges: Sequence[Exchange]) -> None:
        if all(delivery.is_full for delivery in self._deliveries):
            # What nobody has room for need not be made.
            number = sum([self._events.number(exchange) for exchange in exchanges])
            for delivery in self._deliveries:
                delivery.drop(number)
            return
        now = self._clock.now().timestamp()
        events: list[Event] = [event for exchange in exchanges for event in self._events.of(exchange, now)]
        for delivery in self._deliveries:
            delivery.offer(events)

    async def finish(self) -> None:
        """Sends what is left, as long as there is time for."""
        await asyncio.gather(*(delivery.finish(self._flush) for delivery in self._deliveries))
