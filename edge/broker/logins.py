"""Password checks that take long, one at a time, away from everything else.

A check is made slow on purpose (tens of milliseconds of CPU), so the worker thread runs at the
lowest priority: on a board with one core, a thousand clients that log in after a power cut must not
take the core from those that are at work. The connection of a waiting client is simply not read.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import trio

from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.access.passwords import PasswordFile, Verdict
    from edge.broker.context import Context

    OnVerdict = Callable[[bool], None]

# More than this many waiting clients would wait longer than they have patience.
PENDING_MAX: Final = 2048

_NICE_LOWEST: Final = 19


class Login(Protocol):
    """A client that waits for its password to be checked."""

    is_abandoned: bool  # its connection is gone: the check can be skipped


def verify_quietly(passwords: PasswordFile, username: str, password: bytes) -> Verdict:
    """Check a password in this thread, at the lowest priority. Blocks for long."""
    with suppress(OSError):
        # On Linux the priority belongs to the thread, and lowering it needs no privilege.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE_LOWEST)
    return passwords.verify(username, password)


class LoginQueue:
    """The clients that wait, in order. Its task lives only as long as somebody does."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: deque[tuple[Login, PasswordFile, str, bytes, OnVerdict]] = deque()
        self._rehashed: dict[str, str] = {}  # by User Name, still to be stored
        self._is_running = False
        self._limiter: trio.CapacityLimiter | None = None

    def __len__(self) -> int:
        """Return how many clients wait."""
        return len(self._waiting)

    def submit(
        self,
        login: Login,
        passwords: PasswordFile,
        username: str,
        password: bytes,
        on_verdict: OnVerdict,
    ) -> bool:
        """Queue a check; `on_verdict` hears unless the login is abandoned. False: queue is full."""
        if len(self._waiting) >= PENDING_MAX:
            return False
        self._waiting.append((login, passwords, username, password, on_verdict))
        if not self._is_running:
            self._is_running = True
            self._context.spawn(self._run)
        return True

    async def _run(self) -> None:
        if self._limiter is None:
            self._limiter = trio.CapacityLimiter(1)
        try:
            while self._waiting or self._rehashed:
                if not self._waiting:
                    await self._store()
                    continue
                login, passwords, username, password, on_verdict = self._waiting.popleft()
                if login.is_abandoned:
                    continue
                # Others with the same credentials may have been checked while this one waited.
                ok = passwords.verify_cached(username, password)
                rehash = None
                if ok is None:
                    ok, rehash = await self._verify(passwords, username, password)
                if not login.is_abandoned:
                    self._tell(on_verdict, ok=ok)
                if rehash is not None:
                    self._rehashed[username] = rehash
        finally:
            self._is_running = False

    async def _verify(
        self, passwords: PasswordFile, username: str, password: bytes
    ) -> tuple[bool, str | None]:
        """Check a password in the worker thread; what goes wrong there refuses this client."""
        try:
            verdict = await trio.to_thread.run_sync(
                verify_quietly,
                passwords,
                username,
                password,
                limiter=self._limiter,
                abandon_on_cancel=True,
            )
        except Exception as error:
            self._context.note_fault(error)
            return False, None
        return verdict.ok, verdict.rehash

    def _tell(self, on_verdict: OnVerdict, *, ok: bool) -> None:
        try:
            on_verdict(ok)
        except Exception as error:
            self._context.note_fault(error)
        self._context.engine.flush()

    async def _store(self) -> None:
        """Put stronger hashes of proven passwords into the file; failing is no harm."""
        from edge.access.passwords import replace_hashes

        rehashed, self._rehashed = self._rehashed, {}
        path = self._context.settings.config.access.password_file
        try:
            count = await trio.to_thread.run_sync(
                replace_hashes, path, rehashed, limiter=self._limiter
            )
        except (AccessError, OSError) as error:
            self._context.log.warning("passwords.not_rehashed", file=path, why=str(error))
            return
        self._context.log.info("passwords.rehashed", file=path, count=count)
