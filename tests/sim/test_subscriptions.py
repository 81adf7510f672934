"""SUBSCRIBE and UNSUBSCRIBE on the simulated broker."""

from __future__ import annotations

import pytest

from edge.config.schema import AutoSubscribeConfig, ListenerConfig, RewriteConfig
from edge.protocol import client as codec
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import Subscribe, Subscription
from edge.protocol.properties import Properties
from tests.sim.harness import configured, simulated


class Rules:
    """An ACL that forbids some topics; what AccessPolicy needs of edge.access.acl."""

    def __init__(self, *forbidden: str) -> None:
        self.forbidden = forbidden

    def is_unrestricted(self, username: str | None, client_id: str) -> bool:
        return not self.forbidden

    def compile_profile(self, username: str | None, client_id: str, profile_id: int) -> bytes:
        rules = b"".join(
            b"\x00\x07\x02" + len(each).to_bytes(2, "little") + each.encode()
            for each in self.forbidden
        )
        count = len(self.forbidden).to_bytes(2, "little")
        return profile_id.to_bytes(4, "little") + b"\x01" + count + rules

    def may_subscribe(
        self, username: str | None, client_id: str, topic_filter: str, qos: int
    ) -> bool:
        return topic_filter not in self.forbidden

    def may_publish(
        self, username: str | None, client_id: str, topic: str, qos: int, retain: bool
    ) -> bool:
        return topic not in self.forbidden


async def test_subscription_reaches_the_engine_with_its_options() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        suback = client.subscribe(
            "a/+", qos=2, subscription_id=300, no_local=True, retain_as_published=True
        )
        assert suback.reason_codes == [2]
        assert sim.engine.subscriptions_of(client.session) == {
            "a/+": {
                "qos": 2,
                "no_local": True,
                "retain_as_published": True,
                "subscription_id": 300,
            }
        }
        assert not client.wire.is_paused


@pytest.mark.spec("MQTT-3.8.4-1", "MQTT-3.8.4-6")
async def test_suback_answers_each_filter_and_goes_before_what_is_retained() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        del sim.engine.journal[:]
        assert client.subscribe("a", "b/#", "c#", qos=1).reason_codes == [1, 1, 0x8F]
        assert [name for name, _ in sim.engine.journal] == [
            "subscribe",
            "subscribe",
            "send",
            "send_retained",
            "send_retained",
            "resume",
        ]


async def test_refusal_says_why_unless_the_client_does_not_want_to_know() -> None:
    async with simulated() as sim:
        curious = sim.connect("a").subscribe("a#")
        assert curious.properties.reason_string
        plain = sim.connect("b", request_problem_information=0).subscribe("a#")
        assert plain.properties.reason_string is None


@pytest.mark.spec("MQTT-3.8.4-3")
async def test_same_filter_again_replaces_the_subscription() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.subscribe("t", qos=2)
        client.subscribe("t", qos=0)
        assert sim.engine.subscriptions_of(client.session)["t"]["qos"] == 0
        assert sim.plane.subscriptions.count == 1


@pytest.mark.parametrize(("handling", "sent"), [(0, 2), (1, 1), (2, 0)])
@pytest.mark.spec("MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11")
async def test_retain_handling_decides_about_retained_messages(handling: int, sent: int) -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        for _ in range(2):
            client.subscribe("t", qos=1, subscription_id=7, retain_handling=handling)
        assert sim.engine.retained_sent == [(client.session, b"t", 1, 7)] * sent


async def test_shared_subscription_has_a_group_and_gets_nothing_retained() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        assert client.subscribe("$share/g/t/#", "$queue/q").reason_codes == [0, 0]
        assert set(sim.engine.subscriptions_of(client.session)) == {"g:t/#", "$queue:q"}
        assert sim.engine.retained_sent == []
        assert sim.plane.subscriptions.shared_count == 2
        assert client.unsubscribe("$share/g/t/#", "$queue/q").reason_codes == [0, 0]
        assert sim.engine.subscriptions_of(client.session) == {}
        assert sim.plane.subscriptions.shared_count == 0


@pytest.mark.spec("MQTT-3.8.3-4")
async def test_no_local_on_a_shared_subscription_is_a_protocol_error() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        packet = Subscribe(1, [Subscription("$share/g/t", 0, no_local=True)], Properties())
        client.send(codec.encode_subscribe(packet, 5))
        assert client.farewell().reason_code == 0x82


@pytest.mark.parametrize("topic_filter", ["$share/+/t", "$share//t", "$share/g/", "$exclusive/"])
async def test_malformed_filters_are_refused(topic_filter: str) -> None:
    async with simulated() as sim:
        assert sim.connect("a").subscribe(topic_filter).reason_codes == [0x8F]
        assert sim.connect("b", version=4).subscribe(topic_filter).reason_codes == [0x80]


