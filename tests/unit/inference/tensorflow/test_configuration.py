import pytest

from inferplane.inference.tensorflow.configuration import Batching, ConfigurationError, Configured, batching, read
from inferplane.inference.tensorflow.versions import Policy, Versions


def config(text: str) -> str:
    return f'model_config_list {{ config {{ name: "m" base_path: "/m" {text} }} }}'


def test_a_model_has_a_name_and_a_directory() -> None:
    assert read(config("")) == [Configured("m", "/m", Versions())]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", Policy()),
        ("model_version_policy { all {} }", Policy(latest=0)),
        ("model_version_policy { latest { num_versions: 2 } }", Policy(latest=2)),
        ("model_version_policy { specific { versions: 3 versions: 1 } }", Policy(specific=(3, 1))),
    ],
)
def test_the_policy_says_which_versions(policy: str, expected: Policy) -> None:
    assert read(config(policy))[0].versions.policy == expected


def test_labels_name_versions_and_what_is_not_known_is_skipped() -> None:
    text = 'version_labels { key: "stable" value: 2 } logging_config { sampling_config { sampling_rate: 0.1 } }'
    assert read(config(text))[0].versions.labels == {"stable": 2}


@pytest.mark.parametrize(
    ("policy", "served"),
    [(Policy(), [3]), (Policy(latest=2), [3, 2]), (Policy(latest=0), [3, 2, 1]), (Policy(specific=(1, 9)), [1])],
)
def test_the_highest_version_comes_first(policy: Policy, served: list[int]) -> None:
    assert policy.choose([1, 3, 2]) == served


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no model in it"),
        ("model_config_list {", "not a ModelServerConfig: 1:"),
        ('model_config_list { config { base_path: "/m" } }', "config 1: name is missing"),
        ('model_config_list { config { name: "m" } }', "config 1: base_path is missing"),
        (config('model_platform: "caffe"'), "expected model_platform tensorflow, got caffe"),
        (config("model_version_policy { specific {} }"), "model m: specific names no versions"),
        (
            'model_config_list { config { name: "m" base_path: "/a" } config { name: "m" base_path: "/b" } }',
            "more than one model has the name m",
        ),
    ],
)
def test_what_is_no_configuration_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(text)
    assert words in str(raised.value)


def test_batching_has_tensorflow_servings_defaults() -> None:
    assert batching("") == Batching(1000, 0.0)
    text = "max_batch_size { value: 64 } batch_timeout_micros { value: 2500 } num_batch_threads { value: 4 }"
    assert batching(text) == Batching(64, 0.0025)
