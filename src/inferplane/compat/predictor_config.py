"""`kserve.predictor_config`."""

from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol

__all__ = ["PredictorConfig", "PredictorProtocol"]
