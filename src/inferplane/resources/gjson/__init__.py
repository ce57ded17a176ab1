"""Paths into JSON documents in the syntax of Go's gjson, in which conditions of InferenceGraphs are written.

`paths` turns text into a path or says what is wrong with it; `values` finds what it leads to. A path such as
`instances.#(modelId=="1")` or `[@this].#(predictions.0>0.5)` is a condition by leading somewhere or nowhere.
"""

from inferplane.resources.gjson.paths import Path as Path
from inferplane.resources.gjson.paths import PathError as PathError
from inferplane.resources.gjson.paths import parse as parse
from inferplane.resources.gjson.values import MISSING as MISSING
from inferplane.resources.gjson.values import exists as exists
from inferplane.resources.gjson.values import find as find
