"""`kserve.predictor_config`."""

from inferplane.dataplane.model.predictor import PredictorConfig

__all__ = ["PredictorConfig"]
