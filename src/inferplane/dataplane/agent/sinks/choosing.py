"""Which sink a URL is for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from urllib.parse import urlsplit

from inferplane.dataplane.agent.records import About, check_parquet
from inferplane.dataplane.agent.settings import Format, LoggerSettings
from inferplane.dataplane.agent.sinks.files import DirectoryFiles, LineFiles, directory
from inferplane.dataplane.agent.sinks.kafka import KafkaSink, topic
from inferplane.dataplane.agent.sinks.marshalling import marshaller
from inferplane.dataplane.agent.sinks.sink import Sink, WrongSink
from inferplane.dataplane.storage.errors import shown

BUCKETS = ("s3", "gs", "gcs", "abfs", "abfss")
_NOT_WRITTEN = ("s3a", "s3n")
_NEEDS = {
    "s3": ("obstore", "s3"),
    "abfs": ("obstore", "azure"),
    "abfss": ("obstore", "azure"),
    "kafka": ("aiokafka", "kafka"),
}
"""Library and extra by scheme."""


def check(settings: LoggerSettings) -> None:
    """Raises WrongSink, or NoParquet, for what cannot be set up, before anything is."""
    if settings.store.format is Format.PARQUET and any(_writes_files(url) for url in settings.urls):
        check_parquet()
    for url in settings.urls:
        scheme = urlsplit(url).scheme
        if scheme in _NOT_WRITTEN:
            raise WrongSink(f"{shown(url)}: expected s3://BUCKET/PATH", fix=f"write s3 in place of {scheme}")
        if scheme in BUCKETS and not urlsplit(url).netloc:
            raise WrongSink(f"{shown(url)}: no bucket in the url", fix=f"write {scheme}://BUCKET/PATH")
        if scheme in BUCKETS and not settings.store.path:
            raise WrongSink(f"{shown(url)}: a bucket needs --log-store-path", fix="say where in the bucket events lie")
        library, extra = _NEEDS.get(scheme, ("", ""))
        if library and find_spec(library) is None:
            fix = f"pip install 'inferplane[{extra}]'"
            raise WrongSink(f"{shown(url)}: events cannot be sent there: {library} is not installed", fix=fix)
        if scheme == "kafka":
            topic(url)
        elif scheme == "file":
            directory(url)


def _writes_files(url: str) -> bool:
    return urlsplit(url).scheme in (*BUCKETS, "file")


def sinks(settings: LoggerSettings, environ: Mapping[str, str]) -> list[Sink]:
    """One for each URL, made on the loop that uses them. Raises WrongSink, StorageError, NotInstalled."""
    return [_sink(url, settings, environ) for url in settings.urls]


def _sink(url: str, settings: LoggerSettings, environ: Mapping[str, str]) -> Sink:
    store = settings.store
    certificate = "" if settings.authorities is None else settings.authorities.name
    about = About(url, certificate, settings.skip_verify)
    scheme = urlsplit(url).scheme
    if scheme == "file":
        if (store.format or Format.JSONL) is Format.JSONL:
            return LineFiles(url, store, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        return DirectoryFiles(url, store, marshaller(store, Format.JSON, about))
    if scheme in BUCKETS:
        from inferplane.dataplane.agent.sinks.buckets import BucketSink
        from inferplane.dataplane.storage.uploads import uploads

        return BucketSink(url, store, marshaller(store, Format.JSON, about), uploads(url, environ))
    if scheme == "kafka":
        return KafkaSink(url, settings, environ)
    from inferplane.dataplane.agent.sinks.http import HttpSink
    from inferplane.dataplane.agent.sinks.tls import tls_context

    # Whatever else it is, KServe's agent takes it for HTTP.
    return HttpSink(url, settings, tls_context(settings))
