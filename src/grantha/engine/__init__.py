"""The heart: starts, writes, reads, changes, stops and recovers generations."""
