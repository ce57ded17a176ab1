"""`inferplane predict NAME -d …`: one request to a service."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from inferplane.cli import completing
from inferplane.cli.example_request import example
from inferplane.cli.prediction import Answer, Target, http, path_of, protocol_of, read_body, refusal, send, target
from inferplane.cli.session import Session, run
from inferplane.cli.why.words import duration
from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH, INFERENCE_SERVICE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import text_at


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("-d", "--data", help="The request: JSON, @FILE, or - for standard input.")
@click.option("--example", "by_example", is_flag=True, help="Send the model's own example, and show it.")
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.option("--protocol", type=click.Choice(["v1", "v2"]), help="Default: v2 when the body has V2 inputs, else v1.")
@click.option("--model", help="The model's name, when it is not the service's.")
@click.pass_obj
def predict(
    session: Session,
    name: str,
    data: str | None,
    by_example: bool,
    namespace: str | None,
    protocol: str | None,
    model: str | None,
) -> None:
    """Send a request to a service, through the gateway, and print the answer.

    \b
      inferplane predict iris -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
      inferplane predict iris -d @request-v2.json
      inferplane predict iris --example
      inferplane predict ig/mixed -d @request.json           an inference graph
    """
    asked = _asked(name)
    if by_example is (data is not None) or (by_example and asked.resource == INFERENCE_GRAPH):
        raise click.UsageError("give a request with -d, or --example for that of an InferenceService's model")
    where = session.namespace(namespace)
    if data is None:
        to, answer = run(_predict_example(session, asked, where, protocol, model or asked.name))
    else:
        body, value = read_body(data, sys.stdin.buffer.read() if data == "-" else None)
        # A graph takes requests at any path: its steps have theirs.
        graph = asked.resource == INFERENCE_GRAPH
        path = "/" if graph else path_of(protocol or protocol_of(value), model or asked.name)
        to, answer = run(_predict(session, asked, where, path, body))
    if answer.status >= 400:
        option = "" if where == "default" else f" -n {where}"
        raise InferplaneError(
            f"{to.url}: {refusal(answer)}", fix=f"if the service is at fault: inferplane {asked.why}{option}"
        )
    click.echo(answer.body)
    session.terminal.say(f"{duration(answer.seconds)}  POST {to.url}")


@dataclass(frozen=True, slots=True)
class _Asked:
    resource: Resource
    name: str

    @property
    def why(self) -> str:
        """The command that says what is wrong with it."""
        return f"graph {self.name}" if self.resource == INFERENCE_GRAPH else f"why {self.name}"


def _asked(name: str) -> _Asked:
    kind, slash, rest = name.partition("/")
    if slash and kind in ("ig", "inferencegraph"):
        return _Asked(INFERENCE_GRAPH, rest)
    return _Asked(INFERENCE_SERVICE, rest if slash and kind in ("isvc", "inferenceservice") else name)


async def _predict(session: Session, asked: _Asked, namespace: str, path: str, body: bytes) -> tuple[Target, Answer]:
    at = await _service(session, asked, namespace)
    async with http() as client:
        return at(path), await send(client, at(path), body)


async def _predict_example(
    session: Session, asked: _Asked, namespace: str, protocol: str | None, model: str
) -> tuple[Target, Answer]:
    at = await _service(session, asked, namespace)
    async with http() as client:
        request = await example(client, at, model)
        to = at(path_of(protocol or protocol_of(request), model))
        session.terminal.say(f"the example  {json.dumps(request)}")
        return to, await send(client, to, json.dumps(request).encode())


async def _service(session: Session, asked: _Asked, namespace: str) -> Callable[[str], Target]:
    """Where a path of it is asked for."""
    async with session.api() as api:
        found = await api.get(asked.resource, asked.name, namespace)
    url = text_at(found, "status", "url")
    if not url:
        what = f"{asked.resource.kind.lower()}/{asked.name}"
        raise InferplaneError(f"{what} has no URL yet", fix=f"see why: inferplane {asked.why}")
    platform = None if session.foreign else session.platform()
    return lambda path: target(url, path, platform.gateway if platform else "")
