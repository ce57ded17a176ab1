"""The kinds that our own code reads or writes, by name."""

from inferplane.client.kubernetes.api import Resource

NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENT = Resource("", "v1", "events", "Event")
POD = Resource("", "v1", "pods", "Pod")
SERVICE = Resource("", "v1", "services", "Service")
PERSISTENT_VOLUME_CLAIM = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PERSISTENT_VOLUME = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SET = Resource("apps", "v1", "replicasets", "ReplicaSet")
HORIZONTAL_POD_AUTOSCALER = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
NODE_METRICS = Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False)
SCALED_OBJECT = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
OPEN_TELEMETRY_COLLECTOR = Resource("opentelemetry.io", "v1beta1", "opentelemetrycollectors", "OpenTelemetryCollector")
ENDPOINT_SLICE = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
GATEWAY_CLASS = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
GATEWAY = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
HTTP_ROUTE = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
INGRESS = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
INGRESS_CLASS = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
INFERENCE_SERVICE = Resource("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
SERVING_RUNTIME = Resource("serving.kserve.io", "v1alpha1", "servingruntimes", "ServingRuntime")
CLUSTER_SERVING_RUNTIME = Resource(
    "serving.kserve.io", "v1alpha1", "clusterservingruntimes", "ClusterServingRuntime", namespaced=False
)
CLUSTER_STORAGE_CONTAINER = Resource(
    "serving.kserve.io", "v1alpha1", "clusterstoragecontainers", "ClusterStorageContainer", namespaced=False
)
TRAINED_MODEL = Resource("serving.kserve.io", "v1alpha1", "trainedmodels", "TrainedModel")
INFERENCE_GRAPH = Resource("serving.kserve.io", "v1alpha1", "inferencegraphs", "InferenceGraph")
LOCAL_MODEL_CACHE = Resource("serving.kserve.io", "v1alpha1", "localmodelcaches", "LocalModelCache", namespaced=False)
LOCAL_MODEL_NAMESPACE_CACHE = Resource(
    "serving.kserve.io", "v1alpha1", "localmodelnamespacecaches", "LocalModelNamespaceCache"
)
KNATIVE_SERVICE = Resource("serving.knative.dev", "v1", "services", "Service")
KNATIVE_CONFIGURATION = Resource("serving.knative.dev", "v1", "configurations", "Configuration")
KNATIVE_REVISION = Resource("serving.knative.dev", "v1", "revisions", "Revision")
KNATIVE_ROUTE = Resource("serving.knative.dev", "v1", "routes", "Route")
POD_AUTOSCALER = Resource("autoscaling.internal.knative.dev", "v1alpha1", "podautoscalers", "PodAutoscaler")
SERVERLESS_SERVICE = Resource("networking.internal.knative.dev", "v1alpha1", "serverlessservices", "ServerlessService")
VIRTUAL_SERVICE = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
PROCESS_IMAGE = Resource("inferplane.dev", "v1alpha1", "processimages", "ProcessImage", namespaced=False)
