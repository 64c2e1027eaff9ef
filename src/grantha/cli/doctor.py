"""`grantha doctor`: looks at everything a good start needs, changes nothing, and says what to do."""

from __future__ import annotations

import asyncio

from grantha.cli.runner import FAILED, read_settings


def doctor() -> None:
    """Check the folder, the database, the port, the page, the local model and the providers."""
    from grantha.cli.check_results import show
    from grantha.cli.checks import all_checks

    findings = asyncio.run(all_checks(read_settings()))
    show(findings)
    raise SystemExit(FAILED if any(finding.state == "bad" for finding in findings) else 0)
