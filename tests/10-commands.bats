#!/usr/bin/env bats
# Chapter 10: every command and option of full, as seen from outside, and what it does when things
# go wrong. Beside the play host there is an outside world.
load helpers

TMUX_SOCKET=

setup_file() {
    make_world
}

teardown_file() {
    end_world
}

setup() {
    host_remember
    make_rootfs
    install "$TALK" "$ROOTFS/talk"
    full=$(tool full)
    # Chapter 7's layer has checks of its own. Without it a box has loopback alone.
    alone=(--network none)
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR # for ordinary users
    chmod 777 "$BATS_TEST_TMPDIR"
}

teardown() {
    local names
    [ -z "$TMUX_SOCKET" ] || tmux -S "$TMUX_SOCKET" kill-server || true
    read -r -a names < <(all_boxes)
    [ "${#names[@]}" -eq 0 ] || "$full" rm -f "${names[@]}"
    read -r -a names < <(as_user "$full" ps -a --json | jq -r '[.[].name] | join(" ")')
    [ "${#names[@]}" -eq 0 ] || as_user "$full" rm -f "${names[@]}"
    host_compare
    [ ! -e /run/ten-steps ] || fail "/run/ten-steps is there without a box: $(find /run/ten-steps)"
}

all_boxes() {
    "$full" ps -a --json | jq -r '[.[].name] | join(" ")'
}

# detached NAME [OPTION]… COMMAND…: a box in the background, in the root filesystem.
detached() {
    local name=$1 options=()
    shift
    while [[ $1 == -* ]]; do
        options+=("$1")
        [[ $1 == --*=* || $1 == --init || $1 == -t || $1 == --rm ]] || { shift && options+=("$1"); }
        shift
    done
    run -0 "$full" run -d --name "$name" "${options[@]}" "$ROOTFS" "$@"
    assert_equal "$output" "$name"
}

# A field of what is known about a box: of NAME FIELD
of() {
    "$full" inspect --json "$1" | jq -r ".$2"
}

monitor_of() {
    local pid
    pid=$(of "$1" pid)
    status_of "$pid" PPid
}

# --- run -d, names, exit statuses ----------------------------------------------------------------

@test "-d: the box goes on by itself, and its name is printed" {
    detached bird --network=none sh -c 'echo out; echo err >&2; cat; exec sleep 60'
    local pid monitor
    pid=$(of bird pid)
    wait_until 3 grep -q sleep "/proc/$pid/cmdline"
    monitor=$(status_of "$pid" PPid)
    assert_equal "$(status_of "$monitor" PPid)" 1
    assert_differ "$(cut -d' ' -f6 "/proc/$monitor/stat")" "$(cut -d' ' -f6 /proc/$$/stat)"
    assert_equal "$(readlink "/proc/$pid/fd/0")" /dev/null
    assert_isolated "$pid" mnt uts pid ipc user net
    run -0 "$full" logs bird
    assert_equal "$output" $'out\nerr'
}

@test "-d without --name: twelve digits, which are printed" {
    run -0 "$full" run -d "${alone[@]}" "$ROOTFS" sleep 60
    [[ $output =~ ^[0-9a-f]{12}$ ]]
    assert_equal "$(all_boxes)" "$output"
}

@test "-d: what can't be started is told with its status, and nothing is kept of it" {
    local more
    for more in "" --init -t "--init -t" --boot-time-offset=10; do
        # shellcheck disable=SC2086
        expect_error 127 "/no/such: No such file or directory" "$full" run -d $more "${alone[@]}" --name bird \
            "$ROOTFS" /no/such
        # shellcheck disable=SC2086
        expect_error 126 "/etc/passwd: Permission denied" "$full" run -d $more "${alone[@]}" --name bird \
            "$ROOTFS" /etc/passwd
        # shellcheck disable=SC2086
        expect_error 125 "No such file or directory" "$full" run -d $more "${alone[@]}" --name bird \
            -v "$BATS_TEST_TMPDIR/none:/none" "$ROOTFS" true
        # shellcheck disable=SC2086
        expect_error 125 "working directory /none" "$full" run -d $more "${alone[@]}" --name bird \
            -w /none "$ROOTFS" true
        assert_equal "$(all_boxes)" ""
    done
}

@test "the exit status is the command's, 128+N after signal N" {
    run -42 "$full" run "${alone[@]}" "$ROOTFS" sh -c 'exit 42'
    run -137 "$full" run "${alone[@]}" --init "$ROOTFS" sh -c 'kill -KILL $$'
    run -143 "$full" run "${alone[@]}" --init "$ROOTFS" sh -c 'kill -TERM $$'
    run -126 "$full" run "${alone[@]}" "$ROOTFS" sh -c 'exit 126'
    detached bird --network=none sh -c 'exit 126'
    run -0 "$full" wait bird
    assert_equal "$output" 126
}

