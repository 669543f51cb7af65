"""The renderers and the schema of the result document."""
