"""What an operator may ask of the running broker, or tell it: the handlers of the control socket.

Each handler takes the JSON object of arguments and returns something that JSON can express. What is
agreed on with the commands stands in edge/ops/control.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.broker.clients import EXPIRES_NEVER
from edge.errors import ControlError, ProtocolError
from edge.protocol.reason import ReasonCode
from edge.topic import check_topic_filter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.broker.clients import Client
    from edge.broker.control_plane import ControlPlane
    from edge.broker.snapshots import SnapshotTaker

    Handler = Callable[[dict[str, Any]], Awaitable[object]]

RETAINED_LIMIT_MAX: Final = 100_000
_VERSIONS: Final = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_BAN_KEYS: Final = ("client_id", "username", "address")


class ControlCommands:
    """The handlers, by dotted command in `handlers()`."""

    def __init__(
        self,
        plane: ControlPlane,
        take_snapshot: SnapshotTaker,
        reload: Callable[[], Awaitable[object]],
        *,
        node_id: str,
        version: str,
    ) -> None:
        self._plane = plane
        self._context = plane.context
        self._take_snapshot = take_snapshot
        self._reload = reload
        self._node_id = node_id
        self._version = version

    def handlers(self) -> dict[str, Handler]:
        """Return every command with its handler."""
        return {
            "status": self.status,
            "client.list": self.client_list,
            "client.show": self.client_show,
            "client.kick": self.client_kick,
            "retained.list": self.retained_list,
            "retained.delete": self.retained_delete,
            "ban.list": self.ban_list,
            "ban.add": self.ban_add,
            "ban.remove": self.ban_remove,
            "reload": self.reload,
        }

    async def status(self, _: dict[str, Any]) -> object:
        """Tell how the broker is."""
        snapshot = await self._take_snapshot()
        engine = snapshot.engine
        control = snapshot.control
        return {
            "node_id": self._node_id,
            "version": self._version,
            "uptime_s": round(snapshot.uptime_s, 1),
            "listeners": [
                {"name": listener.name, "address": listener.address}
                for listener in self._context.settings.listeners
            ],
            "clients_online": control["clients_online"],
            "clients_offline": control["clients_offline"],
            "connections": engine.get("connections", 0),
            "subscriptions": engine.get("subscriptions", 0),
            "retained": engine.get("retained", 0),
            "messages_received": engine.get("publish_received", 0),
            "messages_sent": engine.get("publish_sent", 0),
            "messages_queued": engine.get("queued", 0),
            "memory_bytes": engine.get("memory_bytes", 0),
            "memory_bytes_max": engine.get("memory_bytes_max", 0),
            "over_memory_budget": self._plane.is_over_budget,
            "engine": dict(engine),
            "control": dict(control),
        }

    # -- clients

    async def client_list(self, _: dict[str, Any]) -> object:
        """Tell of every Session in one row."""
        rows = await self._session_rows(0)
        return [
            self._describe(client, rows.get(client.session)) for client in self._context.clients
        ]

    async def client_show(self, arguments: dict[str, Any]) -> object:
        """Tell everything about one Session."""
        client = self._client(arguments)
        rows = await self._session_rows(client.session)
        described = self._describe(client, rows.get(client.session))
        described["subscriptions"] = self._plane.subscriptions.describe(client)
        described["acl_profile"] = client.acl_profile_id
        described["mount_point"] = client.mount
        will = client.will
        described["will"] = None
        if will is not None:
            described["will"] = {
                "topic": will.topic,
                "qos": will.qos,
                "retain": will.retain,
                "delay_interval_s": will.delay_interval_s,
                "payload_bytes": len(will.payload),
            }
        return described

    async def client_kick(self, arguments: dict[str, Any]) -> object:
        """Close a client's connection; with `end_session`, forget its Session too."""
        client = self._client(arguments)
        was_online = client.connection != 0
        if was_online:
            self._plane.sessions.disconnect(client, ReasonCode.ADMINISTRATIVE_ACTION)
        if arguments.get("end_session") and self._context.clients.get(client.client_id) is client:
            self._plane.sessions.end(client)
        self._context.engine.flush()
        return {"client_id": client.client_id, "disconnected": was_online}

    def _client(self, arguments: dict[str, Any]) -> Client:
        client_id = _text(arguments, "client_id")
        client = self._context.clients.get(client_id)
        if client is None:
            raise ControlError(
                f"there is no client `{client_id}`", hint="see `robustmq-edge client list`"
            )
        return client

    async def _session_rows(self, session: int) -> dict[int, tuple[int, ...]]:
        rows = await self._plane.queries.ask(self._context.engine.query_sessions(session))
        return {row[0]: row for row in rows}

    def _describe(self, client: Client, row: tuple[int, ...] | None) -> dict[str, object]:
        """Return one row; `row` is the engine's, see Engine.query_sessions()."""
        is_online = client.connection != 0
        since_s = round(self._context.now() - client.connected_mono_s, 1)
        _, _, queued, queued_bytes, inflight, received, sent, dropped, bytes_in, bytes_out = (
            row or (0,) * 10
        )
        return {
            "client_id": client.client_id,
            "online": is_online,
            "username": client.username,
            "peer": client.peer,
            "listener": self._context.listener(client.listener_index).name,
            "version": _VERSIONS[client.protocol_version],
            "keep_alive_s": client.keep_alive_s,
            "session_expiry_s": None if client.expiry_s == EXPIRES_NEVER else client.expiry_s,
            "online_s" if is_online else "offline_s": since_s,
            "subscription_count": len(client.subscriptions or ()),
            "queued": queued,
            "queued_bytes": queued_bytes,
            "inflight": inflight,
            "received": received,
            "sent": sent,
            "dropped": dropped,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
        }

    # -- retained messages

    async def retained_list(self, arguments: dict[str, Any]) -> object:
        """List retained messages by Topic Filter."""
        topic_filter = self._filter(arguments, "#")
        limit = _number(arguments, "limit", 1000, RETAINED_LIMIT_MAX)
        rows = await self._plane.queries.ask(
            self._context.engine.query_retained(topic_filter, limit)
        )
        return [
            {
                "topic": topic.decode("utf-8", "replace"),
                "payload_bytes": payload_bytes,
                "qos": qos,
                "expiry_s": None if expiry_s < 0 else expiry_s,
            }
            for topic, payload_bytes, qos, expiry_s in rows
        ]

    async def retained_delete(self, arguments: dict[str, Any]) -> object:
        """Delete the retained messages that match a Topic Filter."""
        topic_filter = self._filter(arguments, None)
        deleted = await self._plane.queries.ask(self._context.engine.delete_retained(topic_filter))
        self._context.log.info(
            "retained.deleted", topic_filter=topic_filter.decode(), count=deleted
        )
        return {"deleted": deleted}

    def _filter(self, arguments: dict[str, Any], default: str | None) -> bytes:
        topic_filter = _text(arguments, "filter", default)
        try:
            check_topic_filter(topic_filter, self._context.settings.config.limits.topic_levels_max)
            return topic_filter.encode()
        except (ProtocolError, UnicodeEncodeError) as error:
            raise ControlError(f"`{topic_filter}` is no Topic Filter: {error}") from error

    # -- bans

    async def ban_list(self, _: dict[str, Any]) -> object:
        """List the bans, those of the configuration included."""
        now_mono_s = self._context.now()
        return [
            {
                "client_id": ban.client_id,
                "username": ban.username,
                "address": ban.address,
                "reason": ban.reason,
                "configured": ban.is_configured,
                "seconds_left": None
                if ban.expires_mono_s is None
                else max(0, round(ban.expires_mono_s - now_mono_s)),
            }
            for ban in self._plane.admission.bans.list(now_mono_s)
        ]

    async def ban_add(self, arguments: dict[str, Any]) -> object:
        """Ban a client, user or address, and disconnect whom that concerns."""
        key, value = _ban_subject(arguments)
        seconds = arguments.get("seconds")
        expires_mono_s = None
        if seconds is not None:
            expires_mono_s = self._context.now() + _number(arguments, "seconds", 0, 1 << 32)
        reason = _text(arguments, "reason", "")
        self._plane.admission.bans.add(**{key: value}, reason=reason, expires_mono_s=expires_mono_s)
        disconnected = self._plane.disconnect_banned()
        self._context.engine.flush()
        self._context.log.info("ban.added", **{key: value}, disconnected=disconnected)
        return {"disconnected": disconnected}

    async def ban_remove(self, arguments: dict[str, Any]) -> object:
        """Lift the bans of a client, user or address."""
        key, value = _ban_subject(arguments)
        return {"removed": self._plane.admission.bans.remove(**{key: value})}

    async def reload(self, _: dict[str, Any]) -> object:
        """Read the configuration again, as SIGHUP does."""
        return await self._reload()


def _text(arguments: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return an argument that must be a string.

    Raises:
        ControlError: it is missing, or something else.
    """
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise ControlError(f"`{name}` is missing or no string")
    return value


def _number(arguments: dict[str, Any], name: str, default: int, maximum: int) -> int:
    """Return an argument that must be a whole number from 1 to `maximum`.

    Raises:
        ControlError: it is something else.
    """
    value = arguments.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
        raise ControlError(f"`{name}` must be a whole number from 1 to {maximum}")
    return value


def _ban_subject(arguments: dict[str, Any]) -> tuple[str, str]:
    """Return which of the three a ban names, and its value.

    Raises:
        ControlError: none, or more than one.
    """
    named = [key for key in _BAN_KEYS if arguments.get(key)]
    if len(named) != 1:
        raise ControlError("name exactly one of client_id, username and address")
    return named[0], _text(arguments, named[0])
