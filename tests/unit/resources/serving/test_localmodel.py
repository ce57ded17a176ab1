"""Which cache of models a service is served from, and where in it the model is."""

import pytest

from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.localmodel import LocalModelCache, LocalModelCacheSpec, cached_uri, marked, of

GROUP = "serving.kserve.io/nodegroup"
CLAIM = "internal.serving.kserve.io/localmodel-pvc-name"
LABEL = "internal.serving.kserve.io/localmodel"


def cache(name: str, uri: str = "s3://m/iris", *groups: str, namespace: str = "") -> LocalModelCache:
    meta = ObjectMeta(name=name, namespace=namespace)
    return LocalModelCache(
        metadata=meta, spec=LocalModelCacheSpec(source_model_uri=uri, node_groups=[*groups] or ["g"])
    )


def service(uri: str = "s3://m/iris", annotations: dict[str, str] | None = None) -> InferenceService:
    meta = ObjectMeta(name="iris", namespace="ml", annotations=annotations or {})
    return InferenceService(metadata=meta, spec={"predictor": {"model": {"storageUri": uri}}})


def claim(one: InferenceService, *caches: LocalModelCache) -> str:
    found = of(one, caches)
    return found.annotations[CLAIM] if found else ""


@pytest.mark.parametrize(
    ("uri", "source", "found"),
    [
        ("s3://m/iris", "s3://m/iris", "a-g"),
        ("s3://m/iris/v2", "s3://m/iris", "a-g"),
        ("s3://m/iris/v2", "s3://m/iris/", "a-g"),
        ("s3://m/iris-v2", "s3://m/iris", ""),
        ("s3://m", "s3://m/iris", ""),
        ("", "s3://m/iris", ""),
    ],
)
def test_a_model_is_in_the_cache_that_holds_its_uri_or_what_it_is_below(uri: str, source: str, found: str) -> None:
    assert claim(service(uri), cache("a", source)) == found


def test_a_group_of_nodes_that_is_asked_for_must_be_the_caches() -> None:
    one, two = cache("a", "s3://m/iris", "cpu"), cache("b", "s3://m/iris", "cpu", "gpu")
    assert claim(service(), one, two) == "a-cpu"
    assert claim(service(annotations={GROUP: "gpu"}), one, two) == "b-gpu"
    assert claim(service(annotations={GROUP: "tpu"}), one, two) == ""


def test_a_cache_of_the_services_namespace_goes_first_and_others_do_not_count() -> None:
    cluster, near, far = cache("a"), cache("z", namespace="ml"), cache("b", namespace="other")
    found = of(service(), [cluster, near, far])
    assert found is not None
    assert found.labels == {LABEL: "z", f"{LABEL}-namespace": "ml"}
    assert claim(service(), far) == ""


def test_a_service_can_be_left_out() -> None:
    assert of(service(annotations={"serving.kserve.io/disable-localmodel": "false"}), [cache("a")]) is None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://m/iris", "pvc://a-g/models/b29ab5138e595be7"),
        ("s3://m/iris/v2", "pvc://a-g/models/b29ab5138e595be7/v2"),
        ("s3://m/other", "s3://m/other"),
    ],
)
def test_the_model_is_read_from_the_claim_of_its_cache(uri: str, expected: str) -> None:
    one = marked(service(), of(service(), [cache("a")]))
    assert cached_uri(one, uri) == expected
    assert cached_uri(service(), uri) == uri


def test_a_mark_goes_with_its_cache() -> None:
    one = marked(service(), of(service(), [cache("a")]))
    assert marked(one, None) == service()
