"""Texts: PMML, Paddle's JSON, MLflow's `MLmodel`, Hugging Face's `config.json`, Triton's `config.pbtxt`."""

import json
import re

from inferplane.inference.formats.found import Found, Sample

_PMML = re.compile(rb"<(?:\w+:)?PMML\b[^>]*?\bversion\s*=\s*[\"']([\d.]+)")
_APPLICATION = re.compile(rb"<(?:\w+:)?Application\b[^>]*?\bname\s*=\s*[\"']([^\"']+)")
_MLFLOW_VERSION = re.compile(rb"^mlflow_version:\s*['\"]?([\w.+-]+)", re.MULTILINE)
_FLAVORS = re.compile(rb"^flavors:\s*\n((?:[ \t]+.*\n?)+)", re.MULTILINE)
_FLAVOR = re.compile(rb"^(?:  |\t)(\w+):", re.MULTILINE)
_BACKEND = re.compile(rb"^\s*(?:platform|backend)\s*:\s*\"(\w+)\"", re.MULTILINE)


def pmml(file: Sample) -> Found | None:
    found = _PMML.search(file.head)
    if found is None:
        return None
    application = _APPLICATION.search(file.head)
    made = f"made by {application[1].decode(errors='replace')}" if application else ""
    return Found("pmml", "PMML", "document", found[1].decode(), made, file.name)


def paddle(file: Sample) -> Found | None:
    """`.pdmodel` is known by its name alone: what is in it starts as many messages do."""
    if file.name.endswith(".pdmodel"):
        return Found("paddle", "Paddle", "program", file=file.name)
    if file.name.endswith(".json") and b'"base_code"' in file.head[:4096] and b'"pir"' in file.head[:4096]:
        return Found("paddle", "Paddle", "program", file=file.name)
    return None


def mlflow(file: Sample) -> Found:
    version, flavors = _MLFLOW_VERSION.search(file.head), _FLAVORS.search(file.head)
    names = [one.decode() for one in _FLAVOR.findall(flavors[1])] if flavors else []
    return Found("mlflow", "MLflow", "model", version[1].decode() if version else "", ", ".join(names), file.name)


def huggingface(config: Sample) -> Found | None:
    """None where the document is something else's configuration."""
    try:
        told = json.loads(config.head)
    except ValueError:
        return None
    if not isinstance(told, dict) or not ("architectures" in told or "model_type" in told):
        return None
    architectures = told.get("architectures")
    what = ", ".join(map(str, architectures)) if isinstance(architectures, list) else str(told.get("model_type", ""))
    version = str(told.get("transformers_version", ""))
    return Found("huggingface", "Transformers", "model", version, what, config.name)


def triton(config: Sample) -> Found:
    backend = _BACKEND.search(config.head)
    return Found("triton", "Triton", "model", what=backend[1].decode() if backend else "", file=config.name)
