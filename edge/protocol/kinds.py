"""The kinds of Control Packet, section 2.1.2, and the flags of their fixed header."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class PacketKind(IntEnum):
    """Bits 7 to 4 of the first byte of a Control Packet; WILL names the properties of a Will."""

    WILL = 0
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


# Levels in the CONNECT, section 3.1.2.2: MQTT 3.1 is 3, 3.1.1 is 4 and 5.0 is 5.
MQTT_3_1: Final = 3
MQTT_3_1_1: Final = 4
MQTT_5: Final = 5

REMAINING_LENGTH_MAX: Final = 268_435_455
