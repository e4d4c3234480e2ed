"""All that knows Kedro or MLflow but the pipelines themselves."""
