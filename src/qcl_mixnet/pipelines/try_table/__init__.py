"""Pipeline `try`."""

from qcl_mixnet.pipelines.try_table.pipeline import create_pipeline

__all__ = ["create_pipeline"]
