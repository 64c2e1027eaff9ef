"""One adapter for each dialect: how a provider is called over HTTP."""
