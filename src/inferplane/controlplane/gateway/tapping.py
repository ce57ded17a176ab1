"""The filter by which requests and answers of a listener can be recorded while somebody asks for them.

Nobody does as a rule: a request then costs one look at an empty place. `inferplane record` asks at the admin interface
(`/tap`, which is this machine's user's alone), and what it asks for ends with its connection.
"""

from envoy.extensions.common.tap.v3 import common_pb2
from envoy.extensions.filters.http.tap.v3 import tap_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from google.protobuf import any_pb2

from inferplane.signals.tap import CONFIG_ID


def tap() -> hcm_pb2.HttpFilter:
    """It stands behind the checks, so that only what is let in can be recorded."""
    common = common_pb2.CommonExtensionConfig(admin_config=common_pb2.AdminConfig(config_id=CONFIG_ID))
    packed = any_pb2.Any()
    packed.Pack(tap_pb2.Tap(common_config=common, record_headers_received_time=True), deterministic=True)
    return hcm_pb2.HttpFilter(name="envoy.filters.http.tap", typed_config=packed)
