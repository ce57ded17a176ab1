import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_modules_are_those_of_the_proto() -> None:
    made = subprocess.run(
        [sys.executable, "scripts/protos.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")


def test_other_packages_messages_of_the_same_names_do_not_collide() -> None:
    code = """
from google.protobuf import descriptor_pb2, descriptor_pool
from inferplane.inference.grpc.grpc_predict_v2_pb2 import POOL, ModelInferRequest
theirs = descriptor_pb2.FileDescriptorProto.FromString(POOL.FindFileByName("grpc_predict_v2.proto").serialized_pb)
theirs.name = "grpc_service.proto"
descriptor_pool.Default().AddSerializedFile(theirs.SerializeToString())
assert ModelInferRequest(model_name="m").SerializeToString() == b"\\n\\x01m"
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_server_that_nobody_calls_over_grpc_imports_neither_protobuf_nor_grpc() -> None:
    code = """
import sys
import inferplane.assembly.model_server
found = [name for name in ("grpc", "google.protobuf") if name in sys.modules]
assert not found, found
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