@pytest.mark.spec("MQTT-3.10.4-4", "MQTT-3.11.3-1")
async def test_unsubscribe_says_whether_there_was_a_subscription() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.subscribe("a", "b")
        assert client.unsubscribe("b", "c", "a#").reason_codes == [0, 0x11, 0x8F]
        assert set(sim.engine.subscriptions_of(client.session)) == {"a"}


async def test_exclusive_topic_has_one_holder_at_a_time() -> None:
    async with simulated() as sim:
        first, second = sim.connect("a"), sim.connect("b")
        assert first.subscribe("$exclusive/t", qos=1).reason_codes == [1]
        assert second.subscribe("$exclusive/t").reason_codes == [0x97]
        assert first.subscribe("$exclusive/t", qos=2).reason_codes == [2]
        # Others may listen in the ordinary way.
        assert second.subscribe("t").reason_codes == [0]
        first.vanish()
        assert second.subscribe("$exclusive/t").reason_codes == [0]
        assert second.unsubscribe("$exclusive/t").reason_codes == [0]
        assert sim.connect("c").subscribe("$exclusive/t").reason_codes == [0]
        assert sim.connect("d").subscribe("$exclusive/+").reason_codes == [0x8F]


async def test_exclusive_and_ordinary_subscription_to_one_topic_are_kept_apart() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.subscribe("t", qos=2)
        client.subscribe("$exclusive/t", qos=1)
        client.unsubscribe("$exclusive/t")
        assert sim.engine.subscriptions_of(client.session)["t"]["qos"] == 2
        client.unsubscribe("t")
        assert sim.engine.subscriptions_of(client.session) == {}


async def test_limits_and_switches_of_subscriptions() -> None:
    limits = {
        "subscriptions_per_client_max": 1,
        "wildcard_available": False,
        "shared_available": False,
        "qos_max": 1,
        "topic_levels_max": 3,
    }
    async with simulated(configured(limits=limits)) as sim:
        client = sim.connect("a")
        assert client.subscribe("a/+").reason_codes == [0xA2]
        assert client.subscribe("$share/g/a").reason_codes == [0x9E]
        assert client.subscribe("a/b/c/d").reason_codes == [0x8F]
        assert client.subscribe("a", qos=2).reason_codes == [1]
        assert client.subscribe("b").reason_codes == [0x97]
        assert client.subscribe("a").reason_codes == [0]


async def test_acl_refuses_subscriptions_in_the_words_of_each_version() -> None:
    async with simulated(acl=Rules("secret")) as sim:
        codes = [
            sim.connect("a", version=version).subscribe("secret", "open", qos=1).reason_codes
            for version in (5, 4, 3)
        ]
        # MQTT 3.1 has no code for a refusal.
        assert codes == [[0x87, 1], [0x80, 1], [1, 1]]
        assert sim.context.counters.acl_denied == 3


async def test_clients_with_the_same_rules_share_a_profile() -> None:
    async with simulated(acl=Rules("secret")) as sim:
        first, second = sim.connect("a"), sim.connect("b")
        assert len(sim.engine.profiles) == 1
        assert sim.engine.session_acl[first.session] == sim.engine.session_acl[second.session] == 1
    async with simulated(acl=Rules()) as sim:
        client = sim.connect("a")
        assert sim.engine.session_acl[client.session] == 0
        assert sim.engine.profiles == {}


async def test_new_acl_acts_on_live_sessions() -> None:
    async with simulated(acl=Rules("x")) as sim:
        client = sim.connect("a", session_expiry_interval_s=100)
        client.subscribe("x", "y", "z")
        assert set(sim.engine.subscriptions_of(client.session)) == {"y", "z"}
        sim.plane.access.replace(Rules("y"))  # type: ignore[arg-type]
        assert [sim.plane.subscriptions.recheck(each) for each in sim.context.clients] == [1]
        assert set(sim.engine.subscriptions_of(client.session)) == {"z"}
        profile = sim.engine.profiles[sim.engine.session_acl[client.session]]
        assert profile.endswith(b"y")
        sim.plane.access.replace(None)
        assert client.subscribe("x").reason_codes == [0]
        # The profile that retained messages may name allows everything from now on.
        assert set(sim.engine.profiles.values()) == {b"\x01\x00\x00\x00\x01\x00\x00"}


async def test_resumed_session_lives_under_the_rules_of_now() -> None:
    async with simulated() as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        first.subscribe("y", "z")
        first.vanish()
        sim.plane.access.replace(Rules("y"))  # type: ignore[arg-type]
        second, _ = sim.resume("a")
        assert set(sim.engine.subscriptions_of(second.session)) == {"z"}


async def test_mount_point_stands_before_every_filter() -> None:
    listener = (ListenerConfig(address="127.0.0.1:1", mount_point="m/"),)
    async with simulated(configured(listener=listener)) as sim:
        client = sim.connect("a")
        client.subscribe("t", "$share/g/t", "$SYS/#", "#")
        assert set(sim.engine.subscriptions_of(client.session)) == {
            "m/t",
            "g:m/t",
            "m/$SYS/#",
            "m/#",
        }
        assert client.wire.terms["mount"] == b"m/"
        assert sim.plane.subscriptions.sys_count == 0
        assert client.unsubscribe("t").reason_codes == [0]


