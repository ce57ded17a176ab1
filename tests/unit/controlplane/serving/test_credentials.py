"""Secrets and ServiceAccounts as variables and volumes (sections 6.5 and 6.6 of the reference)."""

import base64
import json

import pytest

from inferplane.controlplane.serving import credentials
from inferplane.controlplane.serving.credentials import Given, StorageRefused, of_account, of_secret
from inferplane.controlplane.serving.storagespec import located
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import ObjectReference, Secret, ServiceAccount
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Credentials, S3Credentials, StorageInitializer
from inferplane.resources.serving.inferenceservice import StorageSpec

SETTINGS = Credentials()


def secret(name: str = "creds", /, **data: str) -> Secret:
    """Variables are not spelt with `-`: that is written `DASH`."""
    encoded = {key.replace("DASH", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return Secret(metadata=ObjectMeta(name=name), data=encoded)


def annotated(one: Secret, annotations: dict[str, str]) -> Secret:
    """Annotations without their prefix."""
    found = {f"serving.kserve.io/{key}": value for key, value in annotations.items()}
    return Secret(metadata=ObjectMeta(name=one.metadata.name, annotations=found), data=one.data)


def account(*secrets: str, **annotations: str) -> ServiceAccount:
    named = [ObjectReference(name=one) for one in secrets]
    return ServiceAccount(metadata=ObjectMeta(name="fetcher", annotations=annotations), secrets=named)


def refers(variable: str, key: str = "", name: str = "creds") -> JsonObject:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key or variable}}}


def literal(**values: str) -> list[JsonObject]:
    return [{"name": name, "value": value} for name, value in values.items()]


def test_the_keys_of_s3_are_references_and_its_settings_are_written_out() -> None:
    said = {"s3-endpoint": "minio:9000", "s3-usehttps": "0", "s3-region": "eu-west-1", "s3-useanoncredential": "false"}
    given = of_secret(annotated(secret(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="hidden"), said), SETTINGS)
    assert list(given.env) == [
        refers("AWS_ACCESS_KEY_ID"),
        refers("AWS_SECRET_ACCESS_KEY"),
        *literal(S3_USE_HTTPS="0", S3_ENDPOINT="minio:9000", AWS_ENDPOINT_URL="http://minio:9000"),
        *literal(awsAnonymousCredential="false", AWS_DEFAULT_REGION="eu-west-1"),
    ]
    assert "hidden" not in repr(given)


@pytest.mark.parametrize(
    ("annotation", "key", "variable"),
    [
        ("s3-verifyssl", "S3_VERIFY_SSL", "S3_VERIFY_SSL"),
        ("s3-useanoncredential", "awsAnonymousCredential", "awsAnonymousCredential"),
        ("s3-region", "AWS_DEFAULT_REGION", "AWS_DEFAULT_REGION"),
        ("s3-usevirtualbucket", "S3_USER_VIRTUAL_BUCKET", "S3_USER_VIRTUAL_BUCKET"),
        ("s3-useaccelerate", "S3_USE_ACCELERATE", "S3_USE_ACCELERATE"),
        ("s3-cabundle", "AWS_CA_BUNDLE", "AWS_CA_BUNDLE"),
        ("s3-cabundle-configmap", "AWS_CA_BUNDLE_CONFIGMAP", "AWS_CA_BUNDLE_CONFIGMAP"),
    ],
)
def test_a_setting_is_taken_from_the_annotation_before_the_data(annotation: str, key: str, variable: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    from_data = of_secret(secret(**keys, **{key: "data"}), SETTINGS)
    from_both = of_secret(annotated(secret(**keys, **{key: "data"}), {annotation: "said"}), SETTINGS)
    assert (from_data.value(variable), from_both.value(variable)) == ("data", "said")


def test_what_no_secret_says_comes_from_the_configuration() -> None:
    settings = Credentials(s3=S3Credentials(s3_endpoint="s3.corp", s3_region="us", s3_verify_ssl="0"))
    given = of_secret(secret(AWS_SECRET_ACCESS_KEY="b"), settings)
    assert [given.value(name) for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "S3_VERIFY_SSL")] == [
        "https://s3.corp", "us", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "use_https", "url"),
    [
        ("minio:9000", "", "https://minio:9000"),
        ("minio:9000", "1", "https://minio:9000"),
        ("minio:9000", "0", "http://minio:9000"),
        ("http://minio:9000", "1", "http://minio:9000"),
        ("https://minio:9000", "0", "https://minio:9000"),
    ],
)
def test_a_scheme_in_the_endpoint_wins(endpoint: str, use_https: str, url: str) -> None:
    given = of_secret(
        secret(AWS_SECRET_ACCESS_KEY="b", S3_ENDPOINT=endpoint, S3_USE_HTTPS=use_https), SETTINGS
    )  # fmt: skip
    assert (given.value("AWS_ENDPOINT_URL"), given.value("S3_ENDPOINT")) == (url, "minio:9000")


