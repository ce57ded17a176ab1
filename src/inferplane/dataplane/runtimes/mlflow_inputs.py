"""Requests → what an MLflow model is called with: a data frame, an array, arrays by name; and parameters.

V1 has MLflow's own forms (`dataframe_split`, `dataframe_records`, `inputs`, `instances`, each with `params`), and rows
by place as every runtime takes them. V2 has one tensor a column or an input, or one tensor of rows; those of its
parameters that the signature names are the model's. What a signature says is checked here (`mlflow_columns`, `ports`);
without one, a request becomes what MLflow's own server makes of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from mlflow.types import ColSpec
from pandas import DataFrame  # type: ignore[import-untyped]  # typed only by a stub package

from inferplane.dataplane.model.rows import Rows
from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.mlflow_columns import by_place, converted, is_plain, ports
from inferplane.dataplane.runtimes.ports import Port, feeds
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferRequest
from inferplane.kernel.json import Json, JsonObject

FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")
"""Where V1 requests have their rows, in this order."""

_SPLIT = {"columns", "data", "index"}


@dataclass(frozen=True, slots=True)
class Call:
    """What the model is called with, where that is not plain rows."""

    data: object
    params: Mapping[str, object] | None = None


class Inputs:
    """Of a model with that signature, or with none."""

    def __init__(self, signature: ModelSignature | None) -> None:
        schema = signature.inputs if signature is not None else None
        self._schema = schema
        self._tensors: Mapping[str, Port] = ports(schema) if schema is not None and schema.is_tensor_spec() else {}
        self._columns: Mapping[str, ColSpec] = {}
        if schema is not None and schema.has_input_names() and not self._tensors:
            self._columns = {str(one.name): one for one in schema.inputs}
        self._names = list(self._columns)
        self._sole = schema is not None and not schema.has_input_names()
        self._as_it_is = bool(signature is not None and signature._is_signature_from_type_hint)
        given = signature.params if signature is not None else None
        self._params = [str(one.name) for one in given.params] if given is not None else []

    def of(self, payload: object) -> "Rows | Call":
        """Rows, for `assembled`, where requests may be computed together; InvalidInput for what does not fit."""
        if isinstance(payload, InferRequest):
            data, params = self._of_request(payload), self._request_params(payload)
        elif isinstance(payload, dict):
            data, params = self._of_body(payload), self._body_params(payload)
        else:
            raise InvalidInput(f"expected a JSON object with one of {', '.join(FORMS)}")
        if params is None:
            return data
        return Call(data.data if isinstance(data, Call) else self.assembled(data), params)

    def assembled(self, rows: Rows) -> object:
        """What the model takes, of rows that are checked."""
        if self._columns:
            return DataFrame(rows)
        return next(iter(rows.values())) if self._sole and isinstance(rows, Mapping) else rows

    # V1

    def _of_body(self, body: "dict[str, Json]") -> "Rows | Call":
        form = next((key for key in FORMS if key in body), None)
        if form is None:
            raise InvalidInput(f"expected one of {', '.join(FORMS)}, got {', '.join(body) or 'no keys'}")
        values = body[form]
        if self._as_it_is:
            return Call(values)
        if self._columns:
            return self._table(_columns(form, values, self._names))
        if self._tensors and not form.startswith("dataframe"):
            return feeds(self._tensors, {form: values})
        return Call(self._as_mlflow_reads(form, values))

    def _body_params(self, body: "dict[str, Json]") -> "Mapping[str, object] | None":
        given = body.get("params")
        if given is None:
            return None
        if not isinstance(given, dict):
            raise InvalidInput(f"params: expected an object, got {given!r}")
        unknown = [name for name in given if name not in self._params]
        if unknown:
            have = ", ".join(self._params) or "none"
            raise InvalidInput(f"params: the model's signature has no {', '.join(unknown)}; it has {have}")
        return given

    def _as_mlflow_reads(self, form: str, values: Json) -> object:
        if self._schema is None and form in ("instances", "inputs") and _are_flat_records(values):
            return DataFrame(values)  # which most models take; MLflow's server makes a dictionary of arrays
        try:
            return infer_and_parse_data({form: values}, self._schema)
        except MlflowException as error:
            raise InvalidInput(one_line(error)) from error

    # V2

    def _of_request(self, request: InferRequest) -> "Rows | Call":
        if not request.inputs:
            raise InvalidInput("inputs: expected at least one")
        by_column = tables.is_table(request, self._names) or request.inputs[0].name in self._columns
        if self._columns:
            return self._table(_tensor_columns(request) if by_column else self._tensor_rows(request))
        if self._tensors:
            return feeds(self._tensors, request)
        if by_column:
            return Call(DataFrame(tables.columns_of_tensors(request)))
        arrays = {one.name: _readable(one.view(), one.datatype, one.name) for one in request.inputs}
        return Call(arrays if len(arrays) > 1 else next(iter(arrays.values())))

    def _tensor_rows(self, request: InferRequest) -> Mapping[str, Array]:
        values = tables.single_input(request).view()
        if values.ndim == 1 and len(self._names) == 1:
            return {self._names[0]: values}
        if values.ndim != 2 or values.shape[1] != len(self._names):
            raise InvalidInput(
                f"input {request.inputs[0].name}: the model takes rows of {len(self._names)} values "
                f"({', '.join(self._names)}), got the shape {list(values.shape)}"
            )
        return dict(zip(self._names, values.T, strict=True))

    def _request_params(self, request: InferRequest) -> "Mapping[str, object] | None":
        given = {name: value for name, value in (request.parameters or {}).items() if name in self._params}
        return given or None

    # Columns.

    def _table(self, columns: tables.Table) -> "Rows | Call":
        missing, unknown = tables.missing_and_unknown(columns, self._names)
        lacking = [name for name in missing if self._columns[name].required]
        if lacking:
            other = f"; unknown: {', '.join(unknown)}" if unknown else ""
            raise InvalidInput(
                f"columns are missing: {', '.join(lacking)}{other}; the model has {', '.join(self._names)}"
            )
        found = {name: converted(one, columns[name]) for name, one in self._columns.items() if name in columns}
        tables.check_lengths(found, "columns")
        plain = all(is_plain(self._columns[name]) for name in found)
        return found if plain else Call(DataFrame(found))


def _columns(form: str, values: Json, names: Sequence[str]) -> "Mapping[str, list[Json]]":
    if form == "dataframe_split":
        return _of_split(values, names)
    if form == "inputs" and isinstance(values, dict):
        return {name: column if isinstance(column, list) else [column] for name, column in values.items()}
    if not isinstance(values, list):
        raise InvalidInput(f"{form}: expected a list of rows, got {type(values).__name__}")
    records = [row for row in values if isinstance(row, dict)]
    if records and len(records) == len(values):
        return _of_records(form, records)
    return by_place(values, names, form)


def _of_split(values: Json, names: Sequence[str]) -> "Mapping[str, list[Json]]":
    if not isinstance(values, dict) or not isinstance(values.get("data"), list) or values.keys() - _SPLIT:
        raise InvalidInput("dataframe_split: expected an object with data, and columns or index if need be")
    columns = values.get("columns")
    called = names if columns is None else [str(name) for name in cast("list[Json]", columns)]
    return by_place(cast("list[Json]", values["data"]), called, "dataframe_split.data")


def _of_records(form: str, records: Sequence[JsonObject]) -> "Mapping[str, list[Json]]":
    """Each cell as it is, lists too: a column may be of lists. A column that some records lack is null there."""
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        raise InvalidInput(f"{form}[0]: expected columns, got an empty object")
    return {name: [record.get(name) for record in records] for name in names}


def _are_flat_records(values: Json) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(row, dict) and not any(isinstance(v, list | dict) for v in row.values()) for row in values)
    )


def _tensor_columns(request: InferRequest) -> Mapping[str, Array]:
    """Texts stay bytes: what a column of binary values has need not be UTF-8."""
    columns: dict[str, Array] = {}
    for one in request.inputs:
        values = one.view()
        if values.ndim == 0 or (values.ndim > 1 and values.size == len(values)):
            values = values.reshape(-1)
        columns[one.name] = values
    return columns


def _readable(values: Array, datatype: str, name: str) -> Array:
    return tables.texts(values, f"input {name}") if datatype == Datatype.BYTES else values
