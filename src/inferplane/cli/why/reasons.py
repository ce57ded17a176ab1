"""Every reason that a condition, a waiting container or an event of ours can have: what it means, and what to do.

`why` shows the meaning where a condition is the last thing to tell, and `why REASON` looks it up. The table is the one
in docs/reasons.md; a test reads the controllers' code and fails when a reason is in neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """`fix` is empty where nothing is to be done: it passes by itself, or all is well."""

    words: str
    fix: str = ""


_SERVICE = {
    "ReconcileFailed": Meaning("the API server turned an object down", "read the message: it names object and field"),
    "NotSupportedYet": Meaning("the spec asks for what this version cannot do", "leave out the field that is named"),
    "ServerlessModeRejected": Meaning(
        "the service asks for Knative mode and the API server has no Knative Service kind",
        "install Knative Serving, or set the annotation serving.kserve.io/deploymentMode to Standard",
    ),
    "InvalidPredictorSpec": Meaning("the spec breaks a rule", "inferplane validate -f FILE shows the line"),
    "InvalidGPUAllocation": Meaning("the nodes together have too few GPUs for the parallel sizes", "ask for more GPUs"),
    "RuntimeNotRecognized": Meaning(
        "no runtime has the name that is asked for", "inferplane get clusterservingruntimes"
    ),
    "RuntimeDisabled": Meaning("the runtime is switched off", "set its spec.disabled to false, or name another"),
    "RuntimeUnhealthy": Meaning("the runtime does not answer", "inferplane logs NAME"),
    "NoSupportingRuntime": Meaning("no runtime serves the format with that protocol", "set another protocolVersion"),
    "ModelLoadFailed": Meaning("the model could not be fetched or loaded", "read the message, then the pod's log"),
    "Stopped": Meaning("the annotation serving.kserve.io/stop is true", "remove the annotation"),
    "AllCanariesReady": Meaning("every canary takes its share of the requests"),
    "NoTrafficSplit": Meaning(
        "canaries run, but nothing gives them their share: there is an Ingress, or no way in from outside",
        "set ingress.enableGatewayApi to true, or ask the canaries at their Services",
    ),
    "CanariesNotReady": Meaning("a canary has no available replica, and takes no requests", "read the message"),
    "Mirrored": Meaning("a share of the requests goes to another service too (`ShadowReady`)"),
    "InvalidShadow": Meaning(
        "the annotation inferplane.dev/shadow cannot be read", "give NAME=PERCENT, such as iris-v2=20"
    ),
    "ShadowTargetNotFound": Meaning(
        "the service that requests are to be mirrored to is not there; none are",
        "apply it, or inferplane shadow NAME --off",
    ),
    "ShadowTargetNotReady": Meaning(
        "the service that requests are to be mirrored to, or the service itself, has no route yet; none are mirrored",
        "inferplane why NAME",
    ),
    "ShadowNotPossible": Meaning("only HTTPRoutes mirror requests", "set ingress.enableGatewayApi to true"),
    "InvalidConfiguration": Meaning(
        "the ConfigMap inferenceservice-config cannot be read; the last good one is in effect", "correct the named key"
    ),
    "CABundleMissing": Meaning(
        "the ConfigMap with certificates that the configuration names is not there, or lacks cabundle.crt", "create it"
    ),
    "InvalidServingRuntime": Meaning(
        "a runtime breaks a rule: two have one priority for a format, say, or it sets PYTHONPATH", "read the message"
    ),
    "InferenceServiceReady": Meaning("the service answers"),
    "InferenceServiceNotReady": Meaning("the service answered and no longer does", "inferplane why NAME"),
    "InvalidGraphSpec": Meaning(
        "an inference graph breaks a rule: a node or a condition makes no sense", "inferplane validate -f FILE"
    ),
    "InferenceServiceNotFound": Meaning("a graph asks a service that does not exist", "create it, or correct the name"),
    "NoEndpoint": Meaning("a graph asks a service at which no path can be asked", "read the message"),
    "InferenceGraphReady": Meaning("the graph answers"),
    "InferenceGraphNotReady": Meaning("the graph answered and no longer does", "inferplane graph NAME"),
    "OutOfDate": Meaning("Knative has not looked at the newest spec yet"),
    "IsNotMMSPredictor": Meaning(
        "a TrainedModel names a service that has a model of its own, or no server now",
        "name one whose predictor has no storageUri",
    ),
    "MemoryResourceNotAvailable": Meaning(
        "a TrainedModel needs more memory than its service's container has left",
        "raise the container's memory limit, or annotate the service with inferplane.dev/model-memory: measured",
    ),
    "FrameworkNotSupported": Meaning(
        "a TrainedModel is of a framework that its service's runtime does not serve", "name another service"
    ),
    "IngressNotServed": Meaning("the gateway does not serve the Ingress yet", "inferplane status"),
}
_PATTERNS = {
    " ingress not created": Meaning(
        "the component is not ready, so there is no way in to it yet", "look at its condition"
    ),
    " Deployment NotReady": Meaning("the route or the component behind it is not there yet", "look at its condition"),
    " HttpRouteNotReady": Meaning("no gateway has taken the route up", "inferplane status"),
    " not ready": Meaning("that condition of a component is not true", "look at its message"),
}
_ROUTES = {
    "ParentStatusNotAvailable": Meaning("no gateway has taken the route up", "check that the gateway runs"),
    "NoReadyEndpoints": Meaning("the route's backends have no ready pod", "inferplane get pods"),
    "NoMatchingParent": Meaning("the Gateway has no listener of that name or port", "correct the parentRef"),
    "NoMatchingListenerHostname": Meaning("no listener takes the route's hosts", "correct hosts or listener"),
    "NotAllowedByListeners": Meaning("the listener does not take routes of that namespace", "see its allowedRoutes"),
    "UnsupportedValue": Meaning("our gateway cannot do what a field asks for", "read the message"),
    "IncompatibleFilters": Meaning("two filters of one rule exclude each other", "remove one"),
    "BackendNotFound": Meaning("there is no Service of that name", "create it, or correct backendRefs"),
    "InvalidKind": Meaning("a backend is of a kind that is no Service", "correct backendRefs"),
    "RefNotPermitted": Meaning("a backend in another namespace needs a ReferenceGrant", "create one"),
    "UnsupportedProtocol": Meaning("our gateway has no such protocol", "use HTTP or HTTPS"),
    "ListenersNotValid": Meaning("a listener of the Gateway is not valid", "look at the listeners' conditions"),
}
_DEPLOYMENTS = {
    "MinimumReplicasAvailable": Meaning("as many replicas are available as there have to be"),
    "MinimumReplicasUnavailable": Meaning("too few replicas are available", "inferplane why NAME"),
    "NewReplicaSetCreated": Meaning("a new version has begun to come up"),
    "FoundNewReplicaSet": Meaning("the ReplicaSet of this version was there already"),
    "ReplicaSetUpdated": Meaning("replicas of the new version are coming up"),
    "NewReplicaSetAvailable": Meaning("all replicas are of the new version"),
    "ProgressDeadlineExceeded": Meaning("the new version does not come up in time", "inferplane why NAME"),
    "DeploymentPaused": Meaning("the rollout is paused", "kubectl rollout resume"),
    "DeploymentResumed": Meaning("the rollout goes on"),
    "FailedCreate": Meaning("a pod could not be created", "read the message: a quota, or a field"),
    "FailedDelete": Meaning("a pod could not be deleted; it is tried again"),
    "ScalingReplicaSet": Meaning("a version gets another number of replicas"),
    "SuccessfulCreate": Meaning("a pod was created"),
    "SuccessfulDelete": Meaning("a pod was deleted"),
}
_AUTOSCALERS = {
    "SucceededGetScale": Meaning("the number of replicas could be read"),
    "SucceededRescale": Meaning("the number of replicas was changed"),
    "SuccessfulRescale": Meaning("the number of replicas was changed"),
    "ReadyForNewScale": Meaning("nothing holds the next change back"),
    "ScaleDownStabilized": Meaning("a lower number is held back for the stabilisation window"),
    "ScaleUpStabilized": Meaning("a higher number is held back for the stabilisation window"),
    "ScaleUpLimit": Meaning("a policy bounds how fast replicas are added"),
    "ScaleDownLimit": Meaning("a policy bounds how fast replicas are removed"),
    "DesiredWithinRange": Meaning("the number lies between the bounds"),
    "TooFewReplicas": Meaning("the load asks for fewer than minReplicas"),
    "TooManyReplicas": Meaning("the load asks for more than maxReplicas", "raise maxReplicas"),
    "ScalingDisabled": Meaning("the target has no replicas, so there is nothing to measure", "scale it to 1"),
    "ValidMetricFound": Meaning("the metric could be read"),
    "FailedGet": Meaning("a metric could not be read", "read the message"),
    "FailedGetScale": Meaning("the target's scale could not be read", "correct scaleTargetRef"),
    "FailedUpdateScale": Meaning("the target's scale could not be written", "read the message"),
    "FailedRescale": Meaning("the target's scale could not be written", "read the message"),
    "FailedGetResourceMetric": Meaning("use of CPU or memory could not be read", "set resources.requests"),
    "FailedComputeMetricsReplicas": Meaning("no metric gave a number of replicas", "read the message"),
    "InvalidMetricSourceType": Meaning("a metric is of a kind that is not measured here", "use Resource"),
    "ScaledObjectReady": Meaning("every trigger of the ScaledObject is honoured"),
    "ScaledObjectCheckFailed": Meaning("the ScaledObject cannot be honoured", "read the message"),
    "TriggerNotHonoured": Meaning("a trigger is not measured on one machine", "use triggers of type cpu and memory"),
    "InvalidSelector": Meaning("the target's selector cannot be read", "correct the target"),
    "SelectorRequired": Meaning("the target has no selector, so its pods are not known", "scale another kind"),
}
_PODS = {
    "FailedScheduling": Meaning("no node can take the pod", "ask for less, or free a node"),
    "FailedMount": Meaning("a volume could not be mounted", "read the message"),
    "BackOff": Meaning("a container that ended waits to be started again", "inferplane logs NAME --previous"),
    "CrashLoopBackOff": Meaning("a container ends again and again", "inferplane logs NAME --previous"),
    "ContainerCreating": Meaning("the container is about to be started"),
    "PodInitializing": Meaning("init containers come first"),
    "ContainersNotInitialized": Meaning("init containers are not done yet"),
    "ContainersNotReady": Meaning("a container is not ready yet", "inferplane why NAME"),
    "ReadinessGatesNotReady": Meaning("a readiness gate of the pod is not true", "look at the pod's conditions"),
    "ContainerStatusUnknown": Meaning("how the container ended is not known: its keeper was killed"),
    "CreateContainerConfigError": Meaning(
        "a Secret, ConfigMap or key that the container needs is not there", "create it"
    ),
    "CreateContainerError": Meaning("the container could not be set up", "read the message"),
    "StartError": Meaning("the command could not be started", "correct command or image"),
    "ImageNotRunnable": Meaning(
        "the image is in no ProcessImage and the container has no command", "add a ProcessImage, or a command"
    ),
    "EnvironmentNotBuilt": Meaning("the Python environment of the image could not be built", "read the message"),
    "RuntimeNotInstalled": Meaning("the packages of the runtime are not installed", "pip install what is named"),
    "RuntimeBroken": Meaning("the runtime's packages cannot be imported", "read the message"),
    "FailedPostStartHook": Meaning("a postStart hook failed; the container is started again", "read the message"),
    "FailedPreStopHook": Meaning(
        "a preStop hook failed; the container was told to end all the same", "read the message"
    ),
    "FieldsNotApplied": Meaning("fields of the pod have no effect on one machine; they are named"),
    "NodeShutdown": Meaning("the node was shut down"),
    "PodCompleted": Meaning("the pod has done its work"),
}
_KNATIVE = {
    "RevisionFailed": Meaning("the newest revision cannot be made or does not start", "read the message"),
    "RevisionMissing": Meaning("a target of the traffic is not there, or not ready yet", "read the message"),
    "RevisionNotOwned": Meaning("a target of the traffic is another service's revision", "correct spec.traffic"),
    "RevisionNameTaken": Meaning(
        "the template changed and its metadata.name did not", "give the template another name, or none"
    ),
    "ConfigurationMissing": Meaning("a target of the traffic names a Configuration that is not there", "correct it"),
    "TrafficNotMigrated": Meaning("requests do not go to the latest revision yet"),
    "IngressNotConfigured": Meaning("the gateway has not taken the route up yet", "inferplane status"),
    "RolloutInProgress": Meaning("requests move to the newest revision step by step"),
    "ErrorConfig": Meaning("the templates of config-network make a host that is none", "correct the named key"),
    "NotOwned": Meaning("an object of that name is somebody else's", "delete it, or rename the service"),
    "ConfigurationReady": Meaning("a Configuration has its first ready revision"),
    "CreationFailed": Meaning("the template cannot become a revision", "read the message"),
    "LatestCreatedFailed": Meaning("the newest revision does not start", "look at its conditions"),
    "LatestReadyUpdate": Meaning("another revision is the latest ready one"),
    "RevisionReady": Meaning("a revision has started"),
    "NoTraffic": Meaning(
        "no requests come in: it has no pods, or gives its last one up", "ask it: the first request wakes it"
    ),
    "Queued": Meaning("requests wait while pods are started"),
    "TimedOut": Meaning("no pod was ready within the progress deadline", "look at the pods and their logs"),
    "NotReady": Meaning("the Services of the revision are not there yet"),
    "NoHealthyBackends": Meaning("nobody is ready to take requests, neither pod nor activator", "look at the pods"),
    "CreatingPrivateService": Meaning("the revision's Deployment is not there yet"),
    "PodsReached": Meaning("requests reach the pods, not the activator"),
    "InvalidConfiguration": Meaning(
        "a ConfigMap says what cannot be; what it said before holds", "correct the named keys"
    ),
}
REASONS: Mapping[str, Meaning] = {**_SERVICE, **_KNATIVE, **_ROUTES, **_DEPLOYMENTS, **_AUTOSCALERS, **_PODS}
PATTERNS: Mapping[str, Meaning] = _PATTERNS
"""By how the reason ends: these begin with the name of a component or of a condition."""


def meaning(reason: str) -> Meaning | None:
    """None for the reason of another system (Knative's own, say)."""
    ending = next((found for suffix, found in PATTERNS.items() if reason.endswith(suffix)), None)
    return REASONS.get(reason) or ending
