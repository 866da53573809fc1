"""Hooks of the database family: it needs none yet; its service types come from the connectors."""
