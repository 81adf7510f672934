"""The TLS and WebSocket listeners, set up on the pump, which is loaded only if there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.listeners import OpenListener
    from edge.config.schema import ListenerConfig
    from edge.engine.engine import Engine


class Gateway:
    """The pump, made with the first listener that needs it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pump: Any = None
        self._opened: list[OpenListener] = []

    @staticmethod
    def is_needed(config: ListenerConfig) -> bool:
        """Return whether a listener speaks more than plain MQTT."""
        return config.tls is not None or config.websocket is not None

    def add(self, listener: OpenListener, *, packet_bytes_max: int, timeout_ms: int) -> None:
        """Set up a TLS or WebSocket listener.

        Raises:
            AccessError: a certificate, key or revocation list cannot be used.
        """
        raise NotImplementedError

    def start(self) -> None:
        """Start the pump's thread, if there is one."""
        if self._pump is not None:
            self._pump.start()

    def stop_listening(self) -> None:
        """Accept nobody any more."""

    def stop(self) -> None:
        """End the pump."""
        if self._pump is not None:
            self._pump.stop()
            self._pump = None

    def prepare_reload(self, listeners: tuple[ListenerConfig, ...]) -> Callable[[], None]:
        """Read the certificates again; return what puts them in force."""
        del listeners
        return lambda: None
