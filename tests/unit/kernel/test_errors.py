from inferplane.kernel.errors import InferplaneError


def test_an_error_ends_with_what_to_do_about_it() -> None:
    assert str(InferplaneError("port 8080 is taken", fix="use --port")) == "port 8080 is taken: use --port"
    assert str(InferplaneError("port 8080 is taken")) == "port 8080 is taken"
