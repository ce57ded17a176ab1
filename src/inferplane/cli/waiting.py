"""Waiting for objects: until a service is ready or will not be, until a deleted one is gone."""

import asyncio

import msgspec

from inferplane.assembly.record import Platform
from inferplane.cli.rollout import Verdict, is_ready, stages, verdict
from inferplane.cli.terminal import Step
from inferplane.cli.why.collect import collect
from inferplane.cli.why.decide import Explanation, decide
from inferplane.cli.why.facts import Service
from inferplane.client.kubernetes.api import Api, EventType, Gone, Resource
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE

# How often it is asked whether waiting on makes sense. Readiness itself is watched, not polled.
CHECK_SECONDS = 1.0


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
    while True:
        found = await api.list(INFERENCE_SERVICE, namespace, fields=only)
        for item in found.items:
            if _told(msgspec.convert(item, Service), step):
                return
        try:
            async for event in api.watch(INFERENCE_SERVICE, namespace, since=found.resource_version, fields=only):
                if event.type is EventType.BOOKMARK:
                    continue
                if _told(msgspec.convert(event.object, Service), step):
                    return
        except Gone:
            continue


def _told(service: Service, step: Step) -> bool:
    step.update(" → ".join(stages(service)))
    return is_ready(service)


async def _watch_failure(api: Api, name: str, namespace: str, platform: Platform | None) -> Explanation:
    """Returns when the same final causes are seen twice in a row: one look may be of the state before a change."""
    before: Explanation | None = None
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        facts = await collect(api, name, namespace, platform)
        now = decide(facts)
        final = facts.service is None or verdict(facts.service, now.causes) is Verdict.FAILED
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
