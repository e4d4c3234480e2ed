"""The protocol: how every model of a run is split, tuned, trained and scored."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EvaluationProtocol(BaseModel):
    """How results are made; part of every result and of every cell's key.

    Attributes
    ----------
    seed : int, default=42
        Seed of the first split and of everything random in its models.
    repeats : int, default=1
        Stratified splits per data set; split s has seed `seed + s`.
    test_size : float, default=0.2
        Share of the rows in the test part.
    folds : int, default=3
        Cross-validation folds of the grid searches.
    checkpoint : {"last", "validation", "test"}, default="last"
        Which epoch of a neural network is kept. "test" chooses it on the test part, as the paper
        does; every result made so is marked `test_selected`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=42, ge=0, lt=2**32)
    repeats: int = Field(default=1, ge=1)
    test_size: float = Field(default=0.2, gt=0, lt=1)
    folds: int = Field(default=3, ge=2)
    checkpoint: Literal["last", "validation", "test"] = "last"
