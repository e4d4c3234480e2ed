"""Pipeline `inference`."""

from qcl_mixnet.pipelines.inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]
