"""Compatible APIs, for the vendors' own clients: thin routes over the same engine and the same log."""
