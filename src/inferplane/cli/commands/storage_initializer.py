"""`inferplane storage-initializer SRC DEST …`: what the init container of a predictor runs (KServe's arguments)."""

import sys

import click


@click.command()
@click.argument("pairs", nargs=-1, required=True, metavar="SOURCE DESTINATION...")
def storage_initializer(pairs: tuple[str, ...]) -> None:
    """Fetch models from storage URIs into directories.

    Each SOURCE is a storage URI, and goes into the directory that follows it. Credentials and endpoints come from the
    environment (AWS_*, AZURE_*, GOOGLE_APPLICATION_CREDENTIALS, HF_TOKEN …).
    """
    from inferplane.assembly.storage_initializer import main

    sys.exit(main(list(pairs)))
