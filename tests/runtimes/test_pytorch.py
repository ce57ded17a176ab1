"""PyTorch models through V1, V2 and gRPC of a real server: what they answer is what PyTorch answers itself."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.runtimes.serving import Server, serving, why_not

# TorchScript is deprecated, and still what many models are saved as.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")

ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)

SOURCE = """
import torch
from torch import nn


class Flowers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layer(x), -1)
"""


class Flowers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layer(x), -1)


class Words(torch.nn.Module):
    """Takes whole numbers, and gives two outputs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(10, 4)

    def forward(self, words: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.table(words)
        return {"sum": found.sum(dim=1), "weighted": (found.mean(dim=-1) * weights).sum(dim=1)}


@pytest.fixture(scope="module")
def flowers() -> Flowers:
    torch.manual_seed(7)
    model = Flowers()
    model.eval()
    return model


@pytest.fixture(scope="module")
def expected(flowers: Flowers) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(flowers(torch.from_numpy(ROWS)))


def exported(model: torch.nn.Module, directory: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.export.save(
        torch.export.export(model, (torch.from_numpy(ROWS),), dynamic_shapes=({0: batch},)), directory / "model.pt2"
    )


def scripted(model: torch.nn.Module, directory: Path) -> None:
    torch.jit.trace(model, torch.from_numpy(ROWS)).save(directory / "model.pt")


def weights(model: torch.nn.Module, directory: Path) -> None:
    torch.save(model.state_dict(), directory / "model.pth")
    (directory / "flowers.py").write_text(SOURCE)


@pytest.fixture(scope="module", params=[exported, scripted, weights])
def served(
    request: pytest.FixtureRequest, flowers: Flowers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    save: Callable[[torch.nn.Module, Path], None] = request.param
    directory = tmp_path_factory.mktemp(save.__name__)
    save(flowers, directory)
    with serving("pytorch", directory) as server:
        yield server


def test_v1_answers_what_the_library_does(served: Server, expected: np.ndarray) -> None:
    np.testing.assert_allclose(served.v1(ROWS.tolist()), expected, rtol=1e-6)


def test_v2_answers_what_the_library_does(served: Server, expected: np.ndarray) -> None:
    np.testing.assert_allclose(served.v2({"x": ROWS})["output-0"], expected, rtol=1e-6)


def test_grpc_answers_what_the_library_does(served: Server, expected: np.ndarray) -> None:
    found = served.v2_grpc({"x": ROWS})["output-0"]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_whole_numbers_become_floats_for_a_model_that_wants_them(served: Server, flowers: Flowers) -> None:
    with torch.no_grad():
        wanted = flowers(torch.tensor([[6.0, 3.0, 4.0, 1.0]])).numpy()
    np.testing.assert_allclose(served.v1([[6, 3, 4, 1]]), wanted, rtol=1e-6)


def test_a_wrong_number_of_features_is_the_clients_mistake(served: Server) -> None:
    status, said = served.refusal("/v1/models/m:predict", {"instances": [[1.0, 2.0]]})
    assert status == 400
    assert any(word in said for word in ("[-1, 4]", "cannot be multiplied"))


def test_text_is_the_clients_mistake(served: Server) -> None:
    status, said = served.refusal("/v1/models/m:predict", {"instances": [["a", "b", "c", "d"]]})
    assert (status, "number" in said) == (400, True)


def test_an_exported_program_tells_names_types_and_shapes(flowers: Flowers, tmp_path: Path) -> None:
    exported(flowers, tmp_path)
    with serving("pytorch", tmp_path) as server:
        found = server.metadata()
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "output-0", "datatype": "FP32", "shape": [-1, 3]}]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Words, Server]]:
    torch.manual_seed(7)
    model = Words().eval()
    directory = tmp_path_factory.mktemp("words")
    torch.jit.script(model).save(directory / "model.pt")
    with serving("pytorch", directory) as server:
        yield model, server


