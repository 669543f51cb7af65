"""Typed detectors: what takes a look at several kinds of state at once and no Sigma rule or correlation can say."""
