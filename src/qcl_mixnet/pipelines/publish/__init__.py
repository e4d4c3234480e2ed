"""Pipeline `publish`."""

from qcl_mixnet.pipelines.publish.pipeline import create_pipeline

__all__ = ["create_pipeline"]
