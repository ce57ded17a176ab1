"""Labels and annotations by which Knative's objects know each other."""

GROUP = "serving.knative.dev"

# Labels of Configuration and Route, Revisions, Deployments and pods.
SERVICE = f"{GROUP}/service"
SERVICE_UID = f"{GROUP}/serviceUID"
CONFIGURATION = f"{GROUP}/configuration"
CONFIGURATION_UID = f"{GROUP}/configurationUID"
CONFIGURATION_GENERATION = f"{GROUP}/configurationGeneration"
REVISION = f"{GROUP}/revision"
REVISION_UID = f"{GROUP}/revisionUID"
ROUTE = f"{GROUP}/route"
ROUTING_STATE = f"{GROUP}/routingState"
APP = "app"
VISIBILITY = "networking.knative.dev/visibility"
CLUSTER_LOCAL = "cluster-local"

# Annotations.
ROUTES = f"{GROUP}/routes"
ROUTING_STATE_MODIFIED = f"{GROUP}/routingStateModified"
CREATOR = f"{GROUP}/creator"
LAST_MODIFIER = f"{GROUP}/lastModifier"
PROGRESS_DEADLINE = f"{GROUP}/progress-deadline"
ROLLOUT_DURATION = f"{GROUP}/rollout-duration"
NO_GC = f"{GROUP}/no-gc"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
AUTOSCALING_PREFIX = "autoscaling.knative.dev/"
INITIAL_SCALE = AUTOSCALING_PREFIX + "initial-scale"

# Values of the label routingState.
PENDING = "pending"
ACTIVE = "active"
RESERVE = "reserve"
