// Mining programs, by what they must hold to do their work: options, algorithms and the words of the pools' protocol.
// No single word is enough: monitoring, sensors and rule sets hold some of them. Only programs (ELF) are meant.

rule xmrig_family
{
    meta:
        title = "Program is a miner of the XMRig family"
        title_zh = "程序属于 XMRig 系列挖矿软件"
        description = "The program holds options, algorithms and pool protocol of XMRig or one of its many copies. What it is called does not matter."
        description_zh = "该程序含有 XMRig 或其众多衍生版本的选项、算法和矿池协议字符串，与文件名无关。"
        severity = "high"
        confidence = "high"
        kind = "intrusion"
        technique = "T1496.001"
        falsepositives = "A machine whose purpose is mining; a security product that holds such rules in the clear"
        falsepositives_zh = "以挖矿为目的的机器；以明文保存同类规则的安全产品"
        runbook = "Keep the program and its hash, read wallet and pool out of its command line or its configuration, then find what started it."
        runbook_zh = "保留该程序及其哈希，从命令行或配置中取得钱包与矿池，再查明由什么启动。"
        reference = "https://xmrig.com/docs/miner/command-line-options"
        date = "2026-11-22"
    strings:
        $option_donate = "donate-level" ascii
        $option_proxy = "donate-over-proxy" ascii
        $option_threads = "max-threads-hint" ascii
        $option_rig = "rig-id" ascii
        $option_wrmsr = "randomx-wrmsr" ascii
        $option_mode = "randomx-mode" ascii
        $option_pages = "huge-pages-jit" ascii
        $algorithm_rx = "rx/0" ascii
        $algorithm_cn = "cn/r" ascii
        $algorithm_heavy = "cn-heavy/xhv" ascii
        $algorithm_wow = "rx/wow" ascii
        $algorithm_name = "randomx" ascii nocase
        $algorithm_night = "cryptonight" ascii nocase
        $pool_stratum = "stratum+tcp://" ascii
        $pool_ssl = "stratum+ssl://" ascii
        $pool_keep = "keepalived" ascii
        $pool_algo = "\"algo\"" ascii
        $pool_seed = "seed_hash" ascii
        $pool_blob = "job_id" ascii
    condition:
        uint32(0) == 0x464c457f and 2 of ($option_*) and 2 of ($algorithm_*) and 1 of ($pool_*)
}

rule stratum_miner
{
    meta:
        title = "Program speaks the protocol of mining pools"
        title_zh = "程序使用矿池协议"
        description = "The program holds the calls with which a miner subscribes to a pool and hands in its work, and names mining algorithms."
        description_zh = "该程序含有挖矿程序向矿池订阅任务和提交结果的调用，以及挖矿算法的名称。"
        severity = "medium"
        confidence = "medium"
        kind = "activity"
        technique = "T1496.001"
        falsepositives = "A pool's own server, or a wallet that mines"
        falsepositives_zh = "矿池自身的服务端，或带有挖矿功能的钱包"
        runbook = "Keep the program and find out who installed it and what it is connected to."
        runbook_zh = "保留该程序，查明由谁安装、连接到何处。"
        reference = "https://attack.mitre.org/techniques/T1496/001/"
        date = "2026-11-22"
    strings:
        $call_subscribe = "mining.subscribe" ascii
        $call_authorize = "mining.authorize" ascii
        $call_submit = "mining.submit" ascii
        $call_notify = "mining.notify" ascii
        $call_difficulty = "mining.set_difficulty" ascii
        $name_stratum = "stratum+" ascii
        $name_scrypt = "scrypt" ascii
        $name_hashrate = "hashrate" ascii nocase
        $name_kawpow = "kawpow" ascii nocase
        $name_ethash = "ethash" ascii nocase
        $name_yescrypt = "yescrypt" ascii nocase
    condition:
        uint32(0) == 0x464c457f and 3 of ($call_*) and 2 of ($name_*)
}

rule kinsing_agent
{
    meta:
        title = "Program is the Kinsing agent"
        title_zh = "程序为 Kinsing 木马"
        description = "The program holds names of functions of the agent that fetches, starts and guards the miner kdevtmpfsi and spreads over Redis and SSH."
        description_zh = "该程序含有 Kinsing 的函数名：下载、启动并守护挖矿程序 kdevtmpfsi，并通过 Redis 和 SSH 传播。"
        severity = "high"
        confidence = "medium"
        kind = "intrusion"
        technique = "T1105, T1496.001"
        falsepositives = "A security product that holds these names in the clear"
        falsepositives_zh = "以明文保存这些名称的安全产品"
        runbook = "Keep the program and the script that fetched it, usually a crontab's; look for the same on all machines its SSH keys reach."
        runbook_zh = "保留该程序和下载它的脚本（通常在 crontab 中），并检查其 SSH 密钥可达的所有机器。"
        reference = "https://attack.mitre.org/software/S0599/"
        date = "2026-11-22"
    strings:
        $miner = "kdevtmpfsi" ascii
        $f_running = "minerRunningCheck" ascii
        $f_pid = "getMinerPid" ascii
        $f_run = "runMiner" ascii
        $f_redis = "redisBrute" ascii
        $f_back = "backconnect" ascii
        $f_socks = "main.socks" ascii
        $f_masscan = "masscan" ascii
    condition:
        uint32(0) == 0x464c457f and $miner and 2 of ($f_*)
}
