"""Indicators: values known from earlier intrusions, the shipped pack and what a user brings, looked for in evidence."""
