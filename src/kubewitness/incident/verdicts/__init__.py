"""Answers to the questions about an incident as a whole, with reasons and what speaks against."""
