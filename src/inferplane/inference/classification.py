"""V2's classification extension: an output of scores → its K highest as text, `value:index`."""

import numpy as np

from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferOutput, RequestedOutput

PARAMETER = "classification"


def is_wanted(wanted: RequestedOutput) -> bool:
    return bool(wanted.parameters) and PARAMETER in (wanted.parameters or {})


def classified(output: InferOutput, wanted: RequestedOutput) -> InferOutput:
    """Scores of shape [classes] give BYTES of shape [K], [batch, …] give [batch, K]; highest first."""
    count = (wanted.parameters or {})[PARAMETER]
    if type(count) is not int or count < 1:
        raise InvalidInput(f"output {output.name}: parameters.{PARAMETER}: expected 1 or more, got {count!r}")
    scores = output.view()
    if scores.dtype.kind not in "biuf" or scores.size == 0:
        raise InvalidInput(f"output {output.name}: {output.datatype} of shape {list(output.shape)} has no classes")
    rows = scores.reshape(1 if scores.ndim < 2 else scores.shape[0], -1)
    # Stable, so that of equal scores the lower index comes first.
    best = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = [[f"{row[index].item()}:{index}" for index in order] for row, order in zip(rows, best, strict=True)]
    labels = np.array(texts, dtype=np.object_)
    return InferOutput.decoded(output.name, Datatype.BYTES, labels[0] if scores.ndim < 2 else labels, output.parameters)
