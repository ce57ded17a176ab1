"""A Deployment whose replicas were fixed keeps them when an autoscaler takes over: real server-side apply."""

from pathlib import Path

import msgspec
from tests.fakes.server import real_api

from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import DEPLOYMENT
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import Json, JsonObject, number_at, object_at
from inferplane.resources.meta import ObjectMeta


def deployment(**spec: Json) -> Desired:
    labels: JsonObject = {"app": "web"}
    template: Json = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
    body: JsonObject = {
        "metadata": {"name": "web", "namespace": "default", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }
    return Desired(DEPLOYMENT, body)


async def applied(api: HttpApi, desired: Desired) -> int:
    """The number of replicas after a controller that has just started has applied this."""
    live = msgspec.convert(object_at(await api.get(DEPLOYMENT, "web", "default"), "metadata"), ObjectMeta)
    await Applier(api, "isvc").apply(desired, live)
    return await replicas(api)


async def replicas(api: HttpApi) -> int:
    return number_at(await api.get(DEPLOYMENT, "web", "default"), "spec", "replicas")


async def scaled(api: HttpApi, number: int) -> None:
    await api.patch(DEPLOYMENT, "web", {"spec": {"replicas": number}}, "default", subresource="scale")


async def test_from_a_fixed_number_to_an_autoscaler_and_back(tmp_path: Path) -> None:
    async with real_api(tmp_path) as api:
        await Applier(api, "isvc").apply(deployment(replicas=3), None)
        handed_over = await applied(api, deployment())
        await scaled(api, 5)
        left_alone = await applied(api, deployment(revisionHistoryLimit=4))
        fixed_again = await applied(api, deployment(replicas=2))
        again = await applied(api, deployment())
        await scaled(api, 6)
        assert (handed_over, left_alone, fixed_again, again, await replicas(api)) == (3, 5, 2, 2, 6)
