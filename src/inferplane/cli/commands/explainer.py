"""`inferplane explainer`: one explainer's server; all arguments are its own."""

import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def explainer(arguments: tuple[str, ...]) -> None:
    """Run one explainer, without a platform."""
    from inferplane.assembly.explainer import main

    sys.exit(main(list(arguments)))
