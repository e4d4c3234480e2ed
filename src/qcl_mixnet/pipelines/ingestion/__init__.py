"""Pipeline `ingestion`."""

from qcl_mixnet.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
