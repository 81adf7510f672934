"""The ACL file as text: what is understood, and what is refused with its line."""

from __future__ import annotations

import pytest

import edge.access.acl
import edge.access.acl_text
from edge.access.acl import AclFile
from edge.access.acl_text import READ, RETAIN, WRITE, parse_acl
from edge.errors import AccessError


def only_rule(line: str) -> tuple[bool, int, int, str]:
    (section,) = parse_acl(line, "acl").sections
    (rule,) = section.rules
    return rule.allow, rule.access, rule.qos_max, rule.topic_filter


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("allow subscribe a/#", (True, READ, 2, "a/#")),
        ("allow publish a", (True, WRITE | RETAIN, 2, "a")),
        ("allow publish retain a", (True, WRITE | RETAIN, 2, "a")),
        ("allow publish noretain a", (True, WRITE, 2, "a")),
        ("allow all noretain qos<=1 a", (True, READ | WRITE, 1, "a")),
        ("allow all qos<=0 retain a", (True, READ | WRITE | RETAIN, 0, "a")),
        ("allow subscribe qos<=2 a", (True, READ, 2, "a")),
        ("deny all #", (False, READ | WRITE | RETAIN, 2, "#")),
        ("deny publish a", (False, WRITE | RETAIN, 2, "a")),
        ("deny publish retain a", (False, RETAIN, 2, "a")),
        ("\t deny\t  publish \t a\t\r", (False, WRITE | RETAIN, 2, "a")),
        ("allow publish retain", (True, WRITE | RETAIN, 2, "retain")),
        ("allow publish retain retain", (True, WRITE | RETAIN, 2, "retain")),
        ('allow publish "a b\t/c"', (True, WRITE | RETAIN, 2, "a b\t/c")),
        ('allow publish qos<=1 "a"b"', (True, WRITE | RETAIN, 1, 'a"b')),
        ('allow publish a"', (True, WRITE | RETAIN, 2, 'a"')),
        ("allow publish %c/ü/%u", (True, WRITE | RETAIN, 2, "%c/ü/%u")),
        ("allow publish 100%", (True, WRITE | RETAIN, 2, "100%")),
    ],
)
def test_rule_is_read(line: str, expected: tuple[bool, int, int, str]) -> None:
    assert only_rule(line) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("permit all #", "`permit` is unknown"),
        ("Allow all #", "`Allow` is unknown"),
        ("allow", "action is ``"),
        ("allow read a", "action is `read`"),
        ("allow publish", "no Topic Filter"),
        ("allow publish a/b # why", "option `a/b` is unknown"),
        ("deny publish retained a/b", "option `retained` is unknown"),
        ("allow publish qos<=3 a", "option `qos<=3` is unknown"),
        ("deny publish qos<=1 a", "belongs to allow"),
        ("allow subscribe retain a", "subscribe has no retain"),
        ("deny publish noretain a", "deny publish has no noretain"),
        ("deny all retain a", "deny all has no retain"),
        ("allow publish a+", "is not alone in its level"),
        ("allow publish #/a", "is not alone in the last level"),
        ("allow publish x%u+", "is not alone in its level"),
        ("allow publish a\0", "U\\+0000"),
        ('allow publish "', "closing quote"),
        ('allow publish "a b', "closing quote"),
        ('allow publish ""', "no Topic Filter"),
        ("allow subscribe $share/g/a", "would never match"),
        ("deny publish $delayed/#", "would never match"),
        ("user", "`user` names nobody"),
        ("client", "`client` names nobody"),
        ("all #", "stands alone"),
        ("anonymous user", "stands alone"),
        ("default", "default is ``"),
        ("default permit", "default is `permit`"),
        ("default deny\ndefault deny", "there is a default already"),
    ],
)
def test_wrong_line_is_named(line: str, message: str) -> None:
    with pytest.raises(AccessError, match=message) as caught:
        AclFile.from_text(f"allow all x\n\n{line}\n", "rules")
    assert caught.value.message.startswith("rules:")
    assert caught.value.message.split(":")[1] == str(3 + line.count("\n"))


def test_sections_keep_names_with_blanks_and_the_order_of_rules() -> None:
    parsed = parse_acl(
        "\ufeff# c\nallow all a\nuser  Alice B. \n allow all b\n"
        "client s-*\nall\nanonymous\ndeny all c",
        "acl",
    )
    assert [(each.kind, each.name) for each in parsed.sections] == [
        ("all", ""),
        ("user", "Alice B."),
        ("client", "s-*"),
        ("all", ""),
        ("anonymous", ""),
    ]
    assert [rule.index for section in parsed.sections for rule in section.rules] == [0, 1, 2]
    assert not parsed.default_allow


def test_example_of_the_documentation_is_valid() -> None:
    lines = (edge.access.acl.__doc__ or "").split("**Order.**")[0].splitlines()[1:]
    parsed = parse_acl("\n".join(lines), "documentation")
    assert [len(section.rules) for section in parsed.sections] == [2, 2, 2, 1, 2]
