"""An author's own server, on ports that the system chooses, in a thread of the test."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from inferplane import Model, ModelRepository, ModelServer, PredictorConfig
from inferplane.assembly import model_server_grpc, serving_api, serving_flags
from inferplane.assembly.serving_flags import flags, parser
from inferplane.dataplane.model.predictor import current_predictor, tell_predictor
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.settings import Execution
from inferplane.errors import NoModelReady


class Echo(Model):
    def __init__(self, name: str = "echo", *, ready: bool = True) -> None:
        super().__init__(name)
        self.ready = ready
        self.life: list[str] = []

    def start(self) -> None:
        self.life.append("start")

    async def start_engine(self) -> None:
        self.life.append("engine")

    def stop(self) -> None:
        self.life.append("stop")
        super().stop()

    def stop_engine(self) -> None:
        self.life.append("stop engine")

    def predict(self, payload: Any, headers: dict[str, str]) -> Any:
        return {"predictions": payload["instances"]}


@pytest.fixture(autouse=True)
def as_found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "argv", ["model.py"])
    monkeypatch.setenv("POD_IP", "127.0.0.1")
    yield
    tell_predictor(None)


def server(**settings: Any) -> ModelServer:
    made = ModelServer(**{"http_port": 0, "enable_grpc": False, "grace_period": 0.1, **settings})
    made.app = Starlette()
    return made


@contextmanager
def running(made: ModelServer, models: list[Model]) -> Iterator[str]:
    """The URL; the server has stopped when the block ends."""
    failures: list[BaseException] = []

    def start() -> None:
        try:
            made.start(models)
        except BaseException as error:
            failures.append(error)
            made.started.set()

    thread = threading.Thread(target=start)
    thread.start()
    try:
        assert made.started.wait(20)
        assert not failures, failures
        yield f"http://127.0.0.1:{made.http_port}"
    finally:
        made.stop()
        thread.join(20)
        assert not thread.is_alive()


def ask(url: str, body: object = None) -> tuple[Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        return answer.read().decode(), {name.lower(): value for name, value in answer.headers.items()}


def test_models_are_served_and_stopped() -> None:
    model = Echo()
    model.engine = True
    with running(server(), [model]) as url:
        assert ask(f"{url}/v1/models/echo:predict", {"instances": [1]})[0] == '{"predictions":[1]}'
    assert model.life == ["start", "engine", "stop", "stop engine"]


def test_a_model_may_have_a_second_name() -> None:
    made, model = server(), Echo()
    made.register_model(model, "alias")
    with running(made, [model]) as url:
        assert json.loads(ask(f"{url}/v1/models")[0]) == {"models": ["alias", "echo"]}


def test_what_is_not_ready_is_left_out_but_started() -> None:
    late = Echo("late", ready=False)
    with running(server(), [Echo(), late]) as url:
        assert json.loads(ask(f"{url}/v1/models")[0]) == {"models": ["echo"]}
    assert late.life == ["start"]


@pytest.mark.parametrize(
    ("models", "kind", "why"),
    [
        (None, RuntimeError, "Unknown model collection type"),
        ({"m": Echo()}, RuntimeError, "Unknown model collection type"),
        ([object()], RuntimeError, "Model type should be 'BaseKServeModel'"),
        ([Echo("a", ready=False)], NoModelReady, "Model with name a is not ready."),
        ([Echo("a", ready=False), Echo("b", ready=False)], NoModelReady, "Models with names a,b are not ready."),
    ],
)
def test_what_cannot_be_served_is_refused_in_kserves_words(models: Any, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind) as failure:
        server().start(models)
    assert str(failure.value) == why


def test_a_model_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Failed to register model, model.name must be provided.$"):
        server().register_model(Echo(""))


def test_hooks_surround_the_serving() -> None:
    made, called = server(), list[str]()

    @made.on_startup
    async def up() -> None:
        await asyncio.sleep(0)
        called.append("up")

    @made.on_shutdown
    def down() -> None:
        called.append("down")

    with running(made, [Echo()]):
        assert called == ["up"]
    assert called == ["up", "down"]


def test_an_engine_that_fails_ends_the_server() -> None:
    class Broken(Echo):
        async def start_engine(self) -> None:
            raise OSError("no device")

    model = Broken()
    model.engine = True
    with pytest.raises(OSError, match="no device"):
        server().start([model])


def test_a_route_of_the_authors_comes_beside_the_servers() -> None:
    async def price(request: object) -> PlainTextResponse:
        return PlainTextResponse("free")

    made = server()
    made.app.add_route("/price", price)
    with running(made, [Echo()]) as url:
        assert ask(f"{url}/price")[0] == "free"
        assert ask(f"{url}/v1/models/echo:predict", {"instances": [1]})[0] == '{"predictions":[1]}'
        assert ask(f"{url}/v2/health/live")[0] == '{"live":true}'


class Marking:
    """Middleware that signs every answer."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def signed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-signed", b"yes")]
            await send(message)

        await self._app(scope, receive, signed)


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/models/echo", "/v2/health/ready", "/metrics"])
def test_every_request_passes_through_middleware(path: str) -> None:
    made = server()
    made.app.add_middleware(Marking)
    with running(made, [Echo()]) as url:
        assert ask(url + path)[1]["x-signed"] == "yes"
        answer, headers = ask(f"{url}/v1/models/echo:predict", {"instances": [1]})
    assert (answer, headers["x-signed"], headers["content-type"]) == ('{"predictions":[1]}', "yes", "application/json")


