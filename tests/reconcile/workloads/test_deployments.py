from tests.reconcile.workloads.platform import deployment, rolling, running

from inferplane.client.kubernetes.kinds import DEPLOYMENT, POD, REPLICA_SET
from inferplane.kernel.json import object_at, text_at


async def test_a_deployment_becomes_a_replica_set_and_pods_with_its_hash_and_reports_available() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(3))
        [replica_set] = platform.api.objects(REPLICA_SET)
        name = text_at(replica_set, "metadata", "name")
        mark = text_at(replica_set, "metadata", "labels", "pod-template-hash")
        assert name == f"web-{mark}"
        assert [
            (text_at(pod, "metadata", "name")[:-5], text_at(pod, "metadata", "labels", "pod-template-hash"))
            for pod in platform.pods()
        ] == [(f"{name}-", mark)] * 3
        assert platform.condition("web", "Available") == (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
        await platform.started()
        assert platform.status(DEPLOYMENT, "web") | {"conditions": []} == {
            "observedGeneration": 1,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
            "conditions": [],
        }
        assert platform.condition("web", "Progressing") == (
            "True",
            "NewReplicaSetAvailable",
            f'ReplicaSet "{name}" has successfully progressed.',
        )
        assert ("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in platform.events()


async def test_a_settled_deployment_is_left_alone_by_restarted_controllers() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(3))
        await platform.started()
        api, clock = platform.api, platform.clock
    api.changes.clear()
    async with running(api, clock) as platform:
        assert platform.new_changes() == []


async def test_a_rollout_adds_before_it_removes_and_ends_with_the_new_revision_alone() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(2, strategy=rolling(1, 0)))
        await platform.started()
        seen = [platform.sizes()]
        await platform.applied(DEPLOYMENT, deployment(2, "2", strategy=rolling(1, 0)))
        for _ in range(4):
            seen.append(platform.sizes())
            await platform.ended()
            await platform.started()
        assert seen == [{"1": 2}, {"1": 2, "2": 1}, {"1": 1, "2": 2}, {"1": 0, "2": 2}, {"1": 0, "2": 2}]


async def test_a_rollout_that_never_becomes_ready_keeps_the_old_pods_and_runs_out_of_time() -> None:
    async with running() as platform:
        spec = deployment(2, strategy=rolling(1, 0), progressDeadlineSeconds=60)
        await platform.applied(DEPLOYMENT, spec)
        await platform.started()
        await platform.changed(DEPLOYMENT, "web", {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}})
        assert platform.sizes() == {"1": 2, "2": 1}
        platform.clock.advance(62)
        await platform.settle()
        progressing = platform.condition("web", "Progressing")
        assert progressing is not None
        assert progressing[:2] == ("False", "ProgressDeadlineExceeded")
        assert platform.sizes() == {"1": 2, "2": 1}


async def test_recreate_waits_until_the_last_old_pod_has_ended() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(2, strategy={"type": "Recreate"}))
        await platform.started()
        await platform.applied(DEPLOYMENT, deployment(2, "2", strategy={"type": "Recreate"}))
        assert platform.sizes() == {"1": 0}
        await platform.ended()
        assert platform.sizes() == {"1": 0, "2": 2}


async def test_going_back_reuses_the_old_replica_set_under_a_new_revision() -> None:
    async with running() as platform:
        for version in ("1", "2", "1"):
            await platform.applied(DEPLOYMENT, deployment(1, version))
            await platform.started()
            await platform.ended()
            await platform.started()
        assert platform.sizes() == {"3": 1, "2": 0}
        stored = platform.api.peek(DEPLOYMENT, "web") or {}
        assert object_at(stored, "metadata", "annotations")["deployment.kubernetes.io/revision"] == "3"
        past = [
            object_at(one, "metadata", "annotations").get("deployment.kubernetes.io/revision-history")
            for one in platform.api.objects(REPLICA_SET)
        ]
        assert sorted(past, key=str) == ["1", None]


async def test_scaling_is_no_rollout() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(1))
        await platform.started()
        for replicas, pods in ((3, 3), (0, 0), (2, 2)):
            await platform.changed(DEPLOYMENT, "web", {"spec": {"replicas": replicas}})
            await platform.ended()
            await platform.started()
            assert (len(platform.pods()), platform.sizes()) == (pods, {"1": pods})
            progressing = platform.condition("web", "Progressing")
            assert progressing is not None
            assert progressing[1] == "NewReplicaSetAvailable"


async def test_a_deployment_scaled_during_a_rollout_keeps_its_proportions() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(10, strategy=rolling(3, 2)))
        await platform.started()
        await platform.applied(DEPLOYMENT, deployment(10, "2", strategy=rolling(3, 2)))
        assert platform.sizes() == {"1": 8, "2": 5}
        await platform.changed(DEPLOYMENT, "web", {"spec": {"replicas": 15}})
        assert platform.sizes() == {"1": 11, "2": 7}


async def test_a_paused_deployment_scales_but_does_not_roll_out() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(1))
        await platform.started()
        await platform.applied(DEPLOYMENT, deployment(2, "2", paused=True))
        await platform.started()
        assert platform.sizes() == {"1": 2}
        assert platform.condition("web", "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
        await platform.changed(DEPLOYMENT, "web", {"spec": {"paused": False}})
        assert set(platform.sizes()) == {"1", "2"}


async def test_old_revisions_beyond_the_limit_are_forgotten() -> None:
    async with running() as platform:
        for version in "1234":
            await platform.applied(DEPLOYMENT, deployment(1, version, revisionHistoryLimit=1))
            await platform.started()
            await platform.ended()
            await platform.started()
        assert platform.sizes() == {"3": 0, "4": 1}


async def test_a_template_that_the_api_refuses_is_said_on_the_deployment() -> None:
    from tests.fakes.api import Write

    from inferplane.client.kubernetes.api import Invalid

    async with running() as platform:

        def refuse(write: Write) -> None:
            if write.verb == "create" and write.resource == POD:
                raise Invalid(422, "Invalid", "spec.containers[0].image: Required value")

        platform.api.intercept = refuse
        await platform.applied(DEPLOYMENT, deployment(5))
        assert platform.condition("web", "ReplicaFailure") == (
            "True",
            "FailedCreate",
            "spec.containers[0].image: Required value",
        )
