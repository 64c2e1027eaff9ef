"""Doors for clients of other vendors' APIs: thin routes over the same engine and the same log."""
