#!/usr/bin/env bats
# Chapter 10: full run, each of its options as seen from outside, by root and by an ordinary user. The
# network and the terminal have files of their own.
load lib/helpers
load lib/boxes

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

@test "-d: what the box prints is for its owner to read, and the monitor holds nothing that the caller had open" {
    local descriptor monitor
    exec 9<"$BATS_TEST_TMPDIR"
    for descriptor in 3 4 9; do
        run -0 bash -c "exec \"\$@\" $descriptor<'$BATS_TEST_TMPDIR'" bash "$full" run -d --name bird "${alone[@]}" \
            "$ROOTFS" sleep 60
        monitor=$(monitor_of bird)
        run find "/proc/$monitor/fd" -lname "$BATS_TEST_TMPDIR" -o -lname "/proc/*/task"
        assert_equal "$output" ""
        assert_equal "$(stat -c %a "$TEN_STEPS_HOME/boxes/bird/log")" 600
        run -0 "$full" rm -f bird
    done
    exec 9<&-
}

@test "-d: a command that can't be started is reported with its status, and nothing is kept" {
    local more
    for more in "" --init -t "--init -t"; do
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
        expect_error 125 "working directory /etc/passwd" "$full" run -d $more "${alone[@]}" --name bird \
            -w /etc/passwd "$ROOTFS" true
        assert_equal "$(all_boxes)" ""
    done
}

