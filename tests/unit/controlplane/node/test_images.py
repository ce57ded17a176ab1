from pathlib import Path

import msgspec
import pytest

from inferplane.controlplane.node.environments.choose import Environment
from inferplane.controlplane.node.images import (
    PLAIN,
    ImageNotRunnable,
    ahead,
    environment_of,
    housed,
    install_hint,
    recipe,
    zygote,
    zygotes,
)
from inferplane.resources.core import Container
from inferplane.resources.process_image import ProcessImage, process_images

IMAGES = [msgspec.convert(one, ProcessImage) for one in process_images()]
SKLEARN = Container(name="c", image="kserve/sklearnserver:v0.15", args=["--model_name=iris"])


def test_a_command_wins_over_the_table_and_runs_under_the_plain_keeper() -> None:
    own = Container(name="c", image=SKLEARN.image, command=["python", "-m", "mine"], args=["--x"])
    found = recipe(own, IMAGES)
    assert (found.keeper, found.argv, found.entrypoint) == (PLAIN, ("python", "-m", "mine", "--x"), "")


def test_a_known_image_is_called_in_its_zygote_with_the_images_arguments_first() -> None:
    found = recipe(SKLEARN, IMAGES)
    assert found.argv == ("--format=sklearn", "--model_name=iris")
    assert found.entrypoint == "inferplane.assembly.model_server:main"
    assert found.announces
    assert found.keeper.preload == ("inferplane.assembly.warming:sklearn",)


def test_an_image_with_a_command_is_executed() -> None:
    spec = {"images": ["triton"], "command": ["tritonserver"], "args": ["--log=1"]}
    triton = msgspec.convert({"metadata": {"name": "triton"}, "spec": spec}, ProcessImage)
    found = recipe(Container(name="c", image="nvcr.io/x/triton:1", args=["--y"]), [triton])
    assert (found.keeper, found.argv) == (PLAIN, ("tritonserver", "--log=1", "--y"))


def test_an_unknown_image_names_the_three_ways_out() -> None:
    with pytest.raises(ImageNotRunnable) as raised:
        recipe(Container(name="c", image="nginx:1"), IMAGES)
    for word in ("nginx:1", "`command`", "ProcessImage", "container engine is not supported yet"):
        assert word in str(raised.value)


def test_a_changed_list_of_modules_makes_another_zygote() -> None:
    image = next(one for one in IMAGES if one.metadata.name == "kserve-sklearnserver")
    changed = msgspec.structs.replace(image, spec=msgspec.structs.replace(image.spec, preload=["json"]))
    assert zygote(image).name != zygote(changed).name
    assert len({one.name for one in zygotes(IMAGES)}) == len([one for one in IMAGES if one.spec.entrypoint])


def test_only_the_zygotes_that_are_used_most_start_with_the_node() -> None:
    names = sorted(spec.name.rpartition("-")[0] for spec in ahead(IMAGES))
    assert names == ["kserve-sklearnserver", "kserve-storage-initi"]


def test_a_missing_library_says_what_to_install() -> None:
    said = install_hint(recipe(SKLEARN, IMAGES), "ModuleNotFoundError: No module named 'sklearn'")
    assert said.startswith("ModuleNotFoundError: No module named 'sklearn'; ")
    assert said.endswith("pip install 'inferplane[sklearn]'")


def test_a_version_tag_chooses_the_version_of_the_images_library_and_a_release_of_kserve_does_not() -> None:
    images = {f"kserve/sklearnserver:{tag}": tag for tag in ("1.4.2", "v1.4.2", "1.4.2-gpu", "v0.15", "latest")}
    wishes = [recipe(Container(name="c", image=image), IMAGES).wish for image in images]
    assert [one.version for one in wishes if one is not None] == ["1.4.2", "1.4.2", "1.4.2", "", ""]
    assert {one.library for one in wishes if one is not None} == {"scikit-learn"}


