"""Credentials for whoever fetches a model: Secrets and a ServiceAccount in, variables and volumes of a container out.

The rules, their order and every name are KServe's (reference section 6.5). Values of keys are never read here:
variables refer to the Secret, and the node resolves them. Only settings (endpoint, region, …) are written out. Pure.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Secret, ServiceAccount
from inferplane.resources.serving import config

_PREFIX = "serving.kserve.io/"
_ROLE = "eks.amazonaws.com/role-arn"
_ACCESS_KEY, _SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_GCS_VOLUME, _GCS_DIRECTORY = "user-gcp-sa", "/var/secrets/"
_HDFS_VOLUME, _HDFS_DIRECTORY = "hdfs-secrets", "/var/secrets/kserve-hdfscreds"
_AZURE_OLD = "AZ_"
_AZURE = (
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_ACCESS_TOKEN",
    "AZURE_ACCESS_EXPIRES_ON_SECONDS",
    "AZURE_ACCOUNT_NAME",
    "AZURE_SERVICE_URL",
)
_AZURE_RENAMED = ("SUBSCRIPTION_ID", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")


class StorageRefused(InferplaneError):
    """What a model is to be fetched with does not exist, or is not what it must be."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a container gets. Of two variables with one name the later one counts."""

    env: tuple[JsonObject, ...] = ()
    volumes: tuple[JsonObject, ...] = ()
    mounts: tuple[JsonObject, ...] = ()

    def __add__(self, other: "Given") -> "Given":
        names = {one["name"] for one in other.env}
        kept = tuple(one for one in self.env if one["name"] not in names)
        return Given((*kept, *other.env), (*self.volumes, *other.volumes), (*self.mounts, *other.mounts))

    def value(self, name: str) -> str:
        """Of a variable that is written out; "" for one that refers to a Secret."""
        return next((str(one.get("value", "")) for one in self.env if one["name"] == name), "")


def of_account(
    account: ServiceAccount | None, chosen: str, secrets: Mapping[str, Secret], settings: config.Credentials
) -> Given:
    """`chosen` is the one Secret that an annotation of the pod names, or "". Raises StorageRefused.

    An account that does not exist gives nothing, as in KServe.
    """
    if account is None and not chosen:
        return Given()
    found = Given()
    if account is not None and _ROLE in account.metadata.annotations:
        found += Given(tuple(_s3_settings(account.metadata.annotations, {}, settings.s3)))
    names = [chosen] if chosen else [one.name for one in account.secrets] if account else []
    for name in names:
        if name not in secrets:
            who = (
                "the annotation of the pod" if chosen else f"ServiceAccount {account.metadata.name if account else ''}"
            )
            raise StorageRefused(
                f'secret "{name}", named by {who}, does not exist', fix="create it, or correct the name"
            )
        found += of_secret(secrets[name], settings)
    return found


def of_secret(secret: Secret, settings: config.Credentials) -> Given:
    """By the first rule whose key the Secret has. Raises StorageRefused when its values are not what they must be."""
    name = secret.metadata.name
    rules: Sequence[tuple[bool, Callable[[], Given]]] = (
        (settings.s3.s3_secret_access_key_name in secret.data, lambda: _s3(secret, settings.s3)),
        (
            settings.gcs.gcs_credential_file_name in secret.data,
            lambda: _gcs(name, settings.gcs.gcs_credential_file_name),
        ),
        (_has(secret, "AZ_CLIENT_ID", "AZURE_CLIENT_ID", "AZURE_ACCESS_TOKEN"), lambda: _azure(secret)),
        (_has(secret, "AZURE_STORAGE_ACCESS_KEY"), lambda: _azure_key(secret)),
        (_has(secret, "https-host"), lambda: _https(secret)),
        (_has(secret, "HDFS_NAMENODE"), lambda: _hdfs(name)),
        (_has(secret, "HF_TOKEN"), lambda: Given((_reference("HF_TOKEN", name),))),
        (_has(secret, "MODELSCOPE_API_TOKEN"), lambda: Given((_reference("MODELSCOPE_API_TOKEN", name),))),
    )
    return next((made() for fits, made in rules if fits), Given())


def _has(secret: Secret, *keys: str) -> bool:
    return any(key in secret.data for key in keys)


def _reference(variable: str, secret: str, key: str = "") -> JsonObject:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key or variable}}}


