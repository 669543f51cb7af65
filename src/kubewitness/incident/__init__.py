"""Stage 6: from detections to incidents: actors, way in, root cause, steps, blast radius, coverage."""
