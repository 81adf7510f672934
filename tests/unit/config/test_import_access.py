"""Moving in from mosquitto: passwords and access rules go on meaning the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.access.acl import AclFile
from edge.access.passwords import PasswordFile
from edge.config.load import load
from tests.unit.config import mosquitto_samples as samples
from tests.unit.config.mosquitto_samples import HASH_6, HASH_7, import_text

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.import_mosquitto import ImportReport

WITH_PASSWORDS = "listener 1883 127.0.0.1\npassword_file {dir}/passwd\n"
WITH_ACL = "listener 1883 127.0.0.1\nallow_anonymous true\nacl_file {dir}/aclfile\n"


def translated(folder: Path, acl: str) -> tuple[AclFile, ImportReport]:
    """Import an ACL file."""
    report = import_text(folder, WITH_ACL, {"aclfile": acl})
    return AclFile.load(str(folder / "new" / "acl")), report


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file without comments and gaps."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# ---------------------------------------------------------------- passwords


def test_hashes_are_carried_as_they_are_and_still_open_the_door(tmp_path: Path) -> None:
    report = import_text(tmp_path, WITH_PASSWORDS, {"passwd": samples.PASSWORDS})
    path = tmp_path / "new" / "passwords"
    assert lines_of(path) == [f"roger:{HASH_6}", f"sub_client:{HASH_7}"]
    config = load(str(tmp_path / "new" / "edge.toml"), {})
    assert config.access.password_file == str(path)
    passwords = PasswordFile.load(config.access.password_file)
    for name in ("roger", "sub_client"):
        verdict = passwords.verify(name, b"secret")
        assert verdict.ok
        assert verdict.rehash is not None
        assert not passwords.verify(name, b"wrong").ok
    assert any("2 users" in line for line in report.carried)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("bob:plain", "the password is missing, or is not hashed"),
        ("bob", "the password is missing, or is not hashed"),
        ("bob:", "the password is missing, or is not hashed"),
        ("bob:$5$x$y", "the password is missing, or is not hashed"),
        ("bob:$6$x$y", "the hash is damaged"),
        ("bob:$7$x$y$z", "the hash is damaged"),
        (f"bob:{HASH_7.replace('$101$', '$2000000$')}", "more than 1_000_000 iterations"),
        (f"bob:{HASH_6[:-4]}", "the hash is damaged"),
        (f"bob:{HASH_6}$x", "the hash is damaged"),
        (f":{HASH_6}", "the name is empty"),
        ("bob:$argon2id$x", "the hash is damaged"),
        (f"roger:{HASH_7}", "was there before with another password, which is kept"),
    ],
)
def test_a_line_that_is_no_password_is_left_out_and_told(
    line: str, complaint: str, tmp_path: Path
) -> None:
    """Goal: what is written always loads; one bad line must not shut everybody out."""
    report = import_text(tmp_path, WITH_PASSWORDS, {"passwd": f"{samples.PASSWORDS}{line}\n"})
    (told,) = report.not_carried
    assert told.startswith(f"{tmp_path}/passwd:3: user")
    assert complaint in told
    PasswordFile.load(str(tmp_path / "new" / "passwords"))
    assert len(lines_of(tmp_path / "new" / "passwords")) == 2


def test_hashes_are_never_in_the_report(tmp_path: Path) -> None:
    broken = samples.PASSWORDS.replace("==", "")
    report = import_text(tmp_path, WITH_PASSWORDS, {"passwd": broken})
    assert "c2FsdHNhbHRzYWx0" not in str(report.as_dict())


def test_a_password_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    report = import_text(tmp_path, WITH_PASSWORDS)
    (told,) = report.not_carried
    assert "passwd: No such file or directory: copy it here" in told
    assert load(str(tmp_path / "new" / "edge.toml"), {}).access.password_file == ""


def test_relative_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    text = WITH_PASSWORDS.replace("{dir}/", "")
    import_text(tmp_path, text, {"passwd": samples.PASSWORDS})
    assert len(lines_of(tmp_path / "new" / "passwords")) == 2


def test_users_of_several_files_are_joined(tmp_path: Path) -> None:
    import_text(
        tmp_path,
        samples.PER_LISTENER,
        {"passwd": f"a:{HASH_6}\n", "passwd2": f"a:{HASH_6}\nb:{HASH_7}\n", "aclfile": ""},
    )
    assert lines_of(tmp_path / "new" / "passwords") == [f"a:{HASH_6}", f"b:{HASH_7}"]


# ---------------------------------------------------------------- rules


def test_the_example_of_mosquitto_is_translated(tmp_path: Path) -> None:
    acl, _ = translated(tmp_path, samples.ACL)
    assert lines_of(tmp_path / "new" / "acl") == [
        "anonymous",
        "allow subscribe $SYS/#",
        "user roger",
        "allow all foo/bar",
        "all",
        "allow publish $SYS/broker/connection/%c/state",
        "default deny",
    ]
    assert acl.may_subscribe(None, "c", "$SYS/broker/uptime", 0)
    assert not acl.may_subscribe("roger", "c", "$SYS/broker/uptime", 0)
    assert acl.may_publish("roger", "c", "foo/bar", 2, True)
    assert not acl.may_publish(None, "c", "foo/bar", 0, False)
    assert acl.may_publish("jim", "c", "$SYS/broker/connection/c/state", 0, False)
    assert not acl.may_publish("jim", "c", "$SYS/broker/connection/d/state", 0, False)


def test_deny_comes_first_wherever_it_stands(tmp_path: Path) -> None:
    acl, _ = translated(
        tmp_path,
        "user alice\ntopic readwrite home/#\ntopic deny home/boiler\n"
        "pattern read public/#\npattern deny public/secret\n",
    )
    assert acl.may_publish("alice", "c", "home/light", 0, False)
    assert not acl.may_publish("alice", "c", "home/boiler", 0, False)
    assert acl.may_subscribe("bob", "c", "public/news", 0)
    assert not acl.may_subscribe("bob", "c", "public/secret", 0)


def test_the_user_comes_before_the_patterns(tmp_path: Path) -> None:
    acl, _ = translated(tmp_path, "pattern deny a/b\nuser alice\ntopic read a/b\n")
    assert acl.may_subscribe("alice", "c", "a/b", 0)
    assert not acl.may_subscribe("bob", "c", "a/b", 0)


def test_users_may_return_and_names_and_topics_have_blanks(tmp_path: Path) -> None:
    acl, _ = translated(
        tmp_path,
        "user  alice smith \ntopic read a\nuser bob\ntopic read b\nuser alice smith\n"
        'topic write living room/light\ntopic read "quoted" \n',
    )
    assert acl.may_subscribe("alice smith", "c", "a", 0)
    assert acl.may_publish("alice smith", "c", "living room/light", 0, False)
    assert acl.may_subscribe("alice smith", "c", '"quoted"', 0)
    assert not acl.may_subscribe("bob", "c", "a", 0)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("topic living room/light", "before a topic with blanks"),
        ("topic read a/#/b", "is no Topic Filter: # is not alone"),
        ("topic", "is no Topic Filter"),
        ("topic read users/%u/#", "was `pattern` meant?"),
        ("pattern read $share/g/a", "write what comes after it"),
        ("user", "names nobody"),
        ("group a", "a line begins with user, topic or pattern"),
    ],
)
def test_a_rule_that_cannot_be_carried_is_told_and_allows_nothing(
    line: str, complaint: str, tmp_path: Path
) -> None:
    acl, report = translated(tmp_path, f"user alice\n{line}\ntopic read after\n")
    (told,) = report.not_carried
    assert told.startswith(f"{tmp_path}/aclfile:2: ")
    assert complaint in told
    # Lines below a `user` that names nobody are nobody's.
    assert acl.may_subscribe("alice", "c", "after", 0) is (line != "user")
    assert not acl.may_subscribe("alice", "c", "living room/light", 0)
    assert not acl.may_subscribe("alice", "c", "users/alice/x", 0)


def test_an_acl_that_is_empty_or_not_there_allows_nothing(tmp_path: Path) -> None:
    acl, _ = translated(tmp_path / "empty", "# nothing\n")
    assert not acl.may_publish("alice", "c", "a", 0, False)
    report = import_text(tmp_path / "missing", WITH_ACL)
    acl = AclFile.load(str(tmp_path / "missing" / "new" / "acl"))
    assert not acl.may_publish("alice", "c", "a", 0, False)
    config = load(str(tmp_path / "missing" / "new" / "edge.toml"), {})
    assert config.access.acl_file == str(tmp_path / "missing" / "new" / "acl")
    assert "nothing is allowed until you fill `acl`" in report.not_carried[0]


def test_only_one_acl_is_carried_and_the_others_are_told(tmp_path: Path) -> None:
    report = import_text(
        tmp_path,
        "per_listener_settings true\nlistener 1883 127.0.0.1\nacl_file {dir}/one\n"
        "listener 1884 127.0.0.1\nacl_file {dir}/two\n",
        {"one": "topic read a\n", "two": "topic read b\n"},
    )
    acl = AclFile.load(str(tmp_path / "new" / "acl"))
    assert acl.may_subscribe(None, "c", "a", 0)
    assert not acl.may_subscribe(None, "c", "b", 0)
    assert "there is one ACL for all listeners" in report.not_carried[0]


def test_client_identifiers_keep_their_rules(tmp_path: Path) -> None:
    import_text(
        tmp_path,
        "allow_zero_length_clientid false\nauto_id_prefix site-\nlistener 1883 127.0.0.1\n",
    )
    session = load(str(tmp_path / "new" / "edge.toml"), {}).session
    assert session.client_id_empty_allowed is False
    assert session.client_id_prefix == "site-"
