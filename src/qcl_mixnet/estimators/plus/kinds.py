"""The kinds of members that QCL-MixNet+ blends, and how each predicts once trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from torch import Tensor

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.estimators.chunks import in_chunks, softmax
from qcl_mixnet.estimators.plus.training import Networks, PaperRecipe, Recipe
from qcl_mixnet.model.network import HIDDEN_WIDTH
from qcl_mixnet.model.plus.network import PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions

# In the order in which they are trained: `docs/plus.md` has the replay that chose them. Each is
# best on other tables: thresholds (tree), waves (periodic), sums over columns (additive), products
# of columns (plain).
_PAPER = PlusLossOptions(metric_weight=0.2, mixup=True)
PORTFOLIO: tuple[Recipe | PaperRecipe, ...] = (
    Recipe("waves", PlusOptions("periodic", entangle=True, project=True), _PAPER),
    Recipe("additive", PlusOptions("tree", depth=0, embedding_width=8, dropout=0.0)),
    Recipe("bins", PlusOptions("tree", width=192, dropout=0.4)),
    Recipe(
        "plain", PlusOptions("none", width=192, dropout=0.2, entangle=True, project=True), _PAPER
    ),
    Recipe("periodic", PlusOptions("periodic")),
    PaperRecipe("qcl_mixnet"),
)

# Values of a layer that a prediction makes at a time: what a processor's cache holds.
CHUNK_VALUES = 2**19


class Member(Protocol):
    """One kind, trained on every fold."""

    @property
    def name(self) -> str:
        """Of the kind, in tables."""

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """Mean class probabilities of the folds' models.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Preprocessed rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """


class NetworkMember:
    """Networks of one recipe, one for each fold.

    Parameters
    ----------
    recipe : Recipe or PaperRecipe
        As it was fitted to the table (`Plan.sized`).
    networks : list of PlusNetwork or QCLMixNet
        Trained; on the device where they shall predict.
    """

    def __init__(self, recipe: Recipe | PaperRecipe, networks: Networks):
        self.recipe, self.networks = recipe, networks
        self._stacked: Any = stack(networks).eval()

    @property
    def name(self) -> str:
        """Of the recipe."""
        return self.recipe.name

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """See `Member`."""
        widest = max(HIDDEN_WIDTH, x.shape[-1])
        if isinstance(self.recipe, Recipe):
            options = self.recipe.network
            widest = max(widest, x.shape[-1] * options.n_bins, options.width)
        rows = max(64, CHUNK_VALUES // (widest * len(self.networks)))
        stacked = self._stacked

        def mean(chunk: Tensor) -> Tensor:
            return softmax(stacked(chunk.expand(len(self.networks), *chunk.shape))).mean(0)

        return in_chunks(mean, x, rows).cpu().numpy()

    def __getstate__(self) -> dict[str, object]:
        """Leave out what repeats the networks."""
        return {"recipe": self.recipe, "networks": self.networks}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Stack the networks again."""
        self.__init__(**state)  # type: ignore[misc]


@dataclass(frozen=True)
class TreesMember:
    """Forests or boosted trees, one for each fold.

    Attributes
    ----------
    name : str
        Of the kind, in tables.
    models : list of ClassifierMixin
        Fitted on codes of classes, of which a fold may lack some.
    n_classes : int
    """

    name: str
    models: list[ClassifierMixin]
    n_classes: int

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """See `Member`."""
        rows = x.cpu().numpy()
        total = sum(class_columns(model, rows, self.n_classes) for model in self.models)
        return np.asarray(total) / len(self.models)


def class_columns(
    model: ClassifierMixin, x: NDArray[np.float32], n_classes: int
) -> NDArray[np.float64]:
    """Probabilities of a model with a column for every class, those that it never saw too."""
    probabilities = np.zeros((len(x), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(x)
    return probabilities
