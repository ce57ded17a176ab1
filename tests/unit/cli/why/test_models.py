import msgspec
from tests.unit.cli.why.test_decide import FACTS, ready, service

from inferplane.cli.why.causes import Kind
from inferplane.cli.why.decide import Explanation, decide
from inferplane.cli.why.facts import TrainedModel


def model(name: str, reason: str = "", message: str = "") -> TrainedModel:
    status = {"type": "Ready", "status": "False" if reason else "True", "reason": reason, "message": message}
    return msgspec.convert({"metadata": {"name": name}, "status": {"conditions": [status]}}, TrainedModel)


def explained(*models: TrainedModel, **index: tuple[str, str]) -> Explanation:
    facts = {one: getattr(FACTS, one) for one in FACTS.__dataclass_fields__}
    return decide(type(FACTS)(**{**facts, "service": service(status=ready()), "models": models, "index": index}))


def test_a_model_that_the_server_does_not_get_is_told_with_what_to_do() -> None:
    found = explained(model("good"), model("big", "MemoryResourceNotAvailable", "it needs 3Gi"))
    [cause] = found.causes
    assert found.headline == "inferenceservice/fraud says it is ready, but"
    assert (cause.kind, cause.subject, cause.details) == (Kind.MODEL_NOT_SERVED, "big", ("it needs 3Gi",))
    assert cause.summary == "its server does not get it (MemoryResourceNotAvailable)"
    assert cause.fix.startswith("raise the container's memory limit")
    assert found.next == "kubectl describe trainedmodel big"


def test_a_model_that_the_server_cannot_have_is_told_with_its_reason() -> None:
    found = explained(
        model("lost"),
        lost=("UNAVAILABLE", "s3://b/lost: nothing there"),
        new=("READY", "the version of before is served: s3://b/new: nothing there"),
        fine=("READY", ""),
        coming=("LOADING", "being fetched"),
    )
    assert [(one.subject, one.summary) for one in found.causes] == [
        ("lost", "its server cannot have it"),
        ("new", "its newest version cannot be had"),
    ]
    assert found.causes[0].details == ("s3://b/lost: nothing there",)


def test_of_many_the_first_are_told_and_the_others_counted() -> None:
    found = explained(*(model(f"m{number}", "FrameworkNotSupported") for number in range(8)))
    assert [one.subject for one in found.causes] == ["m0", "m1", "m2", "m3", "m4", "models"]
    assert found.causes[-1].summary == "3 more are not served as they should be"


def test_models_that_are_fine_are_counted() -> None:
    found = explained(model("a"), model("b"), a=("READY", ""), b=("READY", "not in memory: the next request loads it"))
    assert found.fine
    assert found.notes[0] == "it serves 2 models, 1 of them not in memory until they are asked"