@test "the caller's umask counts for nothing: 022 in the box, and what is made in the root is open to all" {
    requires userns
    local mask place
    place=/$(random_name)
    touch "$BATS_TEST_TMPDIR/file"
    for mask in 077 000; do
        run -0 with_umask "$mask" "$full" run -d "${alone[@]}" --name bird -v "$BATS_TEST_TMPDIR/file:$place/file" --tmpfs "$place/dir" \
            -w "$place/work" "$ROOTFS" sleep 60
        assert_equal "$(status_of "$(of bird pid)" Umask)" 0022
        run -0 with_umask "$mask" "$full" exec bird sh -c umask
        assert_equal "$output" 0022
        run -0 "$full" rm -f bird
        assert_equal "$(cd "$ROOTFS$place" && stat -c '%a %n' . *)" $'755 .\n755 dir\n644 file\n755 work'
        rm -r "${ROOTFS:?}$place"
    done
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60 # no command on it has the store opened
    run -0 with_umask 077 "$full" exec "$(all_boxes)" sh -c umask
    assert_equal "$output" 0022
    kill -KILL "$BOX_PID"
    wait_box
    make_rootfs user
    run -0 with_umask 077 "${AS_USER[@]}" "$full" run --tmpfs "$place" "$ROOTFS" sh -c umask
    assert_equal "$output $(stat -c %a "$ROOTFS$place")" "0022 755"
    rmdir "$ROOTFS$place"
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
    wait_until 3 nothing_is_claimed
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
        expect_error 125 "invalid box name" "$full" run "${alone[@]}" "--name=$name" "$ROOTFS" true
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

@test "a mount in a volume stays in the box, and one on the host does not come in" {
    local data=$BATS_TEST_TMPDIR/data
    mkdir -p "$data"/{inside,outside}
    detached bird --network=none --cap-add=SYS_ADMIN --volume="$data:/mnt" sh -c \
        'mount -t tmpfs none /mnt/inside && echo mounted; exec sleep 60'
    wait_until 5 sh -c "'$full' logs bird | grep -q mounted"
    run -1 grep -F "$data/inside" /proc/self/mountinfo
    mount -t tmpfs none "$data/outside"
    run -1 grep -F "/mnt/outside" "/proc/$(of bird pid)/mountinfo"
    umount "$data/outside"
}

@test "--tmpfs: empty, writable by all, gone afterwards, made where it is missing" {
    echo old >"$ROOTFS/tmp/old"
    detached bird --network=none --tmpfs=/tmp --tmpfs=/new/place sh -c 'ls -A /tmp; echo >/tmp/file; exec sleep 60'
    run -0 awk '$5 == "/tmp" || $5 == "/new/place" { print $5, $6, $(NF - 2) }' "/proc/$(of bird pid)/mountinfo"
    assert_equal "$output" $'/tmp rw,nosuid,nodev,noexec,relatime tmpfs\n/new/place rw,nosuid,nodev,noexec,relatime tmpfs'
    wait_until 3 [ -e "/proc/$(of bird pid)/root/tmp/file" ]
    run -0 "$full" logs bird
    assert_equal "$output" ""
    assert_equal "$(ls -A "$ROOTFS/tmp")" old
    rm -r "$ROOTFS/new" "$ROOTFS/tmp/old"
    expect_error 125 "absolute" "$full" run "${alone[@]}" --tmpfs relative "$ROOTFS" true
}

# A tmpfs with all options, as box and host see it: the box's user 0 is the host's user FIRST.
has_tmpfs_options() {
    local first=$1 pid
    pid=$(of bird pid)
    run -0 awk '$5 == "/t" { print $6 }' "/proc/$pid/mountinfo"
    assert_equal "$output" rw,nosuid,nodev,relatime
    run -0 "$full" exec bird stat -c '%a %u:%g' /t
    assert_equal "$output" '710 12:34'
    assert_equal "$(stat -c '%u:%g' "/proc/$pid/root/t")" "$((first + 12)):$((first + 34))"
    assert_equal "$(($(stat -fc '%b * %S' "/proc/$pid/root/t")))" 65536
    run -7 "$full" exec bird sh -c 'printf "#!/bin/sh\nexit 7\n" >/t/script; chmod 755 /t/script; /t/script'
    run ! "$full" exec bird sh -c 'head -c 100000 /dev/zero >/t/file'
    assert_equal "$(ls -d "$ROOTFS"/t*)" "$ROOTFS/t
$ROOTFS/tmp"
}

@test "--tmpfs with docker's options: the users are the box's" {
    local options=--tmpfs=/t:rw,exec,size=64k,mode=710,uid=12,gid=34 first
    detached bird --network=none "$options" sleep 60
    has_tmpfs_options "$(of bird first_id)"
    "$full" rm -f bird
    detached bird --network=none "$options" --userns=host sleep 60
    has_tmpfs_options 0
    "$full" rm -f bird
    rmdir "$ROOTFS/t"
    run -126 "$full" run "${alone[@]}" --tmpfs /tmp "$ROOTFS" sh -c \
        'printf "#!/bin/sh\nexit 7\n" >/tmp/script; chmod 755 /tmp/script; /tmp/script'
    expect_error 125 "Invalid argument" "$full" run "${alone[@]}" --tmpfs /tmp:uid=70000 "$ROOTFS" true
    assert_hint "uid=70000"
    expect_error 125 "Invalid argument" "$full" run "${alone[@]}" --tmpfs /t:size= "$ROOTFS" true
    [ ! -e "$ROOTFS/t" ]
    requires userns
    make_rootfs user
    run -1 as_user "$full" run --tmpfs /tmp:size=4k,mode=700,exec "$ROOTFS" sh -c \
        'stat -c "%a %u" /tmp; stat -fc "%b %S" /tmp; cp /probe /tmp'
    assert_contains "$output" "No space"
    assert_contains "$output" $'700 0\n1 4096'
}

@test "--volume and --tmpfs: not on the root itself, and with a flag that there is" {
    expect_error 125 "is the root itself" "$full" run "${alone[@]}" -v "$BATS_TEST_TMPDIR:/" "$ROOTFS" true
    expect_error 125 "is the root itself" "$full" run "${alone[@]}" --tmpfs / "$ROOTFS" true
    expect_error 125 "options ro, rw, noexec or nosuid" "$full" run "${alone[@]}" -v "$BATS_TEST_TMPDIR:/mnt:no" "$ROOTFS" true
}

# --- run: limits, users ---------------------------------------------------------------------------

# Does the kernel's tree of control groups, version 2, have this controller here?
controller_is_here() {
    grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers
}

limits=("--memory=64M memory memory.max 67108864" "--memory=1.5g memory memory.max 1610612736"
    "--cpus=0.5 cpu cpu.max 50000"
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
            assert_hint "make shell-vm"
        fi
    done
    expect_error 125 "'much': expected a size" "$full" run "${alone[@]}" -m much "$ROOTFS" true
    expect_error 125 "'half': expected" "$full" run "${alone[@]}" --cpus half "$ROOTFS" true
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
@test "--network host: /sys is the host's, but the tree of cgroups is the box's own" {
    requires root cgroup_v2
    local group
    group=$(random_name)
    mkdir "/sys/fs/cgroup/$group"
    run -0 "$full" run --network host --pids-limit 20 "$ROOTFS" sh -c \
        "cat /sys/fs/cgroup/pids.max; cat /proc/self/cgroup; ls -d /sys/fs/cgroup/$group; ls /sys/class/net"
    rmdir "/sys/fs/cgroup/$group"
    assert_equal "${lines[0]} ${lines[1]}" "20 0::/"
    assert_contains "${lines[2]}" "No such file"
    assert_equal "${lines[*]:3}" "$(echo /sys/class/net/* | xargs -n 1 basename | xargs)"
}

# bats test_tags=cgroup_v2
@test "--memory and --pids-limit: what a box gets that wants more" {
    requires root cgroup_v2
    run -137 "$full" run "${alone[@]}" -m 16M "$ROOTFS" sh -c 'exec tail /dev/zero'
    run "$full" run "${alone[@]}" --pids-limit 10 "$ROOTFS" sh -c \
        'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait'
    assert_contains "$output" "fork"
}

# bats test_tags=cgroup_v2
@test "an ordinary user with a branch of the tree: limits, and 'exec' from that branch alone" {
    requires root userns cgroup_v2
    local name branch before
    name=$(random_name) before=$(</sys/fs/cgroup/cgroup.subtree_control)
    branch=/sys/fs/cgroup/$name
    echo +pids >/sys/fs/cgroup/cgroup.subtree_control
    mkdir "$branch" "$branch/leaf"
    chown 65534:65534 "$branch" "$branch/leaf" "$branch"/{,leaf/}cgroup.{procs,subtree_control}
    make_rootfs user
    run -0 in_branch "$branch/leaf" "$full" run -d --name bird --pids-limit 20 "$ROOTFS" sleep 60
    assert_equal "$(<"$(as_user "$full" inspect --json bird | jq -r .cgroup)/pids.max")" 20
    run -0 in_branch "$branch/leaf" "$full" exec bird cat /proc/self/cgroup
    assert_equal "$output" 0::/
    expect_error 125 "clone3: Permission denied" as_user "$full" exec bird true
    assert_hint "systemd-run --user --scope"
    run -0 as_user "$full" rm -f bird
    rmdir "$branch/leaf" "$branch"
    [[ $before == *pids* ]] || echo -pids >/sys/fs/cgroup/cgroup.subtree_control
}

@test "a root directory below one that is closed to others" {
    install -d -m 750 -o 1000 "$BATS_TEST_TMPDIR/home"
    cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/home/root"
    run -0 "$full" run "${alone[@]}" --name bird "$BATS_TEST_TMPDIR/home/root" sh -c 'echo good; stat -c %u /probe'
    assert_equal "$output" $'good\n0'
    run -0 "$full" run "${alone[@]}" --userns host "$BATS_TEST_TMPDIR/home/root" true
}

@test "each field of a box's state is one line, whatever the name of its directory" {
    local place=$'/tmp\nsource other'
    mkdir -p "$ROOTFS$place" "$ROOTFS"$'/mnt/\e]0;'
    detached bird "${alone[@]}" --workdir "$place" --volume "$ROOTFS:"$'/mnt/\e]0;' \
        sh -c $':\e[\xc2\x9b\nsleep 60'
    assert_equal "$(of bird source)" "$ROOTFS"
    run -0 "$full" ps
    assert_contains "$output" "sh -c : [    "
    refute_contains "$output" $'\e'
    run -0 "$full" inspect bird
    refute_contains "$output" $'\e'
    rm -r "${ROOTFS:?}$place" "$ROOTFS"$'/mnt/\e]0;'
}

@test "--ulimit: soft and hard, seen from outside" {
    detached bird --network=none --ulimit=nofile=100:200 --ulimit=core=0 sleep 60
    run -0 grep -E 'Max (open files|core file size)' "/proc/$(of bird pid)/limits"
    [[ ${lines[0]} =~ ^"Max core file size"\ +0\ +0\  ]]
    [[ ${lines[1]} =~ ^"Max open files"\ +100\ +200\  ]]
    run -0 "$full" exec bird sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
    assert_equal "$output" $'100\n200\n0'
    run -0 "$full" run "${alone[@]}" --ulimit nofile=64 "$ROOTFS" sh -c 'ulimit -Sn; ulimit -Hn'
    assert_equal "$output" $'64\n64'
    expect_error 125 "expected NAME=SOFT" "$full" run "${alone[@]}" --ulimit files=1 "$ROOTFS" true
    expect_error 125 "ulimit nofile: Invalid argument" "$full" run "${alone[@]}" --ulimit nofile=2:1 "$ROOTFS" true
    expect_error 125 "ulimit nofile: Operation not permitted" \
        "$full" run "${alone[@]}" --ulimit nofile=99999999999 "$ROOTFS" true
}

# Root in a box may not, and in some virtual machines root may not either: by its tag the check is with
# those that have a machine of their own.
# bats test_tags=cgroup_v2
@test "--ulimit: a hard limit is raised by root on the host" {
    run -0 bash -c 'ulimit -n 100 && "$@"' bash "$full" run "${alone[@]}" --ulimit nofile=200 "$ROOTFS" \
        sh -c 'ulimit -Hn'
    assert_equal "$output" 200
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
    expect_error 125 "expected auto or host" "$full" run "${alone[@]}" --userns some "$ROOTFS" true
}

@test "--userns: ranges side by side have no user in common" {
    local first second
    # Only two are free, one beside the other. The others are taken by links: files would be swept away.
    mkdir -p -m 700 /run/ten-steps "$BATS_TEST_TMPDIR/ids"
    (cd "$BATS_TEST_TMPDIR/ids" && touch ids-{0..4095} && rm ids-1234 ids-1235)
    cp -s "$BATS_TEST_TMPDIR"/ids/* /run/ten-steps
    detached one --network=none sleep 60
    detached two --network=none sleep 60
    rm -f /run/ten-steps/ids-{0..1233} /run/ten-steps/ids-{1236..4095}
    first=$(awk '{ print $2 }' "/proc/$(of one pid)/uid_map") second=$(awk '{ print $2 }' "/proc/$(of two pid)/uid_map")
    [ "$first" -lt "$second" ] || read -r first second <<<"$second $first"
    assert_equal "$(awk '{ print $3 }' "/proc/$(of one pid)"/{uid,gid}_map | xargs)" "65536 65536"
    [ "$second" -ge $((first + 65536)) ] || fail "two boxes share users: $first and $second"
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
    [ -d "$BATS_TEST_TMPDIR/user-store/boxes/bird" ]
    run -0 as_user "$full" ps
    assert_contains "$output" "bird"
    wait_until 5 as_user sh -c '[ "$("$0" logs bird)" = 0 ]' "$full"
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
    install -d -o 1234 -g 1234 "$BATS_TEST_TMPDIR/theirs"
    run -0 as_user "$full" run --hostname bird --tmpfs /tmp --init --read-only --ulimit nofile=99 \
        -v "$BATS_TEST_TMPDIR/data:/mnt" -v "$BATS_TEST_TMPDIR/theirs:/tmp/theirs" -e A=b -w /mnt "$ROOTFS" \
        sh -c '! touch /tmp/theirs/file 2>&- || echo theirs; uname -n; pwd; echo $A >file; stat -c %u file; ulimit -n; grep -E "Seccomp:|NoNewPrivs" /proc/self/status'
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
}
