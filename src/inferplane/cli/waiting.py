"""Waiting for objects: until a service is ready or will not be, until a deleted one is gone."""

import asyncio
from collections.abc import Callable

import msgspec

from inferplane.assembly.record import Platform
from inferplane.cli.progress import Settled, graph_settled, is_hopeless, is_ready, is_rolled_out, stages
from inferplane.cli.terminal import Step
from inferplane.cli.why.collect import SERVICE_LABEL, collect
from inferplane.cli.why.decide import Explanation, decide
from inferplane.cli.why.facts import Deployment, Service
from inferplane.client.kubernetes.api import Api, EventType, Gone, Resource
from inferplane.client.kubernetes.kinds import DEPLOYMENT, INFERENCE_GRAPH, INFERENCE_SERVICE
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.inferencegraph import InferenceGraph

# How often it is asked whether waiting on makes sense. Readiness itself is watched, not polled.
CHECK_SECONDS = 0.5


async def until_ready(
    api: Api, name: str, namespace: str, *, platform: Platform | None, step: Step, timeout: float
) -> Explanation | None:
    """None when the service is ready; otherwise why it is not, as soon as that is clear or after `timeout` seconds."""
    async with asyncio.TaskGroup() as tasks:
        ready = tasks.create_task(_watch_ready(api, name, namespace, step))
        failed = tasks.create_task(_watch_failure(api, name, namespace, platform))
        await asyncio.wait((ready, failed), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        is_up, explanation = ready.done(), failed.result() if failed.done() else None
        ready.cancel()
        failed.cancel()
    if is_up:
        return None
    return explanation or decide(await collect(api, name, namespace, platform))


async def _watch_ready(api: Api, name: str, namespace: str, step: Step) -> None:
    only = f"metadata.name={name}"
    await until(
        api, INFERENCE_SERVICE, namespace, lambda body: _told(msgspec.convert(body, Service), step), fields=only
    )
    # A service may be ready with the pods of its version before: what was applied has to be there.
    deployments = await api.list(DEPLOYMENT, namespace, labels=f"{SERVICE_LABEL}={name}")
    for item in deployments.items:
        one = f"metadata.name={msgspec.convert(item, Deployment).metadata.name}"
        await until(
            api, DEPLOYMENT, namespace, lambda body: is_rolled_out(msgspec.convert(body, Deployment)), fields=one
        )


async def until(
    api: Api, resource: Resource, namespace: str, done: Callable[[JsonObject], bool], *, fields: str
) -> None:
    """Returns when an object with these fields is as `done` wants it: now, or after one of its changes."""
    while True:
        found = await api.list(resource, namespace, fields=fields)
        if any(done(item) for item in found.items):
            return
        try:
            async for event in api.watch(resource, namespace, since=found.resource_version, fields=fields):
                if event.type in (EventType.ADDED, EventType.MODIFIED) and done(event.object):
                    return
        except Gone:
            continue


def _told(service: Service, step: Step) -> bool:
    words, ready = " → ".join(stages(service)), is_ready(service)
    if ready:
        step.end(words)
    else:
        step.update(words)
    return ready


async def until_graph_ready(api: Api, name: str, namespace: str, *, step: Step, timeout: float) -> str:
    """ "" when the graph is ready; else why it is not after `timeout` seconds, or as soon as its spec is refused."""
    only, last = f"metadata.name={name}", Settled()

    def settled(body: JsonObject) -> bool:
        nonlocal last
        last = graph_settled(msgspec.convert(body, InferenceGraph))
        step.update(last.words)
        return last.final

    try:
        async with asyncio.timeout(timeout):
            await until(api, INFERENCE_GRAPH, namespace, settled, fields=only)
    except TimeoutError:
        pass  # what was seen last is told
    step.end(last.words)
    if last.ready:
        return ""
    step.fail()
    return f"inferencegraph/{name}: {last.words}\n  see   inferplane graph {name}"


async def _watch_failure(api: Api, name: str, namespace: str, platform: Platform | None) -> Explanation:
    """Returns when the same final causes are seen twice in a row: one look may be of the state before a change."""
    before: Explanation | None = None
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        facts = await collect(api, name, namespace, platform)
        now = decide(facts)
        final = facts.service is None or is_hopeless(now.causes)
        if final and before is not None and _kinds(before) == _kinds(now):
            return now
        before = now if final else None


def _kinds(explanation: Explanation) -> list[str]:
    return [cause.kind for cause in explanation.causes]


async def until_gone(api: Api, resource: Resource, name: str, namespace: str) -> None:
    """Returns when there is no object of that name any more. Never by itself when its finalizers are not removed."""
    only = f"metadata.name={name}"
    while True:
        found = await api.list(resource, namespace, fields=only)
        if not found.items:
            return
        try:
            async for event in api.watch(resource, namespace, since=found.resource_version, fields=only):
                if event.type is EventType.DELETED:
                    return
        except Gone:
            continue
