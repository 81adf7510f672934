"""`sub`: print messages on the command line."""

from __future__ import annotations

import base64
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from edge.commands.link import LinkError, explain, open_link
from edge.commands.mqtt_options import (
    add_mqtt_options,
    address_of,
    connect_of,
    property_name,
    set_properties,
)
from edge.commands.options import add_command
from edge.errors import ConfigError, ProtocolError
from edge.protocol import client
from edge.protocol.client import Ack, Publish
from edge.protocol.kinds import MQTT_5, PacketKind
from edge.protocol.packets import Subscribe, Subscription
from edge.protocol.properties import PROPERTY_TABLE, Properties
from edge.protocol.reason import FAILURE_MIN
from edge.topic import check_topic_filter, parse_shared

if TYPE_CHECKING:
    import argparse

    from edge.commands.link import Link
    from edge.commands.options import Parser, Subparsers

LEVELS_MAX: Final = 65_535

EXAMPLES: Final = """\
  robustmq-edge sub -t 'sensors/#' -v
  robustmq-edge sub -t sensors/porch -C 1 -W 5      # one message, or give up after 5 seconds
  robustmq-edge sub -t '$share/workers/jobs/#' -q 1
  robustmq-edge sub -t '$SYS/#' -v
  robustmq-edge sub -t alarms -q 2 -i pager --keep-session \\
      --property session-expiry-interval=86400
"""