def test_other_names_of_the_keys_come_from_the_configuration() -> None:
    names = S3Credentials(s3_access_key_id_name="awsAccessKeyId", s3_secret_access_key_name="awsSecretAccessKey")
    given = of_secret(secret(awsAccessKeyId="a", awsSecretAccessKey="b"), Credentials(s3=names))
    assert list(given.env) == [
        refers("AWS_ACCESS_KEY_ID", "awsAccessKeyId"),
        refers("AWS_SECRET_ACCESS_KEY", "awsSecretAccessKey"),
    ]


def test_googles_file_is_mounted() -> None:
    given = of_secret(Secret(metadata=ObjectMeta(name="g"), data={"gcloud-application-credentials.json": ""}), SETTINGS)
    assert given == Given(
        env=tuple(literal(GOOGLE_APPLICATION_CREDENTIALS="/var/secrets/gcloud-application-credentials.json")),
        volumes=({"name": "user-gcp-sa", "secret": {"secretName": "g"}},),
        mounts=({"name": "user-gcp-sa", "mountPath": "/var/secrets/", "readOnly": True},),
    )


def test_azures_old_names_become_todays() -> None:
    given = of_secret(
        secret(AZ_CLIENT_ID="1", AZ_CLIENT_SECRET="2", AZ_TENANT_ID="3", AZ_SUBSCRIPTION_ID="4"), SETTINGS
    )
    assert list(given.env) == [
        refers("AZURE_SUBSCRIPTION_ID", "AZ_SUBSCRIPTION_ID"),
        refers("AZURE_TENANT_ID", "AZ_TENANT_ID"),
        refers("AZURE_CLIENT_ID", "AZ_CLIENT_ID"),
        refers("AZURE_CLIENT_SECRET", "AZ_CLIENT_SECRET"),
    ]


def test_azures_tenant_is_always_named() -> None:
    given = of_secret(secret(AZURE_ACCESS_TOKEN="t", AZURE_ACCOUNT_NAME="n"), SETTINGS)
    tenant = {"name": "creds", "key": "AZURE_TENANT_ID", "optional": True}
    assert list(given.env) == [
        {"name": "AZURE_TENANT_ID", "valueFrom": {"secretKeyRef": tenant}},
        refers("AZURE_ACCESS_TOKEN"),
        refers("AZURE_ACCOUNT_NAME"),
    ]


@pytest.mark.parametrize("key", ["AZURE_STORAGE_ACCESS_KEY", "HF_TOKEN", "MODELSCOPE_API_TOKEN"])
def test_a_single_key_becomes_a_variable_of_that_name(key: str) -> None:
    assert of_secret(secret(**{key: "hidden"}), SETTINGS) == Given((refers(key),))


def test_headers_of_a_web_server_are_named_by_its_host() -> None:
    given = of_secret(secret(httpsDASHhost="models.example.com", headers='{"x": "y"}'), SETTINGS)
    assert list(given.env) == [{"name": "models.example.com-headers", "value": '{"x": "y"}'}]


def test_the_secret_of_hdfs_is_mounted() -> None:
    given = of_secret(secret(HDFS_NAMENODE="nn"), SETTINGS)
    assert given.volumes == ({"name": "hdfs-secrets", "secret": {"secretName": "creds"}},)
    assert [one["mountPath"] for one in given.mounts] == ["/var/secrets/kserve-hdfscreds"]


def test_the_first_rule_that_fits_counts_and_what_fits_none_is_ignored() -> None:
    both = secret(AWS_SECRET_ACCESS_KEY="b", HF_TOKEN="t")
    assert [one["name"] for one in of_secret(both, SETTINGS).env] == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert of_secret(secret(password="x"), SETTINGS) == Given()


def test_every_secret_of_the_account_counts() -> None:
    secrets = {"a": secret("a", HF_TOKEN="t"), "b": secret("b", AZURE_STORAGE_ACCESS_KEY="k")}
    given = of_account(account("a", "b"), "", secrets, SETTINGS)
    assert list(given.env) == [refers("HF_TOKEN", name="a"), refers("AZURE_STORAGE_ACCESS_KEY", name="b")]


def test_the_secret_that_an_annotation_names_is_the_only_one() -> None:
    secrets = {"a": secret("a", HF_TOKEN="t"), "b": secret("b", AZURE_STORAGE_ACCESS_KEY="k")}
    given = of_account(account("a"), "b", secrets, SETTINGS)
    assert list(given.env) == [refers("AZURE_STORAGE_ACCESS_KEY", name="b")]


def test_a_role_gives_the_accounts_settings_and_a_secret_overrides_them() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r", "serving.kserve.io/s3-region": "eu"}
    assert list(of_account(account(**role), "", {}, SETTINGS).env) == literal(AWS_DEFAULT_REGION="eu")
    own = annotated(secret("a", AWS_SECRET_ACCESS_KEY="b"), {"s3-region": "us"})
    given = of_account(account("a", **role), "", {"a": own}, SETTINGS)
    assert [one for one in given.env if one["name"] == "AWS_DEFAULT_REGION"] == literal(AWS_DEFAULT_REGION="us")


