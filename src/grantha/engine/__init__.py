"""The core: starts, writes, reads, changes, stops and recovers generations."""
