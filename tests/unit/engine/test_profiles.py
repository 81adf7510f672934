"""Access profiles: thousands of them, replaced and dropped under live sessions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.unit.engine.packets import publish, read_packet, subscribe

if TYPE_CHECKING:
    from tests.unit.engine.conftest import MakeRig


def profile(profile_id: int, *rules: tuple[int, int, bytes]) -> bytes:
    """A blob that denies by default; rules are (allow, access, filter)."""
    rows = b"".join(
        struct.pack("<BBBH", allow, access, 2, len(topic_filter)) + topic_filter
        for allow, access, topic_filter in rules
    )
    return struct.pack("<IBH", profile_id, 0, len(rules)) + rows


def test_a_replaced_profile_acts_on_live_sessions_at_once(make_rig: MakeRig) -> None:
    """Goal: reading and writing, without reconnecting."""
    rig = make_rig()
    rig.engine.set_acl_profile(profile(7, (1, 1, b"#"), (1, 2, b"mine")))
    receiver = rig.connect(client_id="r", acl_profile_id=7)
    receiver.sendall(subscribe(b"#"))
    rig.settle()
    assert read_packet(receiver)[0] == 0x90
    sender = rig.connect(client_id="s", acl_profile_id=7, version=5)
    for topic, reason in ((b"mine", 0), (b"other", 0x87)):
        sender.sendall(publish(topic, b"1", qos=1, packet_id=1, properties=b""))
        assert read_packet(sender)[1][2:] == (bytes((reason,)) if reason else b"")
    assert read_packet(receiver)[1] == b"\0\4mine1"
    rig.engine.set_acl_profile(profile(7, (1, 2, b"other"), (1, 1, b"other")))
    rig.settle()
    for topic, reason in ((b"mine", 0x87), (b"other", 0)):
        sender.sendall(publish(topic, b"2", qos=1, packet_id=1, properties=b""))
        assert read_packet(sender)[1][2:] == (bytes((reason,)) if reason else b"")
    assert read_packet(receiver)[1] == b"\0\5other2"


def test_queued_messages_that_are_forbidden_now_are_dropped(make_rig: MakeRig) -> None:
    """Goal: what waits for an offline session follows the ACL too."""
    rig = make_rig(keep_sessions=True)
    rig.engine.set_acl_profile(profile(1, (1, 1, b"#")))
    sleeper = rig.connect(client_id="sleeper", acl_profile_id=1)
    sleeper.sendall(subscribe(b"#", 1))
    rig.settle()
    sleeper.close()
    rig.settle()
    for topic in (b"open", b"secret", b"open"):
        rig.engine.publish(topic, b"", qos=1)
    assert rig.stats()["queued"] == 3
    rig.engine.set_acl_profile(profile(1, (1, 1, b"open")))
    stats = rig.stats()
    assert (stats["queued"], stats["dropped_denied"]) == (2, 1)


def test_thousands_of_profiles_are_found_after_any_history(make_rig: MakeRig) -> None:
    """Goal: define, replace and drop, in an order that closes many holes."""
    rig = make_rig()
    for number in range(1, 3001):
        rig.engine.set_acl_profile(profile(number, (1, 2, b"t%d" % number)))
    for number in range(1, 3001, 3):
        rig.engine.drop_acl_profile(number)
    for number in range(2, 3001, 500):
        sender = rig.connect(version=5, client_id=str(number), acl_profile_id=number)
        allowed = number % 3 == 1  # dropped: everything is allowed
        for topic in (b"t%d" % number, b"x"):
            sender.sendall(publish(topic, b"", qos=1, packet_id=1, properties=b""))
            refused = read_packet(sender)[1][2:] == b"\x87"
            assert refused == (topic == b"x" and not allowed)