def test_an_account_that_does_not_exist_gives_nothing_but_a_missing_secret_is_said() -> None:
    assert of_account(None, "", {}, SETTINGS) == Given()
    with pytest.raises(StorageRefused, match='secret "gone", named by ServiceAccount fetcher, does not exist'):
        of_account(account("gone"), "", {}, SETTINGS)
    with pytest.raises(StorageRefused, match='secret "gone", named by the annotation of the pod'):
        of_account(account(), "gone", {}, SETTINGS)


@pytest.mark.parametrize(
    ("env", "common", "namespace", "name", "directory"),
    [
        ({}, "corp-ca", "kserve", "corp-ca", "/etc/ssl/custom-certs"),
        ({}, "corp-ca", "ml", "global-ca-bundle", "/etc/ssl/custom-certs"),
        ({"AWS_CA_BUNDLE_CONFIGMAP": "own"}, "corp-ca", "ml", "own", "/etc/ssl/custom-certs"),
        ({"AWS_CA_BUNDLE_CONFIGMAP": "own", "AWS_CA_BUNDLE": "/ca/b.crt"}, "", "ml", "own", "/ca"),
    ],
)
def test_authorities_are_mounted_from_a_config_map(
    env: dict[str, str], common: str, namespace: str, name: str, directory: str
) -> None:
    initializer = StorageInitializer(ca_bundle_config_map_name=common)
    given = credentials.with_authorities(Given(tuple(literal(**env))), initializer, namespace)
    assert (given.value("CA_BUNDLE_CONFIGMAP_NAME"), given.value("CA_BUNDLE_VOLUME_MOUNT_POINT")) == (name, directory)
    assert given.volumes == ({"name": "cabundle-cert", "configMap": {"name": name}},)
    assert given.mounts == ({"name": "cabundle-cert", "mountPath": directory, "readOnly": True},)


def test_a_bundle_without_a_config_map_mounts_nothing() -> None:
    given = Given(tuple(literal(AWS_CA_BUNDLE="/ca/b.crt")))
    assert credentials.with_authorities(given, StorageInitializer(), "ml") == given


# --- storage spec -----------------------------------------------------------------------------------------------------


def entry(**fields: str) -> str:
    return json.dumps(fields)


MINIO = secret("storage-config", minio=entry(type="s3", bucket="models", secret_access_key="hidden"))


def test_an_entry_names_type_and_bucket() -> None:
    found = located(StorageSpec(key="minio", path="iris"), "storage-config", MINIO)
    assert found.uri == "s3://models/iris"
    assert list(found.given.env) == [refers("STORAGE_CONFIG", "minio", "storage-config")]
    assert "hidden" not in repr(found)


def test_parameters_override_the_entry() -> None:
    spec = StorageSpec(key="minio", path="/iris", parameters={"bucket": "other", "region": "eu"})
    found = located(spec, "storage-config", MINIO)
    assert found.uri == "s3://other/iris"
    assert found.given.value("STORAGE_OVERRIDE_CONFIG") == '{"bucket":"other","region":"eu"}'


@pytest.mark.parametrize(
    ("parameters", "keys", "variable"),
    [
        ({"type": "s3", "bucket": "b"}, {"default_s3": entry(type="s3")}, "default_s3"),
        ({"type": "s3", "bucket": "b"}, {"default": entry(type="s3")}, ""),
        (None, {"default": entry(type="hdfs")}, "default"),
        ({"type": "webhdfs"}, {}, ""),
    ],
)
def test_without_a_key_the_default_is_taken_if_there_is_one(
    parameters: dict[str, str] | None, keys: dict[str, str], variable: str
) -> None:
    found = located(StorageSpec(path="p", parameters=parameters), "storage-config", secret("storage-config", **keys))
    used = [one for one in found.given.env if one["name"] == "STORAGE_CONFIG"]
    assert used == ([refers("STORAGE_CONFIG", variable, "storage-config")] if variable else [])


@pytest.mark.parametrize(
    ("spec", "data", "words"),
    [
        (StorageSpec(key="gone"), {"minio": "{}"}, 'storage.key gone: not in secret "storage-config"; it has: minio'),
        (StorageSpec(key="k"), {"k": "{not json, hidden"}, "key k: expected a JSON object"),
        (StorageSpec(key="k"), {"k": entry(type="gcs")}, "expected a type, one of s3, hdfs, webhdfs, got 'gcs'"),
        (StorageSpec(key="k"), {"k": entry(bucket="b")}, "expected a type, one of s3, hdfs, webhdfs, got none"),
        (StorageSpec(key="k"), {"k": entry(type="s3")}, "expected a bucket for s3, got none"),
    ],
)
def test_what_is_wrong_with_a_storage_spec_is_said(spec: StorageSpec, data: dict[str, str], words: str) -> None:
    with pytest.raises(StorageRefused) as caught:
        located(spec, "storage-config", secret("storage-config", **data))
    assert words in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_bundle_of_the_entry_is_mounted() -> None:
    data = secret("storage-config", k=entry(type="s3", bucket="b", cabundle_configmap="ca"))
    found = located(StorageSpec(key="k"), "storage-config", data)
    assert found.given.value("AWS_CA_BUNDLE_CONFIGMAP") == "ca"
