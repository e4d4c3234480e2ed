"""Pipeline `statistics`."""

from qcl_mixnet.pipelines.statistics.pipeline import create_pipeline

__all__ = ["create_pipeline"]
