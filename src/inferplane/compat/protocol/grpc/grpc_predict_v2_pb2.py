"""`kserve.protocol.grpc.grpc_predict_v2_pb2`: V2's messages."""

from inferplane.inference.grpc.grpc_predict_v2_pb2 import *  # noqa: F403
