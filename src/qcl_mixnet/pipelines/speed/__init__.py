"""Pipeline `speed`."""

from qcl_mixnet.pipelines.speed.pipeline import create_pipeline

__all__ = ["create_pipeline"]
