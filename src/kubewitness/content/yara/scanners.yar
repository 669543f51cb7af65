// Programs that search networks for others to attack. They are tools of administrators too: worth a look, no proof.

rule masscan
{
    meta:
        title = "Program is the scanner masscan"
        title_zh = "程序为扫描工具 masscan"
        description = "The program holds the options of masscan, which searches whole networks for open ports. Worms bring it along."
        description_zh = "该程序含有 masscan 的选项。masscan 用于在整个网段中查找开放端口，蠕虫常随身携带。"
        severity = "medium"
        confidence = "high"
        kind = "activity"
        technique = "T1046, T1595.001"
        falsepositives = "The security team's own scanner"
        falsepositives_zh = "安全团队自己的扫描工具"
        runbook = "Find out who put it there; look for the list of addresses it searched and for connections to them."
        runbook_zh = "查明由谁放置；查找它扫描的地址列表和相应的连接。"
        reference = "https://github.com/robertdavidgraham/masscan"
        date = "2026-11-22"
    strings:
        $name = "masscan" ascii
        $o_adapter = "adapter-ip" ascii
        $o_exclude = "excludefile" ascii
        $o_resume = "paused.conf" ascii
        $o_shard = "shard" ascii
        $o_cookie = "syn-cookie" ascii
        $o_banners = "banners" ascii
        $o_gateway = "router-mac" ascii
        $o_rate = "max-rate" ascii
    condition:
        uint32(0) == 0x464c457f and $name and 4 of ($o_*)
}

rule zmap_family
{
    meta:
        title = "Program is a scanner of the ZMap project"
        title_zh = "程序为 ZMap 项目的扫描工具"
        description = "The program is zgrab or zmap, which search the whole Internet for a service and talk to what answers. Worms bring them along."
        description_zh = "该程序为 zgrab 或 zmap，用于在整个互联网上查找某种服务并与之通信，蠕虫常随身携带。"
        severity = "medium"
        confidence = "high"
        kind = "activity"
        technique = "T1046, T1595.001"
        falsepositives = "The security team's own scanner"
        falsepositives_zh = "安全团队自己的扫描工具"
        runbook = "Find out who put it there; look for the list of addresses it searched and for connections to them."
        runbook_zh = "查明由谁放置；查找它扫描的地址列表和相应的连接。"
        reference = "https://zmap.io/"
        date = "2026-11-22"
    strings:
        $grab = "github.com/zmap/zgrab" ascii
        $grab_bin = "zgrab2/bin" ascii
        $grab_modules = "zgrab2/modules" ascii
        $grab_lib = "/ztools/zlib" ascii
        $map_probe = "probe-module" ascii
        $map_output = "output-filter" ascii
        $map_blocklist = "blocklist-file" ascii
        $map_blacklist = "blacklist-file" ascii
        $map_cooldown = "cooldown-time" ascii
        $map_name = "zmap" ascii
    condition:
        uint32(0) == 0x464c457f and (($grab and 1 of ($grab_*)) or ($map_name and 4 of ($map_*)))
}
