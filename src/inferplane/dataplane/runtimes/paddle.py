"""Paddle models: a program (`.pdmodel`, or `.json` since Paddle 3) and its parameters (`.pdiparams`), on the CPU.

Tensors go by the names of the program's inputs. The program's only output is called `output-0`, as KServe's server
calls it; several have their own names. Paddle's predictor keeps its tensors between calls, so one call runs at a time.
"""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np

from inferplane.dataplane.runtimes.ports import Feeds, Port, PortModel
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array


@contextmanager
def _quiet() -> Iterator[None]:
    """Paddle's import warns of a compiler that no prediction needs, and has all logs of the process written twice."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache found")
        yield
    root.handlers[:] = handlers
    root.setLevel(level)


with _quiet():
    import paddle
    from paddle import inference

    from inferplane.dataplane.runtimes.paddle_programs import NEW, OLD, described


class PaddleModel(SingleFileModel, PortModel):
    suffixes: ClassVar = (".pdiparams",)

    _predictor: inference.Predictor | None = None
    _gives: Mapping[str, Port] = {}

    @property
    def library(self) -> str:
        return f"paddlepaddle {paddle.__version__}"

    def read(self, file: Path) -> None:
        if self.options.device not in ("", "cpu"):
            raise ModelLoadError(
                f"{file}: Paddle models are served on the CPU, not on {self.options.device}", fix="leave --device out"
            )
        program = _program(self.directory)
        takes, gives = described(program)
        self._predictor = predictor = _predictor(program, file, self.options.nthread)
        self._lock = Lock()
        self.takes = {name: takes[name] for name in predictor.get_input_names()}
        self._gives = {name: gives[name] for name in predictor.get_output_names()}
        self._names = ["output-0"] if len(self._gives) == 1 else list(self._gives)
        self.inputs = [port.metadata(Datatype.FP32) for port in self.takes.values()]
        ports = zip(self._names, self._gives.values(), strict=True)
        self.outputs = [Port(name, port.datatype, port.shape).metadata(Datatype.FP32) for name, port in ports]

    def forget(self) -> None:
        self._predictor = None

    @property
    def joins_requests(self) -> bool:
        """By the operator's word, for no program is exact: where the first dimension is free everywhere."""
        return all(
            port.shape is not None and port.shape[:1] == (-1,) for port in [*self.takes.values(), *self._gives.values()]
        )

    @property
    def is_exact(self) -> bool:
        return False

    def run(self, feeds: Feeds) -> dict[str, Array]:
        assert self._predictor is not None
        with self._lock:
            try:
                return self._computed(self._predictor, feeds)
            except Exception as error:
                raise _told(error) from error

    def _computed(self, predictor: inference.Predictor, feeds: Feeds) -> dict[str, Array]:
        for name, array in feeds.items():
            handle = predictor.get_input_handle(name)
            handle.reshape(array.shape)
            handle.copy_from_cpu(array)
        predictor.run()
        found = [predictor.get_output_handle(name).copy_to_cpu() for name in self._gives]
        return {name: np.asarray(one) for name, one in zip(self._names, found, strict=True)}


def _program(directory: Path) -> Path:
    """The one `.pdmodel`, else the one `.json`; of several of these the one that is called as the parameters are."""
    for suffix in (OLD, NEW):
        found = sorted(directory.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
        beside = [file for file in found if file.with_suffix(".pdiparams").exists()]
        if len(beside) == 1 and suffix == NEW:
            return beside[0]
        if found:
            names = ", ".join(file.name for file in found)
            raise ModelLoadError(
                f"{directory}: More than one {suffix} model file found.: {names}", fix="leave one there"
            )
    raise ModelLoadError(
        f"{directory}: Missing model file with extension '{OLD}' or '{NEW}' beside the parameters",
        fix="save it with paddle.jit.save, and copy both files",
    )


def _predictor(program: Path, parameters: Path, nthread: int) -> inference.Predictor:
    config = inference.Config(str(program), str(parameters))
    config.disable_glog_info()
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(nthread)
    try:
        return inference.create_predictor(config)
    except Exception as error:
        raise ModelLoadError(
            f"{program} with {parameters.name}: cannot be loaded: {_reason(error)}",
            fix=f"save both files anew with paddle.jit.save (this is paddlepaddle {paddle.__version__})",
        ) from error


_KIND = re.compile(r"(\w+Error): (.*?)(?: \(at /| \[operator <|$)")
_CLIENTS = frozenset({"InvalidArgumentError", "OutOfRangeError"})


def _reason(error: Exception) -> str:
    """Paddle's message without its place in the C++ source."""
    found = _KIND.search(one_line(error))
    return f"{found[1]}: {found[2]}" if found else one_line(error)


def _told(error: Exception) -> Exception:
    found = _KIND.search(one_line(error))
    if found and found[1] in _CLIENTS:
        return InvalidInput(found[2])
    return InferenceError(_reason(error))
