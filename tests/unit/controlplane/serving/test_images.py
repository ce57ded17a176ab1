import pytest

from inferplane.controlplane.serving.images import server_type, tagged, wants_gpu
from inferplane.kernel.json import JsonObject


@pytest.mark.parametrize(
    ("image", "version", "result"),
    [
        ("kserve/sklearnserver:latest", "1.5.2", "kserve/sklearnserver:1.5.2"),
        ("kserve/sklearnserver", "1.5.2", "kserve/sklearnserver:1.5.2"),
        ("localhost:5000/a/b", "2", "localhost:5000/a/b:2"),
        ("localhost:5000/a/b:1", "2", "localhost:5000/a/b:2"),
        ("a/b@sha256:0123", "2", "a/b@sha256:0123"),
        ("a/b:1", None, "a/b:1"),
    ],
)
def test_runtime_version_is_the_tag(image: str, version: str | None, result: str) -> None:
    assert tagged(image, version=version, server="", gpu=False) == result


@pytest.mark.parametrize(
    ("image", "server", "gpu", "result"),
    [
        ("tensorflow/serving:2.6.2", "tensorflow-serving", True, "tensorflow/serving:2.6.2-gpu"),
        ("tensorflow/serving:2.6.2-gpu", "tensorflow-serving", True, "tensorflow/serving:2.6.2-gpu"),
        ("tensorflow/serving:2.6.2", "tensorflow-serving", False, "tensorflow/serving:2.6.2"),
        ("kserve/huggingfaceserver:latest", "huggingfaceserver", True, "kserve/huggingfaceserver:latest-gpu"),
        ("tensorflow/serving", "tensorflow-serving", True, "tensorflow/serving"),
        ("vllm/vllm-openai:latest", "vllmserver", False, "vllm/vllm-openai-cpu:latest"),
        ("vllm/vllm-openai:latest", "vllmserver", True, "vllm/vllm-openai:latest"),
        ("vllm/vllm-openai-cpu:latest", "vllmserver", False, "vllm/vllm-openai-cpu:latest"),
        ("other:1", "mlserver", True, "other:1"),
    ],
)
def test_some_servers_publish_variants(image: str, server: str, gpu: bool, result: str) -> None:
    assert tagged(image, version=None, server=server, gpu=gpu) == result


def test_the_users_version_wins_over_the_variant() -> None:
    assert tagged("tensorflow/serving:1", version="2", server="tensorflow-serving", gpu=True) == "tensorflow/serving:2"


def test_the_server_type_is_annotated_or_known_by_the_runtimes_name() -> None:
    assert server_type("mlserver", "kserve-tritonserver") == "mlserver"
    assert server_type(None, "kserve-tritonserver") == "tritonserver"
    assert server_type(None, "mine") == ""


@pytest.mark.parametrize(
    ("resources", "gpu"),
    [
        ({"limits": {"nvidia.com/gpu": "1"}}, True),
        ({"limits": {"nvidia.com/mig-1g.5gb": "1"}}, True),
        ({"requests": {"nvidia.com/gpu": "1"}}, False),
        ({"limits": {"amd.com/gpu": "1"}}, False),
        ({}, False),
    ],
)
def test_a_gpu_is_what_the_limits_say(resources: JsonObject, gpu: bool) -> None:
    assert wants_gpu({"resources": resources}) == gpu
