from inferplane.dataplane.model.model import Model as Model
from inferplane.dataplane.model.repository import ModelRepository as ModelRepository
from inferplane.inference.errors import InferenceError as InferenceError
from inferplane.inference.errors import InvalidInput as InvalidInput
from inferplane.inference.errors import ModelMissingError as ModelMissingError
from inferplane.inference.errors import ModelNotFound as ModelNotFound
from inferplane.inference.errors import ModelNotReady as ModelNotReady
from inferplane.inference.errors import UnsupportedProtocol as UnsupportedProtocol
from inferplane.inference.tensors import InferInput as InferInput
from inferplane.inference.tensors import InferOutput as InferOutput
from inferplane.inference.tensors import InferRequest as InferRequest
from inferplane.inference.tensors import InferResponse as InferResponse

__version__: str
