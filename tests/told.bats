#!/usr/bin/env bats
# What every tool tells of itself, by --view and --explain, is true.
# shellcheck disable=SC2034 # each is for for_each
load lib/helpers
load lib/each

# The table's word on each namespace, against what /proc says of a box that runs.
views_truly() {
    local table kind want host_column
    table=$(view_of)
    start_command "${tool_line[@]}" sleep 60 || return
    for kind in mnt uts pid ipc user net cgroup time; do
        want=shared
        [ "$(namespace_of "$BOX_PID" $kind)" = "$(namespace_of $$ $kind)" ] || want=isolated
        host_column=$(namespace_of $$ $kind)
        grep -F "$host_column" <<<"$table" | grep -q "$want *\$" ||
            fail "of $kind the table should say '$want': $table" || return
    done
    for kind in 'root directory' mounts 'host name' 'domain name' 'own PID' 'processes seen' \
        'message queues' user group capabilities interfaces routes cgroup 'boot clock'; do
        [ "$kind" != cgroup ] || grep -q '^0::' /proc/self/cgroup || continue # a kernel without v2
        grep -qE "^$kind .*(isolated|shared) *\$" <<<"$table" ||
            fail "the table has no row for $kind: $table" || return
    done
    grep "^host name" <<<"$table" | grep -qF "$(uname -n | cut -c1-26)" || fail "no host name"
    refute_contains "$table" $'\033'
    stop_boxes
}

# --view stands among the tool's own options: behind the tool's name, or behind "run".
view_of() {
    case ${tool_line[0]} in
    */full) "${tool_line[0]}" run --view "${tool_line[@]:2}" ;;
    *) "${tool_line[0]}" --view "${tool_line[@]:1}" ;;
    esac
}

@test "--view: what is isolated and what is shared, as seen from outside" {
    for_each views_truly
}

@test "--view has colour on a terminal only" {
    requires command:script tool:uts tool:full
    local line
    for line in "$(tool uts) --view" "$(tool full) run --network none --view $ROOTFS"; do
        run -0 script -qec "$line" /dev/null
        assert_contains "$output" $'\033[32misolated'
    done
    run -0 "$(tool uts)" --view
    refute_contains "$output" $'\033'
}

@test "--view ends without an error, as any program, if nobody reads it" {
    requires tool:uts
    run -141 --separate-stderr bash -c 'exec 9> >(exit 0); wait "$!"; "$@" >&9' bash "$(tool uts)" --view
    assert_equal "$stderr" ""
}

@test "--view said twice is said once" {
    requires tool:uts
    run -0 "$(tool uts)" --view --view
    assert_equal "$(grep -c '^host name' <<<"$output")" 1
}

@test "--view without /proc is an error" {
    requires tool:uts
    expect_error 125 "needs the host's /proc" \
        unshare --mount sh -c 'mount -t tmpfs none /proc && "$@"' sh "$(tool uts)" --view
}

# --- --explain -----------------------------------------------------------------------------------

# The calls that namespaces, mounts and identities are made of.
calls='clone3|unshare|setns|mount|umount2|pivot_root|chroot|sethostname|setdomainname|setresuid|setresgid|setuid|setgid|setgroups|capset|open_tree|move_mount|mount_setattr|fsopen|fsmount|mknodat|symlinkat|mkdirat|seccomp'

