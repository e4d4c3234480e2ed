"""Pipeline `fit`."""

from qcl_mixnet.pipelines.fit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
