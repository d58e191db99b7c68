#!/usr/bin/env bats
# Chapter 10: the commands on boxes that run or have run, as seen from outside.
load lib/helpers
load lib/boxes

# --- ps, logs, inspect ---------------------------------------------------------------------------

@test "ps: who runs; -a: who has ended, too; --json: the same, whatever the command's words" {
    local odd=$'a "quoted" \\ word\twith\nlines and \xff bytes'
    detached one --network=none sleep 60
    detached two --network=none --env="ODD=$odd" sh -c 'exit 5' "$odd"
    run -0 "$full" wait two
    run -0 "$full" ps
    assert_contains "${lines[0]}" NAME
    assert_equal "${#lines[@]}" 2
    [[ ${lines[1]} =~ ^one\ .*"sleep 60"\ +up\ [0-9]+\ second ]]
    run -0 "$full" ps --all
    assert_equal "${#lines[@]}" 3
    run ! grep -nE '.{81}' <<<"$output"
    run -0 sh -c "'$full' ps --json | jq -r '.[] | [.name, .running, .status] | @text'"
    assert_equal "$output" '["one",true,null]'
    run -0 sh -c "'$full' ps -a --json | jq -r '.[1] | [.name, .running, .pid, .status] + .command | @text'"
    assert_contains "$output" '["two",false,0,5,"sh","-c","exit 5","a \"quoted\" \\ word\twith\nlines and '
    expect_error 125 "No space left" sh -c "'$full' ps >/dev/full"
    expect_error 125 "No space left" sh -c "'$full' run -d --network none '$ROOTFS' true >/dev/full"
}

@test "what a stranger has put where an ordinary user's boxes lie is not believed" {
    local place=/tmp/ten-steps-65534 file=$BATS_TEST_TMPDIR/file as_user=(env -u XDG_RUNTIME_DIR "${AS_USER[@]}")
    mkdir -p "$place/boxes/web"
    echo '{"command": ["true"]}' >"$place/boxes/web/state"
    echo mine >"$file"
    ln -s "$file" "$place/boxes/web/state.new"
    chmod -R a+rwX "$place" "$file"
    run -0 "${as_user[@]}" "$full" ps -a
    refute_contains "$output" web
    run -125 "${as_user[@]}" "$full" inspect web
    assert_contains "$output" "box web: No such file or directory"
    assert_equal "$(<"$file")" mine
    rm -r "$place"
}

@test "logs: what it has written; -f: until its end" {
    mkfifo "$BATS_TEST_TMPDIR/go"
    exec 9<>"$BATS_TEST_TMPDIR/go"
    detached bird --network=none --volume="$BATS_TEST_TMPDIR/go:/mnt/go" \
        sh -c 'exec </mnt/go; echo one; read -r line; echo two; read -r line; printf three'
    "$full" logs -f bird >"$BATS_TEST_TMPDIR/seen" 3>&- 4>&- &
    local follower=$!
    wait_until 3 grep -q one "$BATS_TEST_TMPDIR/seen"
    run -0 "$full" logs bird
    assert_equal "$output" one
    echo >&9
    wait_until 3 grep -q two "$BATS_TEST_TMPDIR/seen"
    echo >&9
    wait_until 3 ended "$follower"
    wait "$follower"
    assert_equal "$(<"$BATS_TEST_TMPDIR/seen")" $'one\ntwo\nthree'
    run -0 "$full" logs -f bird
    assert_equal "$output" $'one\ntwo\nthree'
    run -0 "$full" run "${alone[@]}" --name loud "$ROOTFS" echo hello
    expect_error 125 "No such file" "$full" logs loud
    assert_hint "--detach"
}

@test "inspect: what is known of a box, and the view, show what can be seen from outside" {
    local pid
    mkdir "$BATS_TEST_TMPDIR/data"
    detached bird --publish=8080:80 --volume="$BATS_TEST_TMPDIR/data:/data:ro" --hostname=nest sleep 60
    pid=$(of bird pid)
    [[ $(status_of "$pid" NSpid) =~ ^"$pid"[[:space:]]+1$ ]]
    [ -z "$(of bird cgroup)" ] || grep -qx "$pid" "$(of bird cgroup)/cgroup.procs"
    run -0 "$full" inspect bird
    assert_contains "$output" "\"pid\": $pid,"
    assert_contains "$output" "\"monitor\": $(status_of "$pid" PPid),"
    assert_contains "$output" "8080:80"
    assert_contains "$output" "$(of bird address)"
    assert_contains "$output" "/data"
    local kind
    for kind in mnt uts pid ipc user net; do
        [[ $output =~ $kind:"["[0-9]+"]"\ +"$(namespace_of "$pid" $kind)"\ +isolated ]]
    done
    [[ $output =~ "host name"\ +[^\ ]+\ +nest\ +isolated ]]
    refute_contains "$output" $'\033'
    [[ $output =~ time:"["[0-9]+"]"\ +"$(namespace_of "$pid" time)"\ +shared ]]
    assert_equal "$(of bird '| [.hostname, .mounts[], .ports[]] | @text')" \
        "[\"nest\",\"$BATS_TEST_TMPDIR/data:/data:ro\",\"8080:80\"]"
    expect_error 125 "No such file" "$full" inspect nobody
    run -0 "$full" stop -t 0 bird
    run -0 "$full" inspect bird
    assert_equal "$(jq .running <<<"$output")" false
}

