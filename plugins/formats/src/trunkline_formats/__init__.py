"""CSV, XML and NDJSON in requests and replies."""
