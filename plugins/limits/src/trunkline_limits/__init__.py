"""Rate limits: how often who may call what."""
