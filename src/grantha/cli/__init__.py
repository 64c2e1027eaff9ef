"""The command line, `grantha` and `python -m grantha`. `app` assembles the commands."""

from __future__ import annotations


def main() -> None:
    """The entry point of the package."""
    from grantha.cli.app import app

    # Under `python -m` too: shell completion looks up the program by this name.
    app(prog_name="grantha")
