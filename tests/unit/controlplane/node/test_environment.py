import pytest

from inferplane.controlplane.node.environment import (
    ConfigError,
    Sources,
    environment,
    expand,
    in_units_of,
    references,
    relocate,
)
from inferplane.resources.core import (
    Container,
    EnvFromReference,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FieldSelector,
    KeySelector,
    Pod,
    PodSpec,
    ResourceFieldSelector,
    ResourceRequirements,
)
from inferplane.resources.meta import ObjectMeta

POD = Pod(
    metadata=ObjectMeta(name="iris-0", namespace="ml", uid="u", labels={"app": "iris", "tier": "gold"}),
    spec=PodSpec(node_name="here"),
)
SOURCES = Sources(
    config_maps={"settings": {"LEVEL": "debug", "not a name": "x"}},
    secrets={"keys": {"token": "t0p"}},
    pod_ip="127.7.0.9",
    host_ip="127.7.0.1",
    node={"cpu": "2", "memory": "8Gi"},
)


def of(*variables: EnvVar, sources: Sources = SOURCES, **more: object) -> dict[str, str]:
    container = Container(name="c", env=[*variables], **more)  # type: ignore[arg-type]  # fields by name
    return environment(POD, container, sources, {"BASE": "b"})


def referring(source: EnvVarSource) -> dict[str, str]:
    return of(EnvVar(name="X", value_from=source))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)/$(B)", "1/2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$A ${A} $( A)", "$A ${A} $( A)"),
        ("$$$(A)", "$1"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_a_variable_sees_those_before_it_and_overrides_them() -> None:
    found = of(
        EnvVar(name="A", value="$(BASE)$(LATER)"), EnvVar(name="LATER", value="l"), EnvVar(name="BASE", value="n")
    )
    assert found == {"BASE": "n", "A": "b$(LATER)", "LATER": "l"}


def test_whole_objects_come_before_single_variables_and_drop_keys_that_are_no_names() -> None:
    settings = EnvFromSource(prefix="S_", config_map_ref=EnvFromReference(name="settings"))
    found = of(EnvVar(name="S_LEVEL", value="$(S_LEVEL)!"), env_from=[settings])
    assert found == {"BASE": "b", "S_LEVEL": "debug!"}


def test_single_keys_fields_and_resources_are_looked_up() -> None:
    limits = ResourceRequirements(limits={"cpu": "1500m"})
    cpu, memory = (
        EnvVarSource(resource_field_ref=ResourceFieldSelector(resource=name))
        for name in ("limits.cpu", "limits.memory")
    )
    found = of(
        EnvVar(name="T", value_from=EnvVarSource(secret_key_ref=KeySelector(name="keys", key="token"))),
        EnvVar(name="IP", value_from=EnvVarSource(field_ref=FieldSelector(field_path="status.podIP"))),
        EnvVar(name="APP", value_from=EnvVarSource(field_ref=FieldSelector(field_path="metadata.labels['app']"))),
        EnvVar(name="CPU", value_from=cpu),
        EnvVar(name="MEMORY", value_from=memory),
        resources=limits,
    )
    assert found == {"BASE": "b", "T": "t0p", "IP": "127.7.0.9", "APP": "iris", "CPU": "2", "MEMORY": "8589934592"}


def test_what_is_missing_is_named_unless_it_is_optional() -> None:
    def secret(name: str, key: str, *, optional: bool = False) -> EnvVarSource:
        return EnvVarSource(secret_key_ref=KeySelector(name=name, key=key, optional=optional))

    with pytest.raises(ConfigError, match='secret "nope" not found'):
        referring(secret("nope", "k"))
    with pytest.raises(ConfigError, match="couldn't find key nope in Secret ml/keys"):
        referring(secret("keys", "nope"))
    with pytest.raises(ConfigError, match=r"status\.color: no such field"):
        referring(EnvVarSource(field_ref=FieldSelector(field_path="status.color")))
    assert referring(secret("nope", "k", optional=True)) == {"BASE": "b"}


def test_references_name_what_must_be_fetched_first() -> None:
    key = KeySelector(name="keys", key="token")
    found = references(
        Container(
            name="c",
            env=[EnvVar(name="T", value_from=EnvVarSource(secret_key_ref=key)), EnvVar(name="A", value="1")],
            env_from=[EnvFromSource(config_map_ref=EnvFromReference(name="settings"))],
        )
    )
    assert (set(found.config_maps), set(found.secrets)) == ({"settings"}, {"keys"})


PLACES = {"/mnt/models": "/home/x/m", "/mnt": "/home/x/mnt", "/dev/termination-log": "/home/x/t"}


@pytest.mark.parametrize(
    ("text", "relocated"),
    [
        ("/mnt/models", "/home/x/m"),
        ("--model_dir=/mnt/models/iris", "--model_dir=/home/x/m/iris"),
        ("/mnt/other:/mnt/models", "/home/x/mnt/other:/home/x/m"),
        ("file:///mnt/models/a", "file:///home/x/m/a"),
        ("/mnt/models2", "/home/x/mnt/models2"),
        ("/data/mnt/models", "/data/mnt/models"),
        ("pvc://claim/mnt/models", "pvc://claim/mnt/models"),
        ("/mnt-models", "/mnt-models"),
        ('{"dir": "/mnt/models"}', '{"dir": "/home/x/m"}'),
    ],
)
def test_paths_of_mounts_are_replaced_by_whole_components_longest_first(text: str, relocated: str) -> None:
    assert relocate(text, PLACES) == relocated


def test_without_mounts_nothing_is_replaced() -> None:
    assert relocate("/mnt/models", {}) == "/mnt/models"


def test_a_quantity_in_units_is_rounded_up() -> None:
    assert [in_units_of("1500m", "1"), in_units_of("1500m", "1m"), in_units_of("1Gi", "1Mi")] == ["2", "1500", "1024"]
    with pytest.raises(ValueError, match="got 'lots'"):
        in_units_of("lots", 1)
