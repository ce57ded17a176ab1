"""How a model is to be run: the server's flags and environment that concern runtimes, for all formats alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """`method` is scikit-learn's method to call, empty for the default. `predict_proba` is KServe's PREDICT_PROBA:
    probabilities from those models that have them. `nthread` is the number of threads that one prediction may use;
    one, because a machine has many pods. `providers` are ONNX Runtime's execution providers by preference.
    `device` is PyTorch's (empty: the first GPU, else the CPU), `model_class_name` the class that PyTorch's weights fill
    where the file beside them has several.
    """

    method: str = ""
    predict_proba: bool = False
    nthread: int = 1
    providers: tuple[str, ...] = ()
    device: str = ""
    model_class_name: str = ""


DEFAULTS = RuntimeOptions()
