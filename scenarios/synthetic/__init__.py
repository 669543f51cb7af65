"""An invented cluster that writes an audit log the way a real API server does; shared by scenarios and benchmark."""
