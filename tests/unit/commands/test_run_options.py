"""`robustmq-edge run`: its options, and the configuration that follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.commands import paths, run
from edge.errors import ConfigError


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine without our system folders, and a user with a home."""
    monkeypatch.setattr(paths, "CONFIG_FILE", tmp_path / "etc" / "edge.toml")
    monkeypatch.setattr(paths, "STATE_DIR", tmp_path / "no" / "state")
    monkeypatch.setattr(paths, "RUN_DIR", tmp_path / "no" / "run")
    return {"HOME": str(tmp_path / "home")}


def test_all_options_are_understood_in_both_forms() -> None:
    options = run.parse(
        ["--config", "a", "--listen=b", "--listen", "c", "--data-dir=d", "--memory"]
    )
    assert options.config == "a"
    assert options.listen == ["b", "c"]
    assert options.data_dir == "d"
    assert options.memory


@pytest.mark.parametrize(
    "words", [["x"], ["--liste", "a"], ["--listen"], ["--config="], ["--memory=1"]]
)
def test_words_that_are_not_understood_are_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError):
        run.parse(words)


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert "--data-dir" in capsys.readouterr().out


def test_without_a_file_the_defaults_hold_and_the_state_is_the_users(
    own_folders: dict[str, str],
) -> None:
    config, path = run.effective_config(run.parse([]), own_folders)
    assert path is None
    assert [listener.address for listener in config.listener] == ["127.0.0.1:1883"]
    folder = Path(own_folders["HOME"]) / ".local" / "state" / "robustmq-edge"
    assert config.node.data_dir == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_xdg_state_home_is_followed(own_folders: dict[str, str], tmp_path: Path) -> None:
    environ = own_folders | {"XDG_STATE_HOME": str(tmp_path / "xdg")}
    config, _ = run.effective_config(run.parse([]), environ)
    assert config.node.data_dir == str(tmp_path / "xdg" / "robustmq-edge")


def test_system_state_folder_is_used_where_it_is_writable(
    own_folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "STATE_DIR", tmp_path / "state")
    config, _ = run.effective_config(run.parse([]), own_folders)
    assert config.node.data_dir == str(tmp_path / "state")


def test_system_file_is_read_if_it_exists(own_folders: dict[str, str]) -> None:
    paths.CONFIG_FILE.parent.mkdir()
    paths.CONFIG_FILE.write_text('[log]\nlevel = "debug"\n')
    config, path = run.effective_config(run.parse([]), own_folders)
    assert path == str(paths.CONFIG_FILE)
    assert config.log.level == "debug"


def test_command_line_overrides_the_file(own_folders: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[node]\ndata_dir = "/nowhere"\n[[listener]]\naddress = "127.0.0.1:1"\n')
    words = ["--config", str(file), "--listen", "[::1]:2", "--listen", "unix:/tmp/x", "--memory"]
    config, path = run.effective_config(
        run.parse([*words, "--data-dir", str(tmp_path / "data")]), own_folders
    )
    assert path == str(file)
    assert [listener.address for listener in config.listener] == ["[::1]:2", "unix:/tmp/x"]
    assert config.node.mode == "memory"
    assert config.node.data_dir == str(tmp_path / "data")
    # Brokers of one user are told apart by their state folder.
    assert config.node.control_socket == str(tmp_path / "data" / "control.sock")


def test_memory_mode_makes_no_folder(own_folders: dict[str, str], tmp_path: Path) -> None:
    run.effective_config(run.parse(["--memory"]), own_folders)
    assert not (tmp_path / "home").exists()


def test_folder_that_cannot_be_made_is_explained(
    own_folders: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = ["--data-dir", str(tmp_path / "file" / "data")]
    with pytest.raises(ConfigError, match=r"node\.data_dir"):
        run.effective_config(run.parse(words), own_folders)


def test_bad_listen_address_is_explained(own_folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="--listen nonsense"):
        run.effective_config(run.parse(["--listen", "nonsense"]), own_folders)


def test_commands_find_the_socket_that_exists(own_folders: dict[str, str], tmp_path: Path) -> None:
    def find(**named: str | None) -> Path:
        given = {"socket_path": None, "data_dir_path": None, "config_path": None} | named
        return paths.find_control_socket(own_folders, **given)

    own_folders["XDG_RUNTIME_DIR"] = str(tmp_path / "runtime")
    assert find() == paths.RUN_DIR / "control.sock"
    there = tmp_path / "runtime" / "robustmq-edge" / "control.sock"
    there.parent.mkdir(parents=True)
    there.touch()
    assert find() == there
    assert find(socket_path="/a") == Path("/a")
    assert find(data_dir_path="/b") == Path("/b/control.sock")
    file = tmp_path / "my.toml"
    file.write_text(f'[node]\ncontrol_socket = "{tmp_path}/c"\n')
    (tmp_path / "c").touch()
    assert find(config_path=str(file)) == tmp_path / "c"
    file.write_text("nonsense")
    with pytest.raises(ConfigError):
        find(config_path=str(file))
