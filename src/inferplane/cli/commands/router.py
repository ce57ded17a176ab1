"""`inferplane router --graph-json JSON`: what the pods of an InferenceGraph run (KServe's arguments)."""

import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def router(arguments: tuple[str, ...]) -> None:
    """Run the router of an inference graph, without a platform."""
    from inferplane.assembly.router import main

    sys.exit(main(list(arguments)))
