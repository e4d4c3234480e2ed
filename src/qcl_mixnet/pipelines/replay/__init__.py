"""Pipeline `replay`."""

from qcl_mixnet.pipelines.replay.pipeline import create_pipeline

__all__ = ["create_pipeline"]
