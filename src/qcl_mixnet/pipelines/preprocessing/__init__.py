"""Pipeline `preprocessing`."""

from qcl_mixnet.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
