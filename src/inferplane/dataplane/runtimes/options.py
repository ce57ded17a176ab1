"""How a model is to be run: the server's flags and environment that concern runtimes, for all formats alike."""

from dataclasses import dataclass, field

from inferplane.inference.tensorflow.versions import Versions


@dataclass(frozen=True, slots=True)
class HuggingFaceOptions:
    """KServe's flags for transformers' models, by its names.

    `task` empty: as `config.json` says. `max_length` is in tokens, None for the model's own. `max_num_seqs` is vLLM's
    name for how many texts are generated together. Of `return_probabilities`
    and `return_raw_logits` one at most is true.
    """

    task: str = ""
    backend: str = "auto"
    dtype: str = "auto"
    max_length: int | None = None
    max_num_seqs: int = 32
    trust_remote_code: bool = False
    disable_lower_case: bool = False
    add_special_tokens: bool = True
    return_token_type_ids: bool = False
    return_offsets_mapping: bool = False
    return_probabilities: bool = False
    return_raw_logits: bool = False
    tensor_input_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """`method` is scikit-learn's method to call, empty for the default. `predict_proba` is KServe's PREDICT_PROBA:
    probabilities from those models that have them. `nthread` is the number of threads that one prediction may use;
    one, because a machine has many pods. `providers` are ONNX Runtime's execution providers by preference.
    `device` is PyTorch's (empty: the first GPU, else the CPU), `model_class_name` the class that PyTorch's weights fill
    where the file beside them has several. `allow_pickle_globals` are patterns of what pickles may use beside the usual
    libraries (`pickle_globals`). `versions` are those of a SavedModel that TensorFlow Serving's configuration asks for.
    """

    method: str = ""
    predict_proba: bool = False
    nthread: int = 1
    providers: tuple[str, ...] = ()
    device: str = ""
    model_class_name: str = ""
    allow_pickle_globals: tuple[str, ...] = ()
    huggingface: HuggingFaceOptions = HuggingFaceOptions()
    versions: Versions = field(default_factory=Versions)


DEFAULTS = RuntimeOptions()
