// Scripts of spreaders. Shell text alone is meant: it begins like a script, or does what no page about one does.

rule kubelet_spreader
{
    meta:
        title = "Script spreads over kubelets"
        title_zh = "脚本通过 kubelet 传播"
        description = "The script searches networks for kubelets and runs commands in their containers: this machine attacks others, or was meant to."
        description_zh = "该脚本在网络中查找 kubelet 并在其容器中执行命令：本机正在攻击他人，或将被用于攻击他人。"
        severity = "high"
        confidence = "high"
        kind = "intrusion"
        technique = "T1046, T1609"
        falsepositives = "The security team's own script"
        falsepositives_zh = "安全团队自己的脚本"
        runbook = "Keep the script, stop what runs it, and warn the owners of the networks that it names."
        runbook_zh = "保留该脚本，停止执行它的进程，并告知其中所列网络的所有者。"
        reference = "https://attack.mitre.org/techniques/T1609/"
        date = "2026-11-22"
    strings:
        $scan_masscan = "masscan" ascii
        $scan_zgrab = "zgrab" ascii
        $scan_pnscan = "pnscan" ascii
        $port = "10250" ascii
        $call_run = "/run/" ascii
        $call_pods = "runningpods" ascii
        $call_exec = "/exec/" ascii
        $send = /curl\s[^\n]{0,200}(-d|--data|-X\s?POST)/ ascii
    condition:
        uint16(0) == 0x2123 and filesize < 1MB and $port and 1 of ($scan_*) and 1 of ($call_*) and $send
}

rule chimaera_script
{
    meta:
        title = "Script of the Chimaera campaign"
        title_zh = "Chimaera 攻击活动的脚本"
        description = "The script names files and addresses of the spreader that TeamTNT sent over kubelets and Docker in 2021."
        description_zh = "该脚本含有 TeamTNT 于 2021 年通过 kubelet 和 Docker 传播时使用的文件名与地址。"
        severity = "high"
        confidence = "high"
        kind = "intrusion"
        technique = "T1059.004, T1105, T1496.001"
        falsepositives = "A researcher's copy"
        falsepositives_zh = "研究人员保存的样本"
        runbook = "Keep the script with its times; look for /var/tmp/.system, /tmp/.x1mr, new SSH keys and changed /etc/ld.so.preload on every node."
        runbook_zh = "保留该脚本及其时间戳；在每个节点上检查 /var/tmp/.system、/tmp/.x1mr、新增的 SSH 密钥和被修改的 /etc/ld.so.preload。"
        reference = "https://attack.mitre.org/groups/G0139/"
        date = "2026-11-22"
    strings:
        $atom_path = "/chimaera/" ascii
        $atom_threads = "scan_threads.dat" ascii
        $atom_target = "kube_in.php" ascii
        $atom_password = "GesichtsKirmes" ascii
        $atom_setup = "setup_xmr.sh" ascii
        $atom_one = "/tmp/.x1mr" ascii
        $atom_two = "/tmp/.x2mr" ascii
        $atom_loop = "spread_kube_loop" ascii
        $shell_mode = /[\n;&]\s{0,8}chmod\s\+x\s/ ascii
        $shell_history = /[\n;&]\s{0,8}history\s-c/ ascii
    condition:
        filesize < 1MB and 2 of ($atom_*) and (uint16(0) == 0x2123 or all of ($shell_*))
        and uint32(0) != 0x464c457f
}

rule miner_installer
{
    meta:
        title = "Script installs a miner and removes its rivals"
        title_zh = "脚本安装挖矿程序并清除竞争对手"
        description = "The script ends the miners of others, fetches one of its own and keeps it from being removed."
        description_zh = "该脚本结束他人的挖矿程序，下载自己的挖矿程序，并防止其被删除。"
        severity = "high"
        confidence = "medium"
        kind = "intrusion"
        technique = "T1059.004, T1105, T1489, T1496.001"
        falsepositives = "A clean-up script of an incident response"
        falsepositives_zh = "应急响应人员的清理脚本"
        runbook = "Keep the script with its times; it names what was installed and where."
        runbook_zh = "保留该脚本及其时间戳，其中写明安装了什么、装在何处。"
        reference = "https://attack.mitre.org/techniques/T1496/001/"
        date = "2026-11-22"
    strings:
        $rival_kinsing = "kinsing" ascii
        $rival_kdev = "kdevtmpfsi" ascii
        $rival_xmrig = "xmrig" ascii
        $rival_ocean = "moneroocean" ascii nocase
        $rival_c3pool = "c3pool" ascii
        $ends = /(pkill|killall|kill)\s+-(9|f|KILL)/ ascii
        $fetch = /(curl|wget)\s[^\n]{0,300}https?:\/\// ascii
        $keep_chattr = /chattr\s+\+[a-z]{0,3}[ia]/ ascii
        $keep_cron = "crontab" ascii
        $keep_preload = "ld.so.preload" ascii
    condition:
        uint16(0) == 0x2123 and filesize < 1MB and 2 of ($rival_*) and $ends and $fetch and 1 of ($keep_*)
}
