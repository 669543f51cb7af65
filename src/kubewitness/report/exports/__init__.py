"""The document in the formats of other tools: one format a file, `interface.py` says what all of them keep.

    stix         STIX 2.1 bundle with the Attack Flow extension: threat intelligence platforms
    attack-flow  the chain alone, one flow: Attack Flow Builder
    navigator    layer of the techniques that were seen: ATT&CK Navigator
    timesketch   every step and cited piece of evidence on a timeline: Timesketch
    ocsf         incidents and findings as events: security data lakes

`report/formats.py` has their rows.
"""
