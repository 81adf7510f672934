"""TLS of a listener: certificates, and what a client's certificate is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.files import TomlTable
from edge.config.mosquitto.options import IGNORED, LEFT
from edge.config.mosquitto.reader import is_true

if TYPE_CHECKING:
    from edge.config.mosquitto.reader import Block, MosquittoConf
    from edge.config.mosquitto.report import ImportReport, Setting

TLS_OPTIONS: Final = frozenset(
    {
        "cafile", "capath", "certfile", "ciphers", "ciphers_tls1.3", "crlfile", "dhparamfile",
        "disable_client_cert_date_checks", "keyfile", "psk_hint", "require_certificate",
        "tls_engine", "tls_engine_kpass_sha1", "tls_keyform", "tls_version",
        "use_identity_as_username", "use_subject_as_username",
    }
)  # fmt: skip

_VERSIONS: Final = {"tlsv1.3": "1.3", "tlsv1.2": "1.2"}
_PATHS: Final = {"certfile": "certificate_file", "keyfile": "key_file"}


def import_tls(conf: MosquittoConf, block: Block, table: TomlTable, report: ImportReport) -> bool:
    """Carry over the TLS options of a listener to [listener.tls].

    Returns:
        False if the listener asks for pre-shared keys: without them it would be open to others.
    """
    psk = block.last("psk_hint")
    # Half of it is a mistake that `config check` will tell: better than a listener without TLS.
    has_certificate = bool(block.all("certfile", "keyfile"))
    is_asking = block.is_true("require_certificate")
    tls = TomlTable("[listener.tls]")
    for setting in block.all(*TLS_OPTIONS):
        name = setting.name
        if setting is not block.last(name):
            report.ignore(setting, "a later line says something else")
        elif psk is not None and not has_certificate:
            report.leave(setting, "TLS with pre-shared keys is not supported: use certificates")
        elif not has_certificate:
            report.ignore(setting, "without certfile the listener has no TLS")
        elif name in _PATHS:
            tls.set(_PATHS[name], str(conf.resolve(setting.value)), setting)
            report.carry(setting, f"tls.{_PATHS[name]}")
        elif name in ("cafile", "crlfile"):
            _client_file(conf, setting, tls, report, is_asking=is_asking)
        elif name == "capath":
            _capath(setting, report, is_asking=is_asking)
        elif name == "require_certificate":
            _require_certificate(setting, tls, report)
        elif name in ("use_identity_as_username", "use_subject_as_username"):
            _username(setting, tls, report, is_asking=is_asking)
        elif name == "tls_version":
            _version(setting, tls, report)
        elif name == "ciphers":
            tls.set("ciphers", setting.value, setting)
            report.carry(setting, "tls.ciphers")
        elif name == "tls_keyform" and setting.word == "pem":
            report.ignore(setting, "it is the default")
        elif name in IGNORED:
            report.ignore(setting, IGNORED[name])
        else:
            report.leave(setting, LEFT.get(name, LEFT["tls_engine"]))
    if tls.values:
        table.nested.insert(0, tls)
    return psk is None or has_certificate


def _client_file(
    conf: MosquittoConf, setting: Setting, tls: TomlTable, report: ImportReport, *, is_asking: bool
) -> None:
    """Carry over what only matters for the certificates of clients."""
    if not is_asking:
        report.ignore(setting, "without require_certificate no client shows a certificate")
        return
    key = "client_ca_file" if setting.name == "cafile" else "crl_file"
    tls.set(key, str(conf.resolve(setting.value)), setting)
    report.carry(setting, f"tls.{key}")


def _capath(setting: Setting, report: ImportReport, *, is_asking: bool) -> None:
    if is_asking:
        report.leave(
            setting,
            f"put the certificates into one file, `cat {setting.value}/*.crt > clients-ca.pem`, "
            "and name it as tls.client_ca_file",
        )
    else:
        report.ignore(setting, "without require_certificate no client shows a certificate")


def _require_certificate(setting: Setting, tls: TomlTable, report: ImportReport) -> None:
    if is_true(setting):
        tls.set("client_certificate", "required", setting)
        report.carry(setting, 'tls.client_certificate = "required"')
    else:
        report.ignore(setting, "it is the default")


def _username(setting: Setting, tls: TomlTable, report: ImportReport, *, is_asking: bool) -> None:
    part = "common_name" if setting.name == "use_identity_as_username" else "subject"
    if not is_true(setting):
        report.ignore(setting, "it is the default")
    elif not is_asking:
        report.leave(setting, "has no effect without require_certificate true")
    else:
        tls.set("username_from", part, setting)
        report.carry(setting, f'tls.username_from = "{part}"')


def _version(setting: Setting, tls: TomlTable, report: ImportReport) -> None:
    version = _VERSIONS.get(setting.word)
    if version is None:
        report.leave(setting, "TLS 1.2 is the oldest version here: older clients need an update")
        return
    tls.set("version_min", version, setting)
    report.carry(setting, f'tls.version_min = "{version}"')
