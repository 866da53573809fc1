"""Scheduled calls: what is to be asked of a service when, and what came of it."""
