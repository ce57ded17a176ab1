"""Paddle models through V1, V2 and gRPC of a real server: what they answer is what Paddle Inference answers itself."""

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.runtimes.foreign import STANDARD, Services, isvc, services
from tests.runtimes.serving import Server, serving

from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.inference.errors import InferenceFailure

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Paddle has to say of compilers and of other libraries
    from paddle import inference

    from inferplane.dataplane.runtimes.paddle import PaddleModel

ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("paddle")
    run("-m", "tests.runtimes.paddle_models", directory)
    return directory


def run(*words: object) -> None:
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, *map(str, words)], check=True, cwd=root, capture_output=True, timeout=120)


def directly(program: Path) -> NDArray[np.float32]:
    """What Paddle Inference answers to ROWS."""
    config = inference.Config(str(program), str(program.with_suffix(".pdiparams")))
    config.disable_glog_info()
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(1)
    predictor = inference.create_predictor(config)
    predictor.get_input_handle("x").copy_from_cpu(ROWS)
    predictor.run()
    found: NDArray[np.float32] = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    return found


@dataclass(frozen=True)
class Served:
    server: Server
    expected: NDArray[np.float32]


@pytest.fixture(scope="module", params=["new/model.json", "old/model.pdmodel"])
def served(request: pytest.FixtureRequest, models: Path) -> Iterator[Served]:
    program = models / request.param
    with serving("paddle", program.parent) as server:
        yield Served(server, directly(program))


def test_v1_answers_what_the_library_does(served: Served) -> None:
    np.testing.assert_array_equal(np.array(served.server.v1(ROWS.tolist()), dtype=np.float32), served.expected)


def test_v2_answers_what_the_library_does(served: Served) -> None:
    found = served.server.v2({"x": ROWS})["output-0"]
    np.testing.assert_array_equal(found.astype(np.float32), served.expected)


def test_grpc_answers_what_the_library_does(served: Served) -> None:
    found = served.server.v2_grpc({"x": ROWS})["output-0"]
    np.testing.assert_array_equal(found, served.expected)
    assert found.dtype == np.float32


def test_the_program_tells_names_types_and_shapes(served: Served) -> None:
    found = served.server.metadata()
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "output-0", "datatype": "FP32", "shape": [-1, 3]}]


def test_whole_numbers_become_floats(served: Served) -> None:
    wanted = served.server.v1([[6.0, 3.0, 4.0, 1.0]])
    assert served.server.v1([[6, 3, 4, 1]]) == wanted


@pytest.mark.parametrize(
    ("instances", "said"),
    [([[1.0, 2.0]], "expected the shape [-1, 4], got [1, 2]"), ([["a", "b", "c", "d"]], "expected a number")],
)
def test_what_does_not_fit_is_the_clients_mistake(served: Served, instances: object, said: str) -> None:
    status, told = served.server.refusal("/v1/models/m:predict", {"instances": instances})
    assert (status, said in told) == (400, True), told


def test_several_inputs_and_outputs_go_by_name(models: Path) -> None:
    numbers, words = np.array([[1.5, 2.0], [3.0, -1.0]], dtype=np.float32), np.array([7, 9])
    with serving("paddle", models / "two") as server:
        names = [one["name"] for one in server.metadata()["outputs"]]
        found = server.v2({"words": words, "numbers": numbers})
        records = server.v1([{"numbers": [1.5, 2.0], "words": 7}, {"numbers": [3.0, -1.0], "words": 9}])
        status, told = server.refusal("/v1/models/m:predict", {"instances": [{"numbers": [1.0, 2.0]}]})
    assert [found[name].tolist() for name in names] == [[4.0, 2.5], [14, 18]]
    assert records == [dict(zip(names, row, strict=True)) for row in ([4.0, 14], [2.5, 18])]
    assert (status, "input words: missing" in told) == (400, True), told


# What goes wrong when a model is loaded: that a server says it, the platform shows below.


def why_not(directory: Path, options: RuntimeOptions = DEFAULTS) -> str:
    with pytest.raises(InferenceFailure) as raised:
        PaddleModel("m", directory, options).load()
    return str(raised.value)


def test_parameters_without_a_program_say_what_is_missing(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "new" / "model.pdiparams", tmp_path)
    assert "Missing model file with extension '.pdmodel' or '.json'" in why_not(tmp_path)


def test_a_program_without_parameters_says_what_is_missing(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "new" / "model.json", tmp_path)
    assert "looked for one file ending in .pdiparams, found model.json" in why_not(tmp_path)


def test_of_two_programs_one_has_to_go(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "old", tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "model.pdmodel", tmp_path / "other.pdmodel")
    assert "More than one .pdmodel model file found" in why_not(tmp_path)


@pytest.mark.parametrize("program", ["new/model.json", "old/model.pdmodel"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2", b"\x00\x01nothing"])
def test_a_file_that_is_no_program_says_so(program: str, content: bytes, models: Path, tmp_path: Path) -> None:
    shutil.copytree((models / program).parent, tmp_path, dirs_exist_ok=True)
    file = tmp_path / Path(program).name
    file.write_bytes(content)
    assert f"{file}: not a program of Paddle: " in why_not(tmp_path)


@pytest.mark.parametrize("name", ["new", "old"])
def test_parameters_that_were_cut_say_so(name: str, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / name, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "model.pdiparams"
    file.write_bytes(file.read_bytes()[:20])
    assert "with model.pdiparams: cannot be loaded: " in why_not(tmp_path)


def test_another_device_than_the_cpu_is_refused(models: Path) -> None:
    assert "served on the CPU, not on cuda:1" in why_not(models / "new", RuntimeOptions(device="cuda:1"))


# Through the whole platform.


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


def applied(platform: Services, name: str, directory: Path) -> None:
    model = {"modelFormat": {"name": "paddle"}, "storageUri": f"file://{directory}"}
    platform.apply(isvc(name, STANDARD, {"predictor": {"model": model}}))


@pytest.mark.e2e
def test_a_model_is_served_through_the_gateway(platform: Services, models: Path) -> None:
    expected = directly(models / "new" / "model.json")
    applied(platform, "flowers", models / "new")
    platform.wait("flowers")
    status, found = platform.ask("flowers", "/v1/models/flowers:predict", {"instances": ROWS.tolist()})
    assert status == 200
    np.testing.assert_array_equal(np.array(found["predictions"], dtype=np.float32), expected)
    np.testing.assert_array_equal(platform.infer_grpc("flowers", {"x": ROWS})["output-0"], expected)
    runtime = platform.platform.kubectl("get", "isvc/flowers", "-o", "jsonpath={.status.clusterServingRuntimeName}")
    assert runtime == "kserve-paddleserver"


@pytest.mark.e2e
def test_why_a_model_does_not_load_is_told(platform: Services, models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "new" / "model.pdiparams", tmp_path)
    applied(platform, "alone", tmp_path)
    platform.says_why("alone", "Missing model file with extension '.pdmodel' or '.json'")
