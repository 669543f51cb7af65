// What hides processes: a library that every program is made to load, and modules of the kernel.

rule process_hiding_library
{
    meta:
        title = "Library hides processes from lists"
        title_zh = "动态库对进程列表隐藏进程"
        description = "The library stands in for readdir and looks up the name of each process in /proc: so it leaves processes out of what ps and top show."
        description_zh = "该动态库替换 readdir，并逐一查询 /proc 中的进程名，从而在 ps 和 top 的输出中略去某些进程。"
        severity = "high"
        confidence = "high"
        kind = "intrusion"
        technique = "T1014, T1574.006"
        falsepositives = "None known"
        falsepositives_zh = "目前没有已知的误报"
        runbook = "Do not trust lists made on this machine: take them again with a statically linked tool. The name it hides stands in the library."
        runbook_zh = "该主机自身给出的列表不可信：请用静态链接的工具重新采集。被隐藏的进程名就写在该库中。"
        reference = "https://attack.mitre.org/techniques/T1574/006/"
        date = "2026-11-22"
    strings:
        $directory = "/proc/self/fd/%d" ascii
        $process = "/proc/%s/stat" ascii
        $function = "readdir" ascii
        $find = "dlsym" ascii
        $form = "%d (%[^)]s" ascii
        $variable = "process_to_filter" ascii
    condition:
        uint32(0) == 0x464c457f and uint16(16) == 3 and filesize < 2MB and $directory and $process and $function and $find
        and 1 of ($form, $variable)
}

rule diamorphine_module
{
    meta:
        title = "Kernel module is a rootkit (Diamorphine)"
        title_zh = "内核模块为 rootkit（Diamorphine）"
        description = "The module holds names of functions of Diamorphine, which hides itself, files and processes and makes any process root by a signal."
        description_zh = "该模块含有 Diamorphine 的函数名：隐藏自身、文件和进程，并可通过信号让任意进程获得 root 权限。"
        severity = "critical"
        confidence = "high"
        kind = "intrusion"
        technique = "T1014, T1547.006"
        falsepositives = "None known"
        falsepositives_zh = "目前没有已知的误报"
        runbook = "Nothing that runs on this machine can be trusted: take its disk and memory from outside and rebuild it."
        runbook_zh = "该主机上运行的一切都不可信：从外部获取磁盘与内存镜像，然后重装。"
        reference = "https://attack.mitre.org/techniques/T1014/"
        date = "2026-11-22"
    strings:
        $name = "diamorphine" ascii
        $f_kill = "hacked_kill" ascii
        $f_list = "hacked_getdents" ascii
        $f_root = "give_root" ascii
        $f_hide = "module_hide" ascii
        $f_show = "module_show" ascii
        $f_invisible = "is_invisible" ascii
    condition:
        uint32(0) == 0x464c457f and uint16(16) == 1 and (3 of ($f_*) or ($name and 2 of ($f_*)))
}
