"""The commands that talk to a running broker, against a real control socket."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio

from edge.cli import main
from edge.commands.status import brief
from edge.errors import ControlError
from edge.ops.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Broker:
    """Answers each command with what it was asked, in a thread of its own."""

    COMMANDS = (
        *("status", "reload", "client.list", "client.show", "client.kick"),
        *("retained.list", "retained.delete", "ban.list", "ban.add", "ban.remove"),
    )

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._path = path
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._started = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        assert self._token is not None
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        handlers = {name: self._handler(name) for name in self.COMMANDS}
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(ControlServer(str(self._path), handlers, print).serve)
                self._started.set()

    def _handler(self, name: str) -> Any:
        async def answer(arguments: dict[str, Any]) -> object:
            await trio.lowlevel.checkpoint()
            self.asked.append((name, arguments))
            if arguments.get("client_id") == "nobody":
                message = "there is no client `nobody`"
                raise ControlError(message, hint="see `client list`")
            return [] if name.endswith("list") else {"asked": name}

        return answer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    running = Broker(tmp_path / "control.sock")
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("words", "name", "arguments"),
    [
        ("status", "status", {}),
        ("reload", "reload", {}),
        ("client list", "client.list", {}),
        ("client show a", "client.show", {"client_id": "a"}),
        ("client kick a", "client.kick", {"client_id": "a"}),
        (
            "client kick a --end-session",
            "client.kick",
            {"client_id": "a", "end_session": True},
        ),
        ("topic retained list", "retained.list", {"filter": "#", "limit": 1000}),
        ("topic retained list a/# --limit 5", "retained.list", {"filter": "a/#", "limit": 5}),
        ("topic retained delete a", "retained.delete", {"filter": "a"}),
        ("ban list", "ban.list", {}),
        (
            "ban add --client-id a --seconds 5 --reason no",
            "ban.add",
            {"client_id": "a", "seconds": 5, "reason": "no"},
        ),
        ("ban add --address 192.0.2.0/24", "ban.add", {"address": "192.0.2.0/24"}),
        ("ban remove --username u", "ban.remove", {"username": "u"}),
    ],
)
def test_each_command_asks_what_is_agreed_on(
    broker: Broker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: str,
    name: str,
    arguments: dict[str, object],
) -> None:
    assert main([*words.split(), "--data-dir", str(tmp_path), "--output", "json"]) == 0
    assert broker.asked == [(name, arguments)]
    answer = json.loads(capsys.readouterr().out)
    assert answer == ([] if name.endswith("list") else {"asked": name})
    assert main([*words.split(), "--socket", str(tmp_path / "control.sock")]) == 0
    assert capsys.readouterr().out


def test_status_for_people_tells_what_was_dropped_and_why() -> None:
    answer = {
        "uptime_s": 5,
        "engine": {"dropped_slow": 3, "dropped_memory": 0, "turns": 9},
        "control": {"faults": 0},
    }
    assert brief(answer) == {"uptime_s": 5, "dropped": {"slow": 3}}
    assert brief({"engine": {"dropped_slow": 0}})["dropped"] == "nothing"


def test_refusal_of_the_broker_is_printed_with_its_hint(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", "kick", "nobody", "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "error: there is no client `nobody`\nhint: see `client list`\n"
    )


def test_broker_that_does_not_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--socket", str(tmp_path / "s")]) == 1
    assert "no broker is running at control socket" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    ["", "nonsense", "client", "client show", "ban add", "ban add --client-id a --username b"],
)
def test_wrong_command_lines_end_with_code_2_and_a_hint(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words.split())
    assert end.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert "--help`" in errors


@pytest.mark.parametrize(
    "words",
    [
        *("", "config", "config check", "config example", "config import-mosquitto", "passwd"),
        *("pub", "sub", "status", "reload", "client", "client list", "topic retained list"),
        *("ban", "ban add"),
    ],
)
def test_every_command_explains_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words.split(), "--help"])
    assert end.value.code == 0
    assert "usage: robustmq-edge" in capsys.readouterr().out


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("robustmq-edge ")


def test_mistakes_of_a_configuration_are_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edge.toml").write_text("[limits]\nqos_max = 5\n[session]\nreceive_max = 0\n")
    assert main(["config", "check", str(tmp_path / "edge.toml")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in lines[:2]] == [True, True]
    assert "limits.qos_max" in lines[0]


def test_good_configuration_has_no_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edge.toml").write_text("")
    assert main(["config", "check", str(tmp_path / "edge.toml"), "--output", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["config"]["limits"]["qos_max"] == 2


def test_example_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "example"]) == 0
    assert "[limits]" in capsys.readouterr().out


def test_passwords_are_set_from_standard_input_and_checked_with_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    words = ["passwd", str(passwords), "alice", "--password-stdin", "--output", "json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["user"] == "alice"
    assert passwords.read_text().startswith("alice:$scrypt$")
    file = tmp_path / "edge.toml"
    file.write_text(f'[access]\npassword_file = "{passwords}"\n')
    assert main(["config", "check", str(file)]) == 0
    passwords.write_text("nonsense\n")
    assert main(["config", "check", str(file)]) == 2
    assert "passwords:1" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "alice --batch"])
def test_passwd_needs_a_user_or_a_batch(words: str, tmp_path: Path) -> None:
    assert main(["passwd", str(tmp_path / "p"), *words.split()]) == 2


def test_mosquitto_configuration_is_converted_and_the_report_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mosquitto.conf").write_text("listener 1884\nallow_anonymous true\n")
    words = ["config", "import-mosquitto", str(tmp_path / "mosquitto.conf")]
    assert main([*words, "--out", str(tmp_path / "new")]) == 0
    assert "edge.toml" in capsys.readouterr().out
    assert main(["config", "check", str(tmp_path / "new" / "edge.toml")]) == 0
    # Nothing is overwritten.
    assert main([*words, "--out", str(tmp_path / "new")]) == 2
