"""Who may connect and what they may do: password files, ACL files, Client Identifiers.

mosquitto can have a file for each listener; here there is one for all. Where that is not the same,
the report says so.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.acl import translate_acl
from edge.config.mosquitto.files import MODE_PLAIN, MODE_SECRET
from edge.config.mosquitto.options import LEFT
from edge.config.mosquitto.reader import is_security, is_true, read_lines
from edge.config.mosquitto.report import Setting
from edge.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.mosquitto.files import EdgeToml
    from edge.config.mosquitto.listeners import Listener
    from edge.config.mosquitto.reader import MosquittoConf
    from edge.config.mosquitto.report import ImportReport

PASSWORDS: Final = "passwords"
ACL: Final = "acl"

_ITERATIONS_MAX: Final = 1_000_000
_SALT_BYTES_MAX: Final = 1024
_HASH_BYTES: Final = 64

_LATER: Final = "a later line says something else"


def import_access(
    conf: MosquittoConf, listeners: list[Listener], toml: EdgeToml, report: ImportReport
) -> dict[str, tuple[str, int]]:
    """Carry over the security options; return the new files, by name, with their permissions."""
    importer = _Importer(conf, listeners, toml, report)
    importer.passwords()
    importer.acl()
    importer.client_ids()
    importer.others()
    return importer.files


class _Importer:
    def __init__(
        self, conf: MosquittoConf, listeners: list[Listener], toml: EdgeToml, report: ImportReport
    ) -> None:
        self.files: dict[str, tuple[str, int]] = {}
        self._conf = conf
        self._toml = toml
        self._report = report
        self._listeners = [listener.block for listener in listeners]
        # The blocks that security options can be in.
        self._blocks = self._listeners if conf.per_listener else [conf.general]

    def _effective(self, name: str) -> list[Setting | None]:
        """Return the setting that counts in each block; tell about those that do not."""
        blocks = self._listeners if name.startswith("listener_") else self._blocks
        for block in blocks:
            for setting in block.all(name):
                if setting is not block.last(name):
                    self._report.ignore(setting, _LATER)
        return [block.last(name) for block in blocks]

    def _by_path(self, name: str) -> tuple[dict[Path, list[Setting]], bool]:
        """Return the files that an option names, and whether each block names the same one."""
        by_path: dict[Path, list[Setting]] = {}
        effective = self._effective(name)
        for setting in effective:
            if setting is not None:
                by_path.setdefault(self._conf.resolve(setting.value), []).append(setting)
        return by_path, len(by_path) == 1 and None not in effective

    # -- passwords

    def passwords(self) -> None:
        """Carry over the password files: their users become one file."""
        by_path, is_same = self._by_path("password_file")
        users: dict[str, str] = {}
        sources = []
        for path, settings in by_path.items():
            try:
                count = self._add_users(path, users)
            except ConfigError as error:
                for setting in settings:
                    instead = f"{error.message}: copy it here and set access.password_file"
                    self._report.leave(setting, instead)
                continue
            sources.append(str(path))
            for setting in settings:
                now = self._toml.set("access.password_file", PASSWORDS, setting)
                self._report.carry(setting, f"{now}, {count} user{'' if count == 1 else 's'}")
        if not sources:
            return
        lines = [f"# from {source}" for source in sources]
        lines += [f"{name}:{stored}" for name, stored in users.items()]
        self.files[PASSWORDS] = ("\n".join(lines) + "\n", MODE_SECRET)
        if any(stored.startswith(("$6$", "$7$")) for stored in users.values()):
            self._report.note(
                "mosquitto's password hashes go on working; each is replaced by a stronger one at "
                "the next login, so the broker must be able to write the file and its folder"
            )
        if any(stored.startswith("$argon2id$") for stored in users.values()):
            self._report.note("argon2id hashes need robustmq-edge[argon2] to be installed")
        if not is_same:
            self._report.note(
                "the users of all password files can log in at every listener here; mosquitto "
                "asked for passwords only where a listener names a file"
            )

    def _add_users(self, path: Path, users: dict[str, str]) -> int:
        """Add the users of a file; return how many."""
        count = 0
        for where, line in read_lines(path):
            name, _, stored = line.partition(":")
            user = Setting(where, "user", name)
            wrong = _what_is_wrong(name, stored)
            if wrong is not None:
                instead = f"{wrong}; set the password with `robustmq-edge passwd`"
                self._report.leave(user, instead)
            elif users.get(name, stored) != stored:
                self._report.leave(user, "was there before with another password, which is kept")
            else:
                users[name] = stored
                count += 1
        return count

    # -- ACL

    def acl(self) -> None:
        """Carry over the first ACL file."""
        by_path, is_same = self._by_path("acl_file")
        if not by_path:
            return
        (path, settings), *others = by_path.items()
        try:
            text = translate_acl(path, self._report)
        except ConfigError as error:
            text = "default deny\n"  # not everything for everybody
            self._toml.set("access.acl_file", ACL, settings[0])
            for setting in settings:
                instead = f"{error.message}: nothing is allowed until you fill `{ACL}`"
                self._report.leave(setting, instead)
        else:
            for setting in settings:
                self._report.carry(setting, self._toml.set("access.acl_file", ACL, setting))
        self.files[ACL] = (f"# from {path}\n{text}", MODE_PLAIN)
        for _, unused in others:
            for setting in unused:
                self._report.leave(
                    setting,
                    f"there is one ACL for all listeners, {path} is taken: add these rules by "
                    "hand, or keep listeners apart by mount_point",
                )
        if not is_same:
            self._report.note(
                "the ACL holds at every listener here; listeners of mosquitto without acl_file "
                "allowed everything"
            )

    # -- the rest

    def client_ids(self) -> None:
        """Carry over the two options about Client Identifiers."""
        for setting, is_same in self._common("allow_zero_length_clientid"):
            if not is_same:
                self._leave_common(setting, "session.client_id_empty_allowed")
                continue
            allowed = is_true(setting)
            now = self._toml.set("session.client_id_empty_allowed", allowed, setting)
            self._report.carry(setting, now)
        for name in ("auto_id_prefix", "listener_auto_id_prefix"):
            for setting, is_same in self._common(name):
                if is_same:
                    now = self._toml.set("session.client_id_prefix", setting.value, setting)
                    self._report.carry(setting, now)
                else:
                    self._leave_common(setting, "session.client_id_prefix")

    def _common(self, name: str) -> list[tuple[Setting, bool]]:
        """Return the settings of an option, and whether it is the same everywhere."""
        effective = self._effective(name)
        is_same = len({setting and setting.value for setting in effective}) == 1
        return [(setting, is_same) for setting in effective if setting is not None]

    def _leave_common(self, setting: Setting, path: str) -> None:
        self._report.leave(setting, f"it is one setting for all listeners here: see {path}")

    def others(self) -> None:
        """Tell about plugins and pre-shared keys."""
        known = {
            "acl_file", "allow_anonymous", "allow_zero_length_clientid", "auto_id_prefix",
            "password_file",
        }  # fmt: skip
        for block in self._blocks:
            for setting in block.settings:
                if is_security(setting.name) and setting.name not in known:
                    self._report.leave(setting, LEFT.get(setting.name, LEFT["plugin"]))
                    if "dynamic_security" in setting.value or "dynsec" in setting.value:
                        self._report.note(
                            "dynamic security: `mosquitto_ctrl dynsec listClients` and `getRole` "
                            "show what to write into passwords and acl; its hashes are mosquitto's "
                            "$7$ in other words and cannot be carried by this command"
                        )


def _what_is_wrong(name: str, stored: str) -> str | None:
    """Say why our password file cannot hold a line; None: it can."""
    if not name or any(not character.isprintable() for character in name):
        return "the name is empty or has control characters"
    kind, _, rest = stored.removeprefix("$").partition("$")
    if stored.startswith("$argon2id$"):
        return None if stored.count("$") == 5 else "the hash is damaged"
    if not stored.startswith("$") or kind not in ("6", "7"):
        return "the password is missing, or is not hashed"
    fields = rest.split("$")
    if kind == "7":
        iterations = fields.pop(0)
        if not iterations.isascii() or not iterations.isdigit() or len(iterations) > 7:
            return "the hash is damaged"
        if not 1 <= int(iterations) <= _ITERATIONS_MAX:
            return f"the hash has more than {_ITERATIONS_MAX:_} iterations, or none"
    sizes = [_base64_bytes(each) for each in fields]
    is_sound = len(sizes) == 2 and 1 <= sizes[0] <= _SALT_BYTES_MAX and sizes[1] == _HASH_BYTES
    return None if is_sound else "the hash is damaged"


def _base64_bytes(text: str) -> int:
    """Return how many bytes some base64 stands for; -1 if it is none."""
    try:
        return len(a2b_base64(text, strict_mode=True))
    except (Base64Error, ValueError):
        return -1
