"""Files of rows, to be scored with a saved model."""
