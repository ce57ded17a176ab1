import pytest

from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.templates import TemplateError, rendered, rendered_tree

DATA: JsonObject = {"Name": "iris", "Labels": {"team": "a"}, "Annotations": {"modelFormat": "sklearn"}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("--model_name={{.Name}}", "--model_name=iris"),
        ("{{ .Name }}-{{.Labels.team}}", "iris-a"),
        ("--framework={{.Annotations.modelFormat}}", "--framework=sklearn"),
        ("{{.Labels.absent}}", "<no value>"),
        ("no template", "no template"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
    ],
)
def test_fields_are_filled_in(template: str, text: str) -> None:
    assert rendered(template, DATA) == text


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{.Nmae}}", "no field .Nmae: use one of .Name, .Labels, .Annotations"),
        ("{{if .Name}}x{{end}}", "{{if .Name}} is not supported"),
        ("{{.Name", "without '}}'"),
        ("{{.Name.first}}", ".Name has no fields, so not .first either"),
        ("{{.Labels}}", ".Labels is not a single value"),
    ],
)
def test_anything_else_is_an_error_that_says_what(template: str, part: str) -> None:
    with pytest.raises(TemplateError) as caught:
        rendered(template, DATA)
    assert part in str(caught.value)


def test_a_tree_is_filled_in_at_its_texts_only() -> None:
    tree: JsonObject = {"{{.Name}}": ["{{.Name}}", 1, None, {"a": "{{.Name}}"}]}
    assert rendered_tree(tree, DATA) == {"{{.Name}}": ["iris", 1, None, {"a": "iris"}]}
