"""Liveness, readiness and presence of models, as V1 and V2 report them."""

import orjson

from inferplane.dataplane.server.answers import Answer, of_error
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.inference.errors import InferenceFailure, ModelNotReady, ServerNotReady

ALIVE = Answer(200, b'{"status":"alive"}')
V2_LIVE = Answer(200, b'{"live":true}')
V2_READY = Answer(200, b'{"ready":true}')


class Probes:
    """Liveness asks nobody; readiness asks the models."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self.stopping = False

    async def server_ready(self) -> Answer:
        """Ready when all models are and the server is not about to stop."""
        if self.stopping:
            return of_error(ServerNotReady("It is shutting down."))
        return V2_READY if await self._dispatch.is_ready() else of_error(ServerNotReady())

    async def model_ready(self, name: str) -> Answer:
        try:
            self._dispatch.repository.existing(name)
            if not await self._dispatch.repository.is_model_ready(name):
                raise ModelNotReady(name)
        except InferenceFailure as error:
            return of_error(error)
        return Answer(200, orjson.dumps({"name": name, "ready": True}))
