"""Stage 4: run the rules over the events; profiles of accessors; correlations and stateful detectors."""
