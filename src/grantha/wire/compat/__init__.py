"""Wire formats that others already speak, computed from the same log: requests in, replies out."""
