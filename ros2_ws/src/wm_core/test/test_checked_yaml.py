"""What is wrong with a file that somebody wrote is said in their words: file, field, what was likely meant."""

import pytest

from wm_core.checked_yaml import load_checked

NUMBER = {"type": "number"}
SHAPE = {
    "type": "object",
    "properties": {"shape": {"enum": ["box", "ball"]}, "size": NUMBER, "radius": NUMBER},
    "oneOf": [
        {"properties": {"shape": {"const": "box"}}, "required": ["size"]},
        {"properties": {"shape": {"const": "ball"}}, "required": ["radius"]},
    ],
}
SCHEMA = {
    "type": "object",
    "required": ["mass"],
    "additionalProperties": False,
    "properties": {
        "mass": NUMBER,
        "part": SHAPE,
        "place": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "view": {"type": "object", "oneOf": [{"required": ["look_at"]}, {"required": ["orientation"]}]},
        "more": {"type": "object", "additionalProperties": False, "patternProperties": {"^x_": NUMBER}},
    },
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mas: 1", "file: unknown field 'mas' (did you mean 'mass'?); 'mass' is a required property"),
        ("{mass: 1, colour: red}", "file: unknown field 'colour', known are mass, part, place, view, more"),
        ("{mass: 1, more: {x_a: 1, b: 2}}", "more: unknown field 'b'"),
        ("{mass: 1, part: {shape: ball, size: 1}}", "part: 'radius' is a required property"),
        ("{mass: 1, part: {shape: box, size: big}}", "part.size: 'big' is not of type 'number'"),
        ("{mass: 1, place: 3}", "place: expected array or string, got 3"),
        ("{mass: 1, view: {}}", "view: expected look_at or orientation, got none of them"),
        (
            "{mass: 1, view: {look_at: 1, orientation: 2}}",
            "view: expected look_at or orientation, got look_at and orientation",
        ),
        ("", "expected the fields mass, the file is empty"),
        ("# nothing yet", "expected the fields mass, the file is empty"),
        ("{mass: heavy}", "mass: 'heavy' is not of type 'number'"),
    ],
)
def test_what_is_wrong_is_said_by_name(tmp_path, text, said):
    file = tmp_path / "my.yaml"
    file.write_text(text)
    with pytest.raises(ValueError) as refused:
        load_checked(file, SCHEMA, ValueError)
    assert str(refused.value) == f"{file}: {said}"


def test_what_follows_the_schema_is_returned(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("{mass: 1, part: {shape: ball, radius: 2}, place: here, more: {x_a: 1}}")
    assert load_checked(file, SCHEMA, ValueError)["part"] == {"shape": "ball", "radius": 2}
