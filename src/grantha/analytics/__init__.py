"""Pure folds over events: timings, counters, cost."""
