"""`kserve.utils.utils`: helpers for model authors."""

from inferplane.assembly.server_flags import strtobool
from inferplane.dataplane.model.payloads import generate_uuid, get_predict_input, get_predict_response
from inferplane.dataplane.model.predictor import PredictorProtocol


def is_v1(protocol: PredictorProtocol | str) -> bool:
    return PredictorProtocol(protocol) is PredictorProtocol.REST_V1


def is_v2(protocol: PredictorProtocol | str) -> bool:
    return PredictorProtocol(protocol) is PredictorProtocol.REST_V2


__all__ = ["generate_uuid", "get_predict_input", "get_predict_response", "is_v1", "is_v2", "strtobool"]