@pytest.mark.parametrize("client_id", ["a/b", "+", "#"])
async def test_name_that_would_leave_its_mount_point_is_refused(client_id: str) -> None:
    listener = (ListenerConfig(address="127.0.0.1:1", mount_point="m/%c/"),)
    async with simulated(configured(listener=listener)) as sim:
        assert sim.try_connect(client_id).connack().reason_code == 0x87


async def test_sys_subscriptions_are_counted_and_wake_the_statistics() -> None:
    async with simulated() as sim:
        woken: list[str] = []
        sim.context.observer.sys_subscribed = lambda: woken.append("x")  # type: ignore[method-assign]
        client = sim.connect("a")
        client.subscribe("$SYS/brokers/+/version", "#")
        assert sim.plane.subscriptions.sys_count == 1
        assert woken == ["x"]
        client.vanish()
        assert sim.plane.subscriptions.sys_count == 0


async def test_every_client_gets_the_automatic_subscriptions() -> None:
    rules = (
        AutoSubscribeConfig(filter="to/%c", qos=1),
        AutoSubscribeConfig(filter="user/%u", retain_handling=2),
        AutoSubscribeConfig(filter="$share/g/all"),
    )
    async with simulated(configured(auto_subscribe=rules)) as sim:
        client = sim.connect("a")
        assert set(sim.engine.subscriptions_of(client.session)) == {"to/a", "g:all"}
        assert sim.engine.retained_sent == [(client.session, b"to/a", 1, 0)]
        named = sim.connect("x/y", username="u")
        assert set(sim.engine.subscriptions_of(named.session)) == {"user/u", "g:all"}


async def test_filters_are_rewritten_for_subscribe_and_unsubscribe() -> None:
    rules = (
        RewriteConfig(action="subscribe", source="x/#", pattern="^x/y/(.+)$", target="z/$1"),
        RewriteConfig(action="subscribe", source="bad/#", pattern=".*", target="#/x"),
        RewriteConfig(action="publish", source="p/#", pattern="^p/(.+)$", target="$1"),
    )
    async with simulated(configured(rewrite=rules)) as sim:
        client = sim.connect("a")
        assert client.subscribe("x/y/1", "$share/g/x/y/2", "bad/1", "p/1").reason_codes == [
            0,
            0,
            0x8F,
            0,
        ]
        assert set(sim.engine.subscriptions_of(client.session)) == {"z/1", "g:z/2", "p/1"}
        assert client.unsubscribe("x/y/1").reason_codes == [0]
        assert client.unsubscribe("$share/g/x/y/2").reason_codes == [0]


async def test_publishes_are_rewritten_on_the_engines_request() -> None:
    rules = (
        RewriteConfig(action="publish", source="p/#", pattern="^p/(.+)$", target="q/%c/$1"),
        RewriteConfig(action="all", source="r/#", pattern="^r/(.+)$", target="$1/#"),
    )
    async with simulated(configured(rewrite=rules)) as sim:
        assert sim.engine.map_filters == [b"p/#", b"r/#"]
        client = sim.connect("a")
        assert client.wire.terms["needs_map"]
        for topic in (b"p/1", b"r/1", b"other"):
            sim.engine.ask_topic(client.handle, topic)
        sim.turn()
        assert client.wire.mappings == {b"p/1": b"q/a/1", b"r/1": b"", b"other": b"other"}
        assert not client.wire.is_paused


async def test_suback_that_is_too_large_ends_the_connection() -> None:
    async with simulated() as sim:
        client = sim.connect("a", maximum_packet_size=60)
        packet = Subscribe(1, [Subscription("t")] * 100, Properties())
        client.send(codec.encode_subscribe(packet, 5))
        assert client.farewell().reason_code == 0x95


async def test_malformed_subscribe_ends_the_connection() -> None:
    async with simulated() as sim:
        v5 = sim.connect("a")
        v5.send(b"\x82\x03\x00\x01\x00")
        assert v5.farewell().reason_code == 0x82
        v4 = sim.connect("b", version=4)
        v4.send(b"\x82\x02\x00\x01")
        assert v4.is_closed
        assert v4.take() == []


async def test_packets_behind_our_close_are_of_no_interest() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        packet = codec.encode_subscribe(Subscribe(1, [Subscription("t")], Properties()), 5)
        sim.engine.receive(client.handle, packet)
        sim.plane.sessions.disconnect(sim.context.clients.get("a"), 0x98)  # type: ignore[arg-type]
        sim.turn()
        assert [packet[0] >> 4 for packet in client.take()] == [PacketKind.DISCONNECT]
        assert sim.plane.subscriptions.count == 0
