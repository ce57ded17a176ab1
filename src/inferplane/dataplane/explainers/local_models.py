"""The model behind the predictor, read from its own file, for explainers that look inside.

The same files as the predictor's runtimes take: a pickle of scikit-learn, a Booster of XGBoost or of LightGBM. A pickle
runs code when it is loaded: it may use here what it may use there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from inferplane.dataplane.model.example import NAMES as EXAMPLES
from inferplane.inference.errors import ModelLoadError


def found(directory: Path | None, allow_pickle_globals: Sequence[str] = ()) -> object | None:
    """The model in the directory; None where there is no directory, or no file that is known.

    ModelLoadError when the file cannot be loaded.
    """
    if directory is None or not directory.is_dir():
        return None
    files = sorted(file for file in directory.iterdir() if file.suffix in _READERS and file.is_file())
    models = [file for file in files if not file.stem.startswith("background") and file.name not in EXAMPLES]
    if not models:
        return None
    if len(models) > 1:
        raise ModelLoadError(f"expected one model in {directory}, found {', '.join(file.name for file in models)}")
    try:
        return _READERS[models[0].suffix](models[0], allow_pickle_globals)
    except ModelLoadError:
        raise
    except Exception as error:  # each library raises its own
        raise ModelLoadError(f"{models[0]}: cannot be loaded: {type(error).__name__}: {error}") from error


def _pickle(file: Path, allowed: Sequence[str]) -> object:
    from inferplane.dataplane.runtimes.pickle_globals import PickleGlobals
    from inferplane.dataplane.runtimes.pickles import unpickled  # imports scikit-learn

    return unpickled(file, PickleGlobals(allowed))[0]


def _xgboost(file: Path, _: Sequence[str]) -> object:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(file)
    return booster


def _lightgbm(file: Path, _: Sequence[str]) -> object:
    import lightgbm

    return lightgbm.Booster(model_file=file)


_READERS: dict[str, Callable[[Path, Sequence[str]], object]] = {
    ".joblib": _pickle,
    ".pkl": _pickle,
    ".pickle": _pickle,
    ".ubj": _xgboost,
    ".bst": _xgboost,
    ".json": _xgboost,
    ".txt": _lightgbm,
}

_TREES = ("DecisionTree", "ExtraTree", "RandomForest", "GradientBoosting", "IsolationForest")


def is_tree(model: object) -> bool:
    """Whether its trees can be read: those of scikit-learn, XGBoost and LightGBM."""
    module, name = type(model).__module__.partition(".")[0], type(model).__name__
    if module == "sklearn":
        return name.startswith(_TREES) or name.startswith("Hist" + "GradientBoosting")
    return module in ("xgboost", "lightgbm")


def width(model: object) -> int | None:
    """Features that it takes, where it tells."""
    for name in ("n_features_in_", "num_features", "num_feature"):  # of scikit-learn, XGBoost and LightGBM
        told = getattr(model, name, None)
        if told is not None:
            return int(told() if callable(told) else told)
    return None


def is_linear(model: object) -> bool:
    """Whether its predictions are sums: coefficients and an intercept of scikit-learn's, and nothing around them."""
    module = type(model).__module__
    return module.startswith("sklearn.linear_model") and hasattr(model, "coef_") and hasattr(model, "intercept_")