def text(secret: Secret, key: str) -> str:
    """A value of the Secret. Raises StorageRefused."""
    try:
        return base64.b64decode(secret.data.get(key, ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise StorageRefused(f'secret "{secret.metadata.name}": key {key} is not base64 of a text') from error


# --- S3 ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Setting:
    """One row of 6.5: where a setting of S3 may be said, first to last, and the variable that it becomes."""

    annotation: str
    key: str
    default: Callable[[config.S3Credentials], str]
    variable: str = ""


_USE_HTTPS = _Setting("s3-usehttps", "S3_USE_HTTPS", lambda s3: s3.s3_use_https, "S3_USE_HTTPS")
_ENDPOINT = _Setting("s3-endpoint", "S3_ENDPOINT", lambda s3: s3.s3_endpoint, "S3_ENDPOINT")
_OTHERS = (
    _Setting("s3-verifyssl", "S3_VERIFY_SSL", lambda s3: s3.s3_verify_ssl, "S3_VERIFY_SSL"),
    _Setting(
        "s3-useanoncredential",
        "awsAnonymousCredential",
        lambda s3: s3.s3_use_anonymous_credential,
        "awsAnonymousCredential",
    ),
    _Setting("s3-region", "AWS_DEFAULT_REGION", lambda s3: s3.s3_region, "AWS_DEFAULT_REGION"),
    _Setting(
        "s3-usevirtualbucket",
        "S3_USER_VIRTUAL_BUCKET",
        lambda s3: s3.s3_use_virtual_bucket,
        "S3_USER_VIRTUAL_BUCKET",
    ),
    _Setting("s3-useaccelerate", "S3_USE_ACCELERATE", lambda s3: s3.s3_use_accelerate, "S3_USE_ACCELERATE"),
    _Setting("s3-cabundle", "AWS_CA_BUNDLE", lambda s3: s3.s3_ca_bundle, "AWS_CA_BUNDLE"),
    _Setting(
        "s3-cabundle-configmap",
        "AWS_CA_BUNDLE_CONFIGMAP",
        lambda s3: s3.s3_ca_bundle_config_map,
        "AWS_CA_BUNDLE_CONFIGMAP",
    ),
)


def _s3(secret: Secret, settings: config.S3Credentials) -> Given:
    name = secret.metadata.name
    texts = {
        key: text(secret, key)
        for key in secret.data
        if any(key == one.key for one in (*_OTHERS, _ENDPOINT, _USE_HTTPS))
    }
    keys = (
        _reference(_ACCESS_KEY, name, settings.s3_access_key_id_name),
        _reference(_SECRET_KEY, name, settings.s3_secret_access_key_name),
    )
    return Given((*keys, *_s3_settings(secret.metadata.annotations, texts, settings)))


def _s3_settings(
    annotations: Mapping[str, str], data: Mapping[str, str], defaults: config.S3Credentials
) -> Iterator[JsonObject]:
    def said(one: _Setting) -> str:
        return annotations.get(_PREFIX + one.annotation) or data.get(one.key) or one.default(defaults)

    yield from _s3_endpoint(said(_ENDPOINT), said(_USE_HTTPS))
    for one in _OTHERS:
        if value := said(one):
            yield {"name": one.variable, "value": value}


def _s3_endpoint(endpoint: str, use_https: str) -> Iterator[JsonObject]:
    """A scheme in the endpoint wins over `use_https` ("0": plain HTTP)."""
    if not endpoint:
        return
    scheme, separator, host = endpoint.rpartition("://")
    if separator:
        use_https = "0" if scheme == "http" else "1"
    if use_https:
        yield {"name": "S3_USE_HTTPS", "value": use_https}
    yield {"name": "S3_ENDPOINT", "value": host}
    yield {"name": "AWS_ENDPOINT_URL", "value": f"{'http' if use_https == '0' else 'https'}://{host}"}


# --- the others -------------------------------------------------------------------------------------------------------


def _gcs(secret: str, file: str) -> Given:
    return Given(
        env=({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": f"{_GCS_DIRECTORY}{file}"},),
        volumes=({"name": _GCS_VOLUME, "secret": {"secretName": secret}},),
        mounts=({"name": _GCS_VOLUME, "mountPath": _GCS_DIRECTORY, "readOnly": True},),
    )


def _azure(secret: Secret) -> Given:
    """Under today's names, whichever the Secret has. The tenant is always named (KServe's clients expect it)."""
    name, env = secret.metadata.name, []
    for variable in _AZURE:
        old = f"{_AZURE_OLD}{variable.removeprefix('AZURE_')}"
        key = old if variable.removeprefix("AZURE_") in _AZURE_RENAMED and old in secret.data else variable
        if key in secret.data:
            env.append(_reference(variable, name, key))
        elif variable == "AZURE_TENANT_ID":
            # Optional, or a container with a token alone could not start.
            reference: JsonObject = {"name": name, "key": key, "optional": True}
            env.append({"name": variable, "valueFrom": {"secretKeyRef": reference}})
    return Given(tuple(env))


def _azure_key(secret: Secret) -> Given:
    """Beyond KServe's rule, account and endpoint where the Secret has them: without, no emulator could be reached."""
    found = [
        one for one in ("AZURE_STORAGE_ACCESS_KEY", "AZURE_ACCOUNT_NAME", "AZURE_SERVICE_URL") if one in secret.data
    ]
    return Given(tuple(_reference(one, secret.metadata.name) for one in found))


def _https(secret: Secret) -> Given:
    host = text(secret, "https-host").strip()
    return Given(({"name": f"{host}-headers", "value": text(secret, "headers")},))


def _hdfs(secret: str) -> Given:
    return Given(
        volumes=({"name": _HDFS_VOLUME, "secret": {"secretName": secret}},),
        mounts=({"name": _HDFS_VOLUME, "mountPath": _HDFS_DIRECTORY, "readOnly": True},),
    )


# --- authorities ------------------------------------------------------------------------------------------------------

_CA_VOLUME = "cabundle-cert"
_GLOBAL_BUNDLE = "global-ca-bundle"


def with_authorities(given: Given, initializer: config.StorageInitializer, namespace: str) -> Given:
    """The ConfigMap with certificates of authorities, of the secret or of the whole installation, mounted."""
    own = given.value("AWS_CA_BUNDLE_CONFIGMAP")
    common = initializer.ca_bundle_config_map_name
    if not own and not common:
        return given
    here = namespace == config.CONFIG_NAMESPACE
    name = own or (common if here else _GLOBAL_BUNDLE)
    directory = initializer.ca_bundle_volume_mount_path
    if own and (bundle := given.value("AWS_CA_BUNDLE")):
        directory = bundle.rpartition("/")[0]
    return replace(
        given + Given(
            (
                {"name": "CA_BUNDLE_CONFIGMAP_NAME", "value": name},
                {"name": "CA_BUNDLE_VOLUME_MOUNT_POINT", "value": directory},
            )
        ),
        volumes=(*given.volumes, {"name": _CA_VOLUME, "configMap": {"name": name}}),
        mounts=(*given.mounts, {"name": _CA_VOLUME, "mountPath": directory, "readOnly": True}),
    )  # fmt: skip
