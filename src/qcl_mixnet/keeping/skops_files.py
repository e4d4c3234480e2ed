"""Models of scikit-learn and imbalanced-learn by skops, which makes trusted types alone."""

from __future__ import annotations

import io
import zipfile
from types import ModuleType
from typing import Any

from sklearn.base import is_classifier

from qcl_mixnet.keeping.keeper import Keeper, Parts, class_name
from qcl_mixnet.keeping.structures import check_structures
from qcl_mixnet.preprocessing.tables import quoted

FILE = "model.skops"

# Types that a file may hold beside those that skops trusts by itself: scikit-learn's public
# estimators, NumPy's and SciPy's types, Python's plain ones. Whatever a file says, no other is ever
# made. What compiled code reads of them is checked in `qcl_mixnet.keeping.structures`.
TRUSTED = (
    "imblearn.ensemble._forest.BalancedRandomForestClassifier",
    "imblearn.pipeline.Pipeline",
    "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
    "qcl_mixnet.baselines.svm.SVMSmoteClassifier",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)

# Most bytes of a file when it is unpacked.
MAX_UNPACKED_BYTES = 4 * 2**30


class SkopsKeeper(Keeper):
    """A model behind a `TablePreprocessor`, by skops."""

    name = "skops"
    files = (FILE,)
    libraries = ("skops",)
    reads_tables = False

    def refusal(self, model: Any) -> str | None:
        """Refuse a type that no file may hold."""
        sio = _skops()
        if not is_classifier(model):
            return "it is no classifier"
        try:
            untrusted = set(sio.get_untrusted_types(data=sio.dumps(model))) - set(TRUSTED)
        except Exception as error:  # whatever skops says of a class that it cannot take apart
            return f"skops cannot write it ({type(error).__name__}: {error})"
        if not untrusted:
            return None
        return (
            f"it holds the type {quoted(sorted(untrusted))}, which is not on the list of trusted "
            "types; choose a model of scikit-learn, or one of this package's"
        )

    def take_apart(self, model: Any) -> Parts:
        """Let skops write."""
        return Parts(
            class_name=class_name(model), classes=model.classes_, files={FILE: dump(model)}
        )

    def put_together(self, parts: Parts, device: str) -> Any:  # noqa: ARG002
        """Let skops read, and check what it read."""
        return restore(parts.file(FILE), parts.class_name)


def dump(model: Any) -> bytes:
    """Write a model by skops, packed."""
    packed: bytes = _skops().dumps(model, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    return packed


def restore(data: bytes, expected: str) -> Any:
    """Read a model that skops wrote, whose source need not be trusted.

    Parameters
    ----------
    data : bytes
        Content of the file.
    expected : str
        Name of the class that it should be of, with its module.

    Raises
    ------
    ValueError
        For a type that is not trusted, and for a file that is no model of the class.
    """
    sio = _skops()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
    # zipfile's word for a way of packing that it does not know is NotImplementedError.
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ValueError(f"{FILE} is no file of skops ({error})") from error
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(
            f"{FILE} has {unpacked} bytes when it is unpacked, the limit is {MAX_UNPACKED_BYTES}"
        )
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        model = sio.loads(data, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ValueError(
            f"{FILE} holds a type that is not trusted ({str(error).rstrip('.')}); nothing of it "
            "was made"
        ) from error
    except Exception as error:  # other people's code reads what anybody may have written
        raise ValueError(
            f"{FILE} cannot be read ({type(error).__name__}: {str(error)[:200]})"
        ) from error
    if class_name(model) != expected:
        raise ValueError(f"{FILE} holds a {class_name(model)}, not a {expected!r:.100}")
    check_structures(model)
    return model


def _skops() -> ModuleType:
    try:
        import skops.io as sio
    except ModuleNotFoundError as error:
        if error.name != "skops":
            raise
        raise ModuleNotFoundError(
            'Models of scikit-learn are kept by skops: pip install "qcl-mixnet[project]".',
            name="skops",
        ) from error
    module: ModuleType = sio
    return module
