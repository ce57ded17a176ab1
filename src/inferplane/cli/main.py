"""`inferplane`: the words the user types.

Each command lives in its own module under `commands`, imported when it is used, so that `--help` is quick. Errors made
for the user are one line on standard error and exit code 1 (2 for wrong usage, 130 for Ctrl-C); `--debug` adds the
traceback.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.cli.session import Session

# name → (module under commands, attribute, what `--help` says): one line each, so that --help imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("platform", "Start the platform: API server, controllers, node and gateway."),
    "down": ("platform", "Stop the platform; what was applied is kept."),
    "status": ("status", "Say what runs and where it answers."),
    "apply": ("apply", "Create or change what a YAML file describes, and wait until it serves."),
    "validate": ("validate", "Say what is wrong with a YAML file, without a cluster."),
    "render": ("render", "Print the objects that a cluster would get for a YAML file."),
    "crds": ("crds", "Print the CustomResourceDefinitions that a cluster needs."),
    "get": ("get", "List objects, or show one."),
    "delete": ("delete", "Delete objects by name or by file."),
    "logs": ("logs", "Print what a service's processes write."),
    "predict": ("predict", "Send a request to a service, through the gateway."),
    "rollout": ("rollout", "Show the revisions of a service with their shares of the requests, or change them."),
    "top": ("top", "Show what each service does: requests, latency, CPU, memory."),
    "bench": ("bench", "Load-test a service or an endpoint."),
    "record": ("record", "Record what is asked of a service and what it answers, for replay."),
    "replay": ("replay", "Send recorded requests to a model and compare its answers with those recorded."),
    "shadow": ("shadow", "Send a share of a service's requests to another one too, whose answers are dropped."),
    "autoscaler": ("autoscaler", "Replay recorded load, or simulate what a service would do under a load."),
    "graph": ("graph", "Draw an inference graph: its nodes, and which of its services are ready."),
    "why": ("why", "Say in words why a service is not ready, and what to do."),
    "kubeconfig": ("status", "Print the path of the kubeconfig, for kubectl and other clients."),
    "serve": ("serve", "Run one model server, without a platform."),
    "explainer": ("explainer", "Run one explainer, without a platform."),
    "agent": ("agent", "Run the agent in front of a server that is not ours: logger, batcher, puller."),
    "storage-initializer": ("storage_initializer", "Fetch models from storage URIs into directories."),
    "router": ("router", "Run the router of an inference graph, without a platform."),
    "tour": ("tour", "Start everything, deploy the first example and send it requests."),
    "completion": ("completion", "Print the script that makes a shell complete commands, options, kinds and names."),
    "version": ("version", "Print the version."),
}
NAME = "inferplane"
# The shell sets it while a line is completed; click reads it.
COMPLETE_VARIABLE = "_INFERPLANE_COMPLETE"

EPILOG = """\b
First steps:
  inferplane up -d
  inferplane apply -f isvc.yaml
  inferplane predict NAME -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
  inferplane why NAME            when it is not ready
"""


class Lazy(click.Group):
    """Knows its commands by name; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"inferplane.cli.commands.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Without importing a command; options come from click itself."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found = ((name, text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete))
        return [CompletionItem(name, help=text) for name, text in found]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "see  inferplane --help"
            raise click.UsageError(f'there is no command "{args[0]}"; {hint}', ctx) from None


@click.group(
    cls=Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="Talk to this cluster, not to the platform."
)
@click.option("--context", default="", help="The context to use (without --kubeconfig: of ~/.kube/config).")
@click.version_option(package_name="inferplane", message="inferplane %(version)s")
@click.pass_context
def cli(ctx: click.Context, debug: bool, kubeconfig: Path | None, context: str) -> None:
    """Model serving that speaks KServe: the same InferenceService on a laptop and on a cluster."""
    if ctx.obj is None:
        ctx.obj = session_from(kubeconfig, context)


def session_from(kubeconfig: Path | None, context: str) -> "Session":
    """The session that the global options ask for."""
    from inferplane.assembly.home import home_from
    from inferplane.cli.session import Session
    from inferplane.cli.terminal import standard_terminal

    if context and kubeconfig is None:
        kubeconfig = Path("~/.kube/config").expanduser()
    # The one place of the command line that hands the environment on; `assembly.home` is who reads it.
    return Session(home_from(os.environ), standard_terminal(), kubeconfig, context)


def main(args: list[str] | None = None, session: "Session | None" = None) -> None:
    """The console script. Exits with the command's code. Tests hand in their own session."""
    arguments = sys.argv[1:] if args is None else args
    try:
        code = cli.main(arguments, prog_name=NAME, complete_var=COMPLETE_VARIABLE, standalone_mode=False, obj=session)
    except InferplaneError as error:
        code = _failed(str(error), "--debug" in arguments)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 130
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        # A mistake of ours. The user gets a line; who wants to repair it asks for the traceback.
        words = " ".join(f"{type(error).__name__}: {error}".split())
        code = _failed(f"unexpected {words} (a bug: inferplane --debug shows where)", "--debug" in arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _failed(message: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(message, err=True)
    return 1
