"""What the environment says about the CloudEvents that answer CloudEvents, in KServe's variables."""

from collections.abc import Mapping

from inferplane.inference.cloudevents import Settings


def event_settings(environment: Mapping[str, str]) -> Settings:
    return Settings(
        source=environment.get("CE_SOURCE", ""),
        type=environment.get("CE_TYPE", ""),
        merge=environment.get("CE_MERGE", "false").lower() == "true",
    )
