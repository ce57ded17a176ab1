"""A Service from its first revision to answers, and what changes with it."""

import pytest
from tests.reconcile.knative.world import FIRST, LATEST, NAME, SECOND, knative, service

from inferplane.client.kubernetes.kinds import (
    KNATIVE_CONFIGURATION,
    KNATIVE_REVISION,
    KNATIVE_ROUTE,
    KNATIVE_SERVICE,
)
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

HOST = "hello.default.localhost"


async def test_a_service_becomes_ready_when_its_revision_runs_and_the_gateway_leads_to_it() -> None:
    async with knative() as world:
        await world.applied(service())
        assert world.conditions() == {
            "ConfigurationsReady": "Unknown",
            "Ready": "Unknown",
            "RoutesReady": "Unknown RevisionMissing",
        }
        assert world.condition("Ready", KNATIVE_REVISION, FIRST) == "Unknown Deploying"

        await world.is_ready(FIRST)
        assert world.condition("ConfigurationsReady") == "True"
        assert world.condition("RoutesReady") == "Unknown IngressNotConfigured"
        await world.is_served()

        assert set(world.conditions().values()) == {"True"}
        assert world.status()["url"] == f"http://{HOST}:8080"
        assert world.status()["address"] == {"url": "http://hello.default.svc.cluster.local"}
        assert world.status()["latestReadyRevisionName"] == FIRST
        assert world.traffic() == [(FIRST, 100, "")]
        assert {"Normal ConfigurationReady", "Normal RevisionReady"} <= set(world.events())


async def test_what_rests_writes_nothing_and_a_new_controller_neither() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        world.new_changes()
        for resource in (KNATIVE_SERVICE, KNATIVE_CONFIGURATION, KNATIVE_ROUTE):
            await world.add(resource, world.peek(resource, NAME))
        assert world.new_changes() == []


async def test_a_second_revision_takes_over_only_when_it_is_ready() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        await world.applied(service("app:2"))
        assert world.hosts() == {HOST: {FIRST: 100}}
        assert world.status()["latestCreatedRevisionName"] == SECOND
        assert world.condition("RoutesReady") == "True"
        assert world.condition("Ready").startswith("Unknown")

        await world.is_ready(SECOND)
        assert world.hosts() == {HOST: {SECOND: 100}}
        assert world.revisions() == {FIRST: "active", SECOND: "active"}
        await world.is_served()
        assert world.condition("Ready") == "True"
        assert world.revisions() == {FIRST: "reserve", SECOND: "active"}
        assert (world.reachability(FIRST), world.reachability(SECOND)) == ("Unreachable", "Reachable")


async def test_a_revision_that_fails_leaves_traffic_on_the_last_good_one() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        await world.applied(service("app:2"))
        await world.scaled(SECOND, "False", "TimedOut", initialized=False, scale=0)

        assert world.condition("Ready", KNATIVE_REVISION, SECOND) == "False ProgressDeadlineExceeded"
        assert world.condition("ConfigurationsReady") == "False RevisionFailed"
        assert "Initial scale was never achieved" in world.message("Ready")
        assert world.condition("RoutesReady") == "True"
        assert world.hosts() == {HOST: {FIRST: 100}}
        assert world.traffic() == [(FIRST, 100, "")]


async def test_traffic_is_split_by_tags_and_percents_and_each_tag_has_a_host() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        old: JsonObject = {"revisionName": FIRST, "percent": 80, "tag": "old"}
        new: JsonObject = {"latestRevision": True, "percent": 20, "tag": "new"}
        await world.applied(service("app:2", old, new))
        await world.serves(SECOND)

        assert world.hosts() == {
            HOST: {FIRST: 80, SECOND: 20},
            f"old-{HOST}": {FIRST: 100},
            f"new-{HOST}": {SECOND: 100},
        }
        assert world.condition("Ready") == "True"
        assert world.traffic() == [(FIRST, 80, "old"), (SECOND, 20, "new")]
        shown = world.status()["traffic"]
        assert isinstance(shown, list)
        assert isinstance(shown[0], dict)
        assert shown[0]["url"] == f"http://old-{HOST}:8080"

        await world.applied(service("app:2", LATEST))
        await world.is_served()
        assert world.hosts() == {HOST: {SECOND: 100}}


async def test_a_pinned_revision_keeps_all_requests_while_newer_ones_come() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        pinned: JsonObject = {"revisionName": FIRST, "percent": 100}
        await world.applied(service("app:2", pinned))
        await world.serves(SECOND)
        assert world.hosts() == {HOST: {FIRST: 100}}
        assert world.condition("Ready") == "True"
        assert world.revisions() == {FIRST: "active", SECOND: "reserve"}
        world.new_changes()
        await world.add(KNATIVE_SERVICE, world.peek(KNATIVE_SERVICE, NAME))
        assert world.new_changes() == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"revisionName": "hello-00009", "percent": 100}, "False RevisionMissing"),
        ({"revisionName": "other-00001", "percent": 100}, "False RevisionNotOwned"),
    ],
)
async def test_a_target_that_cannot_be_leaves_everything_as_it_was(target: JsonObject, reason: str) -> None:
    async with knative() as world:
        other = service() | {"metadata": {"name": "other"}}
        await world.applied(other)
        await world.applied(service())
        await world.is_ready("other-00001")
        await world.serves()
        before = world.hosts()
        await world.applied(service("app:1", target))
        assert world.condition("AllTrafficAssigned", KNATIVE_ROUTE) == reason
        assert world.condition("Ready") == reason
        assert str(target["revisionName"]) in world.message("Ready")
        assert world.hosts() == before
        assert world.traffic() == [(FIRST, 100, "")]


