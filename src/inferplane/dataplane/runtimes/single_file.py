"""A model that is one file in a directory: which file, what loading it tells, and what is said about it afterwards."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.files import only_model_file
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.inference.errors import ModelLoadError
from inferplane.inference.tensors import TensorMetadata

log = logging.getLogger("inferplane.runtimes")


class SingleFileModel(Model):
    """`directory` holds exactly one file whose name ends in one of `suffixes`.

    After `load`: `notes` is what its owner should know though the model works, such as another library version;
    `library` is the library that runs it, with its version.
    """

    suffixes: ClassVar[Sequence[str]] = ()
    takes_arrays: ClassVar[bool] = True

    def __init__(self, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> None:
        super().__init__(name)
        self.directory = directory
        self.options = options
        self.notes: list[str] = []
        self.inputs: Sequence[TensorMetadata] = []
        self.outputs: Sequence[TensorMetadata] = []

    @property
    @abstractmethod
    def library(self) -> str:
        """Name and version, such as `scikit-learn 1.5.2`."""

    @abstractmethod
    def read(self, file: Path) -> None:
        """Makes the model able to predict and sets `inputs`, `outputs` and `notes`."""

    @abstractmethod
    def forget(self) -> None:
        """Lets go of what `read` took."""

    def load(self) -> bool:
        file = only_model_file(self.directory, self.suffixes)
        self.notes = []
        try:
            with file.open("rb"):
                pass
        except OSError as error:
            raise ModelLoadError(f"{file}: cannot be read: {error.strerror}", fix="check its permissions") from error
        self.read(file)
        for note in self.notes:
            log.warning("model=%s %s", self.name, note)
        self.ready = True
        return True

    def stop(self) -> None:
        super().stop()
        self.forget()

    def get_input_types(self) -> Sequence[TensorMetadata]:
        return self.inputs

    def get_output_types(self) -> Sequence[TensorMetadata]:
        return self.outputs


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
