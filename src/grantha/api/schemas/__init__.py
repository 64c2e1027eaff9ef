"""Bodies and replies of our own API as models: validated, described, and turned into values."""
