"""Where models are called: adapters, credentials, the registry, and local models."""
