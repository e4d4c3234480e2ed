"""Pipeline `reporting`."""

from qcl_mixnet.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
