"""Designs: which candidates are blended, how, and how the blend decides. All of it offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.decision import apply_decision_weights
from qcl_mixnet.estimators.decision_average import (
    average_decision_weights,
    power_decision_weights,
)
from qcl_mixnet.estimators.plus.selection import MOST_KINDS, greedy_weights
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.replay.options import GREEDY, UNIFORM, ReplayOptions, without_paper_parts
from qcl_mixnet.replay.training import NeighborsRecipe, NetworkRecipe, TreesRecipe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FEW = 4
# Of the greedy weights towards equal ones.
SHRINKAGE = 0.5
# Probabilities below it count as it: what networks compute is float32.
_TINY = float(np.finfo(np.float32).tiny)
SCORES = ("log_loss", "macro_f1_argmax", "macro_f1_power", "macro_f1_tuned")


@dataclass(frozen=True)
class Design:
    """How candidates become one classifier.

    Attributes
    ----------
    name : str
    members : tuple of str
        Candidates that may be blended; a single one is taken as it is.
    weighting : {"greedy", "uniform", "shrunk"}
        By log loss out of fold (`greedy_weights`), equal, or half way between these two.
    most : int
        Different candidates that greedy selection takes at most.
    calibrated : bool
        Whether members and blend each get a temperature.
    """

    name: str
    members: tuple[str, ...]
    weighting: Literal["greedy", "uniform", "shrunk"] = "greedy"
    most: int = MOST_KINDS
    calibrated: bool = True


def make_designs(options: ReplayOptions) -> list[Design]:
    """List the designs of a replay: every candidate alone, then blends of the pool.

    Parameters
    ----------
    options : ReplayOptions

    Returns
    -------
    list of Design
        The candidates by their names; `uniform`, `greedy`, `greedy_most_4`, `greedy_shrunk`,
        `greedy_uncalibrated`; `greedy_without_<candidate>` for each of the pool;
        `greedy_without_paper_parts`, in which each member is exchanged for the candidate that
        differs from it in these parts alone, and left out if there is none;
        `greedy_trained`, the pool without its neighbours, if it has any and more than these;
        `greedy_with_trees`, if there are candidates that are trees.
    """
    recipes = options.trained
    pool = tuple(name for name in options.pool if name in recipes)
    greedy = Design(GREEDY, pool)
    designs = [Design(name, (name,)) for name in recipes]
    designs += [
        Design(UNIFORM, pool, weighting="uniform"),
        greedy,
        replace(greedy, name=f"{GREEDY}_most_{FEW}", most=FEW),
        replace(greedy, name=f"{GREEDY}_shrunk", weighting="shrunk"),
        replace(greedy, name=f"{GREEDY}_uncalibrated", calibrated=False),
    ]
    for name in pool if len(pool) > 1 else ():
        others = tuple(other for other in pool if other != name)
        designs.append(Design(f"{GREEDY}_without_{name}", others))
    if twins := _twins(pool, options):
        designs.append(Design(f"{GREEDY}_without_paper_parts", twins))
    trained = tuple(n for n in pool if not isinstance(recipes[n], NeighborsRecipe))
    if 0 < len(trained) < len(pool):
        designs.append(Design(f"{GREEDY}_trained", trained))
    trees = tuple(name for name, recipe in recipes.items() if isinstance(recipe, TreesRecipe))
    if trees and not {*trees} <= {*pool}:
        designs.append(Design(f"{GREEDY}_with_trees", (*dict.fromkeys((*pool, *trees)),)))
    return designs


def check_names(options: ReplayOptions) -> None:
    """Refuse names of designs that there are not, before anything is trained.

    Raises
    ------
    EvaluationError
        For the chosen design, or one of a part. What `only` leaves out may stand in a part.
    """
    here = {design.name for design in make_designs(options)}
    known = here | {d.name for d in make_designs(options.model_copy(update={"only": None}))}
    named = {"chosen": (options.chosen, here)}
    for part, pair in options.parts.items():
        named |= {f"parts.{part}.{key}": (name, known) for key, name in pair}
    for key, (name, choice) in named.items():
        if name not in choice:
            raise EvaluationError(
                f"replay.{key} is '{name}', which is neither a design nor a candidate of this run; "
                f"choose among {', '.join(sorted(choice))}."
            )


def _twins(pool: Sequence[str], options: ReplayOptions) -> tuple[str, ...]:
    """Candidates of the pool without the paper's parts; none where nothing has them."""
    recipes = options.trained
    plain = {name: without_paper_parts(recipe) for name, recipe in recipes.items()}
    twins: dict[str, None] = {}
    for name in pool:
        found = [n for n, r in recipes.items() if r == plain[n] and _same(r, plain[name])]
        twins.update(dict.fromkeys([name] if name in found else found[:1]))
    return () if {*twins} == {*pool} else tuple(twins)


