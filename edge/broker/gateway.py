"""The TLS and WebSocket listeners, set up on the pump, which is loaded only if there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.listeners import OpenListener
    from edge.config.schema import ListenerConfig, TlsConfig
    from edge.engine.engine import Engine
    from edge.gateways.pump import Pump
    from edge.gateways.tls import TlsContext


class Gateway:
    """The pump, made with the first listener that needs it."""

    def __init__(self, engine: Engine, *, timeout_ms: int) -> None:
        """Wire up; a client has `timeout_ms` from accept to the end of its handshakes."""
        self._engine = engine
        self._timeout_ms = timeout_ms
        self._pump: Pump | None = None
        self._with_tls: set[int] = set()

    @staticmethod
    def is_needed(config: ListenerConfig) -> bool:
        """Return whether a listener speaks more than plain MQTT."""
        return config.tls is not None or config.websocket is not None

    def add(self, listener: OpenListener) -> None:
        """Set up a TLS or WebSocket listener; the engine knows its index already.

        Raises:
            AccessError: a certificate, key or revocation list cannot be used.
        """
        if self._pump is None:
            from edge.gateways.pump import Pump

            self._pump = Pump(self._engine, handshake_timeout_ms=self._timeout_ms)
        config = listener.config
        tls = None
        if config.tls is not None:
            tls = read_certificates(config.tls)
            self._with_tls.add(listener.index)
        self._pump.add_listener(
            listener.index,
            listener.socket.fileno(),
            proxy_header=config.proxy_protocol,
            tls=tls,
            websocket=config.websocket,
            connections_max=config.connections_max,
        )

    def start(self) -> None:
        """Start the pump's thread, if there is one."""
        if self._pump is not None:
            self._pump.start()

    def stop_listening(self) -> None:
        """Accept nobody any more; who is connected stays."""
        if self._pump is not None:
            self._pump.stop_listening()

    def stop(self) -> None:
        """End the pump's thread."""
        if self._pump is not None:
            self._pump.stop()
            self._pump = None

    def prepare_reload(self, listeners: tuple[ListenerConfig, ...]) -> Callable[[], None]:
        """Read the certificates again; return what puts them in force for new connections.

        Raises:
            AccessError: a file cannot be used.
        """
        fresh = {
            index: read_certificates(config.tls)
            for index, config in enumerate(listeners)
            if config.tls is not None and index in self._with_tls
        }

        def put_in_force() -> None:
            if self._pump is not None:
                for index, tls in fresh.items():
                    self._pump.reload_tls(index, tls)

        return put_in_force


def read_certificates(config: TlsConfig) -> TlsContext:
    """Read the files of `[listener.tls]`.

    Raises:
        AccessError: one of them cannot be used.
    """
    from edge.gateways.tls import TlsContext

    return TlsContext(
        certificate_file=config.certificate_file,
        key_file=config.key_file,
        client_ca_file=config.client_ca_file,
        client_certificate=config.client_certificate,
        crl_file=config.crl_file,
        version_min=config.version_min,
        ciphers=config.ciphers,
    )
