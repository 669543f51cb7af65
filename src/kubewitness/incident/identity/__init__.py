"""Who is the same intruder: over addresses, tokens, certificates, pods and impersonation."""
