"""The native API and the simple chat endpoint: one module for each resource."""
