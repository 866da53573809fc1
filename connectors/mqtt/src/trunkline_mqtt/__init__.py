"""MQTT brokers: messages out and in."""

from trunkline_mqtt.service import Mqtt

__all__ = ["Mqtt"]
