"""Questions to the engine: ask with a command, wait for the event that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from edge.broker.context import Context
    from edge.engine.engine import Event


class Queries:
    """The questions that wait for an answer, by token."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: dict[int, tuple[trio.Event, list[Any]]] = {}

    async def ask(self, token: int) -> Any:  # noqa: ANN401 - its type depends on the question
        """Wait for the reply to a query_...() command."""
        answered, box = self._waiting[token] = trio.Event(), []
        self._context.engine.flush()
        try:
            await answered.wait()
        finally:
            self._waiting.pop(token, None)
        return box[0]

    def on_reply(self, event: Event) -> None:
        """Hand the reply to who asked; nobody, if that task has been cancelled."""
        waiting = self._waiting.get(event.token)
        if waiting is not None:
            waiting[1].append(event.reply)
            waiting[0].set()
