"""`grantha doctor`: checks everything Grantha needs, changes nothing, and says what to do."""

from __future__ import annotations

import asyncio

from grantha.cli.runner import FAILED, read_settings


def doctor() -> None:
    """Check what the running server sees; without one, what a start from this shell would meet."""
    from grantha.cli.check_results import print_first_step, print_results
    from grantha.cli.checks import run_checks

    results = asyncio.run(run_checks(read_settings()))
    print_results(results)
    print_first_step(results)
    raise SystemExit(FAILED if any(result.state == "error" for result in results) else 0)
