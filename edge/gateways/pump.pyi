from collections.abc import Callable
from typing import final

from edge.config.schema import WebSocketConfig
from edge.engine.engine import Engine
from edge.gateways.tls import TlsContext

@final
class Pump:
    """One OS thread that accepts TLS and WebSocket clients and hands plain streams to the engine.

    Private key operations happen on it, so a storm of handshakes never delays a plain TCP client. Idle, it sleeps
    without a timer. All methods are called from the control plane's thread; changes take effect in order.
    """

    def __new__(
        cls,
        engine: Engine | None,
        *,
        handshake_timeout_ms: int = ...,
        adopt: Callable[[int, int, bytes], None] | None = ...,
    ) -> Pump:
        """Make a pump; from accept to the end of all handshakes a client has `handshake_timeout_ms`.

        Without an engine (tests) `adopt` gets each client on the pump's thread: listener index, descriptor (now
        the callee's) and peer, which is address NUL common-name NUL subject.
        """

    def add_listener(
        self,
        index: int,
        fd: int,
        *,
        proxy_header: bool,
        tls: TlsContext | None,
        websocket: WebSocketConfig | None,
        connections_max: int,
    ) -> None:
        """Accept from the listening socket `fd` (a duplicate is taken) for the engine's listener `index`.

        Raises:
            ValueError: neither TLS nor WebSocket, or the index is taken or above 4095.
            OSError: no descriptor is left.
        """

    def remove_listener(self, index: int) -> None:
        """Close a listening socket; open connections stay, handshakes under way end."""

    def stop_listening(self) -> None:
        """Close all listening sockets; open connections stay, handshakes under way end."""

    def reload_tls(self, index: int, tls: TlsContext) -> None:
        """Use other certificates for connections that come from now on."""

    def start(self) -> None:
        """Start the thread."""

    def stop(self) -> None:
        """End the thread, before the engine is stopped; for good.

        What the engine has said is sent before, within one second.
        """

    def stats(self) -> dict[str, int | str]:
        """Counters: accepted, refused, handshakes_failed, handshakes_late, bytes_up, bytes_down.

        Gauges: open (in any stage), greeting (not yet handed over). last_failure: address and words of the
        last handshake that failed. Empty after stop().
        """
