"""`inferplane completion SHELL`: the script that makes a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, options, kinds and names.

    \b
      bash   echo 'eval "$(inferplane completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(inferplane completion zsh)"' >> ~/.zshrc
      fish   inferplane completion fish > ~/.config/fish/completions/inferplane.fish
    """
    from inferplane.cli.main import COMPLETE_VARIABLE, NAME, cli

    writer = get_completion_class(shell)
    assert writer is not None, "click knows these shells"
    click.echo(writer(cli, {}, NAME, COMPLETE_VARIABLE).source())
