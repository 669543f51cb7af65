"""The incident report as one self-contained HTML file: offline, both languages, readable without JavaScript."""
