"""Runs one test under several protocol versions: the `version` argument gets 3, 4 or 5."""

from __future__ import annotations

from typing import Final

import pytest

from tests.support.packets import MQTT_3_1, MQTT_3_1_1, MQTT_5

MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82

both_versions = pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5], ids=["v3.1.1", "v5"])
all_versions = pytest.mark.parametrize(
    "version", [MQTT_3_1, MQTT_3_1_1, MQTT_5], ids=["v3.1", "v3.1.1", "v5"]
)
