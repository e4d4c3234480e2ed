"""Pipeline `evaluation`."""

from qcl_mixnet.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
