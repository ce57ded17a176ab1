"""Which predictor stands behind a transformer or an explainer, and in which protocol it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from inferplane.inference.errors import UnsupportedProtocol


class PredictorProtocol(Enum):
    REST_V1 = "v1"
    REST_V2 = "v2"
    GRPC_V2 = "grpc-v2"


@dataclass(frozen=True, slots=True)
class PredictorConfig:
    """`predictor_host` is HOST or HOST:PORT; without one there is no predictor. Times in seconds.

    With `predictor_health_check` the readiness of a model also needs the predictor's.
    """

    predictor_host: str | None
    predictor_protocol: str = PredictorProtocol.REST_V1.value
    predictor_use_ssl: bool = False
    predictor_request_timeout_seconds: float = 600
    predictor_request_retries: int = 0
    predictor_health_check: bool = False
    predictor_ca_file: str | None = None
    """Certificates (PEM) that the predictor's is checked against; the system's when None."""
    predictor_binary_tensors: bool | None = None
    """Whether numbers go to it as bytes (V2 over REST); None leaves it to what its metadata says."""

    @property
    def predictor_base_url(self) -> str:
        scheme = "https" if self.predictor_use_ssl else "http"
        return f"{scheme}://{self.predictor_host}"

    @property
    def wire(self) -> PredictorProtocol:
        """The protocol; UnsupportedProtocol for a name that there is not."""
        try:
            return PredictorProtocol(self.predictor_protocol)
        except ValueError:
            raise UnsupportedProtocol(self.predictor_protocol) from None

    # KServe's short names.

    @property
    def protocol(self) -> str:
        return self.predictor_protocol

    @property
    def timeout(self) -> float:
        return self.predictor_request_timeout_seconds

    @property
    def retries(self) -> int:
        return self.predictor_request_retries

    @property
    def use_ssl(self) -> bool:
        return self.predictor_use_ssl


class Near(Protocol):
    """A predictor in this process."""

    async def predict(self, name: str, payload: object, headers: Mapping[str, str]) -> Any: ...


class _Told:
    """One for the process: hooks run on several threads, and worker processes are forked from this one."""

    config: PredictorConfig | None = None
    near: Near | None = None


def current_predictor() -> PredictorConfig | None:
    return _Told.config


def near_predictor() -> Near | None:
    return _Told.near


def tell_near_predictor(near: Near | None) -> None:
    """Sets the predictor that is asked in this process, whatever else `tell_predictor` was told."""
    _Told.near = near


def tell_predictor(config: PredictorConfig | None) -> None:
    """Sets the predictor that every model of this process has, unless it says otherwise."""
    _Told.config = config