# What strace saw of a side (host: the first process, box: all others), in order, until the command.
traced() {
    awk -v side="$1" -v calls="^($calls|openat)\$" '
        NR == 1 { first = $1 }
        ($1 == first) != (side == "host") { next }
        / execve\(/ && / = 0$/ { if (started[$1]++ || $1 != first) done[$1] = 1 }
        done[$1] { next }
        {
            name = $2
            sub(/\(.*/, "", name)
            if (name !~ calls || $2 !~ /\(/) next
            if (name == "clone3" && !/CLONE_NEW|CLONE_INTO_CGROUP/) next
            if (name == "openat" && !/(\/uid_map|\/gid_map|\/setgroups|"hosts|"\/sys\/fs\/cgroup\/[^"]*)", O_WRONLY/) next
            print name == "openat" ? "write" : name
        }' "$BATS_TEST_TMPDIR/trace"
}

# What --explain has printed about a side: the call follows the shell command.
explained() {
    grep -E "^ *$1# " "$BATS_TEST_TMPDIR/explained" | sed -E 's/.*  ([a-z_0-9]+\()/\1/' |
        grep -oE '^[a-z_0-9]+' | grep -xE "$calls|write"
}

explains_truly() {
    local side line
    line=("${tool_line[0]}" --explain "${tool_line[@]:1}")
    [[ ${tool_line[0]} != */full ]] || line=("${tool_line[0]}" run --explain "${tool_line[@]:2}")
    timeout "$RUN_LIMIT" strace -f -s 200 -o "$BATS_TEST_TMPDIR/trace" -e "trace=/^($calls|openat|execve)\$" \
        "${line[@]}" true 2>"$BATS_TEST_TMPDIR/explained" || return
    for side in host box; do
        diff <(traced $side) <(explained $side) ||
            fail "on the side of the $side, strace (<) and --explain (>) differ" || return
    done
    [ -s "$BATS_TEST_TMPDIR/explained" ] || [[ ${tool_line[0]} == */overlay ]] ||
        fail "--explain said nothing"
}

@test "--explain tells every call that isolates, in order, and nothing else" {
    requires command:strace
    for_each explains_truly
}

@test "--help and --explain fit into a terminal of 80 columns" {
    requires command:script
    local line
    for line in "chroot $ROOTFS" uts pid "mnt --dev --tmpfs /mnt:size=1m" ipc user; do
        run -0 "$(tool "${line%% *}")" --help
        assert_equal "$(grep -E '.{81}' <<<"$output")" ""
        run -0 script -qec "$(tool "${line%% *}") --explain ${line#"${line%% *}"} true" /dev/null
        assert_equal "$(tr -d '\r' <<<"$output" | grep -E '^(host| box)# .*[^ ]  .*\(' | grep -E '.{81}')" ""
    done
    assert_contains "$output" '(0, 0, 0)'
}

# What a process can tell of its surroundings; run as the command, by the tool and by the script.
# shellcheck disable=SC2089,SC2090 # for sh -c
observer='
    uname -n
    cat /proc/sys/kernel/domainname
    id -u
    [ $$ != 1 ] || { set -- /proc/[1-9]* && echo "process 1 of $#"; }
    sed -E "s/^[0-9]+ [0-9]+ [0-9:]+ //; s/ (shared|master):[0-9]+/ \1/g" /proc/self/mountinfo | sort
    ls -l /dev | grep -v total | sed -E "s/[A-Z][a-z][a-z] +[0-9]+ [0-9:]+//"
    for kind in mnt uts pid ipc user net cgroup; do
        [ "$(readlink /proc/self/ns/$kind)" = "$(eval echo \$$kind)" ] || echo "own $kind"
    done'

# The shell commands of --explain as a script: a command that starts something in new namespaces,
# or in another root, starts the rest of the script there. What the host does afterwards is done
# while that waits.
shell_commands() {
    local before=() inside=() after=() start='' side command line
    while IFS= read -r line; do
        side=${line%%#*} side=${side// /}
        command=$(sed -E 's/^ *[a-z]+# //; s/  +[a-z_0-9]+\(.*//' <<<"$line")
        case $side-$command in
        host-unshare* | host-chroot*) start=$command ;;
        host-*) [ -z "$start" ] && before+=("$command") || after+=("$command") ;;
        box-*) inside+=("$command") ;;
        esac
    done
    [[ $start != chroot* ]] || inside=("${after[@]}") after=()
    {
        echo 'set -e'
        printf '%s\n' "${inside[@]}"
        echo 'exec sh -c "$observer"'
    } >"$BATS_TEST_TMPDIR/inside.sh"
    echo 'set -e'
    printf '%s\n' "${before[@]}"
    if [ "${#after[@]}" -gt 0 ]; then
        echo "$start bash -c 'until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.02; done; $(<"$BATS_TEST_TMPDIR/inside.sh")' &"
        echo 'box=$!; until [ "$(readlink /proc/$box/ns/user)" != "$user" ]; do sleep 0.02; done'
        printf '%s\n' "${after[@]}" | sed -E 's#/proc/[0-9]+/#/proc/$box/#g'
        echo "touch $BATS_TEST_TMPDIR/go; wait \$box"
    elif [[ $start == chroot* ]]; then
        echo "exec $start sh -c '$(<"$BATS_TEST_TMPDIR/inside.sh")'"
    else
        echo "exec $start bash $BATS_TEST_TMPDIR/inside.sh"
    fi
}

does_the_same_in_the_shell() {
    local kind by_tool by_shell
    # shellcheck disable=SC2090
    export observer
    for kind in mnt uts pid ipc user net cgroup; do
        export "$kind=$(namespace_of $$ $kind)"
    done
    rm -f "$BATS_TEST_TMPDIR/go"
    "${tool_line[0]}" --explain "${tool_line[@]:1}" true 2>&1 >/dev/null |
        shell_commands >"$BATS_TEST_TMPDIR/outside.sh"
    by_tool=$("${tool_line[@]}" sh -c "$observer" 2>/dev/null) || true
    by_shell=$(timeout "$RUN_LIMIT" bash "$BATS_TEST_TMPDIR/outside.sh" 2>"$BATS_TEST_TMPDIR/errors") || true
    diff <(echo "$by_tool") <(echo "$by_shell") || {
        cat "$BATS_TEST_TMPDIR/outside.sh" "$BATS_TEST_TMPDIR/inside.sh" "$BATS_TEST_TMPDIR/errors"
        fail "the tool (<) and the shell commands (>) do not do the same"
    }
}

@test "the shell commands of --explain, run as a script, do the same" {
    each=(
        "chroot $ROOTFS"
        "uts --hostname bird --domainname nest"
        "pid"
        "mnt --root $ROOTFS --dev --tmpfs /tmp:exec,size=1m,mode=700 --bind /proc:/proc --bind /dev:/mnt:ro --read-only"
        "ipc"
        "user"
    )
    for_each does_the_same_in_the_shell
}

# bats test_tags=cgroup_v2
@test "cgroup: --view and --explain tell the truth" {
    for_cgroup views_truly explains_truly
}
