"""The models of one server, by name and in the order in which they were registered."""

import inspect
from asyncio import to_thread

from inferplane.dataplane.model.lifecycle import Event, State, after
from inferplane.dataplane.model.model import Model
from inferplane.inference.errors import ModelNotFound, ModelNotReady
from inferplane.kernel.errors import InferplaneError


class ModelRepository:
    """Registered models and where each is in its life. A failure to load is kept and told to whoever asks."""

    def __init__(self, models_dir: str = "/mnt/models") -> None:
        self.models_dir = models_dir
        self.models: dict[str, Model] = {}
        self._states: dict[str, State] = {}

    def update(self, model: Model, name: str | None = None) -> None:
        """Registers `model`, or puts it in the place of the one of that name."""
        name = name or model.name
        if not name:
            raise InferplaneError("Failed to register model, model.name must be provided.")
        self.models[name] = model
        self._states[name] = State.READY if model.ready else State.REGISTERED

    def get_model(self, name: str) -> Model | None:
        return self.models.get(name)

    def get_models(self) -> dict[str, Model]:
        return self.models

    def state(self, name: str) -> State:
        self.existing(name)
        return self._states[name]

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

    async def is_model_ready(self, name: str) -> bool:
        """What the model itself says; false for an unknown one."""
        model = self.models.get(name)
        if model is None:
            return False
        healthy = model.healthy()
        return bool(await healthy if inspect.isawaitable(healthy) else healthy)

    async def load(self, name: str) -> None:
        """Loads a registered model; whatever its `load` raises goes on to the caller."""
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

    def unload(self, name: str) -> None:
        """Stops a model and forgets it."""
        model = self.existing(name)
        self._advance(name, Event.UNLOAD)
        model.stop()
        del self.models[name], self._states[name]

    def _advance(self, name: str, event: Event) -> None:
        self._states[name] = after(self._states[name], event)
