from edge.config.schema import WebSocketConfig
from edge.engine.engine import Engine
from edge.gateways.tls import TlsContext

class Pump:
    """One OS thread that accepts TLS and WebSocket clients and hands plain streams to the engine.

    Private key operations happen on it, so a storm of handshakes never delays a plain TCP client. Idle, it sleeps
    without a timer. All methods are called from the control plane's thread.
    """

    def __init__(self, engine: Engine, *, handshake_timeout_ms: int = ...) -> None:
        """Make a pump; from accept to the end of all handshakes a client has `handshake_timeout_ms`."""

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

    def reload_tls(self, index: int, tls: TlsContext) -> None:
        """Use other certificates for connections that come from now on."""

    def stop_listening(self) -> None:
        """Close the listening sockets; connections stay."""

    def start(self) -> None:
        """Start the thread."""

    def stop(self) -> None:
        """End the thread, before the engine is stopped."""

    def stats(self) -> dict[str, int]:
        """Counters: accepted, refused, handshakes_failed, bytes_up, bytes_down; gauge: open."""
