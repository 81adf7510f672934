"""aiomqtt: what asyncio programs, and our own bridge, use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiomqtt
import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import Site

pytestmark = pytest.mark.interop


def test_messages_flow_through_aiomqtt(site: Site) -> None:
    """Subscribe and publish at every QoS, with a retained message at the end."""

    async def talk() -> list[tuple[str, bytes, int, bool]]:
        got = []
        async with asyncio.timeout(15), aiomqtt.Client("127.0.0.1", site.tcp) as receiver:
            await receiver.subscribe("aio/#", qos=2)
            async with aiomqtt.Client(
                "127.0.0.1", site.tcp, protocol=aiomqtt.ProtocolVersion.V5
            ) as sender:
                for qos in range(3):
                    await sender.publish(f"aio/{qos}", payload=b"x", qos=qos)
                await sender.publish("aio/kept", payload=b"k", qos=1, retain=True)
            async for message in receiver.messages:
                got.append(
                    (str(message.topic), bytes(message.payload), message.qos, message.retain)
                )
                if len(got) == 4:
                    break
        return got

    got = asyncio.run(talk())
    assert got == [
        ("aio/0", b"x", 0, False),
        ("aio/1", b"x", 1, False),
        ("aio/2", b"x", 2, False),
        ("aio/kept", b"k", 1, False),
    ]
