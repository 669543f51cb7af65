"""Numbers of linux_audit and what they are called: record types, and the system calls that audit rules ask for.

Source: the kernel's headers (linux/audit.h, asm/unistd_64.h, asm/unistd_32.h, asm-generic/unistd.h) and audit's own
list of record types (libaudit.h). A call that is not here keeps its number.
"""

from __future__ import annotations

from typing import Final


def _table(text: str) -> dict[str, str]:
    return {number: name for number, _, name in (word.partition(":") for word in text.split())}


TYPES: Final = _table("""
    1006:LOGIN 1100:USER_AUTH 1101:USER_ACCT 1102:USER_MGMT 1103:CRED_ACQ 1104:CRED_DISP 1105:USER_START
    1106:USER_END 1107:USER_AVC 1108:USER_CHAUTHTOK 1109:USER_ERR 1110:CRED_REFR 1111:USYS_CONFIG 1112:USER_LOGIN
    1113:USER_LOGOUT 1114:ADD_USER 1115:DEL_USER 1116:ADD_GROUP 1117:DEL_GROUP 1118:DAC_CHECK 1119:CHGRP_ID
    1123:USER_CMD 1124:USER_TTY 1125:CHUSER_ID 1126:GRP_AUTH 1127:SYSTEM_BOOT 1128:SYSTEM_SHUTDOWN
    1129:SYSTEM_RUNLEVEL 1130:SERVICE_START 1131:SERVICE_STOP 1132:GRP_MGMT 1133:GRP_CHAUTHTOK 1135:ACCT_LOCK
    1136:ACCT_UNLOCK 1138:SOFTWARE_UPDATE 1200:DAEMON_START 1201:DAEMON_END 1202:DAEMON_ABORT 1203:DAEMON_CONFIG
    1205:DAEMON_ROTATE 1206:DAEMON_RESUME 1207:DAEMON_ACCEPT 1208:DAEMON_CLOSE 1209:DAEMON_ERR 1300:SYSCALL
    1302:PATH 1303:IPC 1304:SOCKETCALL 1305:CONFIG_CHANGE 1306:SOCKADDR 1307:CWD 1309:EXECVE 1311:IPC_SET_PERM
    1312:MQ_OPEN 1313:MQ_SENDRECV 1314:MQ_NOTIFY 1315:MQ_GETSETATTR 1316:KERNEL_OTHER 1317:FD_PAIR 1318:OBJ_PID
    1319:TTY 1320:EOE 1321:BPRM_FCAPS 1322:CAPSET 1323:MMAP 1324:NETFILTER_PKT 1325:NETFILTER_CFG 1326:SECCOMP
    1327:PROCTITLE 1328:FEATURE_CHANGE 1329:REPLACE 1330:KERN_MODULE 1331:FANOTIFY 1332:TIME_INJOFFSET
    1333:TIME_ADJNTPVAL 1334:BPF 1335:EVENT_LISTENER 1336:URINGOP 1337:OPENAT2 1338:DM_CTRL 1339:DM_EVENT 1400:AVC
    1401:SELINUX_ERR 1402:AVC_PATH 1403:MAC_POLICY_LOAD 1404:MAC_STATUS 1405:MAC_CONFIG_CHANGE 1700:ANOM_PROMISCUOUS
    1701:ANOM_ABEND 1702:ANOM_LINK 1703:ANOM_CREAT 1800:INTEGRITY_DATA 1805:INTEGRITY_RULE 2000:KERNEL
""")
_X86_64: Final = _table("""
    0:read 1:write 2:open 9:mmap 10:mprotect 16:ioctl 33:dup2 41:socket 42:connect 43:accept 44:sendto 45:recvfrom
    46:sendmsg 49:bind 50:listen 53:socketpair 56:clone 57:fork 58:vfork 59:execve 62:kill 63:uname 76:truncate
    77:ftruncate 82:rename 83:mkdir 84:rmdir 85:creat 86:link 87:unlink 88:symlink 90:chmod 91:fchmod 92:chown
    93:fchown 94:lchown 99:sysinfo 101:ptrace 103:syslog 105:setuid 106:setgid 113:setreuid 114:setregid
    117:setresuid 119:setresgid 122:setfsuid 123:setfsgid 126:capset 132:utime 133:mknod 135:personality
    155:pivot_root 157:prctl 159:adjtimex 161:chroot 163:acct 164:settimeofday 165:mount 166:umount2 167:swapon
    168:swapoff 169:reboot 170:sethostname 171:setdomainname 175:init_module 176:delete_module 188:setxattr
    189:lsetxattr 190:fsetxattr 197:removexattr 198:lremovexattr 199:fremovexattr 200:tkill 227:clock_settime
    231:exit_group 234:tgkill 235:utimes 246:kexec_load 248:add_key 249:request_key 250:keyctl 257:openat
    258:mkdirat 259:mknodat 260:fchownat 261:futimesat 263:unlinkat 264:renameat 265:linkat 266:symlinkat
    268:fchmodat 272:unshare 280:utimensat 288:accept4 292:dup3 298:perf_event_open 304:open_by_handle_at
    305:clock_adjtime 308:setns 310:process_vm_readv 311:process_vm_writev 313:finit_module 316:renameat2
    317:seccomp 319:memfd_create 320:kexec_file_load 321:bpf 322:execveat 323:userfaultfd 425:io_uring_setup
    428:open_tree 429:move_mount 430:fsopen 432:fsmount 435:clone3 437:openat2 438:pidfd_getfd 452:fchmodat2
""")
_AARCH64: Final = _table("""
    5:setxattr 6:lsetxattr 7:fsetxattr 14:removexattr 15:lremovexattr 16:fremovexattr 24:dup3 29:ioctl 33:mknodat
    34:mkdirat 35:unlinkat 36:symlinkat 37:linkat 38:renameat 39:umount2 40:mount 41:pivot_root 45:truncate
    46:ftruncate 51:chroot 52:fchmod 53:fchmodat 54:fchownat 55:fchown 56:openat 63:read 64:write 88:utimensat
    89:acct 91:capset 92:personality 94:exit_group 97:unshare 104:kexec_load 105:init_module 106:delete_module
    112:clock_settime 116:syslog 117:ptrace 129:kill 130:tkill 131:tgkill 142:reboot 143:setregid 144:setgid
    145:setreuid 146:setuid 147:setresuid 149:setresgid 151:setfsuid 152:setfsgid 160:uname 161:sethostname
    162:setdomainname 167:prctl 170:settimeofday 171:adjtimex 179:sysinfo 198:socket 199:socketpair 200:bind
    201:listen 202:accept 203:connect 206:sendto 207:recvfrom 211:sendmsg 217:add_key 218:request_key 219:keyctl
    220:clone 221:execve 222:mmap 224:swapon 225:swapoff 226:mprotect 241:perf_event_open 242:accept4
    265:open_by_handle_at 266:clock_adjtime 268:setns 270:process_vm_readv 271:process_vm_writev 273:finit_module
    276:renameat2 277:seccomp 279:memfd_create 280:bpf 281:execveat 282:userfaultfd 294:kexec_file_load
    425:io_uring_setup 428:open_tree 429:move_mount 430:fsopen 432:fsmount 435:clone3 437:openat2 438:pidfd_getfd
    452:fchmodat2
""")
_I386: Final = _table("""
    2:fork 3:read 4:write 5:open 8:creat 9:link 10:unlink 11:execve 14:mknod 15:chmod 16:lchown 21:mount 23:setuid
    25:stime 26:ptrace 30:utime 37:kill 38:rename 39:mkdir 40:rmdir 46:setgid 51:acct 52:umount2 54:ioctl 61:chroot
    63:dup2 70:setreuid 71:setregid 74:sethostname 79:settimeofday 83:symlink 87:swapon 88:reboot 90:mmap
    92:truncate 93:ftruncate 94:fchmod 95:fchown 102:socketcall 103:syslog 115:swapoff 116:sysinfo 120:clone
    121:setdomainname 122:uname 124:adjtimex 125:mprotect 128:init_module 129:delete_module 136:personality
    138:setfsuid 139:setfsgid 164:setresuid 170:setresgid 172:prctl 182:chown 185:capset 190:vfork 217:pivot_root
    226:setxattr 227:lsetxattr 228:fsetxattr 235:removexattr 236:lremovexattr 237:fremovexattr 238:tkill
    252:exit_group 264:clock_settime 270:tgkill 271:utimes 283:kexec_load 286:add_key 287:request_key 288:keyctl
    295:openat 296:mkdirat 297:mknodat 298:fchownat 299:futimesat 301:unlinkat 302:renameat 303:linkat 304:symlinkat
    306:fchmodat 310:unshare 320:utimensat 330:dup3 336:perf_event_open 342:open_by_handle_at 343:clock_adjtime
    346:setns 347:process_vm_readv 348:process_vm_writev 350:finit_module 353:renameat2 354:seccomp 356:memfd_create
    357:bpf 358:execveat 359:socket 360:socketpair 361:bind 362:connect 363:listen 364:accept4 369:sendto
    370:sendmsg 371:recvfrom 374:userfaultfd 425:io_uring_setup 428:open_tree 429:move_mount 430:fsopen 432:fsmount
    435:clone3 437:openat2 438:pidfd_getfd 452:fchmodat2
""")
# An architecture as a SYSCALL record writes it (AUDIT_ARCH_* in linux/audit.h).
_CALLS: Final = {"c000003e": _X86_64, "c00000b7": _AARCH64, "40000003": _I386}


def call_name(architecture: str, number: str) -> str:
    """The name of a system call, "" if it is not known."""
    return _CALLS.get(architecture, {}).get(number, "")
