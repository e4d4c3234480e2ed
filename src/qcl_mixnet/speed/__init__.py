"""The speed of training: the plain reference beside the engine."""
