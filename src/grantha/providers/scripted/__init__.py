"""The scripted provider: replays a script with delays and faults."""