@test "--rm, --name and -d: which boxes are still listed after their end" {
    run -0 "$full" run "${alone[@]}" "$ROOTFS" true
    assert_equal "$(all_boxes)" ""
    run -0 "$full" run "${alone[@]}" --rm --name bird "$ROOTFS" true
    assert_equal "$(all_boxes)" ""
    run -0 "$full" run -d "${alone[@]}" --rm --name bird "$ROOTFS" true
    wait_until 3 [ ! -e /run/ten-steps ]
    run -3 "$full" run "${alone[@]}" --name bird "$ROOTFS" sh -c 'exit 3'
    assert_equal "$(of bird status) $(of bird running)" "3 false"
    run -0 "$full" ps
    refute_contains "$output" bird
    run -0 "$full" ps -a
    assert_contains "$output" "bird"
    assert_contains "$output" "exited (3)"
}

@test "--name: taken, or malformed" {
    detached bird --network=none sleep 60
    expect_error 125 "box bird: File exists" "$full" run "${alone[@]}" --name bird "$ROOTFS" true
    assert_hint "full rm bird"
    local name
    for name in "" . .. a/b -x "a b" "$(printf %064d 1)"; do
        expect_error 125 "a name is made of" "$full" run "${alone[@]}" "--name=$name" "$ROOTFS" true
    done
    run -0 "$full" run "${alone[@]}" --rm --name A_.-9 "$ROOTFS" uname -n
    assert_equal "$output" A_.-9
}

# --- run: the files ------------------------------------------------------------------------------

@test "--volume: files keep their owners, though the box's users are others on the host" {
    local data=$BATS_TEST_TMPDIR/data first
    mkdir "$data"
    touch "$data/theirs"
    chown 1234:2345 "$data" "$data/theirs"
    detached bird --network=none --volume="$data:/data" --user=1234:2345 \
        sh -c 'stat -c "%u:%g" /data/theirs; touch /data/ours; sleep 60'
    wait_until 3 [ -e "$data/ours" ]
    run -0 "$full" logs bird
    assert_equal "$output" 1234:2345
    assert_equal "$(stat -c %u:%g "$data/ours")" 1234:2345
    first=$(of bird first_id)
    [ "$first" -ge $((0x70000000)) ]
    assert_equal "$(stat -c %u:%g "/proc/$(of bird pid)")" "$((first + 1234)):$((first + 2345))"
    assert_equal "$(awk '{ print $1, $2, $3 }' "/proc/$(of bird pid)/uid_map")" "0 $first 65536"
    run -0 "$full" run "${alone[@]}" -v "$data:/data" "$ROOTFS" touch /data/roots
    assert_equal "$(stat -c %u:%g "$data/roots")" 0:0
}

@test "--volume: one file, several, one in another; the host's mounts are as before" {
    local data=$BATS_TEST_TMPDIR/data
    mkdir -p "$data/a" "$data/b"
    echo file >"$data/file"
    echo b >"$data/b/b"
    run -0 "$full" run "${alone[@]}" -v "$data/file:/etc/file:ro" -v "$data/a:/deep/er/a" -v "$data/b:/deep/er/a/b" \
        "$ROOTFS" sh -c 'cat /etc/file /deep/er/a/b/b; echo x 2>/dev/null >>/etc/file || echo read-only'
    assert_equal "$output" $'file\nb\nread-only'
    rm -rf "$ROOTFS/deep" "$ROOTFS/etc/file"
}

@test "--tmpfs: empty, writable by all, gone afterwards, made where it is missing" {
    echo old >"$ROOTFS/tmp/old"
    detached bird --network=none --tmpfs=/tmp --tmpfs=/new/place sh -c 'ls -A /tmp; echo >/tmp/file; exec sleep 60'
    run -0 awk '$5 == "/tmp" || $5 == "/new/place" { print $5, $6, $(NF - 2) }' "/proc/$(of bird pid)/mountinfo"
    assert_equal "$output" $'/tmp rw,nosuid,nodev,relatime tmpfs\n/new/place rw,nosuid,nodev,relatime tmpfs'
    wait_until 3 [ -e "/proc/$(of bird pid)/root/tmp/file" ]
    run -0 "$full" logs bird
    assert_equal "$output" ""
    assert_equal "$(ls -A "$ROOTFS/tmp")" old
    rm -r "$ROOTFS/new" "$ROOTFS/tmp/old"
    expect_error 125 "absolute" "$full" run "${alone[@]}" --tmpfs relative "$ROOTFS" true
}

@test "--volume and --tmpfs: not on the root itself, and with a flag that there is" {
    expect_error 125 "on the root itself" "$full" run "${alone[@]}" -v "$BATS_TEST_TMPDIR:/" "$ROOTFS" true
    expect_error 125 "on the root itself" "$full" run "${alone[@]}" --tmpfs / "$ROOTFS" true
    expect_error 125 "neither ro nor rw" "$full" run "${alone[@]}" -v "$BATS_TEST_TMPDIR:/mnt:no" "$ROOTFS" true
}

