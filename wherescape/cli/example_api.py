"""Serves the small API that a new connector can be tried on."""

import sys

import click

from wherescape.testing.example_api import APIKEY, HEADER, PORT, ExampleApi


@click.command("example-api")
@click.option("--port", default=PORT, show_default=True, help="Where to serve it on this machine.")
def example_api(port: int) -> None:
    """Serve a small API, to try a new connector on.

    It lists the stock of a shop, answers this machine only, and goes on until its input ends or Ctrl+C is pressed.
    """
    api = ExampleApi()
    api.start(port)
    try:
        click.echo(f"Serving {api.url}/items to whoever sends {HEADER}: {APIKEY}")
        click.echo("Press Enter to change an item, Ctrl+C to stop.")
        for _ in sys.stdin:
            click.echo(f"{api.change()} is changed.")
    finally:
        api.stop()
