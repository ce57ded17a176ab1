"""The two kinds as CustomResourceDefinitions, with Knative's names and columns, for a machine without Knative."""

from inferplane.kernel.json import JsonObject
from inferplane.resources.autoscaling_knative import podautoscaler, serverlessservice
from inferplane.resources.crds.definition import Definition, column, crd

_READY = (
    column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
    column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
)
_POD_AUTOSCALER = Definition(
    podautoscaler.GROUP,
    "v1alpha1",
    "PodAutoscaler",
    "podautoscalers",
    podautoscaler.PodAutoscalerSpec,
    "Who scales the pods of one revision, and how far it is.",
    (
        column("DesiredScale", ".status.desiredScale", "integer"),
        column("ActualScale", ".status.actualScale", "integer"),
        *_READY,
    ),
    status=podautoscaler.PodAutoscalerStatus,
    short_names=("kpa", "pa"),
    categories=("knative-internal", "autoscaling"),
)
_SERVERLESS_SERVICE = Definition(
    serverlessservice.GROUP,
    "v1alpha1",
    "ServerlessService",
    "serverlessservices",
    serverlessservice.ServerlessServiceSpec,
    "Two Services for the pods of one revision: the public one leads to them or to the activator.",
    (
        column("Mode", ".spec.mode"),
        column("Activators", ".spec.numActivators", "integer"),
        column("ServiceName", ".status.serviceName"),
        column("PrivateServiceName", ".status.privateServiceName"),
        *_READY,
    ),
    status=serverlessservice.ServerlessServiceStatus,
    short_names=("sks",),
    categories=("knative-internal", "networking"),
)


def autoscaling_crds() -> list[JsonObject]:
    return [crd(_POD_AUTOSCALER), crd(_SERVERLESS_SERVICE)]
