"""A pipeline that will not change any more."""

from functools import cached_property

from kedro.pipeline import Pipeline


class PlannedPipeline(Pipeline):
    """A pipeline that works out once what it takes and what it makes.

    Kedro's runner asks after every node, for each of its datasets, and Kedro's pipeline goes
    through all of its nodes for every answer: time that grows with the square of the data sets.
    """

    @cached_property
    def _free_inputs(self) -> frozenset[str]:
        return frozenset(super().inputs())

    @cached_property
    def _final_outputs(self) -> frozenset[str]:
        return frozenset(super().outputs())

    def inputs(self) -> set[str]:
        """Names of what must be there before the run."""
        return set(self._free_inputs)

    def outputs(self) -> set[str]:
        """Names of what no node of the pipeline takes."""
        return set(self._final_outputs)
