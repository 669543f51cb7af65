"""All formats, asked from top to bottom: the first that recognises an object opens it.

To add one: write `recognises` and `open` in a file of its own (see `interface`), add its line here, prove it with a
sample in tests/sources. The order matters only where the comments say so.
"""

from __future__ import annotations

from typing import Final

from kubewitness.sources.aks import DiagnosticRecord, QueryAnswer, ResourceSpecific
from kubewitness.sources.envelopes import CloudWatchSubscription, Envelope, InsightsRow, LokiStream, Nested
from kubewitness.sources.foreign import KubernetesList, OtherLog
from kubewitness.sources.gke import LogEntry
from kubewitness.sources.interface import Source
from kubewitness.sources.otlp import Telemetry
from kubewitness.sources.sls import DottedRow, StringRow

EVENT_LIST: Final = "EventList"

# Formats that look like a plain audit event at first sight: asked before it.
BEFORE_PLAIN: Final[tuple[Source, ...]] = (
    StringRow(),  # has auditID, but its parts are strings
    DottedRow(),  # may have auditID
)

SOURCES: Final[tuple[Source, ...]] = (
    KubernetesList(),  # before `items`: a list of pods is no batch of events
    CloudWatchSubscription(),
    LogEntry(),  # before the envelopes: entries of other services have members called message or log
    DiagnosticRecord(),  # before `properties` and `log`
    ResourceSpecific(),
    QueryAnswer(),
    Telemetry(),
    InsightsRow(),
    Nested("Elasticsearch hits", ("hits", "hits")),
    Nested("Elastic kubernetes.audit", ("_source", "kubernetes", "audit")),  # before _source and its event.original
    Nested("Elastic kubernetes.audit", ("kubernetes", "audit")),
    Nested("Elastic event.original", ("_source", "event", "original")),
    Nested("Elastic event.original", ("event", "original")),
    Nested("Loki query result", ("data", "result")),
    Envelope(EVENT_LIST, "items", array_only=True),
    Envelope("Azure records", "records", array_only=True),
    Envelope("AWS records", "Records", array_only=True),
    Envelope("CloudWatch FilterLogEvents", "events", array_only=True),
    Envelope("Google Cloud entries", "entries", array_only=True),
    Envelope("CloudWatch Insights export", "results", array_only=True),
    LokiStream(),
    Envelope("OpenShift structured", "structured"),
    Envelope("CloudWatch Insights export", "@message"),
    Envelope("container log (Docker)", "log", "stream"),
    Envelope("CloudWatch log event", "message", "logStreamName"),
    Envelope("CloudWatch log event", "message", "ingestionTime"),
    Envelope("JSON inside message", "message"),
    Envelope("JSON inside log", "log"),
    Envelope("AzureDiagnostics", "log_s"),
    Envelope("Alibaba SLS", "content"),
    Envelope("Alibaba SLS", "__raw__"),
    Envelope("Splunk export", "_raw"),
    Envelope("Splunk export", "result"),
    Envelope("Splunk export", "event"),
    Envelope("Elasticsearch hit", "_source"),
    Envelope("Google Cloud jsonPayload", "jsonPayload"),
    Envelope("Google Cloud textPayload", "textPayload"),
    Envelope("systemd journal", "MESSAGE"),
    Envelope("Loki line", "line"),
    Envelope("JSON inside body", "body"),
    Envelope("JSON inside data", "data"),
    Envelope("JSON inside value", "value"),
    OtherLog(),  # last: only names what nothing above could open
)
