import base64
from pathlib import Path

import pytest

from inferplane.client.kubernetes.kubeconfig import KubeconfigError, in_cluster, read_kubeconfig

CA = base64.b64encode(b"PEM").decode()
GOOD = """
apiVersion: v1
kind: Config
current-context: local
clusters:
- name: one
  cluster: {server: "https://127.0.0.1:6443/", certificate-authority-data: UEVN}
- name: two
  cluster: {server: "https://two", certificate-authority: pki/ca.crt, tls-server-name: api}
users:
- name: me
  user: {token: secret}
- name: file
  user: {tokenFile: token, client-certificate: pki/ca.crt, client-key: pki/ca.crt}
contexts:
- name: local
  context: {cluster: one, user: me, namespace: models}
- name: other
  context: {cluster: two, user: file}
- name: lost
  context: {cluster: three, user: me}
"""


def written(path: Path, text: str) -> Path:
    file = path / "config"
    file.write_text(text)
    return file


def test_the_current_context_gives_server_ca_token_and_namespace(tmp_path: Path) -> None:
    found = read_kubeconfig(written(tmp_path, GOOD))
    assert (found.server, found.ca, found.token, found.namespace) == (
        "https://127.0.0.1:6443",
        "PEM",
        "secret",
        "models",
    )


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("FILE")
    found = read_kubeconfig(written(tmp_path, GOOD), "other")
    assert (found.ca, found.client_certificate, found.token_file) == ("FILE", "FILE", tmp_path / "token")
    assert (found.namespace, found.tls_server_name) == ("default", "api")


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        (GOOD, "nope", "there is no context 'nope'; there are: local, lost, other"),
        (GOOD, "lost", "there is no cluster 'three'; there are: one, two"),
        ("{}", "", "current-context is not set: choose one: kubectl config use-context NAME"),
        ("a: [", "", "not YAML"),
        ("clusters: 3", "", r"not a kubeconfig: Expected `array \| null`, got `int` - at `\$.clusters`"),
        (GOOD.replace("https://127.0.0.1:6443/", "127.0.0.1"), "", "cluster 'one': server: expected a URL"),
        (GOOD.replace(CA, "'?'"), "", "certificate-authority-data: expected a PEM text"),
        (GOOD.replace("{token: secret}", "{exec: {command: aws}}"), "", "credentials from a command"),
    ],
)
def test_a_bad_kubeconfig_is_refused_with_the_place_and_the_fix(
    tmp_path: Path, text: str, context: str, message: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(KubeconfigError, match=message) as raised:
        read_kubeconfig(file, context)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=f"{tmp_path}/none: cannot be read"):
        read_kubeconfig(tmp_path / "none")


def test_a_pod_finds_its_server_in_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    (tmp_path / "namespace").write_text("models\n")
    found = in_cluster("fd00::1", "443", tmp_path)
    assert (found.server, found.ca, found.token_file) == ("https://[fd00::1]:443", "PEM", tmp_path / "token")
    assert found.namespace == "models"
