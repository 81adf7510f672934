"""mosquitto_pub and mosquitto_sub, as Debian ships them."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.conftest import Site

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        shutil.which("mosquitto_sub") is None, reason="mosquitto-clients is not installed"
    ),
]


def publish(port: int, topic: str, message: str, *words: str) -> None:
    """Run mosquitto_pub to its end."""
    subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-m", message, *words],
        check=True,
        timeout=10,
        capture_output=True,
    )


class Subscriber:
    """mosquitto_sub that ends after `count` messages; made once it says that it has subscribed."""

    def __init__(self, port: int, topic: str, count: int, *words: str) -> None:
        # stdbuf: into a pipe, the C library would keep its lines until the end.
        self._process = subprocess.Popen(
            [
                *("stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port)),
                *("-t", topic, "-C", str(count), "-W", "15", "-v", "-d", *words),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self._output = b""
        while b"Subscribed" not in self._output and self._read():
            pass

    def _read(self) -> bool:
        assert self._process.stdout is not None
        more = self._process.stdout.read(65536)
        self._output += more or b""
        return bool(more)

    def received(self, topic_start: str) -> list[str]:
        """What it printed of messages, once it has ended by itself."""
        while self._read():
            pass
        output = self._output.decode()
        assert self._process.wait(timeout=20) == 0, output
        return [line for line in output.splitlines() if line.startswith(topic_start)]

    def kill(self) -> None:
        """End it without DISCONNECT."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def subscriber(port: int, topic: str, count: int, *words: str) -> Iterator[Subscriber]:
    """A subscriber that is killed at the end if it still lives."""
    process = Subscriber(port, topic, count, *words)
    try:
        yield process
    finally:
        process.kill()


def received(process: Subscriber, topic_start: str) -> list[str]:
    """What it printed of messages, once it has ended by itself."""
    return process.received(topic_start)


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_of_each_qos_and_version_arrives(site: Site, version: str, qos: int) -> None:
    """The main job."""
    with subscriber(site.tcp, f"job/{version}/{qos}", 1, "-V", version, "-q", str(qos)) as process:
        publish(site.tcp, f"job/{version}/{qos}", "21.5", "-V", version, "-q", str(qos))
        assert received(process, "job") == [f"job/{version}/{qos} 21.5"]


def test_retained_messages_arrive_at_later_subscribers_until_they_are_cleared(site: Site) -> None:
    """RETAIN through two independent programs."""
    publish(site.tcp, "keep/porch", "on", "-r", "-q", "1")
    with subscriber(site.tcp, "keep/#", 1) as process:
        assert received(process, "keep") == ["keep/porch on"]
    publish(site.tcp, "keep/porch", "", "-r")
    publish(site.tcp, "keep/last", "end", "-r")
    with subscriber(site.tcp, "keep/#", 1) as process:
        assert received(process, "keep") == ["keep/last end"]


def test_the_will_of_a_killed_client_is_published(site: Site) -> None:
    """A client that dies without DISCONNECT."""
    with subscriber(site.tcp, "wills/#", 1) as watcher:
        with subscriber(
            site.tcp,
            "nothing",
            1,
            "--will-topic",
            "wills/a",
            "--will-payload",
            "gone",
            "-i",
            "mortal",
        ):
            pass
        assert received(watcher, "wills") == ["wills/a gone"]


def test_members_of_a_share_group_divide_the_messages(site: Site) -> None:
    """$share with two members: each message once."""
    with (
        subscriber(site.tcp, "$share/g/work/#", 5, "-q", "1") as first,
        subscriber(site.tcp, "$share/g/work/#", 5, "-q", "1") as second,
    ):
        for number in range(10):
            publish(site.tcp, f"work/{number}", str(number), "-q", "1")
        seen = received(first, "work") + received(second, "work")
        assert sorted(seen) == [f"work/{number} {number}" for number in range(10)]


def test_an_offline_session_gets_what_came_meanwhile(site: Site) -> None:
    """Clean Session 0."""
    words = ("-i", "sleeper", "-c", "-q", "1")
    with subscriber(site.tcp, "night/#", 1, *words):
        pass
    for number in range(3):
        publish(site.tcp, "night/log", str(number), "-q", "1")
    with subscriber(site.tcp, "night/#", 3, *words) as process:
        assert received(process, "night") == [f"night/log {number}" for number in range(3)]


def test_tls_and_mutual_tls(site: Site) -> None:
    """Encrypted both ways, and a client that shows a certificate."""
    tls = ("--cafile", site.ca)
    mutual = (
        *tls,
        "--cert",
        str(site.folder / "client.pem"),
        "--key",
        str(site.folder / "client.key"),
    )
    with (
        subscriber(site.tls, "secret/#", 1, *tls) as plain,
        subscriber(site.mutual, "secret/#", 1, *mutual) as proven,
    ):
        publish(site.mutual, "secret/a", "x", *mutual, "-q", "1")
        assert received(plain, "secret") == ["secret/a x"]
        assert received(proven, "secret") == ["secret/a x"]


def test_mutual_tls_refuses_a_client_without_certificate(site: Site) -> None:
    """The handshake fails, and the broker goes on."""
    with pytest.raises(subprocess.CalledProcessError):
        publish(site.mutual, "secret/a", "x", "--cafile", site.ca, "-q", "1")
    publish(site.tcp, "secret/b", "y", "-q", "1")


def test_a_unix_socket_serves_mqtt(site: Site) -> None:
    """Local programs need no port."""
    path = str(site.folder / "mqtt.sock")
    with subscriber(site.tcp, "local/#", 1) as process:
        subprocess.run(
            ["mosquitto_pub", "--unix", path, "-t", "local/a", "-m", "1"],
            check=True,
            timeout=10,
            capture_output=True,
        )
        assert received(process, "local") == ["local/a 1"]


def test_a_large_message_passes_through_tls(site: Site, tmp_path: object) -> None:
    """Half a megabyte, many records, one packet."""
    payload = "x" * 500_000
    big = site.folder / "big"
    big.write_text(payload)
    with subscriber(site.tls, "big", 1, "--cafile", site.ca, "-q", "1") as process:
        subprocess.run(
            [
                "mosquitto_pub",
                "-h",
                "127.0.0.1",
                "-p",
                str(site.tls),
                "--cafile",
                site.ca,
                "-t",
                "big",
                "-f",
                str(big),
                "-q",
                "1",
            ],
            check=True,
            timeout=20,
            capture_output=True,
        )
        assert received(process, "big") == [f"big {payload}"]
