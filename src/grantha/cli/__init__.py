"""The command line, `grantha` and `python -m grantha`. The commands are put together in `app`."""

from __future__ import annotations


def main() -> None:
    """The entry point of the package."""
    from grantha.cli.app import app

    # Under `python -m` too: the shell's completion looks for the program by this name.
    app(prog_name="grantha")
