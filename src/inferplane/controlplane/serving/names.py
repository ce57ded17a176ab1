"""Names, labels and annotation keys that KServe's clients rely on."""

PREFIX = "serving.kserve.io/"
INTERNAL = "internal.serving.kserve.io/"

DEPLOYMENT_MODE = PREFIX + "deploymentMode"
AUTOSCALER_CLASS = PREFIX + "autoscalerClass"
STOP = PREFIX + "stop"
DISABLE_AUTO_UPDATE = PREFIX + "disable-auto-update"
ISVC_LABEL = PREFIX + "inferenceservice"
SERVER_TYPE = PREFIX + "server-type"
STORAGE_USER = PREFIX + "storage-initializer-uid"
GKE_ACCELERATOR = PREFIX + "gke-accelerator"
READONLY_STORAGE = "storage.kserve.io/readonly"
SOURCE_URI = INTERNAL + "storage-initializer-sourceuri"
MODEL_FORMAT = "modelFormat"
REVISION_LABEL = "serving.knative.dev/revision"
CLUSTER_LOCAL = "networking.kserve.io/visibility"

SHADOW = "inferplane.dev/shadow"
"""NAME=PERCENT: so many of the requests go to that InferenceService too, and its answers are dropped."""

MAIN_CONTAINER = "kserve-container"
TRANSFORMER_CONTAINER = "transformer-container"
WORKER_CONTAINER = "worker-container"
STORAGE_INITIALIZER = "storage-initializer"
MODEL_DIR = "/mnt/models"
DEFAULT_PORT = 8080

PREDICTOR = "predictor"
TRANSFORMER = "transformer"
EXPLAINER = "explainer"
COMPONENTS = (PREDICTOR, TRANSFORMER, EXPLAINER)

MANAGER = "inferplane-inferenceservice"


def predictor(isvc: str, name: str | None = None) -> str:
    """Deployment and Service of the predictor; `name` is `spec.predictor.name`."""
    return f"{isvc}-{name}-predictor" if name else f"{isvc}-predictor"


def app_label(component_object: str) -> str:
    return f"isvc.{component_object}"
