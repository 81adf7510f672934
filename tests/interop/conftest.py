"""One broker with every kind of listener, and the certificates for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.broker import Broker, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG: Final = """
[[listener]]
name = "tcp"
address = "{address}"
anonymous = true

[[listener]]
name = "tls"
address = "127.0.0.1:TLS"
anonymous = true
[listener.tls]
certificate_file = "{dir}/server.pem"
key_file = "{dir}/server.key"

[[listener]]
name = "mutual"
address = "127.0.0.1:MUTUAL"
[listener.tls]
certificate_file = "{dir}/server.pem"
key_file = "{dir}/server.key"
client_ca_file = "{dir}/ca.pem"
client_certificate = "required"
username_from = "common_name"

[[listener]]
name = "ws"
address = "127.0.0.1:WS"
anonymous = true
[listener.websocket]

[[listener]]
name = "wss"
address = "127.0.0.1:WSS"
anonymous = true
[listener.tls]
certificate_file = "{dir}/server.pem"
key_file = "{dir}/server.key"
[listener.websocket]

[[listener]]
name = "unix"
address = "unix:{dir}/mqtt.sock"
anonymous = true
"""


@dataclass(frozen=True)
class Site:
    """Where the broker listens."""

    tcp: int
    tls: int
    mutual: int
    ws: int
    wss: int
    folder: Path

    @property
    def ca(self) -> str:
        """The authority that signed everything."""
        return str(self.folder / "ca.pem")


def make_certificates(folder: Path) -> None:
    """An authority, a server certificate for 127.0.0.1 and a client called porch-sensor."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req",
        "-x509",
        *curve,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "30",
        "-subj",
        "/CN=test authority",
    )
    for name, subject in (("server", "/CN=127.0.0.1"), ("client", "/O=site/CN=porch-sensor")):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(
            *(
                "x509",
                "-req",
                "-in",
                f"{name}.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
            ),
            *("-out", f"{name}.pem", "-days", "30", "-extfile", "ext"),
        )


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A running broker with all its listeners."""
    ports = {name: free_port() for name in ("TLS", "MUTUAL", "WSS", "WS")}
    config = CONFIG
    for name, port in ports.items():
        config = config.replace(f'127.0.0.1:{name}"', f'127.0.0.1:{port}"')
    broker = Broker(config)
    make_certificates(broker.folder)
    broker.start()
    yield Site(
        tcp=broker.address[1],
        tls=ports["TLS"],
        mutual=ports["MUTUAL"],
        ws=ports["WS"],
        wss=ports["WSS"],
        folder=broker.folder,
    )
    assert broker.stop() == 0, broker.stderr
    broker.remove()
