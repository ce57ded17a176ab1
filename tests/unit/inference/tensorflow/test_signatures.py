import pytest

from inferplane.inference.errors import Malformed
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.signatures import TensorSpec, read

FLOAT, RESOURCE = 1, 20


def graph(*tags: str, **signatures: int) -> pb.MetaGraphDef:
    """Signatures by name, each of one input of that type."""
    found = pb.MetaGraphDef(meta_info_def=pb.MetaInfoDef(tags=tags, tensorflow_version="2.6.2"))
    for name, dtype in signatures.items():
        one = found.signature_def[name].inputs["x"]
        one.dtype, one.name = dtype, "in:0"
        one.tensor_shape.dim.extend([pb.TensorShape.Dim(size=-1), pb.TensorShape.Dim(size=4)])
    return found


def model(*graphs: pb.MetaGraphDef) -> bytes:
    return pb.SavedModel(saved_model_schema_version=1, meta_graphs=graphs).SerializeToString()


def test_a_signature_has_tensors_by_name() -> None:
    found = read(model(graph("serve", serving_default=FLOAT)))
    assert (found.library, found.tags) == ("2.6.2", ("serve",))
    assert found.by_name["serving_default"].inputs == {"x": TensorSpec("x", FLOAT, (-1, 4))}
    assert found.by_name["serving_default"].untold == []


def test_tensorflows_own_functions_are_no_signatures() -> None:
    assert list(read(model(graph("serve", __saved_model_init_op=FLOAT, f=FLOAT))).by_name) == ["f"]


def test_the_graph_for_serving_is_taken_else_the_only_one() -> None:
    assert list(read(model(graph("train", a=FLOAT), graph("serve", "gpu", b=FLOAT))).by_name) == ["b"]
    assert list(read(model(graph("train", a=FLOAT))).by_name) == ["a"]


def test_a_type_that_no_request_can_carry_is_told() -> None:
    assert read(model(graph("serve", f=RESOURCE))).by_name["f"].untold == ["x (DT_RESOURCE)"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 not a model", "not the file of a SavedModel, or cut"),
        (model(graph("serve", f=FLOAT))[:-4], "not the file of a SavedModel, or cut"),
        (b"", "no graph with the tag serve: the file has none"),
        (model(graph("a"), graph("b", "c")), "no graph with the tag serve: the file has graphs with a; b,c"),
    ],
)
def test_another_file_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(content)
    assert words in str(raised.value)
