"""For operators: configuration as a file, and explanations of calls."""
