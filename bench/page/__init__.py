"""What the page costs, measured in a real browser."""
