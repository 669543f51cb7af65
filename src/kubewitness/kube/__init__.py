"""Asking an API server. The only package that does, and it only reads."""
