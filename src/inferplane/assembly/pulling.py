"""The puller at work: in a model server, whose models are then those of the config file, or beside another server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from inferplane.assembly.models import fetch_quietly
from inferplane.dataplane.agent.settings import PullerSettings
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.puller.config import ConfigFile
from inferplane.dataplane.puller.files import ModelFiles
from inferplane.dataplane.puller.local import OwnServer
from inferplane.dataplane.puller.puller import AT_ONCE, Puller, Target
from inferplane.dataplane.residency.memory import ProcessMemory
from inferplane.dataplane.residency.models import ManyModels
from inferplane.dataplane.runtimes.files import model_directory
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.registry import FORMATS, RuntimeNotInstalled, UnknownFormat, runtime
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.promptness import be_patient
from inferplane.kernel.clock import SystemClock


def many_models(
    settings: PullerSettings, format: str, options: RuntimeOptions, limit: int | None, *, log_latency: bool = False
) -> ManyModels:
    """For the loop that runs. `format` is that of models whose framework is not said; `limit` in bytes."""

    def make(name: str, framework: str, directory: Path) -> Model:
        model = _made(framework or format, name, directory, options)
        model.enable_latency_logging = log_latency
        return model

    # What the library itself takes is no model's.
    with suppress(RuntimeNotInstalled):
        runtime(format)
    # One thread: models are loaded one after the other.
    loading = ThreadPoolExecutor(1, thread_name_prefix="load", initializer=be_patient)
    return ManyModels(make, loading, ProcessMemory(), limit, str(settings.model_dir))


def _made(framework: str, name: str, directory: Path, options: RuntimeOptions) -> Model:
    if framework not in FORMATS:
        raise UnknownFormat(
            f"model {name} is of the framework {framework!r}, which this server does not have",
            fix=f"use one of {', '.join(FORMATS)}, or an InferenceService with a server for it",
        )
    made = runtime(framework)
    return made(name, model_directory(directory, made.suffixes), options)


@asynccontextmanager
async def pulling(
    settings: PullerSettings, target: Target, environ: Mapping[str, str], metrics: Metrics | None = None
) -> AsyncIterator[Puller]:
    """A puller that runs while the block does."""
    clock = SystemClock()
    config = ConfigFile(settings.config_dir, clock)
    threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pull", initializer=be_patient)
    settings.model_dir.mkdir(parents=True, exist_ok=True)
    files = ModelFiles(settings.model_dir, lambda uri, directory: fetch_quietly(uri, directory, environ))
    puller = Puller(files, target, threads, clock)
    if metrics is not None:
        metrics.before_told.append(lambda: _tell(metrics, puller, config))
    running = asyncio.create_task(puller.run(config.versions()), name="puller")
    try:
        yield puller
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def pulling_here(
    settings: PullerSettings, models: ManyModels, environ: Mapping[str, str], metrics: Metrics, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Of this server, which is ready once everything that is listed has been brought, or is to stop before."""
    metrics.before_told.append(lambda: _tell_models(metrics, models))
    async with pulling(settings, OwnServer(models), environ, metrics) as puller:
        waiting = [asyncio.create_task(puller.brought()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        models.open()
        yield


def _tell(metrics: Metrics, puller: Puller, config: ConfigFile) -> None:
    for (step, ok), count in puller.counts.ended.items():
        metrics.series("inferplane_pulls", step, "ok" if ok else "failed").set(count)
    metrics.series("inferplane_pull_config_in_force").set(0.0 if config.problem else 1.0)


def _tell_models(metrics: Metrics, models: ManyModels) -> None:
    for state, count in models.states().items():
        metrics.series("inferplane_models", state).set(count)
    counts = models.counts
    metrics.series("inferplane_model_loads", "ok").set(counts.loads)
    metrics.series("inferplane_model_loads", "failed").set(counts.failures)
    metrics.series("inferplane_model_load_seconds").set(counts.seconds)
    metrics.series("inferplane_model_unloads").set(counts.unloads)
    used, limit = models.memory
    metrics.series("inferplane_models_memory_bytes").set(used)
    if limit is not None:
        metrics.series("inferplane_models_memory_limit_bytes").set(limit)
