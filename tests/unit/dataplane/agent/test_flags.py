import argparse
import shlex
from pathlib import Path

import pytest

from inferplane.dataplane.agent.flags import add_agent_flags, add_sidecar_flags, agent_settings, sidecar_settings
from inferplane.dataplane.agent.settings import AgentSettings, ContentMode, Format, Mode, SidecarSettings

# In the order in which KServe's controller writes them.
FROM_KSERVE = shlex.split("""
    --enable-puller --config-dir /mnt/configs --model-dir /mnt/models --enable-batcher --max-batchsize 16
    --max-latency 200 --log-url http://sink --source-uri pod-0 --log-mode request --inference-service iris
    --namespace demo --endpoint default --component predictor --log-store-path logs --log-store-format parquet
    --log-batch-size 8 --log-batch-interval 2s --metadata-headers X-User,X-Trace --metadata-annotations team=a,run=b
    --logger-ca-cert-file own.crt --logger-tls-skip-verify false --component-port 8085
""")


def parsed(*arguments: str) -> SidecarSettings:
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    add_agent_flags(parser)
    add_sidecar_flags(parser)
    return sidecar_settings(parser.parse_args(arguments))


def test_nothing_is_on_unless_asked_for() -> None:
    assert parsed() == SidecarSettings(9081, 8080, 9082, AgentSettings())


def test_what_kserves_controller_writes_is_understood() -> None:
    found = parsed(*FROM_KSERVE)
    logger, batcher, puller = found.agent.logger, found.agent.batcher, found.agent.puller
    assert logger is not None
    assert batcher is not None
    assert puller is not None
    assert found.component_port == 8085
    assert (batcher.max_batch_size, batcher.max_latency, batcher.timeout) == (16, 0.2, None)
    assert (puller.config_dir, puller.model_dir) == (Path("/mnt/configs"), Path("/mnt/models"))
    assert (logger.urls, logger.mode, logger.headers) == (("http://sink",), Mode.REQUEST, ("X-User", "X-Trace"))
    assert logger.labels.annotations == {"team": "a", "run": "b"}
    assert (logger.labels.source, logger.labels.component) == ("pod-0", "predictor")
    assert (logger.store.path, logger.store.format) == ("logs", Format.PARQUET)
    assert (logger.store.batch_size, logger.store.batch_interval) == (8, 2.0)
    assert (logger.authorities, logger.skip_verify) == (Path("/etc/tls/logger/own.crt"), False)


def test_defaults_are_kserves() -> None:
    found = parsed("--log-url=http://sink", "--enable-batcher", "--enable-puller=true").agent
    assert found.logger is not None
    assert found.batcher is not None
    assert found.puller is not None
    assert (found.logger.mode, found.logger.content_mode, found.logger.senders) == (Mode.ALL, ContentMode.BINARY, 5)
    assert (found.logger.store.batch_size, found.logger.store.batch_interval) == (1, 0)
    assert (found.batcher.max_batch_size, found.batcher.max_latency) == (32, 0.0)
    assert (found.puller.config_dir, found.puller.model_dir) == (Path("/mnt/configs"), Path("/mnt/models"))


def test_a_server_has_them_without_those_of_the_sidecar() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max_latency", type=float)
    parser.add_argument("--model_dir")
    add_agent_flags(parser)
    found = parser.parse_args(["--workers=2", "--max_latency=7", "--model_dir=m", "--enable-batcher=false"])
    assert (found.workers, found.max_latency, found.model_dir) == (2, 7.0, "m")
    assert agent_settings(found) == AgentSettings()


def test_several_sinks_are_named_with_commas() -> None:
    logger = parsed("--log-url", "http://a/x,y, file:///var/log/events,s3://bucket/p").agent.logger
    assert logger is not None
    assert logger.urls == ("http://a/x,y", "file:///var/log/events", "s3://bucket/p")


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("500ms", 0.5), ("1m30s", 90.0), ("1.5h", 5400.0), ("250us", 0.00025)]
)
def test_an_interval_is_a_go_duration(text: str, seconds: float) -> None:
    logger = parsed("--log-url=http://sink", f"--log-batch-interval={text}").agent.logger
    assert logger is not None
    assert logger.store.batch_interval == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("given", "format"), [("json", Format.JSON), ("CSV", Format.CSV), ("avro", Format.JSON), ("jsonl", Format.JSONL)]
)
def test_a_format_that_kserve_does_not_know_is_json(given: str, format: Format) -> None:
    logger = parsed("--log-url=s3://b", f"--log-store-format={given}").agent.logger
    assert logger is not None
    assert logger.store.format is format


@pytest.mark.parametrize(
    "wrong",
    [
        "--log-mode=some",
        "--log-share=1.5",
        "--log-share=nan",
        "--log-batch-size=0",
        "--log-batch-interval=5",
        "--log-batch-interval=5 s",
        "--log-content-mode=json",
        "--metadata-annotations=team",
        "--max-batchsize=0",
        "--max-batchsize=NaN",
        "--max-latency=0",
        "--max-latency=nan",
        "--enable-batcher=yes",
        "--port=70000",
        "--workers=0",
    ],
)
def test_what_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=wrong.partition("=")[0]):
        parsed(wrong)
