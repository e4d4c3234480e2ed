"""Reporting: tables and figures."""
