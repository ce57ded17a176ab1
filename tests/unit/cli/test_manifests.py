from pathlib import Path

import pytest

from inferplane.cli.manifests import ManifestError, parse, read_manifests

ISVC = """\
# a comment
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: iris
spec:
  predictor:
    model:
      modelFormat: {name: sklearn}
      modelFormt: x
    containers:
      - name: a
        env:
        - name: X
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 2),
        ("metadata.name", 5),
        ("spec.predictor.model.modelFormt", 10),
        (".spec.predictor.model.modelFormt", 10),
        ("spec.predictor.model.modelFormat.name", 9),
        ("spec.predictor.containers[0].env[0].name", 14),
    ],
)
def test_every_field_has_its_line(path: str, line: int) -> None:
    assert parse(ISVC, "isvc.yaml")[0].where(path) == f"isvc.yaml:{line}"


def test_a_field_that_is_missing_is_shown_at_the_nearest_parent() -> None:
    assert parse(ISVC, "isvc.yaml")[0].where("spec.predictor.containers[0].image") == "isvc.yaml:12"


def test_documents_of_one_file_keep_their_lines() -> None:
    two = parse(f"{ISVC}---\n{ISVC}", "two.yaml")
    assert [one.where("metadata.name") for one in two] == ["two.yaml:5", "two.yaml:20"]


def test_items_of_a_list_are_objects_of_their_own() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
    (one,) = parse(text, "list.yaml")
    assert (one.name, one.where("metadata.name")) == ("a", "list.yaml:4")


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = "apiVersion: v1\nkind: X\nmetadata: {name: a, creationTimestamp: 2020-01-01}\non: yes\n1: 2\n"
    (one,) = parse(text, "x.yaml")
    assert one.body["metadata"] == {"name": "a", "creationTimestamp": "2020-01-01"}
    assert (one.body["on"], one.body["1"]) == (True, 2)


def test_an_anchor_is_merged_and_may_be_overridden() -> None:
    text = "apiVersion: v1\nkind: X\nmetadata: {name: a}\nbase: &b {p: 1, q: 2}\nspec:\n  <<: *b\n  q: 3\n"
    assert parse(text, "x.yaml")[0].body["spec"] == {"p": 1, "q": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [\n", "x.yaml:3: not YAML: did not find expected node content"),
        ("- a\n", "x.yaml:1: expected an object with apiVersion and kind, got a list"),
        ("kind: A\n", "x.yaml:1: apiVersion is missing, so this is no Kubernetes object"),
        ("apiVersion: v1\nkind: A\nmetadata: {}\n", "x.yaml:3: metadata.name is missing"),
        ("spec:\n  a: 1\n  b: 2\n  a: 3\n", "x.yaml:4: spec.a is given twice, first on line 2: remove one"),
        ("spec: {a: 1, a: 3}\n", "x.yaml:1: spec.a is given twice, first on line 1: remove one"),
        ("a: !!binary aGVsbG8=\n", "x.yaml:1: tag:yaml.org,2002:binary has no meaning in JSON: quote the value"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ManifestError) as refused:
        parse(text, "x.yaml")
    assert str(refused.value) == message


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml"):
        (tmp_path / name).write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name[0]}}}\n")
    (tmp_path / "notes.txt").write_text("not a manifest")
    assert [one.name for one in read_manifests(str(tmp_path))] == ["a", "b"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nothing\.yaml: there is no such file"):
        read_manifests(str(tmp_path / "nothing.yaml"))


def test_a_file_without_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("---\n# nothing\n")
    with pytest.raises(ManifestError, match="holds no object"):
        read_manifests(str(tmp_path / "empty.yaml"))