def test_a_route_over_a_hot_path_is_the_authors() -> None:
    async def alive(request: object) -> PlainTextResponse:
        return PlainTextResponse("very much so")

    made = server()
    made.app.add_route("/", alive)
    with running(made, [Echo()]) as url:
        assert ask(url)[0] == "very much so"


def test_flags_are_the_defaults_and_arguments_go_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["model.py", "--http_port=1234", "--grpc_port=5", "--my-own=1", "--workers=3"])
    made = ModelServer(grpc_port=6)
    assert (made.http_port, made.grpc_port, made.workers) == (1234, 6, 3)


def test_how_calls_are_run_comes_from_flags_or_from_the_author(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["model.py", "--max_batch_size=8", "--max_latency=5", "--max_queue=9"])
    assert ModelServer().execution == Execution(max_batch_size=8, max_latency=0.005, max_queue=9)
    given = Execution(request_timeout=2)
    assert ModelServer(execution=given).execution is given


def test_a_request_over_the_servers_limit_is_given_up() -> None:
    class Slow(Echo):
        async def predict(self, payload: Any, headers: dict[str, str]) -> Any:
            await asyncio.sleep(60)

    with (
        running(server(execution=Execution(request_timeout=0.05)), [Slow()]) as url,
        pytest.raises(urllib.error.HTTPError) as raised,
    ):
        ask(f"{url}/v1/models/echo:predict", {"instances": [1]})
    assert raised.value.code == 504
    raised.value.close()


def test_with_a_certificate_the_default_port_is_https() -> None:
    assert ModelServer(ssl_certfile="c", ssl_keyfile="k").http_port == 8443
    assert ModelServer(ssl_certfile="c", ssl_keyfile="k", http_port=9).http_port == 9


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_the_default_grpc_port_is_done_without_when_it_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(model_server_grpc, "PORT", taken)
    monkeypatch.setattr(serving_flags, "GRPC_PORT", taken)
    monkeypatch.setattr(serving_api, "GRPC_PORT", taken)
    with running(server(enable_grpc=True), [Echo()]) as url:
        assert json.loads(ask(f"{url}/v1/models")[0]) == {"models": ["echo"]}
    assert "no gRPC port" in caplog.text


def test_a_taken_grpc_port_that_was_asked_for_is_an_error(taken: int) -> None:
    with pytest.raises(CannotListen, match="--grpc_port"):
        server(enable_grpc=True, grpc_port=taken).start([Echo()])


def test_an_unknown_event_loop_is_auto(caplog: pytest.LogCaptureFixture) -> None:
    assert ModelServer(event_loop="twisted").event_loop == "auto"


