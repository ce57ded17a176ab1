"""An explainer of ours as a server: `--explainer=shap|lime|art`, KServe's flags, and those of the explainer.

What an InferenceService says (`--predictor_host`, `--model_name`, `--http_port`) the controller adds; the model itself,
for explainers that look inside, and the rows to compare with are in `--model_dir`, where `storageUri` puts them.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.model_server_options import allowed_pickle_globals
from inferplane.assembly.server_flags import count
from inferplane.assembly.serving_api import ModelServer
from inferplane.assembly.serving_flags import parser as serving_parser
from inferplane.dataplane.explainers.registry import EXPLAINERS, module_of
from inferplane.dataplane.model.model import Model
from inferplane.kernel.errors import InferplaneError

MODEL_DIR = "/mnt/models"

STARTED_BADLY = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when there is nothing to serve."""
    found = parse(sys.argv[1:] if argv is None else argv)
    try:
        model = _MADE[found.explainer](found)
        model.load()
        ModelServer().start([model])
    except InferplaneError as error:
        print(f"cannot explain: {error}", file=sys.stderr)
        announce_failure(os.environ, "ModelLoadFailed", str(error))
        return STARTED_BADLY
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Unknown flags are ignored, as servers of KServe do."""
    flags = argparse.ArgumentParser(prog="inferplane explainer", parents=[serving_parser])
    flags.add_argument("--explainer", choices=tuple(EXPLAINERS), required=True)
    flags.add_argument("--model_dir", "--storage_uri", default=MODEL_DIR, help="of the model and background rows")
    for add in (_add_table_flags, _add_shap_flags, _add_lime_flags, _add_art_flags):
        add(flags)
    found, _ = flags.parse_known_args(argv)
    return found


def _add_table_flags(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("shap and lime")
    group.add_argument("--background", type=Path, help="rows to compare with: .csv, .npy or .json")
    group.add_argument("--feature_names", nargs="+", default=(), help="names of the columns")
    group.add_argument("--num_samples", type=count, help="predictions that are asked for, a row")
    group.add_argument("--seed", type=int, default=0, help="of what is drawn at random")


def _add_shap_flags(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("shap")
    group.add_argument("--method", choices=("auto", "tree", "linear", "kernel"), default="auto")
    group.add_argument("--background_rows", type=count, default=100, help="of the kernel method")
    group.add_argument("--allow_pickle_globals", default="", help="as the model server's: mymodule.* or ALL")


def _add_lime_flags(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("lime")
    group.add_argument("--mode", choices=("classification", "regression"), default="classification")
    group.add_argument("--class_names", nargs="+", default=())
    group.add_argument("--num_features", type=count, default=10, help="features of an explanation")
    group.add_argument("--top_labels", type=count, default=1, help="classes that are explained")


def _add_art_flags(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("art (KServe's names and defaults)")
    group.add_argument("--adversary_type", default="SquareAttack")
    group.add_argument("--max_iter", type=count, default=1000)
    group.add_argument("--nb_classes", type=count, default=10)


def _shap(found: argparse.Namespace) -> Model:
    module = module_of("shap")
    options = module.Options(
        directory=Path(found.model_dir),
        method=found.method,
        background=found.background,
        feature_names=tuple(found.feature_names),
        samples=found.num_samples,
        background_rows=found.background_rows,
        seed=found.seed,
        allow_pickle_globals=allowed_pickle_globals(found.allow_pickle_globals, os.environ),
    )
    model: Model = module.ShapExplainer(found.model_name, options)
    return model


def _lime(found: argparse.Namespace) -> Model:
    module = module_of("lime")
    options = module.Options(
        directory=Path(found.model_dir),
        background=found.background,
        mode=found.mode,
        feature_names=tuple(found.feature_names),
        class_names=tuple(found.class_names),
        features=found.num_features,
        samples=found.num_samples or module.Options().samples,
        top_labels=found.top_labels,
        seed=found.seed,
    )
    model: Model = module.LimeExplainer(found.model_name, options)
    return model


def _art(found: argparse.Namespace) -> Model:
    module = module_of("art")
    options = module.Options(found.adversary_type, found.max_iter, found.nb_classes)
    model: Model = module.ArtExplainer(found.model_name, options)
    return model


_MADE: dict[str, Callable[[argparse.Namespace], Model]] = {"shap": _shap, "lime": _lime, "art": _art}


if __name__ == "__main__":
    sys.exit(main())
