"""What the networks of an ensemble make of rows on the way to their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.portable import PortableEnsemble
from qcl_mixnet.model.network import REPRESENTATION_WIDTH


class RepresentingEnsemble(ClassNamePrefixFeaturesOutMixin, TransformerMixin, PortableEnsemble):
    """An ensemble whose first network gives representations and embeddings of rows."""

    @own_settings()
    def transform(self, X: Any) -> NDArray[np.float32]:
        """Representation h'(x) of rows: what the classification layer of the first network sees.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, 32)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
        >>> model.transform(X).shape
        (178, 32)
        """
        x = self._inputs(X)
        return self._in_chunks(self.networks_[0].represent, x).cpu().numpy()

    @own_settings()
    def embed(self, X: Any) -> NDArray[np.float32]:
        """Embedding e of rows (Eq. 17): what the metric losses of the first network compare.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, 8)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
        >>> model.embed(X).shape
        (178, 8)
        """
        x, network = self._inputs(X), self.networks_[0]
        embed = network.logits_and_embedding
        return self._in_chunks(lambda rows: embed(rows)[1], x).cpu().numpy()

    def __sklearn_tags__(self) -> Any:
        """Representations are float32, whatever the table's type."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return REPRESENTATION_WIDTH