def _same(one: Any, other: Any) -> bool:
    """Whether two recipes are the same but for their names."""
    if not (isinstance(one, NetworkRecipe) and isinstance(other, NetworkRecipe)):
        return bool(one == other)
    return one == replace(other, recipe=replace(other.recipe, name=one.recipe.name))


@dataclass(frozen=True)
class Said:
    """What a candidate said of a block, or a blend of several.

    Attributes
    ----------
    out_of_fold : ndarray of shape (n_training_rows, n_classes)
        All rows finite.
    test : ndarray of shape (n_test_rows, n_classes)
    """

    out_of_fold: FloatArray
    test: FloatArray

    def calibrated(self, labels: IntArray) -> Said:
        """Apply the temperature that suits the labels of the training rows best."""
        temperature = fit_temperature(self.out_of_fold, labels)
        return Said(*(apply_temperature(p, temperature) for p in (self.out_of_fold, self.test)))


def blend(
    design: Design, candidates: Mapping[str, Said], labels: IntArray
) -> tuple[Said, dict[str, float]] | None:
    """Blend the candidates of a design.

    Parameters
    ----------
    design : Design
    candidates : mapping of str to Said
        Without those that failed: a blend does without them.
    labels : ndarray of shape (n_training_rows,)
        Encoded labels.

    Returns
    -------
    (Said, dict of str to float) or None
        The blend and the weights of its members; None where all of them failed.
    """
    names = [name for name in design.members if name in candidates]
    if not names:
        return None
    members = [candidates[name] for name in names]
    if design.calibrated:
        members = [member.calibrated(labels) for member in members]
    weights = _weights(design, [member.out_of_fold for member in members], labels)
    mean = Said(
        *(
            np.einsum("m,mnc->nc", weights, np.stack([getattr(m, part) for m in members]))
            for part in ("out_of_fold", "test")
        )
    )
    # A single candidate has its temperature already, and another would be 1.
    final = mean.calibrated(labels) if design.calibrated and len(names) > 1 else mean
    return final, dict(zip(names, weights.tolist(), strict=True))


def _weights(design: Design, out_of_fold: Sequence[FloatArray], labels: IntArray) -> FloatArray:
    equal = np.full(len(out_of_fold), 1 / len(out_of_fold))
    if design.weighting == "uniform" or len(out_of_fold) == 1:
        return equal
    greedy = greedy_weights(out_of_fold, labels, most=design.most)
    if design.weighting == "shrunk":
        return (1 - SHRINKAGE) * greedy + SHRINKAGE * equal
    return greedy


def score(said: Said, y_train: IntArray, y_test: IntArray, seed: int) -> dict[str, float]:
    """Score a blend on the test rows, with three ways to decide.

    Parameters
    ----------
    said : Said
    y_train, y_test : ndarray
        Encoded labels of the rows.
    seed : int
        Of the bootstraps of the averaged weights, the same for all designs of a block.

    Returns
    -------
    dict of str to float
        `log_loss` of the probabilities; macro F1 of decisions for the highest probability
        (`macro_f1_argmax`), with a power of the priors (`macro_f1_power`), and with averaged
        weights (`macro_f1_tuned`), both tuned on the training rows.
    """
    own = said.test[np.arange(len(y_test)), y_test]
    out_of_fold, rng = said.out_of_fold, np.random.default_rng(seed)
    power = power_decision_weights(out_of_fold, y_train, metric="macro_f1").weights
    tuned = average_decision_weights(out_of_fold, y_train, metric="macro_f1", rng=rng).weights
    rules = {"argmax": np.ones(said.test.shape[1]), "power": power, "tuned": tuned}
    f1 = {
        f"macro_f1_{rule}": float(
            f1_score(
                y_test, apply_decision_weights(said.test, weights), average="macro", zero_division=0
            )
        )
        for rule, weights in rules.items()
    }
    return {"log_loss": float(-np.log(np.maximum(own, _TINY)).mean()), **f1}
