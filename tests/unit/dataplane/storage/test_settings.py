"""Variables of the stores, as KServe's initializer reads them."""

from pathlib import Path

import pytest

from inferplane.dataplane.storage import s3
from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.settings import Patterns, Trust, effective, patterns, s3_trust, trust


def test_the_storage_spec_fills_the_variables_of_s3() -> None:
    config = (
        '{"type": "s3", "access_key_id": "a", "secret_access_key": "b", "endpoint_url": "http://minio:9000", '
        '"region": "us-south", "verify_ssl": false, "anonymous": "false"}'
    )
    found = effective({"STORAGE_CONFIG": config, "STORAGE_OVERRIDE_CONFIG": '{"region": "eu"}', "PATH": "/bin"})
    assert {key: found[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "PATH")} == {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_ENDPOINT_URL": "http://minio:9000",
        "AWS_DEFAULT_REGION": "eu",
        "PATH": "/bin",
    }
    assert s3_trust(found) == Trust(verify=False)


def test_a_storage_spec_that_is_no_json_is_refused_without_its_text() -> None:
    with pytest.raises(StorageError) as caught:
        effective({"STORAGE_CONFIG": '{"secret_access_key": "hidden", '})
    assert "STORAGE_CONFIG is not JSON: line 1" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, ""),
        ({"AWS_ENDPOINT_URL": "https://s3.amazonaws.com"}, ""),
        ({"AWS_ENDPOINT_URL": "http://minio:9000/"}, "http://minio:9000"),
        ({"S3_ENDPOINT": "minio:9000", "S3_USE_HTTPS": "0"}, "http://minio:9000"),
        ({"S3_ENDPOINT": "minio:9000"}, "https://minio:9000"),
        ({"AWS_ENDPOINT_URL": "http://minio:9000", "S3_USER_VIRTUAL_BUCKET": "true"}, "http://models.minio:9000"),
        ({"S3_USE_ACCELERATE": "true"}, "https://models.s3-accelerate.amazonaws.com"),
    ],
)
def test_the_endpoint_of_s3(environ: dict[str, str], endpoint: str) -> None:
    assert s3.endpoint(environ, "models") == endpoint


def test_keys_are_used_unless_the_reader_is_anonymous() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert s3.config(keys, "http://minio:9000") == {
        "region": "eu-west-1",
        "virtual_hosted_style_request": False,
        "endpoint": "http://minio:9000",
        "access_key_id": "a",
        "secret_access_key": "b",
    }
    anonymous = s3.config(keys | {"awsAnonymousCredential": "true"}, "")
    assert anonymous == {"region": "eu-west-1", "virtual_hosted_style_request": True, "skip_signature": True}


def test_amazons_own_bundle_comes_before_the_clusters(tmp_path: Path) -> None:
    (tmp_path / "cabundle.crt").write_text("")
    own = tmp_path / "own.crt"
    own.write_text("")
    cluster = {"CA_BUNDLE_CONFIGMAP_NAME": "global-ca-bundle", "CA_BUNDLE_VOLUME_MOUNT_POINT": str(tmp_path)}
    assert s3_trust(cluster | {"AWS_CA_BUNDLE": str(own)}) == Trust(authorities=own)
    assert s3_trust(cluster) == trust(cluster) == Trust(authorities=tmp_path / "cabundle.crt")
    with pytest.raises(StorageError, match=r"Failed to find ca bundle file\(/nowhere\)"):
        s3_trust({"AWS_CA_BUNDLE": "/nowhere"})


@pytest.mark.parametrize(
    ("allow", "found"),
    [
        ("", None),
        ('["*.onnx", "a/*"]', ("*.onnx", "a/*")),
        ('"*.onnx"', ("*.onnx",)),
        ("*.onnx, a/*", ("*.onnx", "a/*")),
        ("[]", ()),
    ],
)
def test_patterns_are_json_or_words_between_commas(allow: str, found: tuple[str, ...] | None) -> None:
    assert patterns({"STORAGE_ALLOW_PATTERNS": allow}) == Patterns(allow=found)


def test_a_pattern_crosses_directories_as_fnmatch_does() -> None:
    assert Patterns(allow=("*.bin",)).wants("deep/in/model.bin")
    assert not Patterns(ignore=("*.md",)).wants("doc/README.md")


def test_numbers_are_checked() -> None:
    with pytest.raises(StorageError, match="S3_MAX_ATTEMPTS: expected a positive number, got 'many'"):
        s3.retries({"S3_MAX_ATTEMPTS": "many"})
