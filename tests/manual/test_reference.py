"""docs/reference.md names all that the code has, and nothing else, with the code's own defaults, labels and codes."""

import argparse
import ast
import inspect
import re
from pathlib import Path

import pytest

from inferplane import ModelRepository
from inferplane.assembly import model_server_options, server_flags
from inferplane.dataplane.server import tracing
from inferplane.dataplane.server.answers import HTTP_STATUS, of_error
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.paths import SERVICE
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.grpc.status import CODES
from inferplane.dataplane.server.http.endpoints import ENDPOINTS
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import FAMILIES, Metrics
from inferplane.inference import errors
from inferplane.inference.errors import InferenceError, InferenceFailure, Kind
from inferplane.inference.grpc.grpc_predict_v2_pb2 import POOL

SOURCE = Path(model_server_options.__file__).parents[1]
PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def section(heading: str) -> str:
    return PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(heading: str, table: int = 0) -> list[list[str]]:
    """The cells of a table under a heading, without its head and without back-ticks."""
    found = re.findall(r"(?:^\|.*\n)+", section(heading), re.MULTILINE)[table]
    lines = found.splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


# Flags.


def actions() -> dict[str, argparse.Action]:
    parser = model_server_options._parser()
    return {name: one for one in parser._actions for name in one.option_strings if name not in ("-h", "--help")}


def test_every_flag_is_on_the_page_and_no_other() -> None:
    told = [row[0] for row in rows("Flags")]
    assert len(told) == len(set(told))
    assert set(told) == set(actions())


def test_flags_without_effect_are_those_that_the_server_warns_of() -> None:
    warned = {name for name, action in actions().items() if isinstance(action, server_flags.WithoutEffect)}
    assert {row[0] for row in rows("Flags") if row[2].startswith("without effect")} == warned
    assert set(server_flags.WITHOUT_EFFECT) == warned


@pytest.mark.parametrize(("flag", "default"), [(row[0], row[1]) for row in rows("Flags")])
def test_a_flags_default_is_the_parsers(flag: str, default: str) -> None:
    action = actions()[flag]
    given = "" if action.default in (None, argparse.SUPPRESS) else str(action.default)
    given = given.lower() if isinstance(action.default, bool) else given
    # The default port is one that the server may do without, so the parser has none.
    assert default == ("required" if action.required else "8081" if flag == "--grpc_port" else given)


def test_every_choice_of_a_flag_is_on_the_page() -> None:
    told = {row[0]: row[1] + row[2] for row in rows("Flags")}
    for flag, action in actions().items():
        for choice in action.choices or ():
            assert str(choice) in told[flag], flag


# Metrics.


def test_every_metric_is_on_the_page_with_its_kind_and_labels() -> None:
    exposed = [
        [f"{family.name}_total" if family.kind == "counter" else family.name, family.kind, " ".join(family.labels)]
        for family in FAMILIES.values()
    ]
    assert [row[:3] for row in rows("Metrics")] == exposed


def test_every_reason_of_a_rejection_is_on_the_page() -> None:
    text = "".join(file.read_text() for file in (SOURCE / "dataplane" / "server").rglob("*.py"))
    (told,) = [row[3] for row in rows("Metrics") if row[0] == "inferplane_rejected_total"]
    reasons = set(re.findall(r'\.rejected\("(\w+)"', text))
    assert reasons
    assert set(re.findall(r"\w+", told.split(":")[1])) == reasons


# Errors.


def failures() -> dict[str, type[InferenceFailure]]:
    return {
        name: one
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, InferenceFailure) and one.__module__ == errors.__name__ and not name.startswith("_")
    }


def test_every_reason_has_the_pages_codes() -> None:
    told = {row[0]: (int(row[1]), row[2]) for row in rows("Errors")}
    assert told == {kind.value: (HTTP_STATUS[kind], CODES[kind].name) for kind in Kind}


def test_every_exception_is_on_the_page_beside_its_reason() -> None:
    told = {name: row[0] for row in rows("Errors") for name in row[4].split()}
    assert told == {name: one.kind.value for name, one in failures().items()}


def test_the_exceptions_say_what_the_page_says() -> None:
    raised: list[InferenceFailure] = [
        errors.ModelNotFound("iris"),
        errors.ModelNotReady("iris"),
        errors.ServerNotReady(),
        errors.ServerNotLive(),
        errors.DeadlineExceeded("iris"),
        errors.Overloaded("iris", 7, 1),
        errors.UnsupportedProtocol("v3"),
    ]
    assert rows("Errors", 1) == [[type(error).__name__, str(error)] for error in raised]


def test_an_exception_of_the_models_own_reads_as_the_page_says() -> None:
    answer = of_error(ZeroDivisionError("by zero"))
    assert (answer.status, answer.body) == (500, b'{"error":"ZeroDivisionError : by zero"}')
    assert of_error(NotImplementedError()).status == 501
    assert InferenceError("x").kind is Kind.FAILED


# gRPC.


async def test_every_method_of_the_service_is_on_the_page_and_is_served() -> None:
    told = {row[0] for row in rows("gRPC methods")}
    declared = {method.name for method in POOL.FindServiceByName(SERVICE).methods}
    dispatch = Dispatch(ModelRepository(), Metrics())
    served = {*Service(dispatch, Probes(dispatch)).methods, "ModelStreamInfer"}
    assert told == served
    assert told <= declared


def test_the_counterparts_of_grpc_methods_are_endpoints() -> None:
    known = {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS}
    assert {row[1] for row in rows("gRPC methods")} <= known


# Environment.

NOT_ENVIRONMENT = re.compile(r"SC_\w+|DEFAULT_\w+|PRETTY_NAME|[A-Z]+_(FAILED|READY)")
"""Words of the same form: sysconf's, names of constants, a key of os-release."""


def variables() -> set[str]:
    """Names in capitals with an underscore, as whole string literals of the one package that reads the environment."""
    found = set()
    for file in (SOURCE / "assembly").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    names = {text for text in found if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", text)}
    return {name for name in names if not NOT_ENVIRONMENT.fullmatch(name)}


def test_every_environment_variable_is_on_the_page_and_no_other() -> None:
    assert {row[0] for row in rows("Environment")} == variables()


# Tracing.


def test_every_attribute_of_our_own_is_on_the_page() -> None:
    text = inspect.getsource(tracing)
    assert {row[0] for row in rows("Tracing")} | {tracing.STARTED} == set(re.findall(r'"(inferplane\.[\w.]+)"', text))
