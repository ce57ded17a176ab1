"""`inferplane predict NAME -d …`: one request to a service."""

import sys
from dataclasses import dataclass

import click

from inferplane.cli import completing
from inferplane.cli.prediction import Answer, Target, http, path_of, protocol_of, read_body, refusal, send, target
from inferplane.cli.session import Session, run
from inferplane.cli.why.words import duration
from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH, INFERENCE_SERVICE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import text_at


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("-d", "--data", required=True, help="The request: JSON, @FILE, or - for standard input.")
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.option("--protocol", type=click.Choice(["v1", "v2"]), help="Default: v2 when the body has V2 inputs, else v1.")
@click.option("--model", help="The model's name, when it is not the service's.")
@click.pass_obj
def predict(
    session: Session, name: str, data: str, namespace: str | None, protocol: str | None, model: str | None
) -> None:
    """Send a request to a service, through the gateway, and print the answer.

    \b
      inferplane predict iris -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
      inferplane predict iris -d @request-v2.json
      inferplane predict ig/mixed -d @request.json           an inference graph
    """
    stdin = sys.stdin.buffer.read() if data == "-" else None
    body, value = read_body(data, stdin)
    where = session.namespace(namespace)
    asked = _asked(name)
    # A graph takes requests at any path: its steps have theirs.
    path = "/" if asked.resource == INFERENCE_GRAPH else path_of(protocol or protocol_of(value), model or asked.name)
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
    async with session.api() as api:
        found = await api.get(asked.resource, asked.name, namespace)
    url = text_at(found, "status", "url")
    if not url:
        what = f"{asked.resource.kind.lower()}/{asked.name}"
        raise InferplaneError(f"{what} has no URL yet", fix=f"see why: inferplane {asked.why}")
    platform = None if session.foreign else session.platform()
    to = target(url, path, platform.gateway if platform else "")
    async with http() as client:
        return to, await send(client, to, body)