# --- exec ----------------------------------------------------------------------------------------

# bats test_tags=ex:10-5
@test "exec: in all namespaces of the box, with its user, variables and directory, or others" {
    local pid
    mkfifo "$BATS_TEST_TMPDIR/go"
    detached bird --network=none --user=1234:2345 --workdir=/usr --env=A=one --env=$'B=two\nlines \\' sleep 60
    pid=$(of bird pid)
    run -0 "$full" exec bird sh -c 'id -u; id -g; pwd; echo "$A $B"'
    assert_equal "$output" $'1234\n2345\n/usr\none two\nlines \\'
    run -0 "$full" exec -u 0 -w /bin -e A=other -e C=new bird sh -c 'id -u; pwd -P; echo $A $C $HOSTNAME'
    assert_equal "${lines[0]} ${lines[2]}" "0 other new bird"
    run -0 "$full" exec bird grep -E 'NoNewPrivs|Seccomp:|Cap' /proc/self/status
    assert_equal "$output" "$(grep -E 'NoNewPrivs|Seccomp:|Cap' "/proc/$pid/status")"
    run -0 "$full" exec -u 0 bird grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status
    assert_equal "$(cut -f2 <<<"$output" | sort -u)" "$(status_of "$pid" CapBnd)"
    start_box full exec bird sleep 61
    local kind
    for kind in mnt uts pid ipc user net cgroup time; do
        assert_equal "$kind $(namespace_of "$BOX_PID" $kind)" "$kind $(namespace_of "$pid" $kind)"
    done
    assert_equal "$(cat "/proc/$BOX_PID/cgroup")" "$(cat "/proc/$pid/cgroup")"
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -L -c %d:%i "/proc/$pid/root")"
}

@test "exec: not in the keyring of the session that it is started in" {
    local name escape=$COURSE/.build/escape
    name=$(random_name key)
    install "$escape" "$ROOTFS/escape"
    detached bird --network=none --seccomp=off --userns=host sleep 60
    run -0 "$escape" session "$name" text "$escape" key "$name"
    assert_equal "$output" text
    run -1 "$escape" session "$name" text "$full" exec bird /escape key "$name"
    assert_contains "$output" "Required key not available"
    rm "$ROOTFS/escape"
}

# bats test_tags=ex:10-5
@test "exec: exit statuses, standard input and output, descriptors, signals" {
    detached bird --network=none --init sleep 60
    run -42 "$full" exec bird sh -c 'exit 42'
    run -137 "$full" exec bird sh -c 'kill -KILL $$'
    expect_error 127 "/no/such: No such file or directory" "$full" exec bird /no/such
    expect_error 126 "Permission denied" "$full" exec bird /etc/passwd
    expect_error 125 "working directory /none" "$full" exec -w /none bird true
    expect_error 125 "user 'nobody-here'" "$full" exec -u nobody-here bird true
    expect_error 125 "box nobody: No such file" "$full" exec nobody true
    run -0 sh -c "echo through | '$full' exec -i bird cat"
    assert_equal "$output" through
    run -0 --separate-stderr "$full" exec bird sh -c 'echo out; echo err >&2'
    assert_equal "$output $stderr" "out err"
    run -0 bash -c "'$full' exec bird /probe fds 7</etc/passwd 3</ 4</"
    assert_equal "$output" "0 1 2"
    run -0 env --ignore-signal --block-signal "$full" exec bird /probe blocked
    assert_equal "$output" ""
    start_box full exec bird /probe signals
    wait_until 3 grep -q ready "$BOX_OUT"
    kill -USR1 "$TOOL_PID"
    wait_until 3 grep -qx 10 "$BOX_OUT"
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$status" 0
}

# bats test_tags=ex:10-5
@test "exec: killed outright, its command dies, and the box lives" {
    detached bird --network=none sleep 60
    start_box full exec bird sleep 61
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    run -0 "$full" exec bird true
}

# bats test_tags=ex:10-5
@test "exec: the box ends, and so does what was started in it" {
    detached bird --network=none sleep 60
    start_box full exec bird sleep 61
    run -0 "$full" kill bird
    wait_box
    assert_equal "$status" 137
    expect_error 125 "is not running" "$full" exec bird true
}

