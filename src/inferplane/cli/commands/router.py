"""`inferplane router --graph-json JSON`: what the pods of an InferenceGraph run (KServe's arguments)."""

import sys

import click


@click.command()
@click.option("--graph-json", required=True, help="The spec of the InferenceGraph, each step with its URL.")
@click.option("--http_port", "--port", "port", type=int, help="Port to listen on (default: PORT, else 8080).")
@click.option("--host", help="Address to listen on (default: POD_IP, else all).")
def router(graph_json: str, port: int | None, host: str | None) -> None:
    """Run the router of an inference graph, without a platform.

    Patterns of headers that go on to the steps are in PROPAGATE_HEADERS, separated by commas.
    """
    from inferplane.assembly.router import main

    arguments = ["--graph-json", graph_json]
    arguments += [f"--http_port={port}"] if port is not None else []
    arguments += [f"--host={host}"] if host else []
    sys.exit(main(arguments))
