"""Time as a value that is handed in, so that every decision can be tested over made-up time."""

import asyncio
import time
from datetime import UTC, datetime
from typing import NewType, Protocol

Seconds = NewType("Seconds", float)


class Clock(Protocol):
    """Where an actor reads the time and waits."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds and UTC, the form of Kubernetes' `metav1.Time`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """RFC 3339 with six digits, the form of Kubernetes' `metav1.MicroTime`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> datetime:
    """Reads either form above; raises ValueError on anything else."""
    return datetime.fromisoformat(text)
