"""`pub` and `sub` against a broker that follows a script."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from edge.cli import main
from edge.protocol import client, decode
from edge.protocol.packets import Subscription, Will
from edge.protocol.properties import Properties
from tests.unit.commands.fake_broker import FakeBroker

if TYPE_CHECKING:
    from pathlib import Path

DISCONNECT = b"\xe0\x00"


class Output:
    """Standard output and error, read once."""

    def __init__(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capfdbinary

    def read(self) -> tuple[bytes, str]:
        """What has been written since the last call."""
        captured = self._capture.readouterr()
        return captured.out, captured.err.decode()


@pytest.fixture
def output(capfdbinary: pytest.CaptureFixture[bytes]) -> Output:
    return Output(capfdbinary)


# ---------------------------------------------------------------- pub


def test_message_at_qos_0_is_sent_and_the_client_disconnects(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["pub", "-p", broker.port, "-t", "a/b", "-m", "hi", "-r"]) == 0
    sent = client.decode_publish(broker.received[1], 5)
    assert (sent.topic, sent.payload, sent.qos, sent.retain) == ("a/b", b"hi", 0, True)
    assert broker.received[2] == DISCONNECT
    assert output.read() == (b"", "")


def test_message_at_qos_2_goes_through_all_four_steps(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read()
        broker.send("50 03 0001 10")
        broker.read()
        broker.send("70 02 0001")
        broker.read_all()

    with FakeBroker(script) as broker:
        words = ["pub", "-p", broker.port, "-t", "a", "-n", "-q", "2", "--output", "json"]
        assert main(words) == 0
    assert broker.received[2].hex() == "62020001"
    assert broker.received[3] == DISCONNECT
    assert json.loads(output.read()[0]) == {"sent": 1, "unmatched": 1}


def test_connect_and_publish_carry_what_the_options_say(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"secret\n")
    (tmp_path / "payload").write_bytes(b"\x00\xff")

    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read_all()

    with FakeBroker(script) as broker:
        words = [
            *("pub", "-p", broker.port, "-t", "a", "-f", str(tmp_path / "payload")),
            *("-u", "alice", "--password-file", str(tmp_path / "password"), "-i", "me"),
            *("-k", "7", "--will-topic", "w", "--will-message", "gone", "--will-qos", "1"),
            *("--property", "content-type=x/y", "--property", "user=k=v=w"),
            *("--property", "session-expiry-interval=9", "--connect-property", "user=tenant=t"),
        ]
        assert main(words) == 0
    connect = broker.connect
    assert connect is not None
    assert (connect.username, connect.password, connect.client_id) == ("alice", b"secret", "me")
    assert connect.keep_alive_s == 7
    assert connect.will == Will("w", b"gone", 1)
    assert connect.properties == Properties(
        session_expiry_interval_s=9, user_properties=[("tenant", "t")]
    )
    sent = client.decode_publish(broker.received[1], 5)
    assert sent.payload == b"\x00\xff"
    assert sent.properties == Properties(content_type="x/y", user_properties=[("k", "v=w")])


def test_each_line_is_a_message_and_the_receive_maximum_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"one\ntwo\n\nlast")
    os.close(write_fd)
    monkeypatch.setattr("edge.commands.pub._STDIN", read_fd)

    def script(broker: FakeBroker) -> None:
        broker.accept("20 06 00 00 03 21 0001")  # Receive Maximum 1
        for number in range(1, 5):
            broker.read()
            broker.send(f"40 02 {number:04x}")
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["pub", "-p", broker.port, "-t", "a", "-l", "-q", "1"]) == 0
    os.close(read_fd)
    sent = [client.decode_publish(packet, 5).payload for packet in broker.received[1:5]]
    assert sent == [b"one", b"two", b"", b"last"]


def test_mqtt_3_1_has_its_name_and_a_client_id() -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept("20 02 00 00")
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["pub", "-p", broker.port, "-t", "a", "-m", "x", "-V", "3.1"]) == 0
    assert broker.connect is not None
    assert broker.connect.protocol_version == 3
    assert broker.connect.client_id


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            ["20 03 00 87 00"],
            ["refused the connection: not authorized (0x87)", "hint: name a User"],
        ),
        (["20 0a 00 87 07 1f 0004 6e6f7065"], ["not authorized (0x87): 'nope'"]),
        (["20 02 00 01"], ["unacceptable protocol version", "hint: try another MQTT version"]),
        (["ff ff ff ff ff"], ["hint: is that an MQTT broker?"]),
        (["d0 00"], ["hint: is that an MQTT broker?", "no CONNACK", "closed"]),
        ([""], ["the broker closed the connection\nhint: does that port expect TLS?"]),
        (["20 03 00 00 00", "40 03 0001 87"], ["the message to `a` was refused: not authorized"]),
        (["20 03 00 00 00", "e0 01 8b"], ["closed the connection: server shutting down (0x8b)"]),
        (["20 03 00 00 00", "90 02"], ["the broker closed the connection"]),
        (["20 03 00 00 00", "30 00"], ["error:"]),
    ],
)
def test_refusals_are_told_in_words(answers: list[str], words: list[str], output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        for answer in answers:
            broker.read()
            broker.send(answer)

    with FakeBroker(script) as broker:
        assert main(["pub", "-p", broker.port, "-t", "a", "-m", "x", "-q", "1"]) == 1
    _, errors = output.read()
    assert errors.startswith("error: ")
    assert any(word in errors for word in words)


@pytest.mark.parametrize(
    "words",
    [
        ["-t", "a/#", "-m", "x"],
        ["-t", "", "-m", "x"],
        ["-t", "a", "-f", "/no/such/file"],
        ["-t", "a", "-m", "x", "--property", "nonsense=1"],
        ["-t", "a", "-m", "x", "--property", "topic-alias=0"],
        ["-t", "a", "-m", "x", "--property", "user=k"],
        ["-t", "a", "-m", "x", "--property", "user=k=v", "-V", "3.1.1"],
        ["-t", "a", "-m", "x", "-k", "70000"],
        ["-t", "a", "-m", "x", "--password-file", "/no/such/file"],
        ["-t", "a", "-m", "x", "--ca-file", "/no/such/file"],
        ["-t", "a"],
        ["-t", "a", "-m", "x", "-n"],
        ["-t", "a", "-m", "x", "-p", "0"],
    ],
)
def test_wrong_command_lines_end_with_code_2_before_anything_is_sent(
    words: list[str], output: Output
) -> None:
    try:
        code = main(["pub", *words])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    assert output.read()[1].startswith("error: ")


# ---------------------------------------------------------------- sub


def test_messages_are_printed_and_acknowledged_until_the_count(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read()
        broker.send("90 04 0001 00 02")
        broker.send("30 05 0001 61 00 78")
        broker.send("32 07 0001 62 0005 00 79")
        broker.send("34 07 0001 63 0006 00 7a")
        broker.send("3c 07 0001 63 0006 00 7a")  # again: not a new message
        broker.send("62 02 0006")
        broker.send("30 05 0001 64 00 77")
        broker.read_all()

    with FakeBroker(script) as broker:
        words = ["-t", "#", "-t", "$share/g/x", "-q", "2", "-C", "4", "-v", "--retain-as-published"]
        assert main(["sub", "-p", broker.port, *words]) == 0
    assert output.read() == (b"a x\nb y\nc z\nd w\n", "")
    assert decode.decode_subscribe(broker.received[1], 5).subscriptions == [
        Subscription("#", 2, retain_as_published=True),
        Subscription("$share/g/x", 2, retain_as_published=True),
    ]
    answers = [packet.hex() for packet in broker.received[2:]]
    assert answers == ["40020005", "50020006", "50020006", "70020006", "e000"]


def test_json_has_everything_and_binary_payloads_in_base64(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read()
        broker.send("90 04 0001 00 00")
        broker.send("31 0d 0001 61 07 26 0001 6b 0001 76 c3a4")
        broker.send("30 0a 0001 62 05 09 0002 0001 ff")
        broker.read_all()

    with FakeBroker(script) as broker:
        words = ["-t", "#", "-C", "2", "--output", "json"]
        assert main(["sub", "-p", broker.port, *words]) == 0
    first, second = (json.loads(line) for line in output.read()[0].splitlines())
    assert first == {
        "topic": "a",
        "payload": "ä",
        "qos": 0,
        "retain": True,
        "properties": {"user": [["k", "v"]]},
    }
    assert second["payload_base64"] == "/w=="
    assert second["properties"] == {"correlation-data": "AAE="}


def test_payloads_can_be_written_as_they_are(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read()
        broker.send("30 06 0001 61 00 000a")
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-C", "1", "-N"]) == 0
    assert output.read()[0] == b"\x00\n"


def test_too_few_messages_in_time_is_a_failure(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-C", "2", "-W", "0.01"]) == 1
    assert "0 of 2 messages" in output.read()[1]
    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-W", "0.01"]) == 0
    assert broker.received[-1] == DISCONNECT


def test_refused_subscription_is_told(output: Output) -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read()
        broker.send("90 05 0001 00 00 87")

    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-t", "b", "-C", "1"]) == 1
    assert "the subscription to `b` was refused: not authorized" in output.read()[1]


def test_retained_messages_are_skipped_on_request() -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept("20 02 00 00")
        broker.read()
        broker.send("31 04 0001 61 78")
        broker.send("30 04 0001 61 79")
        broker.read_all()

    with FakeBroker(script) as broker:
        words = ["-t", "a", "-C", "1", "-R", "-V", "3.1.1"]
        assert main(["sub", "-p", broker.port, *words]) == 0

    def silent(broker: FakeBroker) -> None:
        broker.accept()
        broker.read_all()

    with FakeBroker(silent) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-R", "-W", "0.01"]) == 0
    assert decode.decode_subscribe(broker.received[1], 5).subscriptions[0].retain_handling == 2


def test_idle_client_pings_by_the_server_keep_alive() -> None:
    def script(broker: FakeBroker) -> None:
        broker.accept("20 06 00 00 03 13 0001")  # Server Keep Alive 1
        broker.read()
        assert broker.read() == client.PINGREQ
        broker.send(client.PINGRESP)
        broker.send("30 05 0001 61 00 78")
        broker.read_all()

    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a", "-C", "1"]) == 0


@pytest.mark.parametrize("topic", ["a#", "", "$share/g", "a/+b"])
def test_bad_filters_end_with_code_2(topic: str, output: Output) -> None:
    assert main(["sub", "-t", topic]) == 2
    assert output.read()[1].startswith("error: --topic")


def test_ctrl_c_is_the_ordinary_end_of_sub(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def script(broker: FakeBroker) -> None:
        broker.accept()
        broker.read_all()

    monkeypatch.setattr("edge.commands.sub._receive", interrupt)
    with FakeBroker(script) as broker:
        assert main(["sub", "-p", broker.port, "-t", "a"]) == 0
    assert broker.received[-1] == DISCONNECT
