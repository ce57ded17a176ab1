"""Which request targets are calls of the service. Imported by every server, so without protobuf."""

SERVICE = "inference.GRPCInferenceService"
PREFIX = f"/{SERVICE}/"
HEALTH_SERVICE = "grpc.health.v1.Health"
HEALTH_CHECK = f"/{HEALTH_SERVICE}/Check"
HEALTH_WATCH = f"/{HEALTH_SERVICE}/Watch"
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
STREAM = f"{PREFIX}ModelStreamInfer"
SERVING = (
    *(
        f"/tensorflow.serving.PredictionService/{name}"
        for name in ("Predict", "Classify", "Regress", "GetModelMetadata")
    ),
    "/tensorflow.serving.ModelService/GetModelStatus",
)
"""What TensorFlow Serving's clients call."""


def is_call(path: str) -> bool:
    return path.startswith(PREFIX) or path == HEALTH_CHECK
