"""Nothing is sent anywhere: other packages' telemetry is off unless the user asked for it."""

import os

# MLflow obeys DO_NOT_TRACK only where it says "true", Kedro's plugins whatever it says. With a
# value that MLflow does not obey, MLFLOW_DISABLE_TELEMETRY=false is still the user's to set.
SWITCHES = {
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def switch_off_telemetry() -> None:
    """Tell Kedro and MLflow to send nothing, where the user has not told them otherwise.

    MLflow asks at every call, so this holds from here on even if it was imported before. Child
    processes, such as the one that serves Kedro-Viz, inherit it.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