# bats test_tags=ex:10-5
@test "exec: nobody in the box can look into what comes in, until it is the command (CVE-2016-9962)" {
    requires command:strace
    # shellcheck disable=SC2016 # that shell's variable
    detached bird --network=none --cap-add=SYS_PTRACE sh -c \
        'while :; do for link in /proc/[0-9]*/exe; do readlink $link; done 2>/dev/null; done'
    # It waits in the box's namespaces, before it becomes the box's root; then it is a program of the box's.
    run -0 strace -f -qq -o /dev/null -e inject=setresgid:delay_enter=1000000 "$full" exec bird true
    run -0 "$full" exec bird sleep 1
    run -0 "$full" logs bird
    assert_contains "$output" /sleep
    [[ $output != *full* ]] ||
        fail "expected the box to see no program but its own, got $(grep -m1 full <<<"$output")"
}

# --- stop, kill, wait, rm ------------------------------------------------------------------------

@test "stop: SIGTERM, and SIGKILL when the time is up" {
    detached gentle --network=none sh -c 'trap "sleep 0.5; exit 9" TERM; echo ready; while :; do sleep 0.05; done'
    detached stubborn --network=none --stop-timeout=1000 sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    wait_until 3 sh -c "'$full' logs gentle | grep -q ready && '$full' logs stubborn | grep -q ready"
    local start=${EPOCHREALTIME/./}
    run -0 "$full" stop gentle
    [ $((${EPOCHREALTIME/./} - start)) -lt 10000000 ] # the time that stop has
    assert_equal "$(of gentle status)" 9
    start=${EPOCHREALTIME/./}
    run -0 --separate-stderr "$full" stop --time 1 stubborn gentle
    assert_equal "$output" stubborn
    [ $((${EPOCHREALTIME/./} - start)) -ge 1000000 ]
    assert_equal "$(of stubborn status)" 137
    expect_error 125 "expected a whole number" "$full" stop -t soon gentle
    expect_error 125 "No such file" "$full" stop nobody
}

@test "stop: by the signal and in the time that --stop-signal and --stop-timeout have chosen" {
    detached other --network=none --stop-signal=usr1 sh -c \
        'trap "exit 9" USR1; trap "" TERM; echo ready; while :; do sleep 0.05; done'
    detached brief --network=none --stop-timeout=1 sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    detached long --network=none --stop-timeout=2000000 sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    wait_until 3 has_logged other ready
    assert_equal "$(of other '| [.stop_signal, .stop_timeout] | @text')" "[10,10]"
    assert_equal "$(of brief '| [.stop_signal, .stop_timeout] | @text')" "[15,1]"
    local start=${EPOCHREALTIME/./}
    run -0 "$full" stop other
    assert_equal "$(of other status)" 9
    [ $((${EPOCHREALTIME/./} - start)) -lt 10000000 ]
    start=${EPOCHREALTIME/./}
    wait_until 3 has_logged brief ready
    run -0 "$full" stop brief
    [ $((${EPOCHREALTIME/./} - start)) -ge 1000000 ]
    wait_until 3 has_logged long ready
    run -0 "$full" stop --time=0 long
    assert_equal "$(of brief status) $(of long status)" "137 137"
    expect_error 125 "invalid signal 'NONE'" "$full" run "${alone[@]}" --stop-signal=NONE "$ROOTFS" true
    expect_error 125 "invalid stop timeout 'soon'" "$full" run "${alone[@]}" --stop-timeout=soon "$ROOTFS" true
}

@test "stop: a box that is stopped (SIGSTOP), and one with an init" {
    detached frozen --network=none sleep 60
    detached init --network=none --init sleep 60
    run -0 "$full" kill -s STOP frozen
    wait_until 3 grep -q 'State:.*stopped' "/proc/$(of frozen pid)/status"
    run -0 "$full" stop -t 1 frozen
    run -0 "$full" stop init
    assert_equal "$(of frozen status) $(of init status)" "137 143"
}

@test "kill: SIGKILL, or the signal that -s names" {
    detached bird --network=none /probe signals
    wait_until 3 sh -c "'$full' logs bird | grep -q ready"
    run -0 "$full" kill -s USR1 bird
    run -0 "$full" kill --signal SIGHUP bird
    run -0 "$full" kill -s 12 bird
    wait_until 3 sh -c "'$full' logs bird | grep -qx 12"
    run -0 "$full" logs bird
    assert_equal "$(sort <<<"$output")" $'1\n10\n12\nready'
    expect_error 125 "invalid signal 'NONE'" "$full" kill -s NONE bird
    run -0 "$full" kill bird
    run -0 "$full" wait bird
    assert_equal "$output" 137
    expect_error 125 "is not running" "$full" kill bird
}

