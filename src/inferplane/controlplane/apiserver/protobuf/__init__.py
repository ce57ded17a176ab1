"""Bodies in Kubernetes' protobuf encoding, which typed clients send for built-in kinds (`kubectl create cm`)."""
