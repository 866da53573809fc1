"""The application that ASGI servers load: ``trunkline.asgi:app``, configured by the environment."""

from __future__ import annotations

import gc

from trunkline import log, settings
from trunkline.app import App

_settings = settings.load()
log.configure(_settings)
app = App(_settings)
# What is there now stays; going through it at every collection costs a good part of large replies.
gc.collect()
gc.freeze()
