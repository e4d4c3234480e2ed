"""Pipeline `plan`."""

from qcl_mixnet.pipelines.plan.pipeline import create_pipeline

__all__ = ["create_pipeline"]