def add(verbs: Subparsers[Parser]) -> None:
    """Add the command."""
    parser = add_command(verbs, "sub", subscribe, "subscribe and print messages", examples=EXAMPLES)
    parser.add_argument(
        "-t", "--topic", action="append", required=True, help="Topic Filter; may be repeated"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print topics too")
    parser.add_argument("-C", "--count", type=int, metavar="N", help="end after N messages")
    parser.add_argument("-W", "--wait", type=float, metavar="S", help="end after S seconds")
    parser.add_argument("-N", "--no-newline", action="store_true", help="payloads as they are")
    parser.add_argument("-R", "--no-retained", action="store_true", help="skip retained messages")
    parser.add_argument("--no-local", action="store_true", help="not what this client publishes")
    parser.add_argument(
        "--retain-as-published", action="store_true", help="keep the publisher's RETAIN flag"
    )
    parser.add_argument(
        "--keep-session", action="store_true", help="take up the session of --id (Clean Start 0)"
    )
    add_mqtt_options(parser)


def subscribe(options: argparse.Namespace) -> int:
    """Connect, subscribe, print until the end that the options name, or Ctrl-C."""
    for topic_filter in options.topic:
        _check(topic_filter)
    connect = connect_of(options, clean_start=not options.keep_session)
    properties = Properties()
    set_properties(options, connect, properties, PacketKind.SUBSCRIBE)
    link, _connack = open_link(address_of(options), connect)
    printer = Printer(options)
    try:
        request = Subscribe(1, [_subscription(options, text) for text in options.topic], properties)
        link.send(client.encode_subscribe(request, link.protocol_version))
        code = _receive(link, options, printer)
    except KeyboardInterrupt:
        code = 0
    except BaseException:
        link.abandon()
        raise
    link.close()
    return code


def _check(topic_filter: str) -> None:
    try:
        shared = parse_shared(topic_filter)
        check_topic_filter(topic_filter if shared is None else shared.topic_filter, LEVELS_MAX)
    except ProtocolError as error:
        message = f"--topic {topic_filter}: {error.message}"
        raise ConfigError(message) from error


def _subscription(options: argparse.Namespace, topic_filter: str) -> Subscription:
    return Subscription(
        topic_filter,
        options.qos,
        options.no_local,
        options.retain_as_published,
        2 if options.no_retained else 0,
    )


def _receive(link: Link, options: argparse.Namespace, printer: Printer) -> int:
    """Print messages until the count is reached or the time is over; return the exit code."""
    deadline_mono_s = None if options.wait is None else time.monotonic() + options.wait
    receiver = Receiver(link)
    while options.count is None or printer.count < options.count:
        wait_s = None
        if deadline_mono_s is not None:
            wait_s = max(0.0, deadline_mono_s - time.monotonic())
        packet = link.receive(wait_s)
        if packet is None:
            if options.count is None:
                return 0
            message = f"{printer.count} of {options.count} messages within {options.wait:g} s"
            raise LinkError(message)
        try:
            message_ = receiver.handle(packet, options.topic)
        except ProtocolError as error:
            message = f"{link.address}: {error.message}"
            raise LinkError(message, hint="is that an MQTT broker?") from error
        # Before MQTT 5.0 the broker cannot be asked to leave retained messages out.
        if message_ is not None and not (message_.retain and options.no_retained):
            printer.print(message_)
    return 0


class Receiver:
    """The receiving side of QoS 1 and 2, sections 4.3.2 and 4.3.3."""

    __slots__ = ("_link", "_unreleased")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._unreleased: set[int] = set()

    def handle(self, packet: bytes, topic_filters: list[str]) -> Publish | None:
        """Answer a packet; return the message if it is a new one.

        Raises:
            LinkError: a subscription is refused.
            ProtocolError: the packet breaks the specification.
        """
        version = self._link.protocol_version
        kind = client.packet_kind(packet)
        if kind is PacketKind.PUBLISH:
            return self._on_publish(client.decode_publish(packet, version))
        if kind is PacketKind.PUBREL:
            ack = client.decode_ack(packet, version)
            self._unreleased.discard(ack.packet_id)
            self._answer(PacketKind.PUBCOMP, ack.packet_id)
        elif kind is PacketKind.SUBACK:
            suback = client.decode_suback(packet, version)
            for topic_filter, code in zip(topic_filters, suback.reason_codes, strict=False):
                if code >= FAILURE_MIN:
                    text = suback.properties.reason_string
                    reason = explain(code, text) if version == MQTT_5 else "no reason given"
                    message = f"the subscription to `{topic_filter}` was refused: {reason}"
                    raise LinkError(message)
        return None

    def _on_publish(self, publish: Publish) -> Publish | None:
        if publish.qos == 1:
            self._answer(PacketKind.PUBACK, publish.packet_id)
        elif publish.qos == 2:
            # A PUBLISH that comes again before its PUBREL is not a new message [MQTT-4.3.3-10].
            is_new = publish.packet_id not in self._unreleased
            self._unreleased.add(publish.packet_id)
            self._answer(PacketKind.PUBREC, publish.packet_id)
            return publish if is_new else None
        return publish

    def _answer(self, kind: PacketKind, packet_id: int) -> None:
        self._link.send(client.encode_ack(Ack(kind, packet_id), self._link.protocol_version))


class Printer:
    """Writes messages to standard output, each at once."""

    __slots__ = ("_end", "_json", "_verbose", "count")

    def __init__(self, options: argparse.Namespace) -> None:
        self._json = options.output == "json"
        self._verbose = options.verbose
        self._end = b"" if options.no_newline else b"\n"
        self.count = 0

    def print(self, publish: Publish) -> None:
        """Write one message."""
        self.count += 1
        if self._json:
            line = json.dumps(as_object(publish), ensure_ascii=False).encode() + b"\n"
        elif self._verbose:
            line = publish.topic.encode() + b" " + publish.payload + self._end
        else:
            line = publish.payload + self._end
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def as_object(publish: Publish) -> dict[str, object]:
    """Return a message for JSON; a payload that is not UTF-8 is Base64 under another key."""
    found: dict[str, object] = {"topic": publish.topic}
    try:
        found["payload"] = publish.payload.decode()
    except UnicodeDecodeError:
        found["payload_base64"] = base64.b64encode(publish.payload).decode()
    found["qos"] = publish.qos
    found["retain"] = publish.retain
    properties: dict[str, object] = {}
    for row in PROPERTY_TABLE:
        value = getattr(publish.properties, row.name)
        if value is None or value == []:
            continue
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode()
        properties[property_name(row)] = value
    if properties:
        found["properties"] = properties
    return found
