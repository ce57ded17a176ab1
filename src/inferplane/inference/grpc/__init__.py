"""V2 over gRPC: message bytes ↔ InferRequest and InferResponse. Needs protobuf, not grpcio; imported at first use."""
