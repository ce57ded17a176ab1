"""`inferplane agent --component-port PORT …`: what runs beside a server that is not ours (KServe's arguments)."""

import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def agent(arguments: tuple[str, ...]) -> None:
    """Run the agent in front of a server that is not ours: logger, batcher, puller."""
    from inferplane.assembly.agent import main

    sys.exit(main(list(arguments)))