def test_models_learn_of_the_predictor() -> None:
    given = PredictorConfig("host")
    ModelServer(predictor_config=given)
    assert current_predictor() is given
    assert Echo().predictor_config is given


def test_the_predictor_may_come_from_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["model.py", "--predictor_host=p:80", "--predictor_protocol=v2"])
    ModelServer()
    config = current_predictor()
    assert config is not None
    assert (config.predictor_host, config.protocol, config.predictor_base_url) == ("p:80", "v2", "http://p:80")


@pytest.mark.parametrize("flag", ["--max_threads", "--protocol"])
def test_a_flag_without_effect_is_warned_of(
    flag: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ModelServer()
    assert caplog.messages == []
    monkeypatch.setattr(sys, "argv", ["model.py", flag, "4" if flag == "--max_threads" else "v2"])
    ModelServer()
    assert [message.split(": ")[0] for message in caplog.messages] == [flag]


def test_an_argument_without_effect_is_warned_of_too(caplog: pytest.LogCaptureFixture) -> None:
    assert ModelServer(max_threads=9).max_threads == 9
    assert [message.split(": ")[0] for message in caplog.messages] == ["--max_threads"]


def test_the_loops_executor_has_as_many_threads_as_was_said() -> None:
    names: set[str] = set()

    class Streaming(Echo):
        def predict(self, payload: Any, headers: dict[str, str]) -> Any:
            def parts() -> Iterator[str]:
                names.add(threading.current_thread().name)
                yield "a"

            return parts()

    with running(server(max_asyncio_workers=1), [Streaming()]) as url:
        for _ in range(5):
            assert ask(f"{url}/v1/models/echo:predict", {"instances": [1]})[0] == "a"
    assert names == {"asyncio_0"}


def test_an_author_adds_flags_to_the_parent() -> None:
    import argparse

    own = argparse.ArgumentParser(parents=[parser])
    own.add_argument("--own", default=1, type=int)
    own.add_argument("--max_queue", help="theirs, though we have one of that name")
    assert own.parse_args(["--own=2", "--http_port=3"]).http_port == 3
    assert flags(["--enable_grpc=no"]).enable_grpc is False


def test_an_empty_list_serves_what_the_repository_makes() -> None:
    models = ModelRepository()
    models.update(Echo("kept"))
    with running(server(registered_models=models), []) as url:
        assert json.loads(ask(f"{url}/v1/models")[0]) == {"models": ["kept"]}


def test_an_exception_that_nobody_caught_reaches_the_authors_handler() -> None:
    made, heard, told = server(), list[dict[str, Any]](), threading.Event()

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        heard.append(context)
        told.set()

    made.register_exception_handler(handler)

    @made.on_startup
    def fail_later() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)

    with running(made, [Echo()]):
        assert told.wait(5)
    assert isinstance(heard[0]["exception"], ZeroDivisionError)


def loaded_by(code: str, *names: str) -> list[str]:
    """Which of the modules are loaded after `code` in a new process."""
    ask_for = f"import sys; {code}; print(*(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask_for], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_an_authors_server_starts_without_the_control_plane() -> None:
    foreign = ("inferplane.controlplane", "inferplane.client.kubernetes", "sqlite3", "grpc", "httpx")
    assert loaded_by("import inferplane; inferplane.ModelServer", *foreign, "numpy") == ["numpy"]


LISTENING = """
from inferplane import Model, ModelServer
class Engine(Model):
    async def start_engine(self):
        print(server.grpc_port > 0)
        server.stop()
server = ModelServer(http_port=0, grpc_port=0, grace_period=0)
model = Engine("m")
model.ready = model.engine = True
server.start([model])
"""


def test_a_server_that_listens_for_grpc_imports_none_of_it_until_it_is_called() -> None:
    assert loaded_by(f"exec({LISTENING!r})", "grpc", "google.protobuf") == ["True"]


def test_importing_the_package_loads_no_library() -> None:
    assert loaded_by("import inferplane", "numpy", "starlette", "asyncio", "msgspec") == []
