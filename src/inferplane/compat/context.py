"""`kserve.context`: which predictor the models of this process have."""

from inferplane.dataplane.model.predictor import PredictorConfig
from inferplane.dataplane.model.predictor import current_predictor as get_predictor_config
from inferplane.dataplane.model.predictor import tell_predictor as set_predictor_config

__all__ = ["PredictorConfig", "get_predictor_config", "set_predictor_config"]
