"""`inferplane serve`: one model server; all arguments are its own (KServe's flag names)."""

import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Run one model server, without a platform."""
    from inferplane.assembly.model_server import main

    sys.exit(main(list(arguments)))
