"""Is the client who it says it is? Anonymous access, certificates, passwords, and AUTH.

A password is compared in memory if the same one was verified before, else in a worker thread
(logins.py). The answer is always given through exceptions: ConnectRefusedError or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.enhanced_auth import EnhancedAuth
from edge.broker.logins import LoginQueue
from edge.broker.refusal import ConnectRefusedError
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.access.enhanced import EnhancedAuthenticator
    from edge.access.passwords import PasswordFile
    from edge.broker.connect import PendingConnect
    from edge.broker.context import Context

_SCRAM: Final = "SCRAM-SHA-256"


class Authentication:
    """Checks credentials against the password file in force; None: there is none."""

    def __init__(self, context: Context, passwords: PasswordFile | None) -> None:
        self._context = context
        self.passwords = passwords
        self.logins = LoginQueue(context)
        self.enhanced = EnhancedAuth(context, self._make_mechanism)

    def _make_mechanism(self, method: str) -> EnhancedAuthenticator | None:
        """Return a mechanism for a fresh exchange; None if the method is not offered."""
        is_off = method == _SCRAM and not self._context.settings.config.access.scram
        if is_off or self.passwords is None:
            return None
        from edge.access.enhanced import METHODS

        make = METHODS.get(method)
        return None if make is None else make(self.passwords)

    def check(
        self,
        pending: PendingConnect,
        on_verdict: Callable[[PendingConnect, bool], None],
    ) -> bool:
        """Check a CONNECT without Authentication Method.

        Returns:
            True: the client is authenticated. False: `on_verdict` will say.

        Raises:
            ConnectRefusedError: it is not.
        """
        identity = pending.identity
        if identity.is_proven:
            return True
        if identity.username is None:
            if pending.policy.anonymous_allowed:
                return True
            raise ConnectRefusedError(
                ReasonCode.NOT_AUTHORIZED,
                detail=f"anonymous clients are not allowed on {pending.policy.name}",
            )
        if self.passwords is None:
            # Nobody can prove a name here, so it is worth as much as none.
            if pending.policy.anonymous_allowed:
                return True
            raise ConnectRefusedError(
                ReasonCode.BAD_USER_NAME_OR_PASSWORD, detail="there is no password file"
            )
        password = pending.connect.password or b""
        known = self.passwords.verify_cached(identity.username, password)
        if known is not None:
            self.conclude(pending, ok=known)
            return True
        queued = self.logins.submit(
            pending,
            self.passwords,
            identity.username,
            password,
            lambda ok: on_verdict(pending, ok),
        )
        if not queued:
            raise ConnectRefusedError(ReasonCode.SERVER_BUSY, "too many logins at once")
        return False

    def conclude(self, pending: PendingConnect, *, ok: bool) -> None:
        """Count the outcome.

        Raises:
            ConnectRefusedError: the password is wrong.
        """
        pending.connect.password = None  # nobody needs it any more
        if ok:
            self._context.counters.authentication_succeeded += 1
            return
        self._context.counters.authentication_failed += 1
        raise ConnectRefusedError(
            ReasonCode.BAD_USER_NAME_OR_PASSWORD, detail="unknown user or wrong password"
        )

    def begin(self, pending: PendingConnect) -> bytes:
        """Start Enhanced Authentication; see EnhancedAuth.begin()."""
        auth = self.enhanced.begin(pending)
        self._take_name(pending)
        return auth

    def step(self, pending: PendingConnect, packet: bytes) -> bytes:
        """Go on with Enhanced Authentication; see EnhancedAuth.step()."""
        auth = self.enhanced.step(pending, packet)
        self._take_name(pending)
        return auth

    def _take_name(self, pending: PendingConnect) -> None:
        """Once the exchange is over, the client is who it has proven to be."""
        exchange = pending.exchange
        if exchange is None or not exchange.is_done:
            return
        identity = pending.identity
        identity.username = exchange.username
        if self._context.settings.config.session.client_id_from == "username":
            identity.client_id = exchange.username
            identity.is_assigned = False
