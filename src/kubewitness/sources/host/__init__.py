"""Readers of host evidence: one module a format, `recognise` to tell them apart, `hosts` to put machines together."""
