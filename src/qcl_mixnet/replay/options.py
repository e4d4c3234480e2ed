"""What a replay trains and tries, as types: an unknown option or a bad value is one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from qcl_mixnet.data.names import as_texts
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.neighbors import REACHES
from qcl_mixnet.estimators.plus.training import Recipe
from qcl_mixnet.model.plus.network import Embedding
from qcl_mixnet.replay.training import (
    CandidateRecipe,
    NeighborsRecipe,
    NetworkRecipe,
    PaperRecipe,
    TreesRecipe,
)

# The paper's own network is a candidate by another option.
KINDS = {recipe.name: recipe for recipe in PORTFOLIO if isinstance(recipe, Recipe)}
# A candidate's name is a design's, too, and a part of a file's name.
CandidateName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
# Designs that a replay tries; `greedy_without_<candidate>` are others.
GREEDY, UNIFORM = "greedy", "uniform"
# Options that make a candidate something else than a network of QCL-MixNet+.
_NO_NETWORKS = ("trees", "neighbors", "paper")
# Set by the replay itself in every paper's network.
_OWN_PARAMETERS = {
    "n_members", "bagging", "calibrate", "decision", "device", "random_state", "n_jobs", "verbose",
}  # fmt: skip


def names_of(value: Any) -> Any:
    """Read `a+b` as a list, as `grid` does: `--params` splits at commas."""
    if value is None or isinstance(value, dict):
        return value
    return list(as_texts(value.split("+") if isinstance(value, str) else value))


NameList = Annotated[list[str], BeforeValidator(names_of)]


class Options(BaseModel):
    """What all options have: no unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkChanges(Options):
    """What of a candidate's network is not as in its base; see `PlusOptions`."""

    embedding: Embedding | None = None
    n_bins: int | None = Field(default=None, ge=2)
    embedding_width: int | None = Field(default=None, ge=1)
    width: int | None = Field(default=None, ge=1)
    depth: int | None = Field(default=None, ge=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    entangle: bool | None = None


class LossChanges(Options):
    """What of a candidate's loss is not as in its base; see `PlusLossOptions`."""

    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    metric_weight: float | None = Field(default=None, ge=0)
    mixup: bool | None = None
    mixup_alpha: float | None = Field(default=None, gt=0)
    n_neighbors: int | None = Field(default=None, ge=1)


class Candidate(Options):
    """A candidate: a network of QCL-MixNet+, trees, neighbours, or the paper's network.

    Attributes
    ----------
    base : str, optional
        A kind of the portfolio that the network is made from; None: the defaults.
    network, loss : mapping
        What of it is different.
    learning_rate, weight_decay : float, optional
        None: the base's.
    ema_decay : float, optional
        Share of the averaged parameters that a step keeps; 0: no average; None: QCL-MixNet+'s.
    trees : {"extra_trees", "boosting"}, optional
        No network but these.
    neighbors : {"neighbors", "neighbors_wide", "neighbors_close", "neighbors_closest"}, optional
        No network but the votes of the nearest training rows, as far as this kind listens.
    paper : mapping, optional
        No network of QCL-MixNet+ but the paper's, `QCLMixNetClassifier` with these parameters.
    """

    base: str | None = None
    network: NetworkChanges = NetworkChanges()
    loss: LossChanges = LossChanges()
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    ema_decay: float | None = Field(default=None, ge=0, lt=1)
    trees: Literal["extra_trees", "boosting"] | None = None
    neighbors: str | None = None
    paper: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base is not None and self.base not in KINDS:
            raise ValueError(
                f"base {self.base!r} is no kind of the portfolio; choose among {', '.join(KINDS)}"
            )
        kinds = [name for name in _NO_NETWORKS if getattr(self, name) is not None]
        rest = self.model_fields_set - {*_NO_NETWORKS}
        if len(kinds) > 1 or (kinds and rest):
            others = sorted(rest) or kinds[1:]
            raise ValueError(
                f"a candidate with '{kinds[0]}' is no network of QCL-MixNet+ and has no other "
                f"option; remove '{others[0]}', or '{kinds[0]}'"
            )
        if self.neighbors is not None and self.neighbors not in REACHES:
            raise ValueError(
                f"neighbors {self.neighbors!r} is no kind of neighbours; choose among "
                f"{', '.join(REACHES)}"
            )
        known = {*QCLMixNetClassifier._get_param_names()} - _OWN_PARAMETERS
        if unknown := sorted({*(self.paper or {})} - known):
            raise ValueError(
                f"'{unknown[0]}' is no parameter of QCLMixNetClassifier that 'paper' may set; "
                f"choose among {', '.join(sorted(known))}"
            )
        return self

    def recipe(self, name: str) -> CandidateRecipe:
        """What is trained.

        Parameters
        ----------
        name : str
            The candidate's.
        """
        if self.trees is not None:
            return TreesRecipe(self.trees)
        if self.neighbors is not None:
            return NeighborsRecipe(self.neighbors)
        if self.paper is not None:
            return PaperRecipe(self.paper)
        base = KINDS[self.base] if self.base else Recipe(name)
        loss = replace(base.loss, **self.loss.model_dump(exclude_none=True))
        # The head that the metric losses compare is there if they are.
        network = replace(
            base.network,
            project=loss.metric_weight > 0,
            **self.network.model_dump(exclude_none=True),
        )
        rates = self.model_dump(include={"learning_rate", "weight_decay"}, exclude_none=True)
        recipe = replace(base, name=name, network=network, loss=loss, **rates)
        return NetworkRecipe(recipe, self.ema_decay)


def without_paper_parts(recipe: CandidateRecipe) -> CandidateRecipe:
    """Leave entanglement layer, neighbour mixup and metric losses out of a network."""
    if not isinstance(recipe, NetworkRecipe):
        return recipe
    own = recipe.recipe
    network = replace(own.network, entangle=False, project=False)
    loss = replace(own.loss, mixup=False, metric_weight=0.0)
    return replace(recipe, recipe=replace(own, network=network, loss=loss))


class Part(Options):
    """A part whose worth is the difference of two designs or candidates.

    Attributes
    ----------
    present, absent : str
        Design or candidate with the part, and without it.
    """

    present: str
    absent: str


class ReplayOptions(Options):
    """What a replay trains, on what, and what it tries.

    Attributes
    ----------
    datasets : list of str, optional
        None: those of the grid.
    repeats : int, default=1
        Stratified splits of each; split s has the protocol's seed + s.
    max_rows : int, default=4000
        Rows of a training part at most.
    max_steps : int, optional
        Steps of a network's training at most; None: QCL-MixNet+'s own rule.
    candidates : dict of str to Candidate
    only : list of str, optional
        The candidates of this run; None: all. Designs and parts that need others are left out.
    pool : list of str
        The candidates that designs blend.
    chosen : str, default="greedy"
        The design that all others are compared with.
    parts : dict of str to Part
    rope : float, default=0.003
        Scores closer than that are practically the same.
    """

    datasets: NameList | None = Field(default=None, min_length=1)
    repeats: int = Field(default=1, ge=1)
    max_rows: int = Field(default=4000, ge=20)
    max_steps: int | None = Field(default=None, ge=1)
    candidates: dict[CandidateName, Candidate] = Field(
        default={name: Candidate(base=name) for name in KINDS}, min_length=1
    )
    only: NameList | None = Field(default=None, min_length=1)
    pool: NameList = Field(default=[*KINDS], min_length=1)
    chosen: str = GREEDY
    parts: dict[str, Part] = {}
    rope: float = Field(default=0.003, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = ", ".join(self.candidates)
        for name in self.candidates:
            if name in (GREEDY, UNIFORM) or name.startswith(f"{GREEDY}_"):
                raise ValueError(f"the candidate '{name}' has a design's name; give it another")
        for key, names in (("pool", self.pool), ("only", self.only or [])):
            for name in names:
                if name not in self.candidates:
                    raise ValueError(f"'{name}' in {key} is no candidate; choose among {known}")
                if names.count(name) > 1:
                    raise ValueError(f"'{name}' stands twice in {key}; name it once")
        if self.only and not {*self.only} & {*self.pool}:
            raise ValueError("no candidate of pool is in only; add one, or leave only out")
        return self

    @property
    def trained(self) -> dict[str, CandidateRecipe]:
        """What is trained, by candidate."""
        names = [n for n in self.candidates if self.only is None or n in self.only]
        return {name: self.candidates[name].recipe(name) for name in names}