NUMBERS = np.array([[1, 2, 3], [4, 5, 9]])
WEIGHTS = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 2.0]])


def test_several_inputs_and_outputs_go_by_name(words: tuple[Words, Server]) -> None:
    model, server = words
    with torch.no_grad():
        wanted = model(torch.from_numpy(NUMBERS), torch.from_numpy(WEIGHTS).float())
    found = server.v2({"weights": WEIGHTS, "words": NUMBERS})
    assert sorted(found) == ["sum", "weighted"]
    for name in found:
        np.testing.assert_allclose(found[name], wanted[name].numpy(), rtol=1e-6)
    records = server.v1([{"words": w, "weights": v} for w, v in zip(NUMBERS.tolist(), WEIGHTS.tolist(), strict=True)])
    np.testing.assert_allclose([record["sum"] for record in records], wanted["sum"].numpy(), rtol=1e-6)


def test_a_number_outside_of_the_table_is_the_clients_mistake(words: tuple[Words, Server]) -> None:
    _, server = words
    body = {"instances": [{"words": [1, 2, 10], "weights": [1.0, 1.0, 1.0]}]}
    assert server.refusal("/v1/models/m:predict", body) == (400, "index out of range in self")


def test_an_input_of_another_name_is_the_clients_mistake(words: tuple[Words, Server]) -> None:
    _, server = words
    body = {"instances": [{"word": [1, 2, 3], "weights": [1.0, 1.0, 1.0]}]}
    status, said = server.refusal("/v1/models/m:predict", body)
    assert (status, "input word: the model has none of that name; input words: missing" in said) == (400, True)


def test_a_pickled_module_is_not_opened(flowers: Flowers, tmp_path: Path) -> None:
    torch.save(flowers, tmp_path / "model.pth")
    said = why_not("pytorch", tmp_path)
    assert "a pickled object, which may run code when it is opened, is not loaded" in said
    assert "torch.save(model.state_dict()" in said


def test_weights_without_their_class_say_what_is_missing(flowers: Flowers, tmp_path: Path) -> None:
    torch.save(flowers.state_dict(), tmp_path / "model.pth")
    assert "expected one .py file with the model's class beside it, found none" in why_not("pytorch", tmp_path)


def test_weights_of_another_class_say_which_do_not_fit(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 3).state_dict(), tmp_path / "model.pth")
    (tmp_path / "flowers.py").write_text(SOURCE)
    said = why_not("pytorch", tmp_path)
    assert "the weights do not fill Flowers of flowers.py" in said
    assert "layer.weight" in said


def test_of_several_classes_one_is_named(flowers: Flowers, tmp_path: Path) -> None:
    weights(flowers, tmp_path)
    (tmp_path / "flowers.py").write_text(SOURCE + "\n\nclass Other(nn.Module):\n    pass\n")
    assert "expected one class that is a torch.nn.Module, found Flowers, Other" in why_not("pytorch", tmp_path)
    assert "found Flowers, Other" in why_not("pytorch", tmp_path, "--model_class_name=Trees")
    with serving("pytorch", tmp_path, "--model_class_name=Flowers") as server:
        assert len(server.v1(ROWS.tolist())) == len(ROWS)


def test_a_file_that_was_cut_says_so(flowers: Flowers, tmp_path: Path) -> None:
    scripted(flowers, tmp_path)
    file = tmp_path / "model.pt"
    file.write_bytes(file.read_bytes()[:1000])
    said = why_not("pytorch", tmp_path)
    assert f"{file}: neither TorchScript, nor an exported program, nor weights" in said


def test_an_archive_of_something_else_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "neither TorchScript, nor an exported program, nor weights" in why_not("pytorch", tmp_path)


def test_a_device_that_is_not_there_is_named(flowers: Flowers, tmp_path: Path) -> None:
    scripted(flowers, tmp_path)
    assert "the device abc cannot be used" in why_not("pytorch", tmp_path, "--device=abc")
