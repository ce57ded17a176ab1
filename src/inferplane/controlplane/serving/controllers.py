"""The controllers of the serving kinds, wired to what they watch."""

from collections.abc import Iterable

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta
from inferplane.controlplane.serving import cabundle, keda, localmodels, processimages
from inferplane.controlplane.serving.graphs.controller import graphs
from inferplane.controlplane.serving.inferenceservice import (
    Caches,
    InferenceServices,
    is_configuration,
    keys_of_pod,
)
from inferplane.controlplane.serving.keda import Keda
from inferplane.controlplane.serving.knative import watched
from inferplane.controlplane.serving.knative.watched import Knative
from inferplane.controlplane.serving.localmodels import LocalModels
from inferplane.controlplane.serving.optional import Definition
from inferplane.controlplane.serving.processimages import ProcessImages
from inferplane.controlplane.serving.runtimes import RuntimeCheck
from inferplane.controlplane.serving.trainedmodels.controller import controller as trained_models
from inferplane.kernel.clock import Clock
from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.core import ConfigMap
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.networking import IngressClass
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime

_DEFINITIONS = (*watched.DEFINITIONS, *keda.DEFINITIONS, *localmodels.DEFINITIONS, *processimages.DEFINITIONS)


def controllers(
    api: Api, informers: Informers, recorder: Recorder, clock: Clock, patience: float = 0.0
) -> list[Controller]:
    """`api` is `informers.api`, so that a reconcile sees what the one before it wrote.

    `patience`: seconds that a status may wait that only tells of progress.
    """
    return [
        _inference_services(api, informers, recorder, clock, patience),
        _runtime_check(informers, recorder, clock),
        _ca_bundles(api, informers, recorder, clock),
        graphs(api, informers, recorder, clock),
        trained_models(api, informers, clock),
    ]


def _runtime_check(informers: Informers, recorder: Recorder, clock: Clock) -> Controller:
    runtimes = informers.cache(kinds.SERVING_RUNTIME, ServingRuntime)
    cluster_runtimes = informers.cache(kinds.CLUSTER_SERVING_RUNTIME, ServingRuntime)
    config_maps = informers.cache(kinds.CONFIG_MAP, ConfigMap)
    reconciler = RuntimeCheck(runtimes, cluster_runtimes, config_maps, recorder)
    controller = Controller("runtimes", reconciler.reconcile, clock=clock, workers=1)
    controller.watch(runtimes, reconciler.beside)
    controller.watch(cluster_runtimes, reconciler.beside)
    controller.watch(config_maps, lambda one: reconciler.all() if is_configuration(one) else [])
    return controller


def _ca_bundles(api: Api, informers: Informers, recorder: Recorder, clock: Clock) -> Controller:
    isvcs = informers.cache(kinds.INFERENCE_SERVICE, InferenceService)
    config_maps = informers.cache(kinds.CONFIG_MAP, ConfigMap)
    reconciler = cabundle.CaBundles(api, isvcs, config_maps, recorder)
    controller = Controller("ca bundles", reconciler.reconcile, clock=clock, workers=1)

    def came_or_went(old: InferenceService | None, new: InferenceService | None) -> None:
        for one in (old, new) if old is None or new is None else ():
            if one is not None:
                controller.enqueue(Key("", one.metadata.namespace))

    isvcs.on_change(came_or_went)
    controller.watch(config_maps, lambda one: cabundle.namespaces(isvcs, one))
    return controller


def _inference_services(
    api: Api, informers: Informers, recorder: Recorder, clock: Clock, patience: float
) -> Controller:
    caches = Caches.of(informers)

    def owned_by_a_service(meta: ObjectMeta) -> None:
        for key in controller_key(meta, kinds.INFERENCE_SERVICE):
            controller.enqueue(key)

    def of_namespace(namespace: str) -> None:
        for key in all_services(namespace):
            controller.enqueue(key)

    knative = Knative(informers, caches.config_maps, owned_by_a_service)
    of_keda = Keda(informers, owned_by_a_service)
    local_models = LocalModels(api, informers, of_namespace)
    images = ProcessImages(informers, lambda: of_namespace(""))
    reconciler = InferenceServices(api, caches, knative, of_keda, local_models, images, recorder, clock, patience)
    controller = Controller("inferenceservice", reconciler.reconcile, clock=clock)

    def autoscaler_changed(old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> None:
        # Its status is written every few seconds under load, and is no business of ours.
        if old is None or new is None or old.spec != new.spec or _written(old.metadata) != _written(new.metadata):
            for one in (old, new):
                for key in controller_key(one.metadata, kinds.INFERENCE_SERVICE) if one else ():
                    controller.enqueue(key)

    def all_services(namespace: str = "") -> Iterable[Key]:
        return [key_of_meta(one.metadata) for one in caches.isvcs.list(namespace)]

    def of_runtime(runtime: ServingRuntime) -> Iterable[Key]:
        # Not only those that use it: it may be what another one is waiting for.
        return all_services(runtime.metadata.namespace)

    def of_config_map(config_map: ConfigMap) -> Iterable[Key]:
        key = key_of_meta(config_map.metadata)
        return all_services() if is_configuration(config_map) or watched.is_configuration(key) else []

    def of_definition(definition: Definition) -> Iterable[Key]:
        return all_services() if definition.metadata.name in _DEFINITIONS else []

    def of_route(route: HTTPRoute) -> Iterable[Key]:
        return [*controller_key(route.metadata, kinds.INFERENCE_SERVICE), *caches.mirrored_to(route.metadata)]

    def of_gateway(_: Gateway | IngressClass) -> Iterable[Key]:
        return all_services()

    controller.watch(caches.isvcs, lambda one: [key_of_meta(one.metadata), *caches.mirrored_to(one.metadata)])
    controller.watch(caches.services, lambda one: controller_key(one.metadata, kinds.INFERENCE_SERVICE))
    controller.watch(caches.deployments, lambda one: controller_key(one.metadata, kinds.INFERENCE_SERVICE))
    controller.watch(caches.ingresses, lambda one: controller_key(one.metadata, kinds.INFERENCE_SERVICE))
    caches.autoscalers.on_change(autoscaler_changed)
    controller.watch(caches.routes, of_route)
    controller.watch(caches.pods, keys_of_pod)
    controller.watch(caches.runtimes, of_runtime)
    controller.watch(caches.cluster_runtimes, of_runtime)
    controller.watch(caches.config_maps, of_config_map)
    # How many routes a listener has is in its status, and changes with each service.
    controller.watch(caches.gateways, of_gateway, part=lambda one: one.spec)
    controller.watch(caches.ingress_classes, of_gateway)
    controller.watch(knative.definitions, of_definition)
    caches.stores.watch(controller, all_services)
    return controller


def _written(meta: ObjectMeta) -> tuple[dict[str, str], dict[str, str], bool]:
    """What others may write into the metadata of an object of ours."""
    return meta.labels, meta.annotations, meta.deleting
