"""All rules about a machine, named one by one, and the way in.

To add one: a function here or in a file of its own, its words in `content/host/<name>.yml`, a line in `RULES`, and
tests: one thing it must speak on, two near it that it must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubewitness.detect.host.audit_stopped import audit_stopped
from kubewitness.detect.host.downloads import download_and_run, environment_sent
from kubewitness.detect.host.escape import container_with_all_capabilities, escape_trace
from kubewitness.detect.host.executions import with_executions
from kubewitness.detect.host.fan_out import exec_download, kubelet_exec_fan_out
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.firewall import firewall_not_evaluated, firewall_unprotected
from kubewitness.detect.host.hidden import hidden_process, rootkit_module, socket_without_owner
from kubewitness.detect.host.hidden_file import hidden_file
from kubewitness.detect.host.listeners import kubelet_port_open_to_all, kubelet_read_only_port
from kubewitness.detect.host.miner import miner_configuration, miner_process
from kubewitness.detect.host.miner_output import miner_output
from kubewitness.detect.host.persistence import (
    authorized_keys,
    cron_persistence,
    ld_preload,
    ld_preload_environment,
    unit_persistence,
)
from kubewitness.detect.host.programs import hidden_program_running, kernel_thread_forged
from kubewitness.detect.host.scanner import scanner_process
from kubewitness.detect.host.sensor_alert import sensor_alert
from kubewitness.detect.host.sigma import HostRules
from kubewitness.detect.host.ssh_bruteforce import ssh_bruteforce_success
from kubewitness.detect.host.typed_commands import typed_commands
from kubewitness.detect.host.wiping import history_wiped, logs_emptied
from kubewitness.model.host import Host
from kubewitness.model.judgement import SEVERITIES

RULES: tuple[Callable[[Host], Iterable[HostFinding]], ...] = (
    audit_stopped,
    authorized_keys,
    container_with_all_capabilities,
    cron_persistence,
    download_and_run,
    environment_sent,
    escape_trace,
    exec_download,
    firewall_not_evaluated,
    firewall_unprotected,
    hidden_file,
    hidden_process,
    hidden_program_running,
    history_wiped,
    kernel_thread_forged,
    kubelet_exec_fan_out,
    kubelet_port_open_to_all,
    kubelet_read_only_port,
    ld_preload,
    ld_preload_environment,
    logs_emptied,
    miner_configuration,
    miner_output,
    miner_process,
    rootkit_module,
    scanner_process,
    sensor_alert,
    socket_without_owner,
    ssh_bruteforce_success,
    typed_commands,
    unit_persistence,
)


def judge(host: Host, sigma: HostRules | None = None) -> list[HostFinding]:
    """What is suspect about a machine, the worst first; same evidence, same list. `sigma`: rules that are data."""
    known = with_executions(host)
    found = [finding for rule in RULES for finding in rule(known)]
    found += sigma.findings(host) if sigma else ()
    return in_order(found)


def in_order(found: Iterable[HostFinding]) -> list[HostFinding]:
    """The worst first."""
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.rule, one.first, one.subject))
