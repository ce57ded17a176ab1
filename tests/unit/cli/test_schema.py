"""What the server says about a field, shown where the field is written. Messages are a real API server's."""

import pytest

from inferplane.cli.manifests import parse
from inferplane.cli.schema import FieldError, field_errors, field_names, located
from inferplane.client.kubernetes.api import ApiError, Invalid
from inferplane.kernel.json import JsonObject

ISVC = parse(
    """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: iris
spec:
  predictor:
    minReplicas: many
    model:
      modelFormt: {name: sklearn}
""",
    "isvc.yaml",
)[0]

STRICT = (
    'InferenceService in version "v1beta1" cannot be handled as a InferenceService: strict decoding error: '
    'unknown field "spec.predictor.model.modelFormt", unknown field "spec.replicaz"'
)
SERVER_SIDE = (
    "failed to create typed patch object (default/iris; serving.kserve.io/v1beta1, Kind=InferenceService): "
    "errors:\n  .spec.predictor.model.modelFormt: field not declared in schema"
)


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        (STRICT, ["spec.predictor.model.modelFormt", "spec.replicaz"]),
        (SERVER_SIDE, ["spec.predictor.model.modelFormt"]),
        (r'patch: Invalid value: "{\"a\":1}": strict decoding error: unknown field "extra"', ["extra"]),
    ],
)
def test_unknown_fields_are_found_in_every_wording(message: str, paths: list[str]) -> None:
    assert field_errors(ApiError(400, "BadRequest", message)) == [FieldError(path, unknown=True) for path in paths]


def test_causes_of_an_invalid_answer_name_fields_and_types() -> None:
    wrong: JsonObject = {
        "field": "spec.predictor.minReplicas",
        "message": 'Invalid value: "string": spec.predictor.minReplicas in body must be of type integer: "string"',
    }
    unchecked: JsonObject = {"field": "<nil>", "message": "Checked value must be of type integer"}
    answer = Invalid(422, "Invalid", "…", {"causes": [wrong, unchecked]})
    assert [located(one, ISVC, []) for one in field_errors(answer)] == [
        "isvc.yaml:7: spec.predictor.minReplicas: expected integer, got string"
    ]


def test_a_rule_about_the_whole_object_is_told_at_its_first_line() -> None:
    rule: JsonObject = {"field": "<nil>", "message": 'Invalid value: "object": the name must start with a letter'}
    (error,) = field_errors(Invalid(422, "Invalid", "…", {"causes": [rule]}))
    assert located(error, ISVC, []) == "isvc.yaml:1: the name must start with a letter"


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ('Invalid value: "string": cannot decode string into a field of type integer', "integer"),
        ("expected numeric (int or float), got string", "numeric (int or float)"),
    ],
)
def test_a_mistyped_field_of_a_server_side_apply_is_shown_at_its_line(fault: str, wanted: str) -> None:
    title = "failed to create typed patch object (default/x; serving.kserve.io/v1beta1, Kind=InferenceService)"
    (error,) = field_errors(ApiError(500, "InternalError", f"{title}: .spec.predictor.minReplicas: {fault}"))
    expected = f"isvc.yaml:7: spec.predictor.minReplicas: expected {wanted}, got string"
    assert located(error, ISVC, []) == expected


def test_an_answer_that_blames_no_field_has_no_field_errors() -> None:
    assert field_errors(ApiError(403, "Forbidden", "not allowed")) == []


def test_a_field_that_nearly_exists_is_suggested_at_its_line() -> None:
    error = FieldError("spec.predictor.model.modelFormt", unknown=True)
    assert located(error, ISVC, ["modelFormat", "storageUri"]) == (
        "isvc.yaml:9: spec.predictor.model.modelFormt: unknown field; did you mean modelFormat?"
    )


def test_without_a_near_name_those_there_are_are_listed() -> None:
    error = FieldError("spec.zzz", unknown=True)
    assert located(error, ISVC, ["predictor", "explainer"]) == (
        "isvc.yaml:5: spec.zzz: unknown field; there are: explainer, predictor"
    )


OPENAPI: JsonObject = {
    "components": {
        "schemas": {
            "kserve.InferenceService": {
                "x-kubernetes-group-version-kind": [
                    {"group": "serving.kserve.io", "version": "v1beta1", "kind": "InferenceService"}
                ],
                "properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/kserve.Spec"}]}, "kind": {}},
            },
            "kserve.Spec": {
                "properties": {
                    "predictor": {"properties": {"model": {"properties": {"modelFormat": {}, "storageUri": {}}}}},
                    "containers": {"items": {"properties": {"image": {}, "name": {}}}},
                    "limits": {"additionalProperties": {"properties": {"soft": {}}}},
                }
            },
        }
    }
}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("specc", ["spec", "kind"]),
        ("spec.predictor.model.modelFormt", ["modelFormat", "storageUri"]),
        ("spec.containers[0].imag", ["image", "name"]),
        ("spec.limits.cpu.sofft", ["soft"]),
        ("spec.nothing.x", []),
    ],
)
def test_the_names_that_could_stand_in_a_place_come_from_the_schema(path: str, names: list[str]) -> None:
    assert field_names(OPENAPI, "serving.kserve.io", "v1beta1", "InferenceService", path) == names


def test_a_kind_without_a_schema_has_no_names() -> None:
    assert field_names({}, "g", "v1", "K", "spec.x") == []