@test "kill: signals by the names that kill(1) knows, and by their numbers" {
    local pair name logged=ready numbers=(6 10 11 12 13 16 21 22 23 24 29 30 31 34 37 40 64)
    # shellcheck disable=SC2016 # expanded in the box
    detached bird --network=none bash -c \
        'for n; do trap "echo $n" "$n"; done; sleep 60 & echo ready; while :; do wait; done' bash "${numbers[@]}"
    wait_until 3 has_logged bird ready
    for pair in usr1=10 SIGUSR2=12 SEGV=11 sigpipe=13 PWR=30 TTIN=21 Ttou=22 ABRT=6 IO=29 \
        URG=23 XCPU=24 SYS=31 STKFLT=16 RTMIN=34 rtmin+3=37 SIGRTMIN+6=40 30=30 64=64; do
        run -0 "$full" kill -s "${pair%=*}" bird
        logged+=$'\n'${pair#*=}
        wait_until 3 has_logged bird "$logged"
    done
    for name in '' SIG NONE 0 65 99999999999999999999 9x -1 RTMIN-1 RTMINx RTMIN+ RTMIN+31 RTMIN+x; do
        expect_error 125 "invalid signal '$name'" "$full" kill --signal="$name" bird
    done
    assert_equal "$("$full" logs bird)" "$logged"
}

# has_logged BOX TEXT: that and nothing else.
has_logged() {
    [ "$("$full" logs "$1")" = "$2" ]
}

@test "wait: the exit statuses of boxes, ended or not yet" {
    mkfifo "$BATS_TEST_TMPDIR/go"
    exec 9<>"$BATS_TEST_TMPDIR/go"
    detached one --network=none --volume="$BATS_TEST_TMPDIR/go:/mnt/go" sh -c 'read -r line </mnt/go; exit 3'
    detached two --network=none sh -c 'exit 4'
    "$full" wait one two >"$BATS_TEST_TMPDIR/statuses" 3>&- 4>&- &
    local waiting=$!
    echo >&9
    wait_until 3 ended "$waiting"
    wait "$waiting"
    assert_equal "$(<"$BATS_TEST_TMPDIR/statuses")" $'3\n4'
    expect_error 125 "No such file" "$full" wait nobody
}

@test "wait: also of a box that is forgotten when it ends (--rm), or is killed with its monitor" {
    local waiting
    detached bird --rm --network=none sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    "$full" wait bird >"$BATS_TEST_TMPDIR/status" 3>&- 4>&- &
    waiting=$!
    wait_until 3 holds_open "$waiting" "$TEN_STEPS_HOME/claims/box-bird"
    run -0 "$full" kill -s TERM bird
    wait "$waiting"
    assert_equal "$(<"$BATS_TEST_TMPDIR/status")" 5
    expect_error 125 "No such file" "$full" inspect bird

    detached bird --rm --network=none sleep 60
    "$full" wait bird >"$BATS_TEST_TMPDIR/status" 3>&- 4>&- &
    waiting=$!
    wait_until 3 holds_open "$waiting" "$TEN_STEPS_HOME/claims/box-bird"
    kill -KILL "$(monitor_of bird)"
    wait "$waiting"
    assert_equal "$(<"$BATS_TEST_TMPDIR/status")" 137
    run -0 "$full" ps -a
}

# holds_open PID FILE
holds_open() {
    find "/proc/$1/fd" -lname "$2" 2>/dev/null | grep -q .
}

@test "rm: what has ended, with all that was kept; -f: what runs, too" {
    detached bird --network=none sleep 60
    expect_error 125 "box bird: is running" "$full" rm bird
    assert_hint "full rm -f bird"
    local pid
    pid=$(of bird pid)
    run -0 "$full" rm -f bird
    [ ! -e "/proc/$pid" ]
    nothing_is_claimed
    expect_error 125 "No such file" "$full" rm -f bird
}

@test "stats: what each running box uses, as its group counts it; a box that isn't there is an error" {
    detached bird "${alone[@]}" sleep 60
    detached owl "${alone[@]}" true
    run -0 "$full" wait owl
    run -0 "$full" stats
    [[ ${lines[0]} =~ ^bird\ +USED\ +LIMIT ]]
    refute_contains "$output" owl
    local group row file want
    group=$(of bird cgroup)
    for row in cpu:cpu.stat:'[0-9.]+s +[0-9.]+%' memory:memory.current:'[0-9.]+[BKM]' pids:pids.current:1; do
        IFS=: read -r row file want <<<"$row"
        [ -n "$group" ] && [ -e "$group/$file" ] || want=-
        grep -qE "^$row +$want +-" <<<"$output" || fail "$row"
    done
    run -0 "$full" stats owl bird
    assert_contains "$output" owl
    expect_error 125 "box nobody" "$full" stats nobody
}
