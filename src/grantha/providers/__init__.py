"""Places that models are reached at."""
