"""The command line, `grantha` and `python -m grantha`. `app` assembles the commands."""

from __future__ import annotations


def main() -> None:
    """The entry point of the package."""
    from grantha.cli.app import app
    from grantha.cli.encoding import simplify_output
    from grantha.cli.runner import INTERRUPTED, fail
    from grantha.errors import GranthaError

    simplify_output()
    try:
        # Under `python -m` too: shell completion looks up the program by this name.
        app(prog_name="grantha")
    except GranthaError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
