"""Field numbers of every message, as KServe's, Triton's and the Open Inference Protocol's clients have them."""

import pytest
from google.protobuf.descriptor import Descriptor

from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

TENSOR = "name=1 datatype=2 shape=3 parameters=4 contents=5"
FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live=1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready=1",
    "ModelReadyRequest": "name=1 version=2",
    "ModelReadyResponse": "ready=1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name=1 version=2 extensions=3",
    "ModelMetadataRequest": "name=1 version=2",
    "ModelMetadataResponse": "name=1 versions=2 platform=3 inputs=4 outputs=5",
    "ModelMetadataResponse.TensorMetadata": "name=1 datatype=2 shape=3",
    "ModelInferRequest": "model_name=1 model_version=2 id=3 parameters=4 inputs=5 outputs=6 raw_input_contents=7",
    "ModelInferRequest.InferInputTensor": TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": "name=1 parameters=2",
    "ModelInferResponse": "model_name=1 model_version=2 id=3 parameters=4 outputs=5 raw_output_contents=6",
    "ModelInferResponse.InferOutputTensor": TENSOR,
    "InferParameter": "bool_param=1 int64_param=2 string_param=3 double_param=4 uint64_param=5",
    "InferTensorContents": "bool_contents=1 int_contents=2 int64_contents=3 uint_contents=4 uint64_contents=5"
    " fp32_contents=6 fp64_contents=7 bytes_contents=8",
    "ModelStreamInferResponse": "error_message=1 infer_response=2",
    "ModelRepositoryParameter": "bool_param=1 int64_param=2 string_param=3 bytes_param=4",
    "RepositoryIndexRequest": "repository_name=1 ready=2",
    "RepositoryIndexResponse": "models=1",
    "RepositoryIndexResponse.ModelIndex": "name=1 version=2 state=3 reason=4",
    "RepositoryModelLoadRequest": "repository_name=1 model_name=2 parameters=3",
    "RepositoryModelLoadResponse": "model_name=1 isLoaded=2",
    "RepositoryModelUnloadRequest": "repository_name=1 model_name=2 parameters=3",
    "RepositoryModelUnloadResponse": "model_name=1 isUnloaded=2",
    "ModelStatisticsRequest": "name=1 version=2",
    "ModelStatisticsResponse": "model_stats=1",
    "StatisticDuration": "count=1 ns=2",
    "InferStatistics": "success=1 fail=2 queue=3 compute_input=4 compute_infer=5 compute_output=6 cache_hit=7"
    " cache_miss=8",
    "InferResponseStatistics": "compute_infer=1 compute_output=2 success=3 fail=4 empty_response=5 cancel=6",
    "InferBatchStatistics": "batch_size=1 compute_input=2 compute_infer=3 compute_output=4",
    "MemoryUsage": "type=1 id=2 byte_size=3",
    "ModelStatistics": "name=1 version=2 last_inference=3 inference_count=4 execution_count=5 inference_stats=6"
    " batch_stats=7 memory_usage=8 response_stats=9",
    "ModelInput": "name=1 data_type=2 dims=4",
    "ModelOutput": "name=1 data_type=2 dims=3",
    "ModelConfig": "name=1 platform=2 max_batch_size=4 input=5 output=6 backend=17",
    "ModelConfigRequest": "name=1 version=2",
    "ModelConfigResponse": "config=1",
}


def numbers(message: Descriptor) -> dict[str, int]:
    return {field.name: field.number for field in message.fields}


@pytest.mark.parametrize(("name", "fields"), FIELDS.items())
def test_the_fields_of_a_message_have_their_numbers(name: str, fields: str) -> None:
    wanted = {field: int(number) for field, _, number in (one.partition("=") for one in fields.split())}
    assert numbers(pb.POOL.FindMessageTypeByName(f"inference.{name}")) == wanted


def test_no_message_is_left_out() -> None:
    file = pb.POOL.FindFileByName("grpc_predict_v2.proto")
    assert set(file.message_types_by_name) == {name for name in FIELDS if "." not in name}


def test_a_request_is_these_bytes() -> None:
    message = pb.ModelInferRequest(model_name="m", id="i", raw_input_contents=[b"\x01\x00\x00\x00"])
    message.inputs.add(name="x", datatype="INT32", shape=[1])
    assert message.SerializeToString().hex(" ", 1) == (
        "0a 01 6d 1a 01 69 2a 0d 0a 01 78 12 05 49 4e 54 33 32 1a 01 01 3a 04 01 00 00 00"
    )
