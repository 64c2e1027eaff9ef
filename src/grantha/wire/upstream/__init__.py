"""The dialects that upstreams speak: decoders for their replies, encoders for our requests."""