# --- run: the network ----------------------------------------------------------------------------

@test "--network: none, host and bridge" {
    detached none --network=none sleep 60
    detached host --network=host sleep 60
    detached bridge --network=bridge sleep 60
    detached default sleep 60
    assert_isolated "$(of none pid)" net
    assert_shared "$(of host pid)" net
    assert_equal "$(inside "$(of none pid)" net -- ip -json link | jq -r '[.[].ifname] | join(" ")')" lo
    local name
    for name in bridge default; do
        assert_isolated "$(of $name pid)" net
        assert_equal "$(inside "$(of $name pid)" net -- ip -json link | jq -r '[.[].ifname] | join(" ")')" "lo eth0"
        run -0 ping -c1 -W1 "$(of $name address)"
    done
    assert_equal "$(of none address)$(of host address)" ""
    run -0 "$full" exec bridge ping -c1 -W1 "$(of default address)"
    run -0 "$full" exec bridge ping -c1 -W1 "$WORLD"
    run -0 "$full" stop -t 0 none host bridge default
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
    expect_error 125 "is not bridge, none or host" "$full" run --network moon "$ROOTFS" true
}

@test "--publish: the outside world reaches the box, until it ends" {
    detached web --publish=8080:80 --publish="$HOST:5353:53/udp" /talk serve tcp 0.0.0.0 80 web
    wait_until 3 in_world "$TALK" ask tcp "$HOST" 8080
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    assert_equal "$output" "web saw $WORLD"
    assert_equal "$(of web ports)" "8080:80 $HOST:5353:53/udp"
    run -0 "$full" ps
    assert_contains "$output" "8080:80"
    run -0 "$full" exec -u 0 web sh -c '/talk serve udp 0.0.0.0 53 names >/dev/null 2>&1 </dev/null & sleep 0.2'
    wait_until 3 in_world "$TALK" ask udp "$HOST" 5353
    run ! in_world "$TALK" ask tcp "$HOST" 80
    run -0 "$full" stop -t 0 web
    run ! in_world "$TALK" ask tcp "$HOST" 8080
    expect_error 125 "need --network bridge" "$full" run "${alone[@]}" -p 8080:80 "$ROOTFS" true
    expect_error 125 "need --network bridge" "$full" run --network host --ip 172.27.0.9 "$ROOTFS" true
}

@test "--ip: that address, and not twice" {
    detached bird --ip=172.27.0.77 sleep 60
    assert_equal "$(of bird address)" 172.27.0.77
    run -0 inside "$(of bird pid)" net -- ip -4 -oneline address show dev eth0
    assert_contains "$output" 172.27.0.77/16
    expect_error 125 172.27.0.77 "$full" run --ip 172.27.0.77/16 "$ROOTFS" true
    expect_error 125 "10.10.0.77 is not one of" "$full" run --ip 10.10.0.77 "$ROOTFS" true
}

@test "--dns: names are asked there; without it as on the host; the root's own file is as it was" {
    local before
    before=$(stat -c '%s %Y %i' "$ROOTFS/etc/resolv.conf")
    run -0 "$full" run --dns 192.0.2.1 --dns 192.0.2.2 "$ROOTFS" cat /etc/resolv.conf
    assert_equal "$output" $'nameserver 192.0.2.1\nnameserver 192.0.2.2'
    run -0 "$full" run --network host --dns 192.0.2.1 "$ROOTFS" cat /etc/resolv.conf
    assert_equal "$output" 'nameserver 192.0.2.1'
    run -0 "$full" run "$ROOTFS" cat /etc/resolv.conf
    assert_equal "$output" "$(grep -v 'nameserver 127\.' /etc/resolv.conf)"
    assert_equal "$(stat -c '%s %Y %i' "$ROOTFS/etc/resolv.conf")" "$before"
    expect_error 125 "--dns needs" "$full" run --network none --dns 192.0.2.1 "$ROOTFS" true
    expect_error 125 "is not an IPv4 address" "$full" run --dns name "$ROOTFS" true
    make_bare_root
    run -0 "$full" run "$ROOT" /bin/probe ids
    assert_equal "$(ls "$ROOT")" $'bin\ndev\nproc\nsys'
}

# --- run: limits, clock, users -------------------------------------------------------------------

# Does the kernel's tree of control groups, version 2, have this controller here?
controller_is_here() {
    grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers
}

limits=("--memory=64M memory memory.max 67108864" "--cpus=0.5 cpu cpu.max 50000"
    "--pids-limit=20 pids pids.max 20" "--cpuset-cpus=0 cpuset cpuset.cpus 0")

