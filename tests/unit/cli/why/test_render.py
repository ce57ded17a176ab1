from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.decide import Explanation
from inferplane.cli.why.render import render


def test_a_fine_service_is_one_line() -> None:
    assert render(Explanation("inferenceservice/iris is ready: 1 replica.")) == [
        "inferenceservice/iris is ready: 1 replica."
    ]


def test_more_about_a_fine_service_follows_its_line() -> None:
    told = Explanation("inferenceservice/iris is ready: 1 replica.", notes=("autoscaler iris-predictor: 1 of 1 to 3.",))
    assert render(told) == [told.headline, "autoscaler iris-predictor: 1 of 1 to 3."]


def test_causes_come_with_evidence_fix_last_lines_and_the_next_command() -> None:
    cause = Cause(
        Kind.MODEL_NOT_LOADED,
        "predictor",
        "the model did not load",
        ("model.joblib: not a joblib file",),
        "fetch it again",
    )
    told = Explanation(
        "inferenceservice/fraud is not ready for 12 s, because",
        (cause,),
        "fraud-predictor-7c9d-1",
        ("12:04:31 ValueError: unknown magic number",),
        "inferplane logs fraud --previous",
    )
    assert render(told) == [
        "inferenceservice/fraud is not ready for 12 s, because",
        "  predictor: the model did not load",
        "    model.joblib: not a joblib file",
        "  fix   fetch it again",
        "  last lines of fraud-predictor-7c9d-1:",
        "    12:04:31 ValueError: unknown magic number",
        "next: inferplane logs fraud --previous",
    ]


def test_a_missing_service_is_not_said_twice() -> None:
    cause = Cause(Kind.NOT_FOUND, "", "there is no inferenceservice/x", ("there is none yet",))
    assert render(Explanation("there is no inferenceservice/x", (cause,))) == [
        "there is no inferenceservice/x",
        "    there is none yet",
    ]


def test_no_more_than_the_last_ten_lines_are_shown() -> None:
    cause = Cause(Kind.CRASHING, "predictor", "it crashed")
    lines = render(Explanation("h", (cause,), "p", tuple(f"line {n}" for n in range(30))))
    assert lines[-10:] == [f"    line {n}" for n in range(20, 30)]
