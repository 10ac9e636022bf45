"""Sensor models: files that name every field, refused by file and field."""

from dataclasses import fields

import pytest

from wm_core.paths import sensor_path
from wm_core.sensor_spec import SENSOR_SCHEMA, SensorError, SensorSpec, load_sensor


def test_the_schema_has_the_fields_of_the_model():
    assert {field.name for field in fields(SensorSpec)} == set(SENSOR_SCHEMA["properties"])


@pytest.mark.parametrize("file", sorted(sensor_path("any").parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_models_load(file):
    assert load_sensor(file.stem) != SensorSpec()


def test_an_unknown_model_names_those_there_are(tmp_path):
    with pytest.raises(SensorError, match="realistic"):
        load_sensor("no_such_sensor")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("jitter: fast\n")
    with pytest.raises(SensorError, match=r"wrong\.yaml: jitter"):
        load_sensor(wrong)
