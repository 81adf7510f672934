"""What a client is granted, and the CONNACK that says so: section 3.2.

Pure: from the CONNECT and the settings to numbers and properties. A property is left out where its
absence means the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.refusal import ConnectRefusedError
from edge.broker.settings import KEEP_ALIVE_S_UNBOUNDED
from edge.protocol.kinds import MQTT_5
from edge.protocol.properties import Properties
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from edge.broker.settings import ListenerPolicy
    from edge.config.schema import EdgeConfig
    from edge.protocol.packets import Connect

_QOS_MAX: Final = 2
_RECEIVE_MAXIMUM_ABSENT: Final = 65_535  # what absence means [section 3.1.2.11.3]
_PACKET_BYTES_UNLIMITED: Final = 268_435_460  # the largest packet that MQTT can express
RESPONSE_PREFIX: Final = "response/"


class Grant:
    """The terms of one connection."""

    __slots__ = (
        "alias_in_max",
        "alias_out_max",
        "client_packet_bytes_max",
        "inflight_max",
        "is_reduced",
        "keep_alive_s",
        "receive_max",
    )

    def __init__(self, connect: Connect, policy: ListenerPolicy, config: EdgeConfig) -> None:
        self.is_reduced = False
        properties = connect.properties
        session = config.session
        is_v5 = connect.protocol_version == MQTT_5
        self.keep_alive_s = connect.keep_alive_s
        if is_v5:
            self.keep_alive_s = bounded_keep_alive(connect.keep_alive_s, policy.keep_alive_s_max)
        self.inflight_max = min(
            properties.receive_maximum or _RECEIVE_MAXIMUM_ABSENT, session.inflight_messages_max
        )
        # Only MQTT 5.0 clients hear of our bound, so only they are held to it.
        self.receive_max = session.receive_max if is_v5 else _RECEIVE_MAXIMUM_ABSENT
        self.client_packet_bytes_max = properties.maximum_packet_size or 0
        self.alias_in_max = config.limits.topic_alias_max if is_v5 else 0
        self.alias_out_max = min(properties.topic_alias_maximum or 0, config.limits.topic_alias_max)

    def reduce(self) -> None:
        """Give up what the client need not be told of, because its Maximum Packet Size is tiny."""
        self.receive_max = _RECEIVE_MAXIMUM_ABSENT
        self.alias_in_max = 0
        self.is_reduced = True


def bounded_keep_alive(keep_alive_s: int, keep_alive_s_max: int) -> int:
    """Return the Keep Alive to use in MQTT 5.0. None at all (0) is above any bound."""
    if keep_alive_s_max >= KEEP_ALIVE_S_UNBOUNDED:
        return keep_alive_s
    return min(keep_alive_s or keep_alive_s_max, keep_alive_s_max)


def check_will(connect: Connect, policy: ListenerPolicy) -> None:
    """Check the Will against what the listener supports.

    Raises:
        ConnectRefusedError: Will QoS [MQTT-3.2.2-12] or Will Retain [MQTT-3.2.2-13] is not
            supported.
    """
    if connect.will is None:
        return
    if connect.will.qos > policy.qos_max:
        raise ConnectRefusedError(ReasonCode.QOS_NOT_SUPPORTED, "Will QoS is not supported")
    if connect.will.retain and not policy.retain_available:
        raise ConnectRefusedError(ReasonCode.RETAIN_NOT_SUPPORTED, "Will Retain is not supported")


def granted_expiry(connect: Connect, config: EdgeConfig) -> int:
    """Return the Session Expiry Interval that the client gets; of 3.x, what Clean Session means."""
    if connect.protocol_version == MQTT_5:
        wanted_s = connect.properties.session_expiry_interval_s or 0
        return min(wanted_s, config.session.expiry_s_max)
    return 0 if connect.clean_start else config.session.expiry_v311_s


def connack_properties(
    connect: Connect,
    grant: Grant,
    policy: ListenerPolicy,
    config: EdgeConfig,
    *,
    client_id: str,
    is_assigned: bool,
    expiry_s: int,
) -> Properties:
    """Return the properties of a CONNACK with Reason Code 0, section 3.2.2.3."""
    properties = Properties()
    if connect.protocol_version != MQTT_5:
        return properties
    limits = config.limits
    if (connect.properties.session_expiry_interval_s or 0) != expiry_s:
        properties.session_expiry_interval_s = expiry_s
    if grant.receive_max != _RECEIVE_MAXIMUM_ABSENT:
        properties.receive_maximum = grant.receive_max
    if policy.qos_max < _QOS_MAX:
        properties.maximum_qos = policy.qos_max  # [MQTT-3.2.2-9]
    if not policy.retain_available:
        properties.retain_available = 0
    if policy.packet_bytes_max < _PACKET_BYTES_UNLIMITED and not grant.is_reduced:
        properties.maximum_packet_size = policy.packet_bytes_max
    if is_assigned:
        properties.assigned_client_identifier = client_id  # [MQTT-3.2.2-16]
    if grant.alias_in_max:
        properties.topic_alias_maximum = grant.alias_in_max
    if not limits.wildcard_available:
        properties.wildcard_subscription_available = 0
    if not limits.shared_available:
        properties.shared_subscription_available = 0
    if grant.keep_alive_s != connect.keep_alive_s:
        properties.server_keep_alive_s = grant.keep_alive_s  # [MQTT-3.2.2-21]
    if connect.properties.request_response_information and not any(
        character in client_id for character in "+#"
    ):
        properties.response_information = f"{RESPONSE_PREFIX}{client_id}/"  # [MQTT-3.1.2-28]
    return properties
