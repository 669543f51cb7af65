#!/bin/sh
# kubewitness collect, as one POSIX sh script: evidence of this machine into one archive, for `kubewitness investigate`.
#
#   sudo sh collect.sh [-o DIR] [-s MAX_MB] [-t MAX_SECONDS]
#
# Writes DIR/kubewitness-HOST-TIME.tar.gz (default: the current folder) and nothing else; what it needs meanwhile is in
# a hidden folder in DIR, which is removed. Nothing is sent anywhere; only the kubelet on 127.0.0.1 is asked for its
# configuration, with a credential this machine has. Private keys are never copied, secret values are overwritten.
# Exit code: 0 done, 2 wrong call or nothing could be written, 3 done with something missing that was wanted.
#
# Order: what is lost first is taken first (processes, sockets, packet filter, ..., logs, temporary folders). Each file
# is named in manifest.jsonl with its sha256. The archive is text and copies of files: look into it before you send it.

set -u
set +f
umask 077
LC_ALL=C LANG=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/opt/bin:/var/lib/rancher/rke2/bin
COLUMNS=10000 PAGER=cat SYSTEMD_PAGER='' SYSTEMD_COLORS=0 TERM=dumb
export LC_ALL LANG PATH COLUMNS PAGER SYSTEMD_PAGER SYSTEMD_COLORS TERM
unset CDPATH ENV BASH_ENV GREP_OPTIONS TAR_OPTIONS GZIP POSIXLY_CORRECT LD_PRELOAD LD_LIBRARY_PATH
IFS=' 	
'

usage() {
    echo "usage: sh collect.sh [-o DIR] [-s MAX_MB] [-t MAX_SECONDS]" >&2
    echo "  -o DIR          where the archive is written (default: the current folder)" >&2
    echo "  -s MAX_MB       megabytes copied at most, before compression (default: 1024)" >&2
    echo "  -t MAX_SECONDS  seconds spent at most (default: 600)" >&2
}
fail() {
    echo "kubewitness collect: $*" >&2
    exit 2
}
now() { date +%s; }
number() { case $1 in '' | *[!0-9]* | ?????????*) return 1 ;; esac; }

target=. max_mb=1024 max_seconds=600
while getopts o:s:t:h option; do
    case $option in
    o) target=$OPTARG ;;
    s) max_mb=$OPTARG ;;
    t) max_seconds=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || { usage; exit 2; }
number "$max_mb" && number "$max_seconds" && [ "$max_mb" -gt 0 ] || { usage; exit 2; }
[ -d "$target" ] || fail "$target is no folder: create it, or name another with -o"
target=$(cd -- "$target" && pwd -P) || fail "the folder cannot be entered"
for tool in awk sed od tar gzip head tail tr cat date find grep readlink stat wc mktemp; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on this machine; run 'kubewitness collect' instead"
done

begun=$(now)
deadline=$((begun + max_seconds))
limit=$((max_mb * 1048576))
free=$(df -Pk "$target" 2>/dev/null | awk 'NR == 2 { print $4 }')
case $free in '' | *[!0-9]*) ;; *)
    # the copies and the archive of them lie there at the same time
    [ "$free" -gt 20480 ] || fail "less than 20 MB are free in $target: name another folder with -o"
    room=$((free * 1024 / 10 * 6))
    [ "$limit" -le "$room" ] || { limit=$room; echo "kubewitness collect: $((limit / 1048576)) MB are copied at most, because little is free in $target" >&2; }
    ;;
esac
host=$(uname -n | tr -c 'A-Za-z0-9.\n-' '_' | head -c 64)
top=kubewitness-$host-$(date -u +%Y%m%dT%H%M%SZ)
archive=$target/$top.tar.gz
[ ! -e "$archive" ] || fail "$archive exists; nothing is ever overwritten"
work=$(mktemp -d "$target/.kubewitness.XXXXXX") || fail "nothing can be written to $target"
trap 'rm -rf "$work"' EXIT
trap 'echo "kubewitness collect: interrupted, nothing is left" >&2; exit 130' INT TERM HUP
TMPDIR=$work # some shells keep here-documents in files
export TMPDIR
renice -n 10 -p $$ >/dev/null 2>&1
stage=$work/stage/$top
mkdir -p "$stage" "$work/awk" || fail "nothing can be written to $target"
: >"$work/records"
: >"$work/meta"

