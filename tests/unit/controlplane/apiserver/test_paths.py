import pytest

from inferplane.controlplane.apiserver.paths import Target, parse


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1", Target("", "v1")),
        ("/api/v1/pods", Target("", "v1", "pods")),
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/finalize", Target("", "v1", "namespaces", "", "a", "finalize")),
        ("/api/v1/namespaces/a/pods", Target("", "v1", "pods", "a")),
        ("/api/v1/namespaces/a/pods/p/log", Target("", "v1", "pods", "a", "p", "log")),
        ("/api/v1/watch/namespaces/a/pods/p", Target("", "v1", "pods", "a", "p", watch=True)),
        ("/apis/apps/v1/namespaces/a/deployments/d", Target("apps", "v1", "deployments", "a", "d")),
        ("/apis/x.io/v1/things/t/status", Target("x.io", "v1", "things", "", "t", "status")),
    ],
)
def test_a_path_names_its_target(path: str, target: Target) -> None:
    assert parse(path) == target


@pytest.mark.parametrize("path", ["/", "/api", "/apis", "/apis/apps", "/nothing/here", "/api/v1/a/b/c/d"])
def test_other_paths_name_nothing(path: str) -> None:
    assert parse(path) is None