async def test_a_name_of_ones_own_must_change_with_the_template() -> None:
    async with knative() as world:
        await world.applied(service("app:1", name="hello-blue"))
        await world.serves("hello-blue")
        assert world.condition("Ready") == "True"
        await world.applied(service("app:2", name="hello-blue"))
        assert world.condition("ConfigurationsReady") == "False RevisionFailed"
        assert world.condition("RoutesReady") == "False RevisionNameTaken"
        assert world.hosts() == {HOST: {"hello-blue": 100}}

        await world.applied(service("app:2", name="hello-green"))
        await world.serves("hello-green")
        assert world.condition("Ready") == "True"
        assert world.hosts() == {HOST: {"hello-green": 100}}


async def test_a_name_of_ones_own_leaves_a_gap_in_the_numbers() -> None:
    async with knative() as world:
        await world.applied(service("app:1"))
        await world.applied(service("app:2", name="hello-blue"))
        await world.applied(service("app:3"))
        assert sorted(world.revisions()) == ["hello-00001", "hello-00003", "hello-blue"]


async def test_children_of_others_are_left_alone_and_named() -> None:
    async with knative() as world:
        taken: JsonObject = {"metadata": {"name": NAME}, "spec": {"template": {"spec": {"containers": []}}}}
        await world.add(KNATIVE_CONFIGURATION, taken)
        await world.applied(service())
        assert world.condition("ConfigurationsReady") == "False NotOwned"
        assert not world.exists(KNATIVE_ROUTE, NAME)


async def test_what_somebody_changes_on_a_child_is_set_right() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        body = world.peek(KNATIVE_ROUTE, NAME)
        object_at(body, "metadata", "labels")["serving.knative.dev/service"] = "another"
        object_at(body, "spec")["traffic"] = []
        await world.add(KNATIVE_ROUTE, body)
        found = world.peek(KNATIVE_ROUTE, NAME)
        assert text_at(found, "metadata", "labels", "serving.knative.dev/service") == NAME
        assert object_at(found, "spec")["traffic"] == [LATEST | {"configurationName": NAME}]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"containerConcurrency": 1001}, "containerConcurrency: expected 0 to 1000"),
        ({"timeoutSeconds": 601}, "timeoutSeconds: expected 0 to 600"),
        ({"annotations": {"autoscaling.knative.dev/window": "5s"}}, "window: expected a duration from 6s to 1h"),
        ({"annotations": {"autoscaling.knative.dev/min-scale": "-1"}}, "min-scale: expected an integer of 0 or more"),
        (
            {"annotations": {"serving.knative.dev/progress-deadline": "1.5s"}},
            "progress-deadline: expected whole seconds",
        ),
        ({"restartPolicy": "Never"}, "restartPolicy: must not be set"),
        ({"hostNetwork": True}, "podspec-hostnetwork in config-features is not enabled"),
    ],
)
async def test_a_template_out_of_bounds_becomes_no_revision_and_says_why(fields: dict[str, Json], words: str) -> None:
    async with knative() as world:
        await world.applied(service("app:1", **fields))  # type: ignore[arg-type]  # none of them is called name
        assert world.revisions() == {}
        assert world.condition("Ready") == "False RevisionFailed"
        assert words in world.message("Ready")
        assert "Warning CreationFailed" in world.events()


async def test_autoscaling_annotations_belong_on_the_template() -> None:
    async with knative() as world:
        body = service() | {"metadata": {"name": NAME, "annotations": {"autoscaling.knative.dev/min-scale": "1"}}}
        await world.applied(body)
        assert world.condition("Ready") == "False RevisionFailed"
        assert "spec.template.metadata.annotations" in world.message("Ready")
        assert world.revisions() == {}


async def test_a_service_of_the_cluster_alone_has_the_clusters_names() -> None:
    async with knative() as world:
        label = {"networking.knative.dev/visibility": "cluster-local"}
        await world.applied(service() | {"metadata": {"name": NAME, "labels": {**label}}})
        await world.serves()
        assert world.hosts() == {"hello.default.svc.cluster.local": {FIRST: 100}}
        assert world.status()["url"] == "http://hello.default.svc.cluster.local"


async def test_the_templates_of_the_configuration_make_the_hosts() -> None:
    async with knative() as world:
        await world.configured("config-domain", **{"example.com": "", "prod.com": "selector:\n  app: prod\n"})
        await world.configured("config-network", domain_template="{{.Name}}--{{.Namespace}}.{{.Domain}}")
        await world.applied(service())
        await world.serves()
        assert world.hosts() == {"hello--default.example.com": {FIRST: 100}}
        await world.applied(service() | {"metadata": {"name": NAME, "labels": {"app": "prod"}}})
        assert world.hosts() == {"hello--default.prod.com": {FIRST: 100}}
        await world.configured("config-network", domain_template="{{.Name}}_x.{{.Domain}}")
        assert world.condition("AllTrafficAssigned", KNATIVE_ROUTE) == "False ErrorConfig"
        assert world.hosts() == {"hello--default.prod.com": {FIRST: 100}}


async def test_a_configuration_that_cannot_be_changes_nothing() -> None:
    async with knative() as world:
        await world.configured("config-defaults", revision_timeout_seconds="100")
        await world.configured("config-defaults", revision_timeout_seconds="soon")
        await world.applied(service())
        assert object_at(world.peek(KNATIVE_REVISION, FIRST), "spec")["timeoutSeconds"] == 100
