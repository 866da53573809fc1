"""What all messaging services share: publishing with a confirmation, subscriptions that call services."""

from trunkline_messaging.delivery import Inbox, Incoming
from trunkline_messaging.service import MessagingConfig, MessagingService

__all__ = ["Inbox", "Incoming", "MessagingConfig", "MessagingService"]
