from inferplane.kernel.json import JsonObject, list_at, number_at, object_at, text_at

POD: JsonObject = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}], "grace": 3, "on": True}}


def test_values_are_found_at_their_path() -> None:
    assert text_at(POD, "metadata", "name") == "a"
    assert number_at(POD, "spec", "grace") == 3
    assert list_at(POD, "spec", "containers") == [{"name": "c"}]
    assert object_at(POD, "metadata") == {"name": "a"}


def test_what_is_absent_or_of_another_type_is_empty() -> None:
    assert text_at(POD, "spec", "containers") == ""
    assert text_at(POD, "metadata", "name", "first") == ""
    assert number_at(POD, "spec", "on") == 0, "a boolean is not a number"
    assert list_at(POD, "status", "conditions") == []
    assert object_at(POD, "metadata", "name") == {}
