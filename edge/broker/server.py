"""The composition root: builds the broker from its configuration, serves, and ends it in order.

Start:   files read -> sockets open -> engine thread -> listeners -> control socket -> READY=1
SIGHUP:  reload.py
SIGTERM: listeners closed, DISCONNECT 0x8B to MQTT 5.0 clients, what is queued flushed, wills
         published, all bounded by node.shutdown_grace_s; a second SIGTERM ends at once

Idle, nothing here has a deadline: trio sleeps until the engine's event_fd, a signal or the control
socket wakes it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import trio

from edge.access.bans import BanList
from edge.broker.context import Context
from edge.broker.control_commands import ControlCommands
from edge.broker.control_plane import ControlPlane
from edge.broker.gateway import Gateway
from edge.broker.listeners import OpenListener, describe_bound, open_all
from edge.broker.observer import SysObserver
from edge.broker.reload import Reloader, read_access_files
from edge.broker.settings import Settings
from edge.broker.snapshots import SnapshotTaker
from edge.broker.system import (
    VERSION,
    control_socket_path,
    engine_limits,
    hog_ms,
    node_id_of,
)
from edge.engine.engine import Engine
from edge.engine.memory import give_back
from edge.errors import EdgeError, ListenError
from edge.ops.control import ControlServer
from edge.ops.log import Log, is_journal
from edge.ops.sd_notify import Notifier
from edge.ops.sys_topics import SysTopics
from edge.protocol.encode import encode_disconnect
from edge.protocol.kinds import MQTT_5
from edge.protocol.packets import Disconnect
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from edge.config.schema import EdgeConfig

# How often ROBUSTMQ_EDGE_BENCH_HOG_MS burns.
_HOG_INTERVAL_S: Final = 0.1

# How soon a task that operators see is started again after a fault.
_REVIVE_S: Final = 5.0

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def serve(
    config: EdgeConfig,
    config_path: str | None,
    environ: Mapping[str, str],
    *,
    task_status: trio.TaskStatus[Broker] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Start everything, serve until a signal, and end everything.

    Args:
        config: the checked configuration, with what the command line changed in it.
        config_path: the file to read again at SIGHUP; None: there is none.
        environ: the environment of the process.
        task_status: told the Broker once it serves.

    Raises:
        ListenError: an address cannot be listened on.
        AccessError: a password, ACL or certificate file cannot be used.
    """
    log = Log(config.log.level, config.log.format, journal=is_journal(dict(environ)))
    files = read_access_files(config.access)
    for warning in files.warnings:
        log.warning("access.warning", what=warning)
    opened = open_all(config.listener, environ)
    engine = Engine(**engine_limits(config))
    gateway = Gateway(engine, timeout_ms=config.limits.connect_timeout_s * 1000)
    try:
        async with trio.open_nursery() as nursery:
            context = Context(engine, Settings(config), log, spawn=nursery.start_soon)
            bans = BanList(config.ban)
            plane = ControlPlane(context, passwords=files.passwords, acl=files.acl, bans=bans)
            broker = Broker(
                config,
                config_path,
                environ,
                plane,
                engine=engine,
                gateway=gateway,
                log=log,
                opened=opened,
            )
            await broker.serve(nursery, task_status)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        _raise_the_one(group)
    finally:
        # No task waits for the engine's descriptors any more: now they may be closed.
        gateway.stop()
        engine.stop()
        for listener in opened:
            listener.close()


def _raise_the_one(group: BaseExceptionGroup[BaseException]) -> None:
    """Raise an error of ours by itself: the command line prints it, not a nursery's traceback."""
    ours, others = group.split(EdgeError)
    if ours is not None and others is None:
        inner: BaseException = ours
        while isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        raise inner
    raise group


