"""Tests of the exports to other tools' formats."""
