"""Whatever is encoded decodes to the same, and any bytes decode or raise ProtocolError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedPacket, ProtocolViolation
from edge.protocol import client, decode, encode
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from edge.protocol.properties import (
    PROPERTY_TABLE,
    Properties,
    decode_forwarded,
    decode_properties,
    encode_forwarded,
    encode_properties,
)
from edge.protocol.reader import Reader
from edge.protocol.reason import CLIENT_DISCONNECT_CODES
from edge.topic import check_topic_filter, check_topic_name, matches
from tests.fuzz.targets_protocol import TARGETS

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
topic_names = texts.filter(lambda text: bool(text) and not set(text) & {"+", "#"})
binaries = st.binary(max_size=20)
versions = st.sampled_from((3, 4, 5))
packet_ids = st.integers(1, 0xFFFF)


def properties_of(kind: PacketKind) -> st.SearchStrategy[Properties]:
    """Properties that a packet of this kind may have."""
    fields: dict[str, st.SearchStrategy[object]] = {}
    for row in PROPERTY_TABLE:
        if not row.packets >> kind & 1:
            continue
        numbers = st.integers(row.minimum, min(row.maximum, (1 << 8 * (1 << row.form % 3)) - 1))
        if row.name == "user_properties":
            fields[row.name] = st.lists(st.tuples(texts, texts), max_size=3)
        elif row.name == "subscription_identifiers":
            count_max = 3 if kind is PacketKind.PUBLISH else 1
            fields[row.name] = st.lists(st.integers(1, row.maximum), max_size=count_max)
        elif row.name == "response_topic":
            fields[row.name] = st.none() | topic_names
        elif row.form == 4:
            fields[row.name] = st.none() | texts
        elif row.form == 5:
            fields[row.name] = st.none() | binaries
        else:
            fields[row.name] = st.none() | numbers
    return st.builds(Properties, **fields)


@st.composite
def wills(draw: st.DrawFn, version: int) -> Will:
    will = Will(draw(topic_names), draw(binaries), draw(st.integers(0, 2)), draw(st.booleans()))
    if version == 5:
        will.delay_interval_s = draw(st.integers(0, 0xFFFF_FFFF))
        will.message_expiry_interval_s = draw(st.none() | st.integers(0, 0xFFFF_FFFF))
        will.forwarded = encode_forwarded(draw(properties_of(PacketKind.WILL)))
    return will


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    version = draw(versions)
    clean_start = draw(st.booleans())
    empty_allowed = version == 5 or (version == 4 and clean_start)
    connect = Connect(
        version,
        clean_start,
        draw(st.integers(0, 0xFFFF)),
        draw(texts if empty_allowed else texts.filter(bool)),
        draw(st.none() | texts),
        None,
        draw(st.none() | wills(version)),
    )
    if version == 5 or connect.username is not None:
        connect.password = draw(st.none() | binaries)
    if version == 5:
        properties = draw(properties_of(PacketKind.CONNECT))
        if properties.authentication_method is None:
            properties.authentication_data = None
        connect.properties = properties
    return connect


@given(connects())
def test_connect_that_is_encoded_decodes_to_the_same(connect: Connect) -> None:
    packet = client.encode_connect(connect)
    assert decode.decode_connect(packet) == connect
    assert decode.peek_protocol_version(packet) == connect.protocol_version


@given(connects(), st.data())
def test_connect_cut_short_never_decodes(connect: Connect, data: st.DataObject) -> None:
    packet = client.encode_connect(connect)
    cut = packet[: data.draw(st.integers(0, len(packet) - 1))]
    with pytest.raises(MalformedPacket):
        decode.decode_connect(cut)


@given(versions, packet_ids, st.data())
def test_subscribe_that_is_encoded_decodes_to_the_same(
    version: int, packet_id: int, data: st.DataObject
) -> None:
    if version == 5:
        items = st.builds(
            Subscription,
            texts,
            st.integers(0, 2),
            st.booleans(),
            st.booleans(),
            st.integers(0, 2),
        )
        properties = data.draw(properties_of(PacketKind.SUBSCRIBE))
    else:
        items = st.builds(Subscription, texts, st.integers(0, 2))
        properties = Properties()
    subscriptions = data.draw(st.lists(items, min_size=1, max_size=4))
    subscribe = Subscribe(packet_id, subscriptions, properties)
    assert (
        decode.decode_subscribe(client.encode_subscribe(subscribe, version), version) == subscribe
    )


@given(versions, packet_ids, st.lists(texts, min_size=1, max_size=4))
def test_unsubscribe_that_is_encoded_decodes_to_the_same(
    version: int, packet_id: int, topic_filters: list[str]
) -> None:
    unsubscribe = Unsubscribe(packet_id, topic_filters)
    packet = client.encode_unsubscribe(unsubscribe, version)
    assert decode.decode_unsubscribe(packet, version) == unsubscribe


@given(st.sampled_from(sorted(CLIENT_DISCONNECT_CODES)), properties_of(PacketKind.DISCONNECT))
def test_disconnect_that_is_encoded_decodes_to_the_same(code: int, properties: Properties) -> None:
    disconnect = Disconnect(code, properties)
    for packet in (
        client.encode_disconnect(disconnect, 5),
        encode.encode_disconnect(disconnect, 5),
    ):
        assert decode.decode_disconnect(packet, 5) == disconnect
        assert client.decode_disconnect(packet) == disconnect


@given(st.sampled_from((0x18, 0x19)), properties_of(PacketKind.AUTH), texts)
def test_auth_that_is_encoded_decodes_to_the_same(
    code: int, properties: Properties, method: str
) -> None:
    properties.authentication_method = method
    auth = Auth(code, properties)
    packet = encode.encode_auth(auth)
    assert decode.decode_auth(packet) == auth
    assert client.decode_auth(packet) == auth


@given(st.booleans(), properties_of(PacketKind.CONNACK))
def test_connack_that_is_encoded_decodes_to_the_same(
    session_present: bool, properties: Properties
) -> None:
    connack = Connack(session_present, 0, properties)
    assert client.decode_connack(encode.encode_connack(connack, 5), 5) == connack


@pytest.mark.spec("MQTT-3.1.2-24")
@given(
    packet_ids,
    st.lists(st.integers(0, 255), max_size=5),
    properties_of(PacketKind.SUBACK),
    st.integers(4, 80),
)
def test_suback_and_unsuback_keep_their_codes_and_the_maximum_packet_size(
    packet_id: int, codes: list[int], properties: Properties, size_max: int
) -> None:
    suback = Suback(packet_id, codes, properties)
    assert client.decode_suback(encode.encode_suback(suback, 5), 5) == suback
    unsuback = Unsuback(packet_id, codes, properties)
    assert client.decode_unsuback(encode.encode_unsuback(unsuback, 5), 5) == unsuback
    limited = encode.encode_suback(suback, 5, size_max)
    assert len(limited) <= size_max
    if limited:
        assert client.decode_suback(limited, 5).reason_codes == codes
    else:
        assert len(encode.encode_suback(Suback(packet_id, codes), 5)) > size_max


@given(versions, st.data())
def test_publish_and_its_acknowledgements_decode_to_the_same(
    version: int, data: st.DataObject
) -> None:
    qos = data.draw(st.integers(0, 2))
    publish = client.Publish(
        data.draw(topic_names),
        data.draw(binaries),
        qos,
        data.draw(st.booleans()),
        data.draw(st.booleans()) and qos > 0,
        data.draw(packet_ids) if qos else 0,
    )
    ack = client.Ack(
        data.draw(st.sampled_from(client._ACKS)),
        data.draw(packet_ids),
        data.draw(st.integers(0, 255)) if version == 5 else 0,
    )
    if version == 5:
        publish.properties = data.draw(properties_of(PacketKind.PUBLISH))
        ack.properties = data.draw(properties_of(PacketKind.PUBACK))
    assert client.decode_publish(client.encode_publish(publish, version), version) == publish
    assert client.decode_ack(client.encode_ack(ack, version), version) == ack


@pytest.mark.spec("MQTT-1.5.7-1", "MQTT-2.2.2-1")
@given(st.sampled_from(PacketKind), st.data())
def test_properties_that_are_encoded_decode_to_the_same(
    kind: PacketKind, data: st.DataObject
) -> None:
    properties = data.draw(properties_of(kind))
    reader = Reader(encode_properties(properties))
    assert decode_properties(reader, kind) == properties
    assert reader.left() == 0


@pytest.mark.spec("MQTT-3.1.3-10")
@given(properties_of(PacketKind.WILL))
def test_forwarded_properties_are_only_those_that_travel(properties: Properties) -> None:
    forwarded = encode_forwarded(properties)
    expected = Properties(
        payload_format_indicator=properties.payload_format_indicator,
        content_type=properties.content_type,
        response_topic=properties.response_topic,
        correlation_data=properties.correlation_data,
        user_properties=properties.user_properties,
    )
    assert decode_forwarded(forwarded) == expected


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=64))
def test_random_bytes_decode_or_raise_protocol_error(name: str, data: bytes) -> None:
    TARGETS[name](data)


@given(connects(), st.data())
def test_connect_with_one_byte_changed_decodes_or_raises_protocol_error(
    connect: Connect, data: st.DataObject
) -> None:
    packet = bytearray(client.encode_connect(connect))
    packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    TARGETS["connect"](bytes(packet))


def oracle_matches(filter_levels: list[str], name_levels: list[str]) -> bool:
    """Section 4.7 by recursion, without the rule about `$`."""
    if filter_levels == ["#"]:
        return True
    if not filter_levels or not name_levels:
        return filter_levels == name_levels
    head = filter_levels[0]
    if head not in ("+", name_levels[0]):
        return False
    if filter_levels[1:] == ["#"] and len(name_levels) == 1:
        return True
    return oracle_matches(filter_levels[1:], name_levels[1:])


levels = st.sampled_from(("", "a", "b", "$SYS", "+", "#"))


@given(st.lists(levels, min_size=1, max_size=5), st.lists(levels, min_size=1, max_size=5))
def test_matching_equals_the_slow_oracle(filter_levels: list[str], name_levels: list[str]) -> None:
    topic_filter = "/".join(filter_levels)
    topic_name = "/".join(name_levels)
    try:
        check_topic_filter(topic_filter, 10)
        check_topic_name(topic_name, 10)
    except ProtocolViolation:
        return
    expected = oracle_matches(filter_levels, name_levels)
    if topic_name.startswith("$") and filter_levels[0] in ("+", "#"):
        expected = False
    assert matches(topic_filter, topic_name) == expected