@test "limits that can't be kept are refused with the reason, and malformed ones" {
    local each words
    for each in "${limits[@]}"; do
        read -r -a words <<<"$each"
        if controller_is_here "${words[1]}"; then
            # As if there were no tree of control groups on this machine.
            expect_error 125 "cgroup" unshare --mount sh -c \
                "mount -t tmpfs none /sys/fs/cgroup; exec '$full' run ${alone[*]} ${words[0]} '$ROOTFS' true"
        else
            expect_error 125 "no controller ${words[1]} in" "$full" run "${alone[@]}" "${words[0]}" "$ROOTFS" true
            assert_hint "tests/vm"
        fi
    done
    expect_error 125 "'much' is not a size" "$full" run "${alone[@]}" -m much "$ROOTFS" true
    expect_error 125 "'half' is not a number" "$full" run "${alone[@]}" --cpus half "$ROOTFS" true
    expect_error 125 "'few' is not a whole number" "$full" run "${alone[@]}" --pids-limit few "$ROOTFS" true
}

# bats test_tags=cgroup_v2
@test "--memory, --cpus, --pids-limit, --cpuset-cpus: set for the box, and for what 'exec' adds" {
    requires root cgroup_v2
    local each words group
    for each in "${limits[@]}"; do
        read -r -a words <<<"$each"
        detached limited --network=none "${words[0]}" sleep 60
        group=$(of limited cgroup)
        assert_contains "$(<"$group/${words[2]}")" "${words[3]}"
        grep -qx "$(of limited pid)" "$group/cgroup.procs"
        start_box full exec limited sleep 61
        grep -qx "$BOX_PID" "$group/cgroup.procs"
        run -0 "$full" rm -f limited
        [ ! -e "$group" ]
    done
}

# bats test_tags=cgroup_v2
@test "--memory and --pids-limit: what a box gets that wants more" {
    requires root cgroup_v2
    run -137 "$full" run "${alone[@]}" -m 16M "$ROOTFS" sh -c 'exec tail /dev/zero'
    run "$full" run "${alone[@]}" --pids-limit 10 "$ROOTFS" sh -c \
        'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait'
    assert_contains "$output" "fork"
}

@test "--ulimit: soft and hard, seen from outside" {
    detached bird --network=none --ulimit=nofile=100:200 --ulimit=core=0 sleep 60
    run -0 grep -E 'Max (open files|core file size)' "/proc/$(of bird pid)/limits"
    [[ ${lines[0]} =~ ^"Max core file size"\ +0\ +0\  ]]
    [[ ${lines[1]} =~ ^"Max open files"\ +100\ +200\  ]]
    run -0 "$full" run "${alone[@]}" --ulimit nofile=64 "$ROOTFS" sh -c 'ulimit -Sn; ulimit -Hn'
    assert_equal "$output" $'64\n64'
    expect_error 125 "is not NAME=SOFT" "$full" run "${alone[@]}" --ulimit files=1 "$ROOTFS" true
    expect_error 125 "is above the hard" "$full" run "${alone[@]}" --ulimit nofile=2:1 "$ROOTFS" true
    expect_error 125 "ulimit nofile: Operation not permitted" \
        "$full" run "${alone[@]}" --ulimit nofile=99999999999 "$ROOTFS" true
}

@test "--boot-time-offset: the box's clock is moved, and the host's is not" {
    local before inside after
    read -r before _ </proc/uptime
    run -0 "$full" run "${alone[@]}" --boot-time-offset 1000000 "$ROOTFS" cat /proc/uptime
    inside=${output%%.*}
    read -r after _ </proc/uptime
    [ "$inside" -ge $((${before%%.*} + 1000000)) ]
    [ "$inside" -le $((${after%%.*} + 1000000)) ]
    detached bird --network=none --boot-time-offset=1000 sleep 60
    assert_isolated "$(last_descendant "$(of bird pid)")" time
    run -0 "$full" exec bird cat /proc/uptime
    read -r after _ </proc/uptime
    [ "${output%%.*}" -ge $((${before%%.*} + 1000)) ]
    [ "${output%%.*}" -le $((${after%%.*} + 1000)) ]
    expect_error 125 "by -10000000 seconds" "$full" run "${alone[@]}" --boot-time-offset -10000000 "$ROOTFS" true
}

@test "--userns: a range of users that no other box has, or the host's" {
    detached one --network=none sleep 60
    detached two --network=none sleep 60
    detached host --network=none --userns=host sleep 60
    assert_differ "$(of one first_id)" "$(of two first_id)"
    [ $(($(of one first_id) % 65536)) -eq 0 ]
    assert_equal "$(stat -c %u "/proc/$(of two pid)")" "$(of two first_id)"
    assert_shared "$(of host pid)" user
    assert_equal "$(stat -c %u "/proc/$(of host pid)")" 0
    expect_error 125 "is neither auto nor host" "$full" run "${alone[@]}" --userns some "$ROOTFS" true
}

