"""The models of one server, by name and in the order in which they were registered.

Authors of multi-model servers subclass it as they do with KServe: `load` (sync or async) or `load_model` makes a model
from a directory in `models_dir`, and `update` registers it.
"""

import inspect
from asyncio import to_thread
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from inferplane.dataplane.model import forwarding
from inferplane.dataplane.model.lifecycle import Event, State, after
from inferplane.dataplane.model.model import Model
from inferplane.inference.errors import ModelNotFound, ModelNotReady
from inferplane.kernel.errors import InferplaneError

MODELS_DIR = "/mnt/models"

Arrival: TypeAlias = Callable[[], Awaitable[None]]
"""Returns once the model can be asked; raises ModelNotReady, or ModelNotFound when it is gone by then."""


class WithoutName(InferplaneError, ValueError):
    pass


class ModelRepository:
    """Registered models and where each is in its life."""

    is_many: ClassVar[bool] = False
    """Whether there may be more models than fit into memory (`dataplane.residency`)."""

    def __init__(self, models_dir: str = MODELS_DIR) -> None:
        self.models_dir = models_dir
        self.models: dict[str, Model] = {}
        self._states: dict[str, State] = {}

    def set_models_dir(self, models_dir: str) -> None:
        self.models_dir = models_dir

    def update(self, model: Model, name: str | None = None) -> None:
        """Registers `model`, or puts it in the place of the one of that name. A model may have several names."""
        name = name or model.name
        if not name:
            raise WithoutName("Failed to register model, model.name must be provided.")
        self.models[name] = model
        self._states[name] = State.READY if model.ready else State.REGISTERED

    def get_model(self, name: str) -> Model | None:
        return self.models.get(name)

    def get_models(self) -> dict[str, Model]:
        return self.models

    def state(self, name: str) -> State:
        model = self.existing(name)
        # Authors may put a model into `models` themselves, and set `ready` where they like.
        return self._states.get(name, State.READY if model.ready else State.REGISTERED)

    def existing(self, name: str) -> Model:
        model = self.models.get(name)
        if model is None:
            raise ModelNotFound(name)
        return model

    def ready_model(self, name: str) -> Model:
        """The model, fit to take a request."""
        model = self.models.get(name)
        if model is None:
            raise ModelNotFound(name)
        if not model.ready:
            raise ModelNotReady(name)
        return model

    def arrival(self, name: str) -> Arrival | None:
        """For a model that cannot be asked now, but can be before long."""
        return None

    def known(self) -> list[str]:
        """Names of all models that there are, or will be before long."""
        return list(self.models)

    def reason(self, name: str) -> str:
        """Why a model is not as it should be, or not in memory; empty when there is nothing to say."""
        return ""

    def is_coming(self, name: str) -> bool:
        """Whether it is being loaded."""
        return self._states.get(name) is State.LOADING

    async def is_ready(self) -> bool:
        """Whether every registered model is."""
        return all([await self.is_model_ready(name) for name in list(self.models)])

    async def is_model_ready(self, name: str) -> bool:
        """What the model itself says and, where it is to be asked, its predictor; false for an unknown one."""
        model = self.models.get(name)
        if model is None:
            return False
        healthy = model.healthy()
        if not (await healthy if inspect.isawaitable(healthy) else healthy):
            return False
        config = model.predictor_config
        if config is None or not (config.predictor_health_check and config.predictor_host):
            return True
        return await forwarding.is_ready(model.name, config)

    def load_models(self) -> None:
        """Has `load_model` make a model of every directory in `models_dir`."""
        for directory in sorted(Path(self.models_dir).iterdir()):
            if directory.is_dir():
                self.load_model(directory.name)

    def load_model(self, name: str) -> bool | None:
        """To be overridden: makes the model of the directory `name`. Base class: registers nothing."""
        return None

    def load(self, name: str) -> Any:
        """Loads a registered model, awaitable; raises what its `load` raises.

        An author's, sync or async, may make and register one that is not there yet, and returns whether it is ready.
        """
        return self._loaded(name)

    async def _loaded(self, name: str) -> bool:
        model = self.existing(name)
        self._advance(name, Event.LOAD)
        try:
            # On a thread, so that liveness is answered meanwhile.
            loaded = await model.load() if inspect.iscoroutinefunction(model.load) else await to_thread(model.load)
            if not loaded:
                raise ModelNotReady(name)
        except BaseException:
            self._advance(name, Event.LOAD_FAILED)
            raise
        self._advance(name, Event.LOADED)
        return True

    def unload(self, name: str) -> None:
        """Stops a model and forgets it; ModelNotFound, which is a KeyError too, for an unknown one."""
        model = self.existing(name)
        self._advance(name, Event.UNLOAD)
        model.stop()
        if model.engine:
            model.stop_engine()
        del self.models[name], self._states[name]

    def _advance(self, name: str, event: Event) -> None:
        self._states[name] = after(self.state(name), event)


class ModelRepositoryExtension:
    """V2's model repository extension over a repository."""

    def __init__(self, model_registry: ModelRepository) -> None:
        self._repository = model_registry

    async def index(self, filter_ready: bool | None = False) -> list[dict[str, str]]:
        """(name, state, reason) of every model, or of those that are ready."""
        models = [(name, await self._repository.is_model_ready(name)) for name in list(self._repository.get_models())]
        return [
            {"name": name, "state": "Ready" if ready else "NotReady", "reason": ""}
            for name, ready in models
            if ready or not filter_ready
        ]

    async def load(self, model_name: str) -> None:
        """ModelNotReady, with the cause, when the model is not ready after it. One that is ready stays as it is."""
        if not await self._is_served(model_name):
            await self._load(model_name)
        if not await self._repository.is_model_ready(model_name):
            raise ModelNotReady(model_name)

    async def _is_served(self, name: str) -> bool:
        """An author's own `load` decides by itself what to do with a model that is there."""
        if type(self._repository).load is not ModelRepository.load:
            return False
        return name in self._repository.models and await self._repository.is_model_ready(name)

    async def _load(self, name: str) -> None:
        load = self._repository.load
        try:
            # A sync `load` of an author may take long.
            loading = load(name) if _is_async(load) else await to_thread(load, name)
            if inspect.isawaitable(loading):
                await loading
        except (ModelNotReady, ModelNotFound):
            raise
        except Exception as error:
            raise ModelNotReady(name, f"Error type: {type(error)} error msg: {error}") from error

    async def unload(self, model_name: str) -> None:
        try:
            self._repository.unload(model_name)
        except KeyError:  # an author's subclass may raise its own
            raise ModelNotFound(model_name) from None


def _is_async(load: object) -> bool:
    return inspect.iscoroutinefunction(load) or getattr(load, "__func__", None) is ModelRepository.load