def test_a_container_with_a_command_of_its_own_has_no_wish() -> None:
    assert recipe(Container(name="c", image=SKLEARN.image, command=["x"]), IMAGES).wish is None


def test_each_environment_has_a_zygote_of_its_own() -> None:
    spec = recipe(SKLEARN, IMAGES).keeper
    one, other = (Environment((f"scikit-learn=={v}",), (), "3.11", ours=True) for v in ("1.4.*", "1.6.*"))
    keepers = [housed(spec, environment, Path("/e") / environment.digest) for environment in (one, other)]
    assert len({spec.name, *(keeper.name for keeper in keepers)}) == 3
    assert keepers[0].python == f"/e/{one.digest}/bin/python"
    assert keepers[0].preload == spec.preload
    assert [environment_of(keeper.name) for keeper in (*keepers, spec)] == [one.digest, other.digest, ""]


def test_what_is_executed_in_an_environment_needs_no_keeper_of_its_own() -> None:
    foreign = Environment(("mlserver",), (), "3.11", ours=False)
    assert housed(PLAIN, foreign, Path("/e")) == PLAIN


@pytest.mark.parametrize(
    ("prewarm", "names"),
    [
        (None, ["kserve-sklearnserver", "kserve-storage-initi"]),
        (["none"], ["kserve-storage-initi"]),
        (["xgboost", "inferplane-onnxserver"], ["inferplane-onnxserve", "kserve-storage-initi", "kserve-xgbserver"]),
        (["lgbserver"], ["kserve-lgbserver", "kserve-storage-initi"]),
    ],
)
def test_the_runtimes_that_are_asked_for_are_warm_from_the_start(prewarm: list[str] | None, names: list[str]) -> None:
    assert sorted(one.name.rpartition("-")[0] for one in ahead(IMAGES, prewarm)) == names


def test_all_model_servers_are_warm_when_all_are_asked_for() -> None:
    others = [one for one in IMAGES if one.spec.on_demand and not one.spec.library]
    assert ahead(IMAGES, ["all"]) == [one for one in zygotes(IMAGES) if one not in zygotes(others)]


TENSORFLOW = Container(
    name="c",
    image="tensorflow/serving:2.6.2",
    command=["/usr/bin/tensorflow_model_server"],
    args=["--model_base_path=/mnt/models"],
)


def test_an_image_stands_in_for_a_command_that_the_machine_has_not() -> None:
    found = recipe(TENSORFLOW, IMAGES)
    assert found.entrypoint == "inferplane.assembly.tensorflow_serving:main"
    assert found.argv == ("--model_base_path=/mnt/models",)
    wordy = msgspec.structs.replace(TENSORFLOW, command=["tensorflow_model_server", "--port=9000"])
    assert recipe(wordy, IMAGES).argv == ("--port=9000", "--model_base_path=/mnt/models")


def test_a_command_that_the_machine_has_is_run_as_it_is() -> None:
    found = recipe(TENSORFLOW, IMAGES, {"/usr/bin/tensorflow_model_server"}.__contains__)
    assert (found.keeper, found.entrypoint) == (PLAIN, "")
    assert found.argv == ("/usr/bin/tensorflow_model_server", "--model_base_path=/mnt/models")


def test_an_image_stands_in_for_the_commands_that_it_names_and_no_other() -> None:
    other = msgspec.structs.replace(TENSORFLOW, command=["sh", "-c", "tensorflow_model_server"])
    assert recipe(other, IMAGES).keeper == PLAIN
    assert recipe(msgspec.structs.replace(TENSORFLOW, image="mine:1"), IMAGES).keeper == PLAIN


def test_no_tag_of_tensorflow_serving_chooses_a_version_of_the_library() -> None:
    found = recipe(TENSORFLOW, IMAGES).wish
    assert found is not None
    assert (found.requirements, found.version) == (("inferplane[tensorflow]",), "")