@test "layers and volumes that can't be mapped: an error that names --userns host, and no weaker box" {
    requires overlay
    # A directory on overlayfs can't be mapped.
    mkdir "$BATS_TEST_TMPDIR"/{lower,upper,work,merged}
    mount -t overlay overlay -o "lowerdir=$BATS_TEST_TMPDIR/lower,upperdir=$BATS_TEST_TMPDIR/upper,workdir=$BATS_TEST_TMPDIR/work" \
        "$BATS_TEST_TMPDIR/merged"
    run "$full" run "${alone[@]}" -v "$BATS_TEST_TMPDIR/merged:/data" "$ROOTFS" stat -c %u /data
    local with_volume=$status said=$output
    run "$full" run "${alone[@]}" --userns host -v "$BATS_TEST_TMPDIR/merged:/data" "$ROOTFS" stat -c %u /data
    umount "$BATS_TEST_TMPDIR/merged"
    assert_equal "$output" 0
    assert_equal "$with_volume" 125
    assert_contains "$said" "--userns host"
}

# --- an ordinary user ----------------------------------------------------------------------------

@test "an ordinary user: run, ps, exec, logs, inspect, stop, rm" {
    requires userns
    make_rootfs user
    run -0 as_user "$full" run -d --name bird "$ROOTFS" sh -c 'id -u; exec sleep 60'
    [ -d "$XDG_RUNTIME_DIR/ten-steps/boxes/bird" ]
    run -0 as_user "$full" ps
    assert_contains "$output" "bird"
    run -0 as_user "$full" logs bird
    assert_equal "$output" 0
    run -0 as_user "$full" exec bird sh -c 'id -u; ls /sys/class/net'
    assert_equal "$output" $'0\nlo'
    run -0 as_user "$full" inspect bird
    assert_contains "$output" "isolated"
    refute_contains "$("$full" ps -a)" bird
    run -0 as_user "$full" stop -t 0 bird
    run -0 as_user "$full" rm bird
    [ ! -e "$XDG_RUNTIME_DIR/ten-steps" ]
}

@test "an ordinary user: volumes, tmpfs, terminal, seccomp and the like work" {
    requires userns
    make_rootfs user
    install -d -o 65534 -g 65534 "$BATS_TEST_TMPDIR/data"
    run -0 as_user "$full" run --hostname bird --tmpfs /tmp --init --read-only --ulimit nofile=99 \
        -v "$BATS_TEST_TMPDIR/data:/mnt" --boot-time-offset 5000 -e A=b -w /mnt "$ROOTFS" \
        sh -c 'uname -n; pwd; echo $A >file; stat -c %u file; ulimit -n; grep -E "Seccomp:|NoNewPrivs" /proc/self/status'
    assert_equal "$output" $'bird\n/mnt\n0\n99\nNoNewPrivs:\t1\nSeccomp:\t2'
    assert_equal "$(stat -c %u "$BATS_TEST_TMPDIR/data/file")" 65534
}

@test "an ordinary user: each thing that can't be is refused with its reason" {
    requires userns
    make_rootfs user
    expect_error 125 "only root can make links" as_user "$full" run --network bridge "$ROOTFS" true
    expect_error 125 "need --network bridge" as_user "$full" run -p 80:80 "$ROOTFS" true
    expect_error 125 "only with a user namespace" as_user "$full" run --userns host "$ROOTFS" true
    expect_error 125 "is yours to write" as_user "$full" run -m 64M "$ROOTFS" true
    expect_error 125 "become" as_user "$full" run -u 1000 "$ROOTFS" true
    mkdir "$BATS_TEST_TMPDIR/theirs"
    expect_error 125 "belongs to" as_user "$full" run -v "$BATS_TEST_TMPDIR/theirs:/mnt" "$ROOTFS" true
}

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
    run -0 sh -c "'$full' ps --json | jq -r '.[] | [.name, .running, .status] | @text'"
    assert_equal "$output" '["one",true,null]'
    run -0 sh -c "'$full' ps -a --json | jq -r '.[1] | [.name, .running, .pid, .status, .command] | @text'"
    assert_contains "$output" '["two",false,0,5,"sh -c exit 5 a \"quoted\" \\ word\twith'
    expect_error 125 "No space left" sh -c "'$full' ps >/dev/full"
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

