"""HTTP and WebSocket routes over the engine."""
