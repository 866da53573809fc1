"""AMQP brokers: messages out and in."""

from trunkline_amqp.service import Amqp

__all__ = ["Amqp"]