@test "inspect: the picture and the JSON say what can be seen from outside" {
    local pid
    mkdir "$BATS_TEST_TMPDIR/data"
    detached bird --publish=8080:80 --volume="$BATS_TEST_TMPDIR/data:/data:ro" --hostname=nest sleep 60
    pid=$(of bird pid)
    [[ $(status_of "$pid" NSpid) =~ ^"$pid"[[:space:]]+1$ ]]
    [ -z "$(of bird cgroup)" ] || grep -qx "$pid" "$(of bird cgroup)/cgroup.procs"
    run -0 "$full" inspect bird
    assert_contains "$output" "watched by $(status_of "$pid" PPid)"
    assert_contains "$output" "$(of bird first_id) to $(($(of bird first_id) + 65535))"
    assert_contains "$output" "8080:80"
    assert_contains "$output" "$(of bird address)"
    assert_contains "$output" "/data"
    local kind
    for kind in mnt uts pid ipc user net; do
        [[ $output =~ $kind:"["[0-9]+"]"\ +"$(namespace_of "$pid" $kind)"\ +isolated ]]
    done
    [[ $output =~ "host name"\ +[^\ ]+\ +nest\ +isolated ]]
    refute_contains "$output" $'\033'
    expect_error 125 "No such file" "$full" inspect nobody
    run -0 "$full" stop -t 0 bird
    expect_error 125 "is not running" "$full" inspect bird
    assert_equal "$(of bird running)" false
}

# --- exec ----------------------------------------------------------------------------------------

@test "exec: in all namespaces of the box, with its user, variables and directory, or others" {
    local pid
    mkfifo "$BATS_TEST_TMPDIR/go"
    detached bird --network=none --user=1234:2345 --workdir=/usr --env=A=one --env=$'B=two\nlines \\' sleep 60
    pid=$(of bird pid)
    run -0 "$full" exec bird sh -c 'id -u; id -g; pwd; echo "$A $B"'
    assert_equal "$output" $'1234\n2345\n/usr\none two\nlines \\'
    run -0 "$full" exec -u 0 -w /bin -e A=other -e C=new bird sh -c 'id -u; pwd -P; echo $A $C $HOSTNAME'
    assert_equal "${lines[0]} ${lines[2]}" "0 other new bird"
    run -0 "$full" exec bird grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status
    assert_equal "$output" "$(grep -E 'NoNewPrivs|Seccomp:|CapEff' "/proc/$pid/status")"
    start_box full exec bird sleep 61
    local kind
    for kind in mnt uts pid ipc user net cgroup time; do
        assert_equal "$kind $(namespace_of "$BOX_PID" $kind)" "$kind $(namespace_of "$pid" $kind)"
    done
    assert_equal "$(cat "/proc/$BOX_PID/cgroup")" "$(cat "/proc/$pid/cgroup")"
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -L -c %d:%i "/proc/$pid/root")"
}

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
    run -0 bash -c "'$full' exec bird /probe fds 7</etc/passwd"
    assert_equal "$output" "0 1 2"
    start_box full exec bird /probe signals
    wait_until 3 grep -q ready "$BOX_OUT"
    kill -USR1 "$TOOL_PID"
    wait_until 3 grep -qx 10 "$BOX_OUT"
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$status" 0
}

@test "exec: killed outright, its command dies, and the box lives" {
    detached bird --network=none sleep 60
    start_box full exec bird sleep 61
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    run -0 "$full" exec bird true
}

@test "exec: the box ends, and so does what was started in it" {
    detached bird --network=none sleep 60
    start_box full exec bird sleep 61
    run -0 "$full" kill bird
    wait_box
    assert_equal "$status" 137
    expect_error 125 "is not running" "$full" exec bird true
}

# --- stop, kill, wait, rm ------------------------------------------------------------------------

@test "stop: SIGTERM, and SIGKILL when the time is up" {
    detached gentle --network=none sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
    detached stubborn --network=none sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    wait_until 3 sh -c "'$full' logs gentle | grep -q ready && '$full' logs stubborn | grep -q ready"
    local start=${EPOCHREALTIME/./}
    run -0 "$full" stop gentle
    [ $((${EPOCHREALTIME/./} - start)) -lt 5000000 ]
    assert_equal "$(of gentle status)" 9
    start=${EPOCHREALTIME/./}
    run -0 "$full" stop --time 1 stubborn gentle
    assert_equal "$output" stubborn
    [ $((${EPOCHREALTIME/./} - start)) -ge 1000000 ]
    assert_equal "$(of stubborn status)" 137
    expect_error 125 "is not a whole number" "$full" stop -t soon gentle
    expect_error 125 "No such file" "$full" stop nobody
}

