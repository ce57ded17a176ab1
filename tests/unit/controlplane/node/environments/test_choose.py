"""Which environment a container gets: the platform's own, or one with other versions."""

from dataclasses import replace

import pytest

from inferplane.controlplane.node.environments.choose import (
    Environment,
    Installed,
    InvalidRequirements,
    Wish,
    choose,
    chosen,
    same_minor,
)
from inferplane.resources.process_image import Choice, Companions

PLATFORM = Installed(
    versions={"scikit-learn": "1.9.1", "joblib": "1.6.0", "numpy": "2.4.6"},
    python="3.11",
    needs=("numpy>=1.26", "msgspec>=0.19"),
    extras={"sklearn": ["scikit-learn>=1.4", "joblib>=1.3"], "xgboost": ["xgboost-cpu>=3.0"]},
)
COMPANIONS = (
    Companions(versions="<1.4", requirements=["numpy<2"]),
    Companions(versions="==1.4.*", requirements=["numpy<2.1"]),
)


def wish(*, version: str = "", recorded: str = "") -> Wish:
    return Wish(
        requirements=("inferplane[sklearn]",),
        library="scikit-learn",
        companions=COMPANIONS,
        version=version,
        recorded=recorded,
    )


def built(one: Wish) -> Environment:
    found = choose(one, PLATFORM)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "more", [{}, {"recorded": "1.9.0"}, {"version": "1.9.1"}, {"version": "1.9"}, {"version": "1"}]
)
def test_the_platforms_own_environment_is_used_when_it_will_do(more: dict[str, str]) -> None:
    assert choose(wish(**more), PLATFORM) is None


def test_a_model_of_another_minor_version_gets_that_one_in_any_patch_release() -> None:
    found = built(wish(recorded="1.4.0"))
    assert found.requirements == ("joblib>=1.3", "numpy<2.1", "scikit-learn==1.4.*")
    assert found.recorded
    assert found.reason == "the model was saved with scikit-learn 1.4.0 and the platform has 1.9.1"
    assert found.digest == built(wish(recorded="1.4.2")).digest


def test_what_a_model_lists_goes_before_what_the_image_asks_for() -> None:
    assert choose(replace(wish(), listed=("joblib==1.6.*", "numpy")), PLATFORM) is None
    found = built(replace(wish(), listed=("joblib==1.2.*", "skops==0.13.*")))
    assert found.requirements == ("joblib==1.2.*", "scikit-learn>=1.4", "skops==0.13.*")
    assert found.recorded
    assert found.reason == "the platform's own environment does not have joblib==1.2.*, skops==0.13.*"


def test_the_tag_decides_over_what_the_model_records_and_is_taken_by_the_letter() -> None:
    found = built(wish(version="1.9.0", recorded="1.4.2"))
    assert "scikit-learn==1.9.0" in found.requirements
    assert not found.recorded


def test_companions_are_those_of_the_version() -> None:
    assert "numpy<2" in built(wish(version="1.3.2")).requirements
    assert not [one for one in built(wish(version="1.5")).requirements if "numpy" in one]


def test_what_the_platform_lacks_altogether_is_an_environment_of_its_own() -> None:
    found = built(Wish(requirements=("inferplane[xgboost]",), library="xgboost-cpu"))
    assert found.requirements == ("xgboost-cpu>=3.0",)
    assert found.reason == "the platform's own environment does not have xgboost-cpu>=3.0"


def test_our_own_code_puts_its_bounds_on_what_is_installed_and_a_foreign_server_has_none() -> None:
    foreign = Wish(requirements=("mlserver==1.7.1",), ours=False)
    assert built(foreign).constraints == ()
    assert built(wish(version="1.5")).constraints == PLATFORM.needs


def test_a_variable_of_the_container_chooses_among_what_an_image_has() -> None:
    more = Choice(variable="KIND", value="sklearn", requirements=["mlserver-sklearn"])
    one = Wish(requirements=("mlserver",), choices=(more,), ours=False)
    assert chosen(one, {"KIND": "sklearn"}).requirements == ("mlserver", "mlserver-sklearn")
    assert chosen(one, {"KIND": "xgboost"}) == chosen(one, {}) == one


def test_requirements_for_another_system_do_not_count() -> None:
    assert choose(Wish(requirements=("nothing ; python_version < '3'",)), PLATFORM) is None


@pytest.mark.parametrize("text", ["", "1.4.dev0+g12", "nightly"])
def test_a_record_that_is_no_release_leaves_the_choice_or_takes_its_minor_version(text: str) -> None:
    found = choose(wish(recorded=text), PLATFORM)
    assert (found is None) == (text != "1.4.dev0+g12")


def test_the_digest_is_that_of_the_content_alone() -> None:
    by_tag, by_record = built(wish(version="1.4")), built(wish(recorded="1.4.2"))
    assert (by_tag.digest, by_tag) == (by_record.digest, by_record)
    assert by_tag.digest != built(wish(version="1.4.2")).digest


def test_a_requirement_that_pip_would_not_take_is_named() -> None:
    with pytest.raises(InvalidRequirements, match=r"requirement 'two words'.*ProcessImage"):
        choose(Wish(requirements=("two words",)), PLATFORM)
    bad = Wish(library="scikit-learn", version="1.3", companions=(Companions(versions="old", requirements=[]),))
    with pytest.raises(InvalidRequirements, match="companions: versions 'old'"):
        choose(bad, PLATFORM)


def test_versions_differ_in_the_patch_release_only() -> None:
    assert same_minor("1.4.0", "1.4.2")
    assert not same_minor("1.4.2", "1.5.0")
    assert not same_minor("1.4.2", "")
