"""Where cloud credentials come from: AWS and Google."""
