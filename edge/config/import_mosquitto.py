"""`robustmq-edge config import-mosquitto FILE --out DIR`: a mosquitto configuration becomes ours.

    edge.toml       listeners, limits and the rest; each key says which line it comes from
    passwords       users with the hashes that mosquitto has made: they go on working
    acl             the rules of its ACL file in our words
    upstream.toml   its bridges, for robustmq-edge-sync

What has no equal is in the report, with what to do instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge.config.load import load
from edge.config.mosquitto.access import import_access
from edge.config.mosquitto.bridge import import_bridges
from edge.config.mosquitto.files import MODE_PLAIN, MODE_SECRET, EdgeToml, write_all
from edge.config.mosquitto.general import import_general
from edge.config.mosquitto.listeners import find_listeners, import_listeners
from edge.config.mosquitto.reader import read_conf
from edge.config.mosquitto.report import ImportReport
from edge.errors import ConfigError

__all__ = ["ImportReport", "run"]

EDGE_TOML: Final = "edge.toml"
UPSTREAM_TOML: Final = "upstream.toml"


def run(file: str, out: str) -> ImportReport:
    """Convert a configuration and write the new files into a folder.

    Args:
        file: mosquitto.conf.
        out: the folder, made if it is not there. Nothing in it is overwritten.

    Returns:
        What became of each line, and what `config check` says about the result.

    Raises:
        ConfigError: a file cannot be read or written, or is there already.
    """
    report = ImportReport()
    conf = read_conf(Path(file))
    toml = EdgeToml(file)
    import_general(conf, toml, report)
    listeners = find_listeners(conf, report)
    files = import_access(conf, listeners, toml, report)
    import_listeners(conf, listeners, toml, report)
    upstream = import_bridges(conf, report)
    if upstream:
        files[UPSTREAM_TOML] = (upstream, MODE_SECRET)
    folder = Path(out)
    report.wrote = write_all(folder, {EDGE_TOML: (toml.text(), MODE_PLAIN), **files})
    try:
        load(str(folder / EDGE_TOML), {})
    except ConfigError as error:
        report.check = error.message.splitlines()
    report.sort()
    return report
