"""A git repository as it is at one commit: `https://HOST/REPO.git[#REF][?ref=REF]`, by way of the `git` command.

Authorisation as KServe has it: the user in the URI or GIT_USERNAME, with GIT_PASSWORD; it is handed to git in its
environment, never in an argument.
"""

import base64
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from inferplane.dataplane.storage.errors import Interrupted, StorageError, missing, scrubbed, shown, unauthenticated
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.settings import trust

_CHUNK = 1 << 20


class Repository:
    ranges = False

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._uri = uri
        if shutil.which("git", path=environ.get("PATH")) is None:
            raise StorageError(f"{shown(uri)}: git is not installed on this machine", fix="install git")
        self._url, self._ref, user = located(uri)
        self._user = user or environ.get("GIT_USERNAME", "")
        self._environ = _environment(environ, self._user)

    @property
    def name(self) -> str:
        return f"git {shown(self._url)}"

    def entries(self) -> list[Entry]:
        said = self._git("ls-remote", self._url, *_candidates(self._ref)).decode()
        # An annotated tag is listed twice; the line with ^{} has the commit.
        commits = [line.split()[0] for line in sorted(said.splitlines(), key=lambda one: one.endswith("^{}"))]
        if not commits:
            raise missing(self._uri, f"branch or tag {self._ref!r}" if self._ref else "commit")
        return [Entry("repository.tar", self._ref or "HEAD", None, commits[-1], archive="tar")]

    def digest(self, entry: Entry) -> Digest | None:
        return None  # git checks every object as it comes

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        with tempfile.TemporaryDirectory(prefix="inferplane-git-") as directory:
            self._clone(directory)
            archive = Path(directory, ".git", "inferplane.tar")
            self._git("-C", directory, "archive", "--format=tar", "--output", str(archive), "HEAD")
            with archive.open("rb") as content:
                while block := content.read(_CHUNK):
                    yield block

    def _clone(self, directory: str) -> None:
        branch = ["--branch", self._ref] if self._ref else []
        try:
            self._git("clone", "--quiet", "--depth", "1", *branch, self._url, directory)
        except StorageError as error:
            if "shallow" not in error.message:
                raise
            # A server of plain files has no part of the history to give.
            self._git("clone", "--quiet", *branch, self._url, directory)

    def _git(self, *words: str) -> bytes:
        done = subprocess.run(
            ["git", *words], env=self._environ, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise self._failure(scrubbed(done.stderr.decode(errors="replace")))
        return done.stdout

    def _failure(self, said: str) -> StorageError:
        lower = said.lower()
        if any(word in lower for word in ("authentication", "could not read username", "403", "401")):
            who = f"user {self._user}" if self._user else "an anonymous caller"
            return unauthenticated(self._uri, identity=f"authentication of {who}", said=said)
        if "not found" in lower or "404" in lower:
            return missing(self._uri, "repository")
        words = f"{shown(self._uri)}: git failed: {said}"
        temporary = ("could not resolve", "failed to connect", "early eof", "timed out", "connection")
        return Interrupted(words) if any(word in lower for word in temporary) else StorageError(words)


def located(uri: str) -> tuple[str, str, str]:
    """The URL that git takes, the branch or tag (or ""), the user (or ""). A password in the URI is left out."""
    parts = urlsplit(uri.removeprefix("git+"))
    ref = parts.fragment or parse_qs(parts.query).get("ref", [""])[0]
    if ref.startswith("-"):
        raise StorageError(f"{shown(uri)}: {ref!r} is no branch or tag")
    host = parts.netloc.rpartition("@")[2]
    # For ssh the user belongs to the address.
    netloc = parts.netloc if parts.scheme == "ssh" else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", "")), ref, unquote(parts.username or "")


def _candidates(ref: str) -> list[str]:
    return [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"] if ref else ["HEAD"]


def _environment(environ: Mapping[str, str], user: str) -> dict[str, str]:
    """git's own, with a header for the password and no questions to a terminal."""
    found = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "LC_ALL": "C"}
    if password := environ.get("GIT_PASSWORD"):
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        found |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
    if (authorities := trust(environ).authorities) is not None:
        found["GIT_SSL_CAINFO"] = str(authorities)
    return found
