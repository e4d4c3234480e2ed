"""Pipeline `training`."""

from qcl_mixnet.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
