"""An explainer and its predictor as two servers in the test's event loop."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
from tests.contract.grpc.serving import serving

from inferplane import Model, PredictorConfig, get_predict_input, get_predict_response
from inferplane.dataplane.model.forwarding import close_clients
from inferplane.dataplane.model.predictor import tell_predictor


class Predicting(Model):
    """Answers with a method of an estimator, and counts the rows that it is asked about."""

    def __init__(self, estimator: Any, method: str) -> None:
        super().__init__("m")
        self.ready = True
        self.rows = 0
        self._method = getattr(estimator, method)

    @property
    def predictor_config(self) -> None:
        """It shares its process, and so what that was told, with the explainer; it asks nobody."""

    def predict(self, payload: Any, headers: Mapping[str, str]) -> Any:
        rows = np.asarray(get_predict_input(payload))
        self.rows += len(rows)
        return get_predict_response(payload, self._method(rows), self.name)


class Explained:
    """Where the explainer answers."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client

    async def v1(self, instances: Any) -> httpx.Response:
        return await self._client.post(f"{self._url}/v1/models/m:explain", json={"instances": instances})

    async def v2(self, rows: Any) -> httpx.Response:
        values = np.asarray(rows)
        tensor = {"name": "x", "shape": values.shape, "datatype": "FP64", "data": values.ravel().tolist()}
        return await self._client.post(f"{self._url}/v2/models/m/explain", json={"inputs": [tensor]})


@asynccontextmanager
async def explained(explainer: Model, predictor: Model, protocol: str = "v1") -> AsyncIterator[Explained]:
    explainer.load()
    async with serving(predictor) as back:
        host = back.address if protocol == "grpc-v2" else f"127.0.0.1:{back.http}"
        tell_predictor(PredictorConfig(host, protocol))
        try:
            async with serving(explainer) as front, httpx.AsyncClient(timeout=60) as client:
                yield Explained(f"http://127.0.0.1:{front.http}", client)
        finally:
            await close_clients()
            tell_predictor(None)
