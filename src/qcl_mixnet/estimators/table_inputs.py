"""Tables on their way into a network: checked, preprocessed, as tensors."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import as_table

# Checks of the parameters that say how a table is read; the preprocessor has the same.
TABLE_CONSTRAINTS: dict[str, list[Any]] = {
    "categorical_features": ["array-like", StrOptions({"infer"}), None],
    "dates": [StrOptions({"error", "features"})],
    "rare_levels": [StrOptions({"error", "join"})],
}


class TableInputs(BaseEstimator):
    """Base of estimators that read raw tables with a `TablePreprocessor` of their own."""

    preprocessor_: TablePreprocessor
    device_: str

    def __sklearn_tags__(self) -> Any:
        """Gaps are welcome; so are categories, but scikit-learn's checks know numbers alone."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _validate_table(self, X: Any, *, reset: bool) -> Any:
        """Check shape and columns, and for anything but a DataFrame the type too."""
        X = as_table(X)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if len(X) == 0:
                raise ValueError(
                    f"Found a table of 0 rows; {type(self).__name__} needs at least 1."
                )
            return X
        # Infinity is left to the preprocessor, which says where it is.
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite=False)

    def _inputs(self, X: Any) -> Tensor:
        """Preprocessed rows `(n_samples, n_inputs)` of a table to predict."""
        check_is_fitted(self)
        return self._to_tensor(self._validate_table(X, reset=False))

    def _to_tensor(self, X: Any) -> Tensor:
        return torch.from_numpy(self.preprocessor_.transform(X)).to(self.device_)
