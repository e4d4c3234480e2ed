"""Pipeline `tuning`."""

from qcl_mixnet.pipelines.tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