@test "stop: a box that is stopped (SIGSTOP), and one with an init" {
    detached frozen --network=none sleep 60
    detached init --network=none --init sleep 60
    run -0 "$full" kill -s STOP frozen
    wait_until 3 grep -q 'State:.*stopped' "/proc/$(of frozen pid)/status"
    run -0 "$full" stop -t 1 frozen init
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
    expect_error 125 "is not the name of a signal" "$full" kill -s NONE bird
    run -0 "$full" kill bird
    run -0 "$full" wait bird
    assert_equal "$output" 137
    expect_error 125 "is not running" "$full" kill bird
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

@test "rm: what has ended, with all that was kept; -f: what runs, too" {
    detached bird --network=none sleep 60
    expect_error 125 "box bird: is running" "$full" rm bird
    assert_hint "full rm -f bird"
    local pid
    pid=$(of bird pid)
    run -0 "$full" rm -f bird
    [ ! -e "/proc/$pid" ]
    [ ! -e /run/ten-steps ]
    expect_error 125 "No such file" "$full" rm -f bird
}

# --- when things go wrong ------------------------------------------------------------------------

@test "kill -9 of the monitor: the box dies, ps tells the truth, and the next command clears the host" {
    local pid group
    detached bird sleep 60
    detached rm-bird --rm sleep 60
    pid=$(of bird pid) group=$(of bird cgroup)
    kill -KILL "$(monitor_of bird)" "$(monitor_of rm-bird)"
    wait_until 3 [ ! -e "/proc/$pid" ]
    run -0 "$full" ps
    assert_equal "${#lines[@]}" 1
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 0
    [ -z "$group" ] || [ ! -e "$group" ]
    run -0 "$full" ps -a
    assert_contains "$output" "exited (137)"
    refute_contains "$output" rm-bird
    run -0 "$full" rm bird
}

@test "kill -9 of a tool in the foreground: the same" {
    start_box full run --name bird "$ROOTFS" sleep 60
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    assert_equal "$(of bird status)" 137
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
}

@test "a process number used again is not taken for the box" {
    detached bird --network=none sleep 60
    local pid monitor
    pid=$(of bird pid) monitor=$(monitor_of bird)
    # Another process has the number that the list names, as if it had been used again.
    sleep 62 3>&- 4>&- &
    local other=$!
    sed -i "s/^pid .*/pid $other/" /run/ten-steps/boxes/bird/state
    run "$full" kill bird
    run ! "$full" exec bird true
    kill -0 "$other"
    kill "$other"
    kill -KILL "$monitor"
    wait_until 3 [ ! -e "/proc/$pid" ]
}

@test "a state file cut off, or of nonsense, harms nobody" {
    detached bird --network=none sleep 60
    local text pid
    pid=$(of bird pid)
    for text in "" "pid" "pid x" "pid -1" $'pid 99999999999\nborn 1' $'\xff\xfe'; do
        printf %s "$text" >/run/ten-steps/boxes/bird/state
        run "$full" ps
        run "$full" exec bird true
        run "$full" kill bird
        kill -0 "$pid"
    done
    kill -KILL "$(status_of "$pid" PPid)"
    wait_until 3 [ ! -e "/proc/$pid" ]
    run -0 "$full" ps -a
}

@test "commands on one box at the same time: no box is half there, and no error but that it has gone" {
    local i
    for i in 1 2 3 4 5 6; do
        run -0 "$full" run -d "${alone[@]}" --name bird "$ROOTFS" sleep 60
        (
            exec 3>&- 4>&- >"$BATS_TEST_TMPDIR/said.$i" 2>&1
            "$full" stop -t 0 bird &
            "$full" rm -f bird &
            "$full" exec bird true &
            "$full" kill bird &
            "$full" ps -a --json &
            "$full" rm -f bird &
            wait
        )
        run ! grep -vE 'No such file or directory|is not running|has ended|^hint:|^bird$|^\[.*\]$' "$BATS_TEST_TMPDIR/said.$i"
        "$full" rm -f bird 2>/dev/null || true
        assert_equal "$(all_boxes)" ""
    done
}

@test "one name, eight at once: one gets it" {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        "$full" run -d "${alone[@]}" --name bird "$ROOTFS" sleep 60 3>&- 4>&- &
    done >"$BATS_TEST_TMPDIR/said" 2>&1
    wait_until 10 sh -c "[ \$(grep -cE '^bird|File exists' '$BATS_TEST_TMPDIR/said') = 8 ]"
    assert_equal "$(grep -cx bird "$BATS_TEST_TMPDIR/said")" 1
    assert_equal "$(all_boxes)" bird
}

@test "a hundred boxes at once: each its own users, and nothing is left" {
    local i names
    for i in {1..100}; do
        "$full" run -d "${alone[@]}" --name "box$i" "$ROOTFS" sleep 60 >/dev/null 3>&- 4>&- &
    done
    wait_until 60 sh -c "[ \$('$full' ps --json | jq '[.[] | select(.pid > 0)] | length') = 100 ]"
    assert_equal "$("$full" ps --json | jq '[.[].first_id] | unique | length')" 100
    run -0 "$full" exec box100 uname -n
    assert_equal "$output" box100
    read -r -a names < <(all_boxes)
    run -0 "$full" rm -f "${names[@]}"
    for i in {1..100}; do
        "$full" run "${alone[@]}" "$ROOTFS" true 3>&- 4>&- || echo "no $i" >>"$BATS_TEST_TMPDIR/failed" &
    done
    wait_until 60 no_process_is_left
    [ ! -e "$BATS_TEST_TMPDIR/failed" ]
}

@test "thirty boxes on the bridge at once: thirty addresses, and nothing is left" {
    local i names
    for i in {1..30}; do
        "$full" run -d --name "box$i" "$ROOTFS" sleep 60 >/dev/null 3>&- 4>&- &
    done
    wait_until 60 sh -c "[ \$('$full' ps --json | jq '[.[].address | select(. != \"\")] | unique | length') = 30 ]"
    run -0 ping -c1 -W2 "$(of box30 address)"
    read -r -a names < <(all_boxes)
    run -0 "$full" rm -f "${names[@]}"
}

# --- terminal ------------------------------------------------------------------------------------

# A terminal of 30 by 90 that a person might sit at. See tmux(1).
open_terminal() {
    TMUX_SOCKET=$BATS_TEST_TMPDIR/tmux
    tmux -S "$TMUX_SOCKET" -f /dev/null new-session -d -x 90 -y 30 "PS1='host$ ' bash --norc --noprofile" 3>&- 4>&-
    wait_until 5 sees 'host\$'
}

type_in() {
    tmux -S "$TMUX_SOCKET" send-keys "$@"
}

sees() {
    tmux -S "$TMUX_SOCKET" capture-pane -p -J | grep -q -- "$1"
}

# An interactive session in a box that has been entered by typing COMMAND.
sit_in_box() {
    type_in "$1" Enter
    wait_until 10 sees 'box\$'
    type_in 'stty size; tty' Enter
    wait_until 5 sees '^30 90$'
    wait_until 5 sees '^/dev/pts/'
    # Ctrl-C ends the command, and not the shell.
    type_in 'sleep 71' Enter
    wait_until 5 runs_in_box 'sleep 71'
    type_in C-c
    wait_until 5 not runs_in_box 'sleep 71'
    # Ctrl-Z, jobs, fg, bg.
    type_in 'sleep 72' Enter
    wait_until 5 runs_in_box 'sleep 72'
    type_in C-z
    wait_until 5 sees 'Stopped'
    type_in 'bg; echo went $((40 + 2))' Enter
    wait_until 5 sees 'went 42'
    type_in fg Enter
    type_in C-c
    wait_until 5 not runs_in_box 'sleep 72'
    # The window changes its size.
    tmux -S "$TMUX_SOCKET" resize-window -x 101 -y 41
    type_in 'clear; stty size' Enter
    wait_until 5 sees '^41 101$'
}

not() {
    ! "$@"
}

runs_in_box() {
    grep -lsz "${1% *}" /proc/[0-9]*/cmdline | while read -r file; do
        [ "$(tr '\0' ' ' <"$file")" = "$1 " ] && echo yes
    done | grep -q yes
}

# between COMMAND: what to type for noting how the terminal is set before COMMAND and, two seconds at
# most, after it. By a shell that is not interactive, as one that is mends the terminal itself.
between() {
    cat >"$BATS_TEST_TMPDIR/between" <<END
cd $BATS_TEST_TMPDIR
stty -a | tail -n +2 >before
$1
echo "status \$?"
for i in 1 2 3 4 5 6 7 8 9 10; do
    stty -a | tail -n +2 >now
    ! cmp -s before now || break
    sleep 0.2
done
mv now after
END
    echo "sh $BATS_TEST_TMPDIR/between"
}

terminal_is_as_before() {
    wait_until 5 [ -s "$BATS_TEST_TMPDIR/after" ]
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "an interactive shell on a terminal: size, Ctrl-C, job control; the host's terminal is restored" {
    requires command:tmux
    open_terminal
    sit_in_box "$(between "$full run -it --network none -e 'PS1=box\$ ' $ROOTFS bash --norc")"
    type_in 'exit 5' Enter
    wait_until 5 sees 'status 5'
    terminal_is_as_before
}

@test "exec -t: the same in a box that runs, also when it is killed" {
    requires command:tmux
    detached bird --network=none sleep 60
    open_terminal
    sit_in_box "$(between "$full exec -it -e 'PS1=box\$ ' bird bash --norc")"
    local shell tool
    shell=$(tmux -S "$TMUX_SOCKET" display-message -p '#{pane_pid}')
    shell=$(cat "/proc/$shell/task/$shell/children")
    tool=$(cat "/proc/${shell% }/task/${shell% }/children")
    [[ $(tr '\0' ' ' <"/proc/${tool% }/cmdline") == *"exec -it"* ]]
    kill -KILL "${tool% }"
    wait_until 5 sees 'status 137'
    terminal_is_as_before
    run -0 "$full" exec bird true
}

@test "-d -t: a terminal without anybody, and what is written there is in the log" {
    detached bird --network=none -t sh -c 'tty; echo hello; ls -l /proc/self/fd/0'
    run -0 "$full" wait bird
    run -0 "$full" logs bird
    assert_contains "$output" /dev/pts/0
    assert_contains "$output" hello
}
