"""`pub`: publish messages from the command line."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.commands.link import ANSWER_TIMEOUT_S, LinkError, check_ack, open_link
from edge.commands.mqtt_options import add_mqtt_options, address_of, connect_of, set_properties
from edge.commands.options import add_command
from edge.commands.output import print_json
from edge.errors import ConfigError, ProtocolError
from edge.protocol import client
from edge.protocol.client import Ack, Publish
from edge.protocol.kinds import PacketKind
from edge.protocol.properties import Properties
from edge.topic import check_topic_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge.commands.link import Link
    from edge.commands.options import Parser, Subparsers

# Messages sent and not yet acknowledged; the broker may ask for less.
WINDOW: Final = 64
LEVELS_MAX: Final = 65_535
PAYLOAD_BYTES_MAX: Final = 268_000_000

_STDIN: Final = 0
_READ_BYTES: Final = 65_536

EXAMPLES: Final = """\
  robustmq-edge pub -t sensors/porch -m 21.5
  robustmq-edge pub -t cams/door -f picture.jpg -q 1 -r --property content-type=image/jpeg
  vmstat 1 | robustmq-edge pub -t host/vmstat -l
  robustmq-edge pub -t sensors/porch -n -r          # deletes the retained message
  robustmq-edge pub -H broker.example -u alice -P secret --tls -t a/b -m hello
"""


def add(verbs: Subparsers[Parser]) -> None:
    """Add the command."""
    parser = add_command(verbs, "pub", publish, "publish messages", examples=EXAMPLES)
    parser.add_argument("-t", "--topic", required=True, help="Topic Name")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-m", "--message", metavar="TEXT", help="payload")
    what.add_argument("-f", "--file", metavar="FILE", help="file that is the payload; -: stdin")
    what.add_argument(
        "-l", "--lines", action="store_true", help="each line of standard input is a message"
    )
    what.add_argument(
        "-n", "--null-message", action="store_true", help="an empty payload; with -r it deletes"
    )
    parser.add_argument("-r", "--retain", action="store_true", help="retain the message")
    add_mqtt_options(parser)


def publish(options: argparse.Namespace) -> int:
    """Connect, publish everything, wait for the acknowledgements, disconnect."""
    try:
        check_topic_name(options.topic, LEVELS_MAX)
    except ProtocolError as error:
        message = f"--topic {options.topic}: {error.message}"
        raise ConfigError(message) from error
    connect = connect_of(options)
    properties = Properties()
    set_properties(options, connect, properties, PacketKind.PUBLISH)
    first = None if options.lines else _payload(options)
    link, connack = open_link(address_of(options), connect)
    try:
        window = min(WINDOW, connack.properties.receive_maximum or WINDOW)
        publisher = Publisher(link, options.topic, options.qos, properties, window)
        publisher.retain = options.retain
        if first is not None:
            publisher.publish(first)
        else:
            for line in read_lines(link, publisher):
                publisher.publish(line)
        publisher.finish()
    except BaseException:
        link.abandon()
        raise
    link.close()
    if options.output == "json":
        print_json({"sent": publisher.sent_count, "unmatched": publisher.unmatched_count})
    return 0


def _payload(options: argparse.Namespace) -> bytes:
    """Return the one payload that the options name."""
    if options.null_message:
        return b""
    if options.message is not None:
        return os.fsencode(options.message)
    try:
        if options.file == "-":
            payload = sys.stdin.buffer.read(PAYLOAD_BYTES_MAX + 1)
        else:
            with Path(options.file).open("rb") as stream:
                payload = stream.read(PAYLOAD_BYTES_MAX + 1)
    except OSError as error:
        message = f"--file {options.file}: {error.strerror}"
        raise ConfigError(message) from error
    if len(payload) > PAYLOAD_BYTES_MAX:
        message = f"--file {options.file}: above {PAYLOAD_BYTES_MAX} bytes"
        raise ConfigError(message)
    return payload


class Publisher:
    """Sends messages and follows their acknowledgements, sections 4.3.2 and 4.3.3."""

    __slots__ = (
        "_link",
        "_open",
        "_packet_id",
        "_properties",
        "_qos",
        "_topic",
        "_window",
        "retain",
        "sent_count",
        "unmatched_count",
    )

    def __init__(
        self, link: Link, topic: str, qos: int, properties: Properties, window: int
    ) -> None:
        self._link = link
        self._topic = topic
        self._qos = qos
        self._properties = properties
        self._window = window
        self._open: dict[int, Publish] = {}
        self._packet_id = 0
        self.retain = False
        self.sent_count = 0
        self.unmatched_count = 0

    def publish(self, payload: bytes) -> None:
        """Send one message; wait first if too many are unacknowledged."""
        while len(self._open) >= self._window:
            self.take_answer(ANSWER_TIMEOUT_S)
        message = Publish(self._topic, payload, self._qos, self.retain, properties=self._properties)
        if self._qos:
            # The window is far smaller than the 65,535 identifiers: the next one is free.
            self._packet_id = self._packet_id % 0xFFFF + 1
            message.packet_id = self._packet_id
            self._open[self._packet_id] = message
        self._link.send(client.encode_publish(message, self._link.protocol_version))
        self.sent_count += 1

    def finish(self) -> None:
        """Wait until everything is acknowledged."""
        while self._open:
            self.take_answer(ANSWER_TIMEOUT_S)

    def take_answer(self, timeout_s: float) -> None:
        """Handle the next packet of the broker.

        Raises:
            LinkError: none comes in time (if `timeout_s` is not 0), or a message is refused.
        """
        packet = self._link.receive(timeout_s)
        if packet is None:
            if timeout_s == 0:
                return
            message = f"{self._link.address}: no acknowledgement within {timeout_s:.0f} s"
            raise LinkError(message)
        try:
            ack = client.decode_ack(packet, self._link.protocol_version)
        except ProtocolError as error:
            message = f"{self._link.address}: {error.message}"
            raise LinkError(message) from error
        sent = self._open.get(ack.packet_id)
        if sent is None:
            return
        check_ack(ack, sent)
        if ack.reason_code == 0x10:
            self.unmatched_count += 1
        if ack.kind is PacketKind.PUBREC:
            answer = Ack(PacketKind.PUBREL, ack.packet_id)
            self._link.send(client.encode_ack(answer, self._link.protocol_version))
        else:
            del self._open[ack.packet_id]


def read_lines(link: Link, publisher: Publisher) -> Iterator[bytes]:
    """Yield the lines of standard input, and keep the connection alive while none comes."""
    buffer = bytearray()
    while True:
        ready, _, _ = select.select([_STDIN, link.fileno()], [], [], link.next_ping_s())
        if link.fileno() in ready or not ready:
            publisher.take_answer(0)
        if _STDIN not in ready:
            continue
        data = os.read(_STDIN, _READ_BYTES)
        buffer += data
        *lines, rest = bytes(buffer).split(b"\n")
        yield from lines
        if not data:
            if rest:
                yield rest
            return
        buffer[:] = rest
        if len(buffer) > PAYLOAD_BYTES_MAX:
            message = f"standard input: a line above {PAYLOAD_BYTES_MAX} bytes"
            raise ConfigError(message)
