"""Small models with a behaviour each."""

import asyncio
import threading
from collections.abc import AsyncIterator

from inferplane import InferOutput, InferRequest, InferResponse, Model


class Echo(Model):
    """V1: the instances are the predictions. V2: every input comes back as an output."""

    def __init__(self, name: str = "TestModel") -> None:
        super().__init__(name)
        self.ready = True

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        if isinstance(payload, InferRequest):
            outputs = [InferOutput(i.name, i.shape, i.datatype, i.data, i.parameters) for i in payload.inputs]
            return InferResponse(None, self.name, outputs, parameters=payload.parameters)
        assert isinstance(payload, dict)
        return {"predictions": payload["instances"]}


class Streaming(Echo):
    """Three chunks; the last one only after `release`."""

    def __init__(self) -> None:
        super().__init__("streaming")
        self.release = asyncio.Event()

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"
            await self.release.wait()
            yield b"three"

        return chunks()


class Gated(Echo):
    """Answers on its thread once `release` is set; `entered` tells that it waits."""

    def __init__(self) -> None:
        super().__init__("gated")
        self.entered = threading.Event()
        self.release = threading.Event()

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        self.entered.set()
        assert self.release.wait(10)
        return {"predictions": ["released"]}