# --- JSON: bytes come from od as numbers, so that no name of a file or process can be more than text -----------------
cat >"$work/awk/text" <<'AWK'
# UTF-8 becomes \uXXXX, a byte that is none becomes the four characters \xNN
function prepare(   n) {
    for (n = 0; n < 256; n++) hex[n] = "\\\\x" sprintf("%02x", n)
    for (n = 0; n < 128; n++) plain[n] = (n < 32 || n == 127) ? "\\u" sprintf("%04x", n) : sprintf("%c", n)
    plain[34] = "\\\""; plain[92] = "\\\\"
    clear()
}
function clear() { whole = ""; part = ""; count = 0; held = ""; need = 0; bytes = 0 }
function say(s) { part = part s; if (++count >= 400) { whole = whole part; part = ""; count = 0 } }
function text() { if (held != "") { say(held); held = ""; need = 0 }; return whole part }
function byte(b) {
    bytes++
    if (need > 0) {
        if (b >= 128 && b < 192) {
            code = code * 64 + b - 128; held = held hex[b]; need--
            if (need > 0) return
            if (code >= low && (code < 55296 || code > 57343) && code < 1114112) {
                if (code < 65536) say("\\u" sprintf("%04x", code))
                else { code -= 65536; say("\\u" sprintf("%04x", 55296 + int(code / 1024)) "\\u" sprintf("%04x", 56320 + code % 1024)) }
            } else say(held)
            held = ""
            return
        }
        say(held); held = ""; need = 0
    }
    if (b < 128) { say(plain[b]); return }
    if (b >= 194 && b < 224) { need = 1; code = b - 192; low = 128; held = hex[b] }
    else if (b >= 224 && b < 240) { need = 2; code = b - 224; low = 2048; held = hex[b] }
    else if (b >= 240 && b < 245) { need = 3; code = b - 240; low = 65536; held = hex[b] }
    else say(hex[b])
}
# seconds since 1970 as RFC 3339
function iso(t,   day, era, doe, yoe, doy, mp, y, m) {
    t = int(t); day = int(t / 86400); t -= day * 86400; day += 719468
    era = int(day / 146097); doe = day - era * 146097
    yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
    doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100)); mp = int((5 * doy + 2) / 153)
    m = mp < 10 ? mp + 3 : mp - 9; y = yoe + era * 400 + (m <= 2)
    return sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, doy - int((153 * mp + 2) / 5) + 1, int(t / 3600), int(t % 3600 / 60), t % 60)
}
AWK
cat >"$work/awk/words" <<'AWK'
# strings that end in NUL, each quoted, one a line
BEGIN { prepare() }
{ for (i = 1; i <= NF; i++) if ($i == 0) { print "\"" text() "\""; clear() } else byte($i + 0) }
AWK
cat >"$work/awk/process" <<'AWK'
# @ section, then bytes: one process after another
BEGIN { prepare() }
function field(name, value) { if (value != "") out = out ",\"" name "\":\"" value "\"" }
function after(s, mark) { return substr(s, index(s, mark) + length(mark)) }
function list(name, items) { if (items != "") out = out ",\"" name "\":[" items "]" }
function add(items, item) { return items (items == "" ? "" : ",") "\"" item "\"" }
function value16(s,   n, i) {
    for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
    return n
}
function ended(t,   at, f, n) {
    if (section == "stat") {
        at = match(t, /.*\)/) ? RLENGTH : 0
        name = substr(t, index(t, "(") + 1, at - index(t, "(") - 1)
        n = split(substr(t, at + 2), f, " ")
        state = f[1]; parent = f[2]; ticks = f[20]; valid = n >= 20
    } else if (section == "status") {
        n = split(t, f, /[ ]|\\u0009/)
        if (f[1] == "Uid:") uid = f[3]
        else if (f[1] == "CapEff:") capabilities = f[n]
        else if (f[1] == "Seccomp:") seccomp = f[n]
        else if (f[1] == "TracerPid:") tracer = f[n]
        else if (f[1] == "NSpid:") inner = f[n]
    } else if (section == "cmdline") { argv = add(argv, t); if (t != "") said = 1 }
    else if (section == "environ") {
        if (index(t, "=") && variables++ < 400) environ = add(environ, substr(t, 1, index(t, "=") - 1))
    } else if (section == "cgroup") cgroup = cgroup t "\\n"
    else if (section == "ns") {
        if (index(t, " -> ") && index(t, ":[")) {
            t = after(t, " -> "); n = substr(after(t, ":["), 1, length(after(t, ":[")) - 1)
            t = substr(t, 1, index(t, ":[") - 1)
            if (!(t in seen)) { seen[t] = 1; spaces = spaces (spaces == "" ? "" : ",") "\"" t "\":\"" n "\"" }
            if (t == "net") net = n
        }
    } else if (section == "fd") {
        if (match(t, /[0-9]+ -> /) && open++ < 400) files = add(files, substr(t, RSTART, RLENGTH - 4) " " substr(t, RSTART + RLENGTH))
    } else if (section == "maps") {
        n = split(t, f, " +")
        at = index(t, "/")
        if (at) { t = substr(t, at); if (!(("/" t) in seen) && mapped++ < 200) { seen["/" t] = 1; maps = add(maps, t) } }
        else if (f[6] !~ /^\[v/) { split(f[1], f, "-"); anonymous += value16(f[2]) - value16(f[1]) }
    } else link[section] = t
}
function finish(   odd) {
    if (section != "" && bytes) ended(text())
    clear()
}
function write(   odd) {
    if (pid == "") return
    if (!valid && !hidden) return  # ended meanwhile
    out = "{\"pid\":" pid
    if (valid) out = out ",\"ppid\":" parent
    field("name", name)
    if (said) list("argv", argv)
    field("state", state)
    if (uid != "") out = out ",\"uid\":" uid
    if (valid && booted > 0) field("started", iso(booted + ticks / tick))
    field("exe", link["exe"]); field("cwd", link["cwd"]); field("root", link["root"])
    field("cgroup", cgroup)
    list("environ", environ)
    if (spaces != "") out = out ",\"namespaces\":{" spaces "}"
    list("files", files); list("maps", maps)
    if (anonymous > 0) out = out ",\"anonymous_executable\":" sprintf("%.0f", anonymous)
    field("capabilities", capabilities); field("seccomp", seccomp)
    if (tracer > 0) out = out ",\"tracer\":" tracer
    if (inner > 0) out = out ",\"inner_pid\":" inner
    if (hidden) out = out ",\"hidden\":true"
    print out "}"
    odd = link["exe"] ~ /( \(deleted\)|^\/memfd:.*)$/ || link["exe"] ~ /^\/(tmp|var\/tmp|dev\/shm|run\/user|run\/shm|dev\/mqueue)\//
    print pid, (ticks == "" ? "-" : ticks), (net == "" ? "-" : net), odd, (link["exe"] == "" ? 0 : 1) > index_file
}
$1 == "@" {
    finish()
    section = $2
    if (section == "pid" || section == "end") {
        write()
        pid = $3; hidden = $4; section = ""
        name = state = parent = ticks = uid = capabilities = seccomp = tracer = inner = argv = environ = cgroup = spaces = files = maps = net = ""
        valid = said = variables = open = mapped = anonymous = 0
        split("", seen); split("", link)
    }
    separator = section ~ /^(cmdline|environ)$/ ? 0 : section ~ /^(stat|exe|cwd|root)$/ ? -1 : 10
    next
}
{ for (i = 1; i <= NF; i++) if ($i == separator) { ended(text()); clear() } else byte($i + 0) }
AWK
cat >"$work/awk/listing" <<'AWK'
# mode, uid, modified, changed, size, sha256 in one string, the path in the next, the target of a link in a third
BEGIN {
    prepare()
    kinds["-"] = "file"; kinds["d"] = "directory"; kinds["l"] = "link"; kinds["b"] = kinds["c"] = "device"
    kinds["s"] = "socket"; kinds["p"] = "pipe"
}
{
    for (i = 1; i <= NF; i++) {
        if ($i != 0) { byte($i + 0); continue }
        got[at++] = text(); clear()
        if (at < 3) continue
        at = 0; n = split(got[0], f, " "); k = substr(f[1], 1, 1)
        if (n < 5) continue
        line = "{\"path\":\"" got[1] "\",\"kind\":\"" (k in kinds ? kinds[k] : "file") "\",\"size\":" f[5] ",\"mode\":\"" f[1] "\",\"uid\":" f[2]
        line = line ",\"modified\":\"" iso(f[3]) "\",\"changed\":\"" iso(f[4]) "\""
        if (f[6] != "") line = line ",\"sha256\":\"" f[6] "\""
        if (got[2] != "") line = line ",\"target\":\"" got[2] "\""
        print line "}"
    }
}
AWK
cat >"$work/awk/redact" <<'AWK'
# values that are secret by the name of their setting, overwritten in their length
function cover(from, size,   s) {
    while (length(s) < size) s = s "REDACTED-"
    line = substr(line, 1, from - 1) substr(s, 1, size) substr(line, from + size); n++
}
function value(from,   rest, quote, size) {
    rest = substr(line, from); quote = substr(line, from - 1, 1)
    if (quote ~ /["']/ && index(rest, quote) > 1) size = index(rest, quote) - 1
    else size = match(rest, /^[^ \t\r"',;#}\]]+/) ? RLENGTH : 0
    rest = substr(rest, 1, size)
    if (size && rest !~ /^([\/$%{\[|>]|true$|false$|yes$|no$|none$|null$|on$|off$|file:|REDACTED-|[0-9.]+(ns|us|ms|s|m|h|d)?$)/) cover(from, size)
    return from + size
}
{
    line = $0; low = tolower(line)
    if (named && match(low, /^[ \t-]*["']?value["']?[ \t]*:[ \t]*["']?/)) value(RLENGTH + 1)
    named = low ~ /^[ \t-]*["']?name["']?[ \t]*:[ \t]*["']?[a-z0-9_.-]*(passwords?|passwd|passphrase|secret|token|credentials?|(access|api|private|auth|secret)[_-]?key)["']?,?[ \t\r]*$/
    at = 1
    while (match(substr(low, at), /(passwords?|passwd|passphrase|secret|token|auths?|credentials?|client-key-data|(access|api|private|auth|secret|encryption|signing)[_-]?key)(["']?[ \t]*[:=][ \t]*["']?|["']?[ \t]*,[ \t]*["']|[ \t]+)/)) {
        start = at + RSTART - 1; end = start + RLENGTH
        # behind a space only a flag has a value: --token abc
        if (substr(line, start, RLENGTH) !~ /[:=]/ && substr(low, 1, start - 1) !~ /--[a-z-]*$/) { at = end; continue }
        at = value(end)
        if (at <= end) at = end
    }
    if (match(line, /:\/\/[^ \/:@"']*:[^ \/@"']+@/)) {
        start = RSTART + 3 + index(substr(line, RSTART + 3), ":"); value(start)
    }
    print line
}
END { print n + 0 > counted }
AWK

quoted() { printf '%s\000' "$@" | od -An -v -tu1 | awk -f "$work/awk/text" -f "$work/awk/words"; }
joined() { awk 'NR > 1 { printf "," } { printf "%s", $0 }'; }

# --- what every step uses ---------------------------------------------------------------------------------------------
if command -v sha256sum >/dev/null 2>&1; then
    hash='sha256sum'
elif command -v openssl >/dev/null 2>&1; then
    hash='openssl dgst -sha256 -r'
else
    hash=''
    echo "kubewitness collect: neither sha256sum nor openssl is here: the manifest will have no hashes" >&2
fi
sha() { # of standard input; nothing if there is no tool
    [ -n "$hash" ] || return 0
    digest=$($hash)
    printf '%s' "${digest%% *}"
}
if timeout -k 1 5 true >/dev/null 2>&1; then
    ending='timeout -k 2'
elif timeout 5 true >/dev/null 2>&1; then
    ending='timeout'
elif timeout -t 5 true >/dev/null 2>&1; then
    ending='timeout -t'
else
    ending=''
fi
hasher=$hash
[ -z "$ending" ] || [ -z "$hash" ] || hasher="$ending 20 $hash"
used=0 whole=true missed=0
say() { echo "kubewitness collect: [$(($(now) - begun)) s, $((used / 1048576)) MB] $*" >&2; }
omitted() { # path, reason, size, sha256, subject
    quoted "$1" "$2" "${4:-}" "${5:-}" | awk -v size="${3:--1}" '
        { f[NR] = $0 }
        END {
            printf "{\"record\":\"omitted\",\"path\":%s,\"reason\":%s", f[1], f[2]
            if (size >= 0) printf ",\"size\":%s", size
            if (f[3] != "\"\"") printf ",\"sha256\":%s", f[3]
            if (f[4] != "\"\"") printf ",\"subject\":%s", f[4]
            print "}"
        }' >>"$work/records"
}
over() { # time is up, or there is no room
    [ "$whole" = true ] || return 0
    if [ "$(now)" -ge "$deadline" ]; then
        whole=false
        say "the time is up: the rest is left out (-t gives more)"
        omitted / "the time was up: what comes after is missing"
        return 0
    fi
    [ "$used" -ge "$limit" ] || return 1
    whole=false
    say "the limit of size is reached: the rest is left out (-s gives more)"
    omitted / "the limit of size was reached: what comes after is missing"
}
within() { # seconds, command: a file somebody else owns may turn into a pipe
    if [ -n "$ending" ]; then
        # shellcheck disable=SC2086  # two words
        $ending "$@"
    else
        shift
        "$@"
    fi
}
size_of() {
    size=$(wc -c <"$1" 2>/dev/null) || size=0
    size=$((size))
}
# Secrets that are told by their form, in logs and outputs: signatures of tokens, data of Secret objects
forms='eyJ[A-Za-z0-9_-]{10,}\.eyJ|[Tt][Oo][Kk][Ee][Nn][ =:"]{1,8}[a-z0-9]{6}\.[a-z0-9]{16}|"resource":"secrets"|last-applied-configuration|LS0tLS1CRUdJTi|PRIVATE KEY-----'
objects='\{("([^"\\]|\\.)*":"([^"\\]|\\.)*",?)*\}'
without_forms() { # file; whether something was overwritten
    grep -Eq -e "$forms" "$1" 2>/dev/null || return 1
    sed -E -e 's/(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.)[A-Za-z0-9_-]{16,}/\1REDACTED/g' \
        -e 's/([Tt][Oo][Kk][Ee][Nn][ =:"]{1,8}[a-z0-9]{6}\.)[a-z0-9]{16}/\1REDACTED-REDACTE/g' \
        -e 's/LS0tLS1CRUdJTi[A-Za-z0-9+\/]{0,40}(UFJJVkFUR|BSSVZBVE|QUklWQVRF)[A-Za-z0-9+\/=]*/REDACTED/g' \
        -e 's/("kubectl\.kubernetes\.io\/last-applied-configuration": *")([^"\\]|\\.)*"/\1REDACTED"/g' \
        -e '/-----BEGIN [A-Z ]*PRIVATE KEY-----/,/-----END [A-Z ]*PRIVATE KEY-----/s/^[A-Za-z0-9+\/=]+$/REDACTED/' \
        -e 's/(-----BEGIN [A-Z ]*PRIVATE KEY-----)[A-Za-z0-9+\/=\\n ]*/\1REDACTED/' \
        -e "/\"resource\":\"secrets\"/s/\"(data|stringData)\":$objects/\"\\1\":{}/g" "$1" >"$work/clean" 2>/dev/null &&
        ! cmp -s "$1" "$work/clean" && mv -f "$work/clean" "$1"
}
described() { # path in the archive, cut, redacted, original's sha256, modified, mode, owner, origin
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$work/meta"
}
run() { # part, bytes, seconds, command
    part=$1 bytes=$2 seconds=$3
    shift 3
    over && return
    name=$(printf '%s_' "$@" | tr -c 'A-Za-z0-9.,=@+-' '_' | tr -s '_' | head -c 140)
    name=${name#_}
    taken "$part/${name%_}.txt" "$bytes" "$seconds" "$@"
}
taken() { # member, bytes, seconds, command
    member=live_response/$1 bytes=$2 seconds=$3
    shift 3
    started=$(now) late='' cut=0 error=''
    if command -v "$1" >/dev/null 2>&1; then
        mkdir -p "$stage/${member%/*}"
        if [ -n "$ending" ]; then
            # shellcheck disable=SC2086  # two words
            { $ending "$seconds" "$@" </dev/null 2>"$work/error"; echo $? >"$work/code"; } | head -c "$bytes" >"$stage/$member"
        else
            {
                "$@" </dev/null 2>"$work/error" &
                child=$!
                { sleep "$seconds"; kill -9 "$child"; } >/dev/null 2>&1 &
                watch=$!
                wait "$child"
                echo $? >"$work/code"
                kill "$watch"
            } 2>/dev/null | head -c "$bytes" >"$stage/$member"
        fi
        read -r code <"$work/code" || code=1
        error=$(head -c 1000 "$work/error" | tr -d '\000')
        size_of "$stage/$member"
        if [ "$size" -ge "$bytes" ]; then
            cut=1 code=0
        fi
        case $code in 124 | 137 | 143) [ $(($(now) - started)) -lt "$seconds" ] || late=true ;; esac
        if [ "$size" -eq 0 ]; then
            rm -f "$stage/$member"
            member=''
        else
            changed=0
            case $1 in systemctl | curl) configured "$stage/$member" && changed=1 ;; esac
            without_forms "$stage/$member" && changed=1
            used=$((used + size))
            [ "$cut$changed" = 00 ] || described "$member" "$cut" "$changed" '' '' '' '' ''
        fi
    else
        code=127 member='' error='not installed'
    fi
    quoted "$@" | joined >"$work/argv"
    {
        printf '{"record":"command","argv":[' && cat "$work/argv"
        printf '],"exit_code":%s,"seconds":%s' "$code" $(($(now) - started))
        [ -z "$member" ] || printf ',"path":"%s"' "$member"
        [ -z "$error" ] || { printf ',"error":' && quoted "$error" | tr -d '\n'; }
        [ -z "$late" ] || printf ',"timed_out":true'
        printf '}\n'
    } >>"$work/records"
}
configured() { # file; whether something was overwritten
    awk -v counted="$work/counted" -f "$work/awk/redact" "$1" >"$work/clean" 2>/dev/null || return 1
    read -r values <"$work/counted" && [ "$values" -gt 0 ] && mv -f "$work/clean" "$1"
}
secret_by_name() {
    case $1 in
    /etc/shadow* | /etc/gshadow* | */.ssh/id_* | */.ssh/*.pem | /etc/ssh/ssh_host_*_key | /var/lib/etcd/* | */server/token | \
        */node-token | */agent-token | */server/cred/* | */server/db/* | /var/lib/kubelet/pods/* | /run/secrets/* | \
        /var/run/secrets/* | *.p12 | *.pfx | *.jks | *.keystore | *.kdbx | *token*.csv | *basic_auth* | */opasswd | *.keytab | \
        */.git-credentials | */.netrc | */.aws/credentials | /proc/* | /sys/* | /dev/[!s]* | /dev/s[!h]*) return 0 ;;
    esac
    return 1
}
copy() { # class (conf, text, log, binary), bytes, path
    class=$1 bytes=$2 path=$3
    [ -e "$path" ] || return 0
    real=$path
    case $path in *[![:print:]]*) strange=1 ;; *) strange='' ;; esac
    if real=$(readlink -f "$path"; echo .); then real=${real%.}; real=${real%?}; else real=$path; fi
    [ -f "$real" ] && [ ! -L "$real" ] || return 0
    if [ "$real" != "$path" ]; then # a link, or below one: only to where such files belong
        case $real in
        /etc/* | /usr/lib/* | /lib/* | /run/systemd/* | /var/lib/kubelet/* | /var/lib/rancher/* | /var/log/* | /usr/etc/* | \
            /var/lib/docker/containers/* | /var/spool/* | /run/utmp | /var/home/* | /home/* | /root/*) ;;
        *) omitted "$path" "a link to $real, not followed"; return 0 ;;
        esac
    fi
    if secret_by_name "$path" || secret_by_name "$real"; then
        [ -r "$real" ] || return 0
        within 20 head -c 1048576 "$real" >"$work/copy" 2>/dev/null || return 0
        size_of "$work/copy"
        digest=''
        [ "$size" -ge 1048576 ] || digest=$(sha <"$work/copy")
        omitted "$path" "secret by its name" "$size" "$digest"
        return 0
    fi
    member="[root]$path" origin=$path
    if [ -n "$strange" ]; then # control characters are no part of a name in an archive
        member="[root]$(printf '%s' "$path" | tr '\001-\037\177' '_')"
        origin=$(quoted "$path")
        origin=${origin#?} origin=${origin%?}
    fi
    [ ! -e "$stage/$member" ] || return 0
    over && return 0
    about=$(stat -c '%s %Y %A %u:%g' "$real" 2>/dev/null) || return 0
    # shellcheck disable=SC2086  # words without blanks
    set -- $about
    if [ ! -r "$real" ]; then
        missed=$((missed + 1))
        omitted "$path" "may not be read" "$1"
        return 0
    fi
    # One copy is read and judged: whoever owns the file may exchange it meanwhile, for a pipe that never ends, too
    case $class in
    log) within 60 tail -c "$bytes" "$real" ;;
    *) within 60 head -c "$bytes" "$real" ;;
    esac >"$work/copy" 2>/dev/null || return 0
    cut=0 changed=0 original=''
    [ "$1" -le "$bytes" ] || cut=$(($1 - bytes))
    case $class in conf | text)
        digest=''
        if grep -Eq -e '-----BEGIN [A-Z ]*PRIVATE KEY-----' "$work/copy"; then
            subject=''
            ! command -v openssl >/dev/null 2>&1 || subject=$(openssl x509 -noout -subject -issuer -enddate -in "$work/copy" 2>/dev/null | tr '\n' ';')
            [ "$cut" -gt 0 ] || digest=$(sha <"$work/copy")
            omitted "$path" "private key" "$1" "$digest" "$subject"
            return 0
        fi
        if grep -Eq -e '^[ -]*kind: *["]?Secret["]?[, ]*$' -e '"kind" *: *"Secret"' "$work/copy"; then
            [ "$cut" -gt 0 ] || digest=$(sha <"$work/copy")
            omitted "$path" "a Secret object" "$1" "$digest"
            return 0
        fi
        ;;
    esac
    case $class in
    conf)
        cp "$work/copy" "$work/before"
        configured "$work/copy" && changed=1
        without_forms "$work/copy" && changed=1
        [ "$changed$cut" != 10 ] || original=$(sha <"$work/before")
        ;;
    text | log) without_forms "$work/copy" && changed=1 ;;
    esac
    mkdir -p "$stage/${member%/*}" 2>/dev/null && mv "$work/copy" "$stage/$member" || return 0
    size_of "$stage/$member"
    used=$((used + size))
    described "$member" "$cut" "$changed" "$original" "$2" "$3" "$4" "$origin"
}
pick() { # class, bytes, paths (patterns the shell has expanded)
    kind=$1 each=$2
    shift 2
    for entry; do
        [ ! -d "$entry" ] || continue
        copy "$kind" "$each" "$entry"
    done
}
tree() { # class, bytes, most files, folders
    kind=$1 each=$2 most=$3
    shift 3
    for folder; do
        [ -d "$folder" ] || continue
        # a name with a line end would become two: counted, not copied
        find "$folder" -name '*
*' -prune -print 2>/dev/null | grep -c . >"$work/odd"
        read -r odd <"$work/odd" && [ "$odd" -eq 0 ] || omitted "$folder" "names with line ends are not copied"
        find "$folder" -name '*
*' -prune -o \( -type f -o -type l \) -print 2>/dev/null | head -n "$most" >"$work/list"
        while IFS= read -r entry <&3; do
            copy "$kind" "$each" "$entry"
        done 3<"$work/list"
    done
}
newest() { # bytes of each, bytes of all, files; the latest first
    each=$1 room=$2
    shift 2
    # shellcheck disable=SC2012  # names with line ends name nothing then
    ls -1td "$@" 2>/dev/null | head -n 3000 >"$work/list"
    while IFS= read -r entry <&3; do
        before=$used
        [ "$room" -gt 0 ] || { omitted "$entry" "older than the logs there is room for"; break; }
        copy log "$each" "$entry"
        room=$((room - used + before))
    done 3<"$work/list"
}

# --- processes: out of /proc, not through ps -------------------------------------------------------------------------
tick=$(getconf CLK_TCK 2>/dev/null) || tick=100
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat 2>/dev/null)
bytes_of() { od -An -v -tu1; }
process() { # pid, hidden
    d=/proc/$1
    echo "@ pid $1 $2"
    echo '@ stat' && bytes_of <"$d/stat"
    echo '@ status' && grep -E '^(Uid|CapEff|Seccomp|TracerPid|NSpid):' "$d/status" | bytes_of
    echo '@ cmdline' && head -c 262144 "$d/cmdline" | bytes_of
    echo '@ environ' && head -c 262144 "$d/environ" | bytes_of
    echo '@ cgroup' && head -c 16384 "$d/cgroup" | bytes_of
    echo '@ exe' && readlink -n "$d/exe" | bytes_of
    echo '@ cwd' && readlink -n "$d/cwd" | bytes_of
    echo '@ root' && readlink -n "$d/root" | bytes_of
    echo '@ ns' && ls -l "$d/ns" | bytes_of
    echo '@ fd' && ls -l "$d/fd" | head -n 600 | bytes_of
    echo '@ maps' && grep -E '^[0-9a-f]+-[0-9a-f]+ ..x' "$d/maps" | head -n 2000 | bytes_of
}
hidden() { # numbers that answer and are not listed; threads answer too
    last=32768
    read -r last </proc/sys/kernel/pid_max
    [ "$last" -le 4194304 ] || last=4194304
    until=$(($(now) + 12)) pid=0
    while [ "$pid" -lt "$last" ]; do
        pid=$((pid + 1))
        if [ $((pid % 16384)) -eq 0 ] && [ "$(now)" -ge "$until" ]; then
            echo "$pid" >"$work/asked"
            return
        fi
        [ -d "/proc/$pid" ] || continue
        case $1 in *" $pid "*) continue ;; esac
        leader=''
        while read -r key rest; do
            case $key in Tgid:) leader=$rest; break ;; esac
        done 2>/dev/null <"/proc/$pid/status"
        [ "$leader" = "$pid" ] && echo "$pid"
    done
}
records() { # index: from what process() prints, a line each and, for the steps below, the index
    awk -v tick="$tick" -v booted="${booted:-0}" -v index_file="$1" -f "$work/awk/text" -f "$work/awk/process"
}
tables() { # index: sockets of each network namespace that is not taken yet
    while read -r pid _ net _ <&3; do
        [ "$net" != - ] || continue
        grep -q "^$net\$" "$work/spaces" && continue
        for table in tcp tcp6 udp udp6 raw raw6 unix packet; do
            [ -r "/proc/$pid/net/$table" ] || continue
            mkdir -p "$stage/live_response/network/net/$net"
            head -c 33554432 "/proc/$pid/net/$table" >"$stage/live_response/network/net/$net/$table" 2>/dev/null || continue
            grep -q "^$net\$" "$work/spaces" || echo "$net" >>"$work/spaces"
            size_of "$stage/live_response/network/net/$net/$table"
            used=$((used + size))
        done
        over && break
    done 3<"$1"
}
say "processes"
[ "$(id -u)" -eq 0 ] || echo "kubewitness collect: not root: executables, sockets and settings of others will be missing (use sudo)" >&2
listed=' '
for d in /proc/[0-9]*; do listed="$listed${d#/proc/} "; done
mkdir -p "$stage/live_response/process"
: >"$work/index"
{
    for pid in $listed; do
        [ "$(now)" -lt "$deadline" ] || break
        process "$pid" 0
    done
    echo '@ end'
} 2>/dev/null | records "$work/index" >"$work/processes"

say "sockets"
: >"$work/spaces"
tables "$work/index"
m=1048576
run network $((32 * m)) 20 ss -tunap
run network $((32 * m)) 20 ss -xap
command -v ss >/dev/null 2>&1 || run network $((32 * m)) 20 netstat -tunap
run process $((32 * m)) 20 ps auxww
run process $((32 * m)) 20 ps -eo pid,ppid,user,lstart,args ww
run process $((32 * m)) 20 ps -eo pid,user,cgroup ww

say "hidden processes" # after the sockets: to ask for four million numbers takes seconds
: >"$work/index.hidden"
{
    hidden "$listed" >"$work/unlisted"
    if [ -s "$work/unlisted" ]; then # started meanwhile, or hidden: asked once more
        again=' '
        for d in /proc/[0-9]*; do again="$again${d#/proc/} "; done
        while read -r pid <&3; do
            case $again in *" $pid "*) continue ;; esac
            [ ! -d "/proc/$pid" ] || process "$pid" 1
        done 3<"$work/unlisted"
    fi
    echo '@ end'
} 2>/dev/null | records "$work/index.hidden" >>"$work/processes"
[ ! -s "$work/asked" ] || { read -r last <"$work/asked" && omitted /proc "process numbers above $last were not asked for one by one"; }
tables "$work/index.hidden"
cat "$work/index.hidden" >>"$work/index"

say "executables"
: >"$work/hashes"
: >"$work/known"
while read -r pid ticks _ odd has <&3; do
    [ "$has" = 1 ] && [ -n "$hash" ] || continue
    over && { omitted /proc/PID/exe "not all executables were hashed"; break; }
    # the number may have been given to another process meanwhile
    [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | awk 'END { print $20 }')" = "$ticks" ] || continue
    key=$(stat -L -c '%d:%i:%Y:%s' "/proc/$pid/exe" 2>/dev/null) || continue
    [ "${key##*:}" -le 1073741824 ] || continue
    digest=$(awk -v key="$key" '$1 == key { print $2; exit }' "$work/known")
    if [ -z "$digest" ]; then
        digest=$(sha <"/proc/$pid/exe" 2>/dev/null)
        [ -n "$digest" ] || continue
        echo "$key $digest" >>"$work/known"
    fi
    echo "$pid $digest" >>"$work/hashes"
    if [ "$odd" = 1 ] && [ ! -e "$stage/recovered/$digest" ]; then
        if [ "${key##*:}" -gt 134217728 ]; then
            omitted "/proc/$pid/exe" "executable larger than is recovered" "${key##*:}" "$digest"
            continue
        fi
        mkdir -p "$stage/recovered"
        cat "/proc/$pid/exe" >"$stage/recovered/$digest" 2>/dev/null || { rm -f "$stage/recovered/$digest"; continue; }
        used=$((used + ${key##*:}))
        described "recovered/$digest" 0 0 '' '' '' '' "/proc/$pid/exe"
    fi
done 3<"$work/index"
awk -v hashes="$work/hashes" '
    BEGIN { while ((getline line < hashes) > 0) { split(line, f, " "); of[f[1]] = f[2] } }
    {
        pid = substr($0, 8); pid = substr(pid, 1, match(pid, /[^0-9]/) - 1)
        if (pid in of) print substr($0, 1, length($0) - 1) ",\"sha256\":\"" of[pid] "\"}"; else print
    }' "$work/processes" >"$stage/live_response/process/processes.jsonl"
changed=0
without_forms "$stage/live_response/process/processes.jsonl" && changed=1
described live_response/process/processes.jsonl 0 "$changed" '' '' '' '' /proc

# --- the machine -----------------------------------------------------------------------------------------------------
say "network and packet filter"
run network $m 20 ip -j addr
run network $((8 * m)) 20 ip -j route show table all
run network $((8 * m)) 20 ip -j -6 route
run network $((8 * m)) 20 ip -j neigh
run network $m 20 ip -j rule
run network $m 20 ip netns list
for filter in iptables-save iptables-legacy-save iptables-nft-save ip6tables-save ip6tables-legacy-save ip6tables-nft-save; do
    run network $((64 * m)) 40 "$filter"
done
run network $((64 * m)) 40 nft -j list ruleset
run network $((16 * m)) 40 ipvsadm -Sn
run network $((32 * m)) 20 conntrack -L
run network $((32 * m)) 20 ipset list

say "the system"
for table in modules mounts self/mountinfo version cmdline uptime stat swaps partitions filesystems net/dev net/route net/arp \
    net/packet sys/kernel/tainted sys/kernel/core_pattern sys/kernel/modprobe sys/kernel/random/boot_id sys/kernel/hostname \
    sys/net/ipv4/ip_forward; do
    [ -r "/proc/$table" ] || continue
    mkdir -p "$stage/[root]/proc/$table" && rmdir "$stage/[root]/proc/$table"
    head -c $m "/proc/$table" >"$stage/[root]/proc/$table" 2>/dev/null
    [ -s "$stage/[root]/proc/$table" ] || rm -f "$stage/[root]/proc/$table"
done
run system $m 20 lsmod
run system $m 20 mount
run system $m 20 df -P
run system $m 20 uname -a
run system $m 20 date +%Y-%m-%dT%H:%M:%S%z
run system $m 20 uptime
run system $m 20 timedatectl show
run system $m 20 chronyc -n tracking
run system $m 20 w
run system $m 20 who -a
run system $((4 * m)) 20 last -Faiw -n 2000
run system $((4 * m)) 20 lastb -Faiw -n 2000
run system $((4 * m)) 20 lastlog
run system $m 20 loginctl list-sessions --no-pager
run system $m 20 getenforce
run system $m 20 auditctl -s
run system $m 20 auditctl -l
run system $m 20 atq

say "containers"
run containers $((16 * m)) 30 crictl ps -a -o json
run containers $((16 * m)) 30 crictl pods -o json
run containers $((16 * m)) 30 crictl images -o json
run containers $((16 * m)) 30 ctr -n k8s.io containers ls
run containers $((16 * m)) 30 ctr -n k8s.io tasks ls
run containers $((16 * m)) 30 ctr -n k8s.io images ls
run containers $((16 * m)) 30 docker ps -a --no-trunc --format '{{json .}}'
run containers $((16 * m)) 30 docker images --no-trunc --format '{{json .}}'
run containers $((16 * m)) 30 docker events --since 720h --until 0s --format '{{json .}}'
run containers $((16 * m)) 30 podman ps -a

say "the kubelet's configuration"
asked='' named='' tried=''
for file in /etc/kubernetes/kubelet.conf /var/lib/kubelet/kubeconfig; do # where kubeadm's names are not used
    [ -f "$file" ] || continue
    for kind in certificate key; do
        path=$(head -c 65536 "$file" | sed -n "s/.*client-$kind[\"']\{0,1\} *: *[\"']\{0,1\}\(\/[A-Za-z0-9_.\/-]*\).*/\1/p" | head -n 1)
        [ "$kind" = key ] && named="$named:$path" || named="$named $path"
    done
done
for pair in /etc/kubernetes/pki/apiserver-kubelet-client.crt:/etc/kubernetes/pki/apiserver-kubelet-client.key \
    /var/lib/rancher/k3s/server/tls/client-kube-apiserver.crt:/var/lib/rancher/k3s/server/tls/client-kube-apiserver.key \
    /var/lib/rancher/rke2/server/tls/client-kube-apiserver.crt:/var/lib/rancher/rke2/server/tls/client-kube-apiserver.key \
    /var/lib/kubelet/pki/kubelet-client-current.pem:/var/lib/kubelet/pki/kubelet-client-current.pem $named; do
    [ -z "$asked" ] && [ -f "${pair%%:*}" ] && [ -f "${pair#*:}" ] && [ -r "${pair%%:*}" ] && [ -r "${pair#*:}" ] || continue
    case $tried in *" $pair "*) continue ;; esac
    tried="$tried $pair "
    over && break
    taken kubelet/configz.json $m 8 curl -sfk --noproxy '*' --max-time 5 --cert "${pair%%:*}" --key "${pair#*:}" https://127.0.0.1:10250/configz
    [ "$code" -ne 0 ] || asked=yes
done

say "configuration"
tree conf $m 2000 /etc/kubernetes /etc/rancher /etc/cni /etc/containerd /etc/crio /etc/docker /etc/containers /etc/nodeadm /etc/eks \
    /var/lib/rancher/k3s/agent/pod-manifests /var/lib/rancher/rke2/agent/pod-manifests /var/lib/rancher/k3s/server/manifests \
    /var/lib/rancher/rke2/server/manifests
pick conf $m /var/lib/kubelet/config.yaml /var/lib/kubelet/*.env /var/lib/kubelet/*.conf /var/lib/kubelet/*.yaml /var/lib/kubelet/kubeconfig \
    /var/lib/kubelet/config.json /var/lib/kubelet/pki/* /etc/default/kube* /etc/sysconfig/kube* /etc/kubelet* /etc/default/docker \
    /etc/default/containerd /etc/default/crio /etc/sysconfig/docker* /etc/sysconfig/containerd /etc/sysconfig/crio* /etc/crictl.yaml \
    /root/.docker/config.json /var/lib/kube-proxy/* /var/snap/microk8s/current/args/* /var/lib/k0s/kubelet*
# what the running kubelet's own words lead to
for file in $(sed -n 's/.*"argv":\["[^"]*kubelet",\(.*\)/\1/p' "$work/processes" |
    sed 's/\],.*//' | tr ',' '\n' | sed -n 's/^"\(--[a-z-]*=\)\{0,1\}\(\/[A-Za-z0-9_.\/-]*\)"$/\2/p' | head -n 40); do
    case $file in */pki/*) continue ;; esac
    [ ! -d "$file" ] || { tree conf $m 100 "$file"; continue; }
    pick conf $m "$file"
done
tree conf 262144 3000 /etc/systemd /run/systemd/system /run/systemd/transient /root/.config/systemd
for unit in kubelet containerd docker crio cri-docker kube-proxy k3s k3s-agent rke2-server rke2-agent ssh sshd; do
    pick conf 262144 /usr/lib/systemd/system/$unit.service /usr/lib/systemd/system/$unit.service.d/*.conf /lib/systemd/system/$unit.service \
        /lib/systemd/system/$unit.service.d/*.conf /usr/local/lib/systemd/system/$unit.service
done
tree conf $m 500 /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /var/spool/cron /var/spool/at /etc/audit
pick conf $m /etc/crontab /etc/anacrontab /etc/cron.allow /etc/cron.deny /etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d/* /etc/profile \
    /etc/profile.d/* /etc/profile.d/.* /etc/bash.bashrc /etc/bashrc /etc/environment /etc/environment.d/* /etc/rc.local /etc/rc.d/rc.local \
    /etc/init.d/* /etc/init.d/.* /etc/inittab /etc/update-motd.d/* /etc/modules /etc/modules-load.d/* /etc/modprobe.d/* \
    /etc/udev/rules.d/* /etc/sysctl.conf /etc/sysctl.d/* /etc/hosts /etc/resolv.conf /etc/hostname /etc/os-release /etc/machine-id \
    /etc/timezone /etc/fstab /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* /etc/ssh/ssh_config /etc/sudoers /etc/sudoers.d/* \
    /etc/rsyslog.conf /etc/rsyslog.d/* /etc/logrotate.conf /etc/logrotate.d/* /etc/iptables/* /etc/nftables.conf \
    /etc/sysconfig/iptables /etc/sysconfig/ip6tables
pick text $m /etc/passwd /etc/group /etc/subuid /etc/nsswitch.conf /etc/pam.d/* /etc/ssh/*.pub /etc/ssh/*_keys
run services $((8 * m)) 20 systemctl list-units --all --no-pager --full --plain
run services $((8 * m)) 20 systemctl list-timers --all --no-pager --full
run services $((8 * m)) 20 systemctl list-unit-files --no-pager --full
for unit in kubelet containerd docker crio kube-proxy k3s rke2-server; do
    run services $m 20 systemctl cat --no-pager $unit
done

say "homes"
cut -d: -f6 /etc/passwd 2>/dev/null | sort -u | head -n 2000 >"$work/homes"
while IFS= read -r home <&4; do
    case $home in / | '' | /nonexistent | /bin | /sbin | /dev | /proc | /usr/sbin | /etc) continue ;; esac
    [ -d "$home" ] || continue
    pick text $((4 * m)) "$home"/.ssh/authorized_keys* "$home"/.ssh/known_hosts* "$home"/.ssh/*.pub
    for file in .bash_history .zsh_history .sh_history .ash_history .history .python_history .mysql_history .lesshst .wget-hsts \
        .local/share/fish/fish_history; do
        copy log $((4 * m)) "$home/$file"
    done
    pick conf $m "$home"/.ssh/config "$home"/.ssh/rc "$home"/.ssh/environment "$home"/.bashrc "$home"/.bash_profile "$home"/.bash_login \
        "$home"/.bash_logout "$home"/.profile "$home"/.zshrc "$home"/.kube/config "$home"/.config/autostart/*
done 4<"$work/homes"

say "temporary folders"
cat >"$work/listing.sh" <<'SH'
# deadline, largest file that is hashed, tool that hashes within a time, files...
deadline=$1 largest=$2 hash=$3
shift 3
n=0
for f; do
    n=$((n + 1))
    [ $((n % 50)) -ne 0 ] || [ "$(date +%s)" -lt "$deadline" ] || exit 0
    about=$(stat -c '%A %u %Y %Z %s' "$f" 2>/dev/null) || continue
    digest='' to=''
    if [ -L "$f" ]; then
        to=$(readlink "$f")
    elif [ -f "$f" ] && [ -r "$f" ] && [ -n "$hash" ] && [ "${about##* }" -le "$largest" ]; then
        digest=$($hash "$f" 2>/dev/null)
        digest=${digest#\\}
    fi
    printf '%s %s\000%s\000%s\000' "$about" "${digest%% *}" "$f" "$to" || exit 0
done
SH
listed() { # folder, seconds, options of find
    folder=$1 until=$(($(now) + $2))
    shift 2
    [ "$until" -lt "$deadline" ] || until=$deadline
    find "$folder" "$@" -path "$work" -prune -o -exec sh "$work/listing.sh" "$until" 16777216 "$hasher" {} + 2>/dev/null |
        head -c 16777216 | od -An -v -tu1 | awk -f "$work/awk/text" -f "$work/awk/listing" | head -n 10000
}
mkdir -p "$stage/live_response/files"
if ! over; then
    listing=$stage/live_response/files/listing.jsonl
    # what lies on top comes before what lies deep: a flood of files hides nothing beside it
    below=''
    find / -maxdepth 0 >/dev/null 2>&1 && below='-mindepth 3'
    for folder in /dev/shm /run/user /dev/mqueue /var/tmp /tmp; do
        [ -d "$folder" ] && [ ! -L "$folder" ] || continue
        [ -z "$below" ] || listed "$folder" 8 -maxdepth 2
        # shellcheck disable=SC2086  # two words
        listed "$folder" 8 $below
    done >"$listing"
    find /dev/shm /run/user /dev/mqueue /var/tmp /tmp -path "$work" -prune -o -exec sh -c 'echo $#' sh {} + 2>/dev/null |
        awk '{ n += $1 } END { print n + 0 }' >"$work/entries"
    read -r entries <"$work/entries"
    got=$(wc -l <"$listing")
    [ "$((got))" -ge "$((entries))" ] || omitted /tmp "$((entries - got)) entries of temporary folders are not listed: time or number"
    size_of "$listing"
    used=$((used + size))
    find /dev/shm /tmp /var/tmp /run/user -path "$work" -prune -o -type f -size -512 ! -name '*
*' \( -name '*.sh' -o -name '*.py' -o -name '*.pl' -o -name '*.service' -o -name '*.timer' -o -name '*.cron' -o -perm -100 \) -print 2>/dev/null |
        head -n 400 >"$work/scripts"
    while IFS= read -r entry <&3; do
        case $(head -c 4 "$entry" 2>/dev/null | tr -d '\000') in ?ELF) continue ;; esac
        copy conf 262144 "$entry"
    done 3<"$work/scripts"
fi

say "logs"
if command -v journalctl >/dev/null 2>&1; then
    since='-7d'
    run logs $((96 * m)) 60 journalctl --no-pager --utc -o json -n 120000 --since "$since" -u kubelet -u k3s -u k3s-agent -u rke2-server -u rke2-agent -u kube-proxy
    run logs $((48 * m)) 60 journalctl --no-pager --utc -o json -n 60000 --since "$since" -u containerd -u docker -u crio -u cri-docker
    run logs $((32 * m)) 60 journalctl --no-pager --utc -o json -n 40000 --since "$since" -u ssh -u sshd
    run logs $((32 * m)) 60 journalctl --no-pager --utc -o json -n 40000 --since "$since" _COMM=sudo + _COMM=su + _COMM=cron + _COMM=crond
    run logs $((32 * m)) 60 journalctl --no-pager --utc -o json -n 40000 --since "$since" -k
fi
pick binary $((8 * m)) /var/log/wtmp /var/log/btmp /run/utmp
newest $((32 * m)) $((128 * m)) /var/log/auth.log* /var/log/secure* /var/log/audit/audit.log* /var/log/cron* /var/log/sudo*
newest $((16 * m)) $((128 * m)) /var/log/syslog* /var/log/messages* /var/log/kern.log* /var/log/daemon.log* /var/log/kubelet* /var/log/kube-*.log \
    /var/log/containerd*.log /var/log/docker*.log /var/log/crio*.log /var/log/falco* /var/log/laurel/* /var/log/tetragon/* \
    /var/log/osquery/osqueryd.results.log /var/log/cloud-init*.log /var/log/dpkg.log /var/log/apt/history.log /var/log/yum.log
newest $((2 * m)) $((128 * m)) /var/log/pods/*/*/*.log* /var/lib/docker/containers/*/*-json.log
newest $((128 * m)) $((256 * m)) /var/log/kubernetes/*/* /var/log/kubernetes/*.log* /var/log/kube-apiserver/* /var/log/kube-audit/* \
    /var/log/apiserver/* /var/lib/rancher/*/server/logs/*

# --- the manifest ----------------------------------------------------------------------------------------------------
say "manifest"
find "$stage" -type f >"$work/list"
while IFS= read -r entry <&3; do
    size_of "$entry"
    printf '%s\t%s\t%s\n' "$size" "$(sha <"$entry")" "${entry#"$stage/"}"
done 3<"$work/list" >"$work/items"
cat >"$work/awk/items" <<'AWK'
# names hold no control characters by now; only quotes and backslashes are to be written otherwise
function json(s,   out, i, c) {
    if (!index(s, "\"") && !index(s, "\\")) return "\"" s "\""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        out = out (c == "\"" || c == "\\" ? "\\" c : c)
    }
    return "\"" out "\""
}
BEGIN { FS = "\t" }
FILENAME == meta { about[$1] = $0; next }
{
    line = "{\"record\":\"item\",\"path\":" json($3) ",\"size\":" $1 ",\"sha256\":\"" $2 "\""
    if ($3 in about) {
        split(about[$3], f, "\t")
        if (f[8] != "") line = line ",\"origin\":" (f[8] ~ /\\u00|\\\\x/ ? "\"" f[8] "\"" : json(f[8]))
        if (f[2] > 0) line = line ",\"cut\":" f[2]
        if (f[3] > 0) line = line ",\"redacted\":" f[3]
        if (f[4] != "") line = line ",\"original_sha256\":\"" f[4] "\""
        if (f[5] != "") line = line ",\"modified\":\"" iso(f[5]) "\""
        if (f[6] != "") line = line ",\"mode\":\"" f[6] "\",\"owner\":\"" f[7] "\""
    }
    print line "}"
}
AWK
word() { # the first line of a file, quoted
    value=''
    [ ! -r "$1" ] || read -r value <"$1" || :
    quoted "$value"
}
synchronised=$(timedatectl show -p NTPSynchronized --value 2>/dev/null) || synchronised=''
echo '{ print iso($1) }' >"$work/awk/when"
when() { echo "$1" | awk -f "$work/awk/text" -f "$work/awk/when"; }
manifest=$stage/manifest.jsonl
{
    printf '{"record":"collection","format":"kubewitness-node/1","tool":"kubewitness collect script 1","host":%s' "$(quoted "$(uname -n)")"
    printf ',"started":"%s","kernel":%s' "$(when "$begun")" "$(quoted "$(uname -rvm)")"
    printf ',"boot_id":%s,"machine_id":%s' "$(word /proc/sys/kernel/random/boot_id)" "$(word /etc/machine-id)"
    [ -z "$booted" ] || printf ',"booted":"%s"' "$(when "$booted")"
    printf ',"zone":"%s"' "$(date +%z)"
    case $synchronised in yes) printf ',"clock_synchronised":true' ;; no) printf ',"clock_synchronised":false' ;; esac
    printf ',"uid":%s,"options":{"max_mb":"%s","max_seconds":"%s"}}\n' "$(id -u)" "$((limit / m))" "$max_seconds"
    awk -v meta="$work/meta" -f "$work/awk/text" -f "$work/awk/items" "$work/meta" "$work/items"
    cat "$work/records"
} >"$manifest"
count=$(wc -l <"$work/items")
printf '{"record":"end","finished":"%s","items":%s,"sha256":"%s","complete":%s}\n' \
    "$(when "$(now)")" "$((count))" "$(sha <"$manifest")" "$whole" >"$work/end"
cat "$work/end" >>"$manifest"

say "archive"
(
    cd "$work/stage" || exit 1
    set --
    for part in live_response recovered '[root]'; do
        [ ! -d "$top/$part" ] || set -- "$@" "$top/$part"
    done
    tar -cf - "$@" "$top/manifest.jsonl" || echo failed >"$work/tar"
) | gzip -c >"$work/archive" || echo failed >"$work/tar"
[ ! -e "$work/tar" ] || fail "the archive cannot be written: is $target full? Name a folder with more room with -o"
[ ! -e "$archive" ] || fail "$archive appeared meanwhile; nothing is ever overwritten"
mv "$work/archive" "$archive" || fail "$archive cannot be written"
size_of "$archive"
echo "$archive"
{
    echo "kubewitness collect: $((size / 1024)) KB in $(($(now) - begun)) s, $((count)) items"
    [ -z "$hash" ] || echo "sha256 of the archive:   $(sha <"$archive")   keep it somewhere else: it proves the archive later"
    echo "next, where kubewitness is installed: kubewitness investigate $(basename "$archive")"
} >&2
[ "$whole" = true ] && [ "$missed" -eq 0 ] || exit 3
