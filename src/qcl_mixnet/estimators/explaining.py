"""Why a model gives a row its probabilities: Shapley values of columns, by shap.

References
----------
Štrumbelj and Kononenko: "An efficient explanation of individual classifications using game
theory", Journal of Machine Learning Research 11, 2010 (values of columns by random orders).
Lundberg and Lee: "A unified approach to interpreting model predictions", NeurIPS 2017 (shap).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.decisions.wishes import code_of
from qcl_mixnet.estimators.importance import column_names
from qcl_mixnet.preprocessing.tables import as_table

if TYPE_CHECKING:
    import shap

FloatArray = NDArray[np.float64]


def explain_rows(
    model: Any,
    background: Any,
    rows: Any,
    *,
    positive: Hashable | None = None,
    n_background: int = 50,
    n_orders: int = 2,
    random_state: int = 0,
) -> shap.Explanation:
    """Say how much each column of a row moves its probabilities away from the usual ones.

    A column that is "unknown" has the cells of background rows in its place. In a random order, the
    columns become known one by one, and each is credited with what the mean probability moves by;
    then likewise in the reverse order. The values of a row and the base value add up to its
    probability exactly, and each value is a mean over a few orders.

    These are Shapley values by random orders (Štrumbelj and Kononenko, 2010), and the permutation
    explainer of shap (Lundberg and Lee, 2017) does the work. It wants numbers, so that it gets the
    numbers of different cells, and the model gets the cells: categories, text, dates and gaps are
    explained as they are, each as one column.

    Parameters
    ----------
    model : classifier
        Fitted, with `predict_proba`.
    background : DataFrame or array-like of shape (n_background_rows, n_features)
        Rows that say what is usual, such as those of training.
    rows : DataFrame or array-like of shape (n_rows, n_features)
        Rows to explain.
    positive : hashable, optional
        Label of the class whose probability is explained; all classes by default.
    n_background : int, default=50
        So many rows are drawn from `background` where it has more. The time grows with it.
    n_orders : int, default=2
        Random orders, each also in reverse. The time grows with it.
    random_state : int, default=0
        Of the orders and of the background rows that are drawn.

    Returns
    -------
    shap.Explanation
        `values` of shape (n_rows, n_features), or (n_rows, n_features, n_classes) without
        `positive`; `base_values`, the mean probabilities of the background rows; `data`, the cells;
        `feature_names` and `output_names`. shap's plots take it.

    Raises
    ------
    ImportError
        Without the package shap.
    NotFittedError
        For a model that is not fitted.
    ValueError
        For an unknown label, numbers out of range, no rows, and tables of different columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.naive_bayes import CategoricalNB
    >>> from qcl_mixnet import explain_rows
    >>> X = pd.DataFrame({"card": [0, 1, 0, 1], "abroad": [0, 0, 1, 1]})
    >>> model = CategoricalNB().fit(X, ["fine", "fine", "fraud", "fraud"])
    >>> reasons = explain_rows(model, X, X.tail(1), positive="fraud")
    >>> reasons.values.round(2).tolist(), reasons.base_values.round(2).tolist()
    ([[0.0, 0.25]], [0.5])
    """
    try:
        import shap
    except ImportError as error:
        raise ImportError(
            'Reasons need the package shap; install it with pip install "qcl-mixnet[explain]".'
        ) from error
    check_is_fitted(model)
    for name, value in (("n_background", n_background), ("n_orders", n_orders)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1; leave it out for the default.")
    code = None if positive is None else code_of(positive, model.classes_)
    usual, asked = _pair_of_tables(background, rows)
    if len(usual) > n_background:
        chosen = np.random.default_rng(random_state).choice(len(usual), n_background, replace=False)
        usual = usual.iloc[np.sort(chosen)]
    is_table = isinstance(as_table(rows), pd.DataFrame)
    cells = _Cells(pd.concat([usual, asked], ignore_index=True))
    numbers = cells.numbers

    def probabilities(coded: FloatArray) -> FloatArray:
        table = cells.table(coded)
        p = model.predict_proba(table if is_table else table.to_numpy())
        return p if code is None else p[:, code]

    names = [str(name) for name in column_names(model, asked if is_table else asked.to_numpy())]
    masker = shap.maskers.Independent(numbers[: len(usual)], max_samples=len(usual))
    with _same_global_generator():
        explainer = shap.PermutationExplainer(
            probabilities, masker, feature_names=names, seed=random_state
        )
        reasons = explainer(
            numbers[len(usual) :],
            max_evals=n_orders * (2 * numbers.shape[1] + 1),
            silent=True,
        )
    reasons.data = asked.to_numpy(dtype=object)
    labels = [str(label) for label in model.classes_.tolist()]
    reasons.output_names = labels if code is None else labels[code]
    return reasons


class _Cells:
    """The different cells of every column, and numbers that stand for them.

    Attributes
    ----------
    numbers : ndarray of float64, shape (n_rows, n_columns)
        Of the cells of the table; gaps of a column have one, too.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._different: list[pd.Series] = []
        self.numbers = np.empty(table.shape)
        for i, name in enumerate(table.columns):
            codes = pd.factorize(table[name], use_na_sentinel=False)[0]
            first = np.unique(codes, return_index=True)[1]
            self.numbers[:, i] = codes
            self._different.append(table[name].iloc[first])

    def table(self, numbers: FloatArray) -> pd.DataFrame:
        """Put the cells where their numbers are; columns keep their types."""
        places = numbers.astype(np.int64)
        return pd.DataFrame(
            {cells.name: cells.array.take(places[:, i]) for i, cells in enumerate(self._different)}
        )


def _pair_of_tables(background: Any, rows: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both as DataFrames of the same columns."""
    usual, asked = (
        table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
        for table in (as_table(background), as_table(rows))
    )
    if not len(usual) or not len(asked):
        raise ValueError(
            f"There are {len(usual)} background rows and {len(asked)} rows to explain; at least "
            "one of each is needed."
        )
    if usual.columns.tolist() != asked.columns.tolist():
        raise ValueError(
            "The background rows and the rows to explain have different columns: "
            f"{usual.columns.tolist()} and {asked.columns.tolist()}; give the same ones in the "
            "same order."
        )
    return usual, asked


@contextmanager
def _same_global_generator() -> Iterator[None]:
    """Leave NumPy's global generator, which shap draws from, as it was."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
