"""What HTTP needs around the routes: security, time limits, bodies, streams, compression, the page."""
