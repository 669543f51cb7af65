"""Answers to the questions about an incident."""
