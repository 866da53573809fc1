"""Email services: one operation, ``POST``, that sends a mail (connectors 5)."""

from trunkline_email.message import Mail
from trunkline_email.service import EmailService, Parameter, ParameterConfig

__all__ = ["EmailService", "Mail", "Parameter", "ParameterConfig"]
