"""The recorder on a cluster that somebody else runs: their own, disposable, and marked as such.

Nothing is started here and no node is reached into. Steps come from this machine with curl and kubectl; whose a
request in the audit log was is known by the Audit-Id of the answer. What a script needs and such a cluster cannot
give is named before anything is done.
"""
