"""Packages: parts of the configuration as files, and back (system-api 20)."""