class Broker:
    """The running broker: its tasks, signals and end."""

    def __init__(
        self,
        config: EdgeConfig,
        config_path: str | None,
        environ: Mapping[str, str],
        plane: ControlPlane,
        *,
        engine: Engine,
        gateway: Gateway,
        log: Log,
        opened: list[OpenListener],
    ) -> None:
        self._config = config
        self._environ = environ
        self._engine = engine
        self._plane = plane
        self._log = log
        self._opened = opened
        self._gateway = gateway
        self._notifier = Notifier(environ)
        self._node_id = node_id_of(config)
        self._take_snapshot = SnapshotTaker(plane)
        self._sys_topics = SysTopics(
            node_id=self._node_id,
            version=VERSION,
            publish=self._publish_text,
            take_snapshot=self._take_snapshot,
            is_listened=lambda: plane.subscriptions.sys_count > 0,
            enabled=config.sys.enabled,
            interval_s=config.sys.interval_s,
        )
        plane.context.observer = SysObserver(self._sys_topics)
        self.reloader = Reloader(
            plane,
            config_path=config_path,
            environ=environ,
            prepare_others=self._prepare_others,
        )
        # Where the listeners are, e.g. with the port that was chosen for port 0.
        self.addresses = [describe_bound(listener.socket) for listener in opened]

    async def serve(self, nursery: trio.Nursery, task_status: trio.TaskStatus[Broker]) -> None:
        """Run until SIGTERM, then drain."""
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            await self._start(nursery)
            give_back()  # what starting up has used and needs no more: about a megabyte
            self._notifier.ready()
            task_status.started(self)
            await self._until_told_to_end(signals)
            self._notifier.stopping()
            nursery.start_soon(self._end_at_once, signals, nursery.cancel_scope)
            await self._drain()

    async def _start(self, nursery: trio.Nursery) -> None:
        for listener in self._opened:
            self._add_listener(listener)
        self._engine.start()
        self._gateway.start()
        self._engine.flush()
        nursery.start_soon(serve_engine_events, self._engine, self._plane)
        nursery.start_soon(self._run_timers)
        nursery.start_soon(self._revive, self._sys_topics.run)
        await self._start_control_socket(nursery)
        await self._start_metrics(nursery)
        if self._notifier.watchdog_interval_s is not None:
            nursery.start_soon(self._feed_watchdog, self._notifier.watchdog_interval_s)
        hog = hog_ms(self._environ)
        if hog:
            self._log.warning("bench.hog", burn_ms=hog, interval_ms=round(_HOG_INTERVAL_S * 1000))
            nursery.start_soon(_hog, hog / 1000)
        for address, listener in zip(self.addresses, self._opened, strict=True):
            self._log.info(
                "listener.open",
                name=listener.config.name or listener.config.address,
                address=address,
                tls=listener.config.tls is not None,
                websocket=listener.config.websocket is not None,
            )

    def _add_listener(self, listener: OpenListener) -> None:
        policy = self._plane.context.listener(listener.index)
        through_gateway = Gateway.is_needed(listener.config)
        self._engine.add_listener(
            listener.index,
            -1 if through_gateway else listener.socket.fileno(),
            proxy_header=listener.config.proxy_protocol and not through_gateway,
            connections_max=listener.config.connections_max,
            packet_bytes_max=policy.packet_bytes_max,
        )
        if through_gateway:
            self._gateway.add(listener)

    # -- tasks

    async def _run_timers(self) -> None:
        await self._plane.context.timers.run(after=self._engine.flush)

    async def _revive(
        self,
        serve: Callable[[], Awaitable[None]],
    ) -> None:
        """Run what operators see again after a fault: it must not end the broker."""
        while True:
            try:
                await serve()
            except Exception as error:
                self._plane.context.note_fault(error)
            await trio.sleep(_REVIVE_S)

    async def _start_control_socket(self, nursery: trio.Nursery) -> None:
        commands = ControlCommands(
            self._plane,
            self._take_snapshot,
            self._reload,
            node_id=self._node_id,
            version=VERSION,
        )
        path = control_socket_path(self._config, self._environ)
        server = ControlServer(path, commands.handlers(), self._plane.context.note_fault)
        try:
            await nursery.start(self._serve_control, server)
        except ListenError as error:
            # Only a path that was asked for is worth not starting at all.
            if self._config.node.control_socket:
                raise
            self._log.warning("control.unavailable", why=str(error))

    async def _serve_control(
        self, server: ControlServer, *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            await server.serve(task_status=task_status)
        except ListenError:
            raise  # at the start: the caller decides
        except Exception as error:
            self._plane.context.note_fault(error)
        await trio.sleep(_REVIVE_S)
        await self._revive(server.serve)

    async def _start_metrics(self, nursery: trio.Nursery) -> None:
        if not self._config.metrics.address:
            return
        from edge.config.address import parse_address
        from edge.ops.http import MetricsServer

        address = parse_address(self._config.metrics.address)
        server = MetricsServer(
            self._take_snapshot,
            self._health,
            self._plane.context.note_fault,
            node_id=self._node_id,
            version=VERSION,
        )
        await nursery.start(server.serve, address.host, address.port)

    async def _feed_watchdog(self, interval_s: float) -> None:
        """Say that we live, as long as the engine answers."""
        while True:
            await self._take_snapshot()
            self._notifier.watchdog()
            await trio.sleep(interval_s)

    def _health(self) -> str:
        return "the memory budget is passed" if self._plane.is_over_budget else ""

    def _publish_text(self, topic_name: str, payload: bytes) -> None:
        self._engine.publish(topic_name.encode(), payload)
        self._engine.flush()

    # -- reload

    async def _reload(self) -> dict[str, object]:
        self._notifier.reloading()
        try:
            return await self.reloader.reload()
        finally:
            self._notifier.ready()

    def _prepare_others(self, config: EdgeConfig) -> Callable[[], None]:
        """Read the certificates again; return what puts them and the rest in force."""
        put_certificates_in_force = self._gateway.prepare_reload(config.listener)

        def put_in_force() -> None:
            put_certificates_in_force()
            self._log.configure(config.log.level, config.log.format)
            self._sys_topics.enabled = config.sys.enabled
            self._sys_topics.interval_s = config.sys.interval_s
            self._sys_topics.wake()

        return put_in_force

    # -- the end

    async def _until_told_to_end(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number != signal.SIGHUP:
                self._log.info("broker.ending", signal=signal.Signals(number).name)
                return
            try:
                await self._reload()
            except EdgeError:
                continue  # told in the log; the old settings hold on

    @staticmethod
    async def _end_at_once(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        """A second SIGTERM or SIGINT does not wait for anybody."""
        async for number in signals:
            if number != signal.SIGHUP:
                scope.cancel()
                return

    async def _drain(self) -> None:
        drained = trio.Event()
        self._plane.on_drained = drained.set
        self._gateway.stop_listening()
        self._engine.drain(encode_disconnect(Disconnect(ReasonCode.SERVER_SHUTTING_DOWN), MQTT_5))
        self._engine.flush()
        with trio.move_on_after(self._config.node.shutdown_grace_s):
            await drained.wait()
        self._log.info("broker.ended", drained=drained.is_set())


async def serve_engine_events(engine: Engine, plane: ControlPlane) -> None:
    """Hand what the engine tells to the control plane, and its answers back, batch by batch."""
    while True:
        await trio.lowlevel.wait_readable(engine.event_fd)
        plane.handle(engine.take_events())
        engine.flush()


async def _hog(burn_s: float) -> None:
    """Keep Python busy, for measurement; see system.hog_ms()."""
    next_mono_s = trio.current_time()
    while True:
        end_mono_s = trio.current_time() + burn_s
        while trio.current_time() < end_mono_s:
            pass
        next_mono_s = max(next_mono_s + _HOG_INTERVAL_S, trio.current_time())
        await trio.sleep_until(next_mono_s)
