"""Names, labels and keys as Kubernetes checks them; each check gives the messages of what is wrong (none: it fits).

The words are those of `k8s.io/apimachinery/pkg/util/validation`, which kubectl shows as they are.
"""

import ipaddress
import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PORT_NAME = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_compiled = {
    text: re.compile(text, re.ASCII) for text in (_LABEL, _SUBDOMAIN, _QUALIFIED, _VALUE, _CONFIG_KEY, _PORT_NAME)
}

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_NAME_PART_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    f"'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_IP_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def _fits(pattern: str, text: str) -> bool:
    return _compiled[pattern].fullmatch(text) is not None


def label_name(name: str) -> list[str]:
    """A DNS label: names of services, namespaces, containers, volumes."""
    found = [] if len(name) <= 63 else ["must be no more than 63 characters"]
    if not _fits(_LABEL, name):
        found.append("must not contain dots" if _fits(_SUBDOMAIN, name) else _LABEL_RULE)
    return found


def subdomain_name(name: str) -> list[str]:
    """A DNS subdomain: names of most kinds."""
    found = [] if len(name) <= 253 else ["must be no more than 253 characters"]
    if not _fits(_SUBDOMAIN, name):
        found.append(_SUBDOMAIN_RULE)
    return found


def qualified_name(name: str) -> list[str]:
    """A key of a label or an annotation: a name, or a DNS subdomain, `/` and a name."""
    parts = name.split("/")
    if len(parts) > 2:
        example = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_NAME_PART_RULE} {example}"]
    found = []
    if len(parts) == 2:
        prefix = parts[0]
        found += (
            ["prefix part must be non-empty"] if not prefix else [f"prefix part {m}" for m in subdomain_name(prefix)]
        )
    last = parts[-1]
    if not last:
        return [*found, "name part must be non-empty"]
    if len(last) > 63:
        found.append("name part must be no more than 63 bytes")
    if not _fits(_QUALIFIED, last):
        found.append(f"name part {_NAME_PART_RULE}")
    return found


def label_value(value: str) -> list[str]:
    found = [] if len(value) <= 63 else ["must be no more than 63 bytes"]
    if not _fits(_VALUE, value):
        found.append(_VALUE_RULE)
    return found


def config_key(key: str) -> list[str]:
    """A key of a ConfigMap or a Secret, which may become the name of a file."""
    found = [] if len(key) <= 253 else ["must be no more than 253 characters"]
    if not _fits(_CONFIG_KEY, key):
        found.append(_CONFIG_KEY_RULE)
    if key in (".", ".."):
        found.append(f"must not be '{key}'")
    elif key.startswith(".."):
        found.append("must not start with '..'")
    return found


def port_name(name: str) -> list[str]:
    found = [] if len(name) <= 15 else ["must be no more than 15 characters"]
    if not _fits(_PORT_NAME, name):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if not re.search("[a-z]", name):
        found.append("must contain at least one letter (a-z)")
    return found


def ip_address(text: str) -> list[str]:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return [_IP_RULE]
    return []


def port_number(number: int) -> list[str]:
    return [] if 1 <= number <= 65535 else ["must be between 1 and 65535, inclusive"]
