"""`kserve.protocol.grpc`: the messages. Calls are made with InferenceGRPCClient."""
