#!/usr/bin/env bats
# Chapter 10: ways out of a box. Each is first taken where it is open, without the guard that it is
# about, so that the check is known to be able to fail; then in a box, which has to stop it. Ways that
# begin in the root itself are in 10-roots.bats.
#
# shellcheck disable=SC2030,SC2031 # each check is a subshell of its own, and means to be
load lib/helpers
load lib/escapes

@test "escape: a chroot inside the chroot" {
    install "$COURSE/01-chroot/escape" "$ROOTFS/climb"
    run -0 "$(tool chroot)" "$ROOTFS" /climb cat "$BATS_TEST_TMPDIR/host-file"
    assert_contains "$output" "$SECRET"
    local options
    for options in "--userns auto" "--userns host" "--userns host --cap-add ALL --seccomp off"; do
        # shellcheck disable=SC2086 # several words
        run -1 "$(tool full)" run $options "$ROOTFS" /climb cat "$BATS_TEST_TMPDIR/host-file"
        assert_contains "$output" "No such file or directory"
        refute_contains "$output" "$SECRET"
    done
    rm "$ROOTFS/climb"
}

@test "escape: a directory's descriptor that leaked in" {
    exec 9<"$BATS_TEST_TMPDIR"
    run -0 chroot "$ROOTFS" /escape descriptor 9 host-file
    assert_equal "$output" "$SECRET"
    stopped_in_all descriptor 9 host-file
    assert_contains "$output" "Bad file descriptor"
    exec 9<&-
}

@test "escape: a descriptor that leaked into the box's init" {
    exec 9<"$BATS_TEST_TMPDIR"
    stopped --init -- cat /proc/1/fd/9/host-file
    stopped --init --userns host --cap-add SYS_PTRACE -- cat /proc/1/fd/9/host-file
    exec 9<&-
}

# Init has not called execve, so its memory still has the host's arguments and variables.
# bats test_tags=ex:10-3
@test "escape: the memory of the box's init" {
    run -0 env -i "TOKEN=$SECRET" "$ESCAPE" cat /proc/self/environ
    assert_contains "$output" "$SECRET"
    local options
    for options in "" "--userns host" "--user 1234" "--userns host --user 1234"; do
        # shellcheck disable=SC2086 # several words or none
        TOKEN=$SECRET stopped --init $options -- cat /proc/1/environ
        # shellcheck disable=SC2086 # several words or none
        stopped --init $options -- ptrace 1
    done
}

@test "escape: a working directory that stayed outside" {
    cd "$BATS_TEST_TMPDIR"
    run -0 "$ESCAPE" careless "$ROOTFS" /escape cat host-file
    assert_equal "$output" "$SECRET"
    stopped_in_all cat host-file
}

@test "escape: a working directory named through a descriptor" {
    exec 9<"$BATS_TEST_TMPDIR"
    for number in 3 4 5 6 7 8 9 10; do
        run "$(tool full)" run -w "/proc/self/fd/$number" "$ROOTFS" /escape cat host-file
        [ "$status" -eq 125 ] || [ "$status" -eq 1 ] || fail "neither refused nor stopped"
        refute_contains "$output" "$SECRET"
    done
    exec 9<&-
}

# Does a process have the file open?
is_held() {
    find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | grep -q .
}

@test "escape: the tool's own program overwritten" {
    local victim=$BATS_TEST_TMPDIR/victim program sum
    cp "$PROBE" "$victim"
    "$victim" pause 3>&- &
    TOOL_PIDS+=("$!")
    (wait_until 5 is_held "$victim" && kill "${TOOL_PIDS[-1]}") 3>&- &
    mkdir "$BATS_TEST_TMPDIR/root"
    cp "$ESCAPE" "$BATS_TEST_TMPDIR/root/escape"
    mkdir "$BATS_TEST_TMPDIR/root/proc"
    run -0 unshare --mount sh -c "mount --rbind /proc '$BATS_TEST_TMPDIR/root/proc' &&
        exec chroot '$BATS_TEST_TMPDIR/root' /escape exe 5 victim"
    program=$(tool full) sum=$(sha256sum "$(tool full)")
    stopped --init -- exe 1
    stopped --init --userns host -- exe 1
    stopped --init --userns host --cap-add SYS_PTRACE -- exe 1
    # The way it was found: the box waits for somebody to enter it.
    local options name
    for options in "" "--userns host --cap-add SYS_PTRACE"; do
        name=$(random_name box)
        # shellcheck disable=SC2086 # several words or none
        start_box full run --network none --name "$name" $options "$ROOTFS" /escape exe 3
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            ended "$TOOL_PID" || run "$program" exec "$name" /bin/true
        done
        wait_box 10
        assert_equal "$status" 1
        cat "$BOX_OUT"
    done
    assert_equal "$(sha256sum "$program")" "$sum"
}

@test "escape: what enters a box whose users are the host's is a copy of the program" {
    local name
    name=$(random_name box)
    start_box full run --network none --name "$name" --userns host "$ROOTFS" /bin/sleep 60
    start_box full exec "$name" /bin/sleep 61
    [[ $(readlink "/proc/$TOOL_PID/exe") == /memfd:* ]]
    run ! sh -c "echo >>/proc/$TOOL_PID/exe" # nor is that one to be written to
}

# bats test_tags=ex:10-1
@test "escape: a program for the kernel to start, by core_pattern and others in /proc/sys" {
    local file
    for file in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe \
        /proc/sys/vm/overcommit_memory /proc/sys/fs/file-max /proc/sys/kernel/hostname; do
        open_way "$(tool chroot)" / "$ESCAPE" rewrite "$file"
        stopped_in_all rewrite "$file"
        # Even a box that may mount can't: it has a user namespace.
        stopped --cap-add SYS_ADMIN -- rewrite "$file"
    done
}

@test "escape: sysrq" {
    open_way "$ESCAPE" open /proc/sysrq-trigger
    stopped_in_all open /proc/sysrq-trigger
}

# bats test_tags=ex:10-1
@test "what reveals the machine in /proc and /sys is empty in the box" {
    run -0 "$(tool full)" run --userns host "$ROOTFS" /bin/sh -c \
        'cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts 2>/dev/null | wc -c
         ls -A /sys/firmware /proc/scsi /proc/acpi 2>/dev/null | grep -v : | grep -c .; true'
    assert_equal "${lines[*]}" "0 0"
    run -0 sh -c 'cat /proc/keys /proc/timer_list | wc -c'
    assert_differ "$output" 0
}

# bats test_tags=ex:10-3
@test "escape: what is covered or read-only in /proc, uncovered or made writable" {
    local path
    for path in /proc/timer_list /proc/keys /proc/sys; do
        stopped_in_all uncover "$path"
        stopped_in_all remount "$path"
        stopped --seccomp off -- uncover "$path"
        stopped --userns host --seccomp off -- uncover "$path"
        run -0 "$(tool full)" run --userns host --cap-add SYS_ADMIN "$ROOTFS" /escape uncover "$path"
    done
}

# What covers PATH in the box, seen from outside: flags (the first two letters), file system, kind of file.
covered() {
    awk -v path="$1" '$5 == path { print substr($6, 1, 2), $(NF - 2) }' "/proc/$BOX_PID/mountinfo" | tail -n 1
    stat -c '%F %t:%T' "/proc/$BOX_PID/root$1"
}

# bats test_tags=core,ex:10-1
@test "escape: each path of /proc and /sys that concerns the machine is covered, or read-only" {
    local path kind seen=0
    for kind in auto host; do
        start_box full run --network none --userns $kind "$ROOTFS" /bin/sleep 60
        assert_isolated "$BOX_PID" mnt pid
        for path in acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats bus fs irq \
            sys sysrq-trigger; do
            path=/proc/$path
            [ -e "$path" ] || continue
            seen=$((seen + 1))
            run covered "$path"
            case $path in
            */bus | */fs | */irq | */sys | */sysrq-trigger) [[ ${lines[0]} == "ro proc" ]] ;;
            */acpi | */asound | */scsi)
                assert_equal "${lines[0]} $(ls -A "/proc/$BOX_PID/root$path")" "ro tmpfs "
                ;;
            *) [[ ${lines[0]} == ro* && ${lines[1]} == "character special file 1:3" ]] ;;
            esac || fail "$path is not as it should be: $output"
        done
        for path in /sys/firmware /sys/devices/virtual/powercap; do
            [ ! -e "$path" ] || assert_equal "$(covered "$path" | head -n 1) $(ls -A "/proc/$BOX_PID/root$path")" "ro tmpfs "
        done
    done
    [ "$seen" -ge 10 ]
}

# bats test_tags=ex:10-1
@test "escape: the mode of the host's /dev/null through what it covers" {
    run "$(tool full)" run --userns host "$ROOTFS" /bin/chmod 600 /proc/timer_list
    assert_contains "$output" "Read-only file system"
    assert_equal "$(stat -c %a /dev/null)" 666
}

@test "escape: the mode of the host's /dev/null through a standard stream" {
    local mode command='for n in 0 1 2; do [ -c /proc/self/fd/$n ] && chmod 600 /proc/self/fd/$n && echo "$n changed" >>/mnt/said; done; true'
    local full box
    full=$(tool full)
    box=("$full" run --network none --userns host -v "$BATS_TEST_TMPDIR:/mnt")
    "${box[@]}" "$ROOTFS" sh -c "$command" </dev/null >/dev/null 2>&1
    "${box[@]}" -d --name bird "$ROOTFS" sh -c "$command; sleep 60"
    "$full" exec bird sh -c "$command" </dev/null >/dev/null 2>&1
    "$full" exec -d bird sh -c "$command; touch /mnt/done"
    wait_until 5 [ -e "$BATS_TEST_TMPDIR/done" ]
    "$full" rm -f bird
    mode=$(stat -c %a /dev/null)
    chmod 666 /dev/null # for the others' sake, if that went wrong
    assert_equal "$mode" 666
    [ ! -e "$BATS_TEST_TMPDIR/said" ] || fail "$(<"$BATS_TEST_TMPDIR/said")"
}

# bats test_tags=ex:10-3
@test "escape: mounts" {
    run -0 unshare --mount chroot "$ROOTFS" /escape mount
    stopped_in_all mount
    stopped --seccomp off -- mount
    stopped --userns host --seccomp off -- mount
    run -0 "$(tool full)" run --cap-add SYS_ADMIN "$ROOTFS" /escape mount
    rmdir "$ROOTFS/mounted"
}

@test "escape: a read-only volume made writable, which --cap-add SYS_ADMIN allows" {
    local volume=$BATS_TEST_TMPDIR/volume options
    mkdir "$volume" "$ROOTFS/volume"
    for options in "" "--seccomp off" "--userns host" "--userns host --seccomp off"; do
        # shellcheck disable=SC2086 # several words or none
        stopped $options -v "$volume:/volume:ro" -- remount /volume
    done
    run -0 "$(tool full)" run --help
    assert_contains "$output" "SYS_ADMIN can undo"
    for options in "--userns auto" "--userns host"; do
        # shellcheck disable=SC2086 # several words
        run -0 "$(tool full)" run --cap-add SYS_ADMIN $options -v "$volume:/volume:ro" "$ROOTFS" /bin/sh -c \
            "! touch /volume/early && /escape remount /volume && touch /volume/${options#* }"
    done
    assert_equal "$(ls "$volume")" $'auto\nhost'
    rmdir "$ROOTFS/volume"
}

# bats test_tags=ex:10-3
@test "escape: pivot_root" {
    run -0 "$(tool mnt)" --root "$ROOTFS" /escape pivot_root
    stopped_in_all pivot_root
    stopped --seccomp off -- pivot_root
    stopped --userns host --seccomp off -- pivot_root
}

@test "escape: device files, for the host's disk or another" {
    local disk
    # Any device shows it, if this machine does not let its own root at the disk.
    run -0 "$(tool chroot)" "$ROOTFS" /escape mknod c 1 3
    stopped_in_all mknod c 1 3
    stopped_in_all mknod c 1 1
    disk=$(awk '$1 ~ /^[0-9]+$/ { print $1, $2; exit }' /proc/partitions)
    # shellcheck disable=SC2086 # two words
    stopped_in_all mknod b $disk
    # With the capability too: in a user namespace there is no making of devices.
    stopped --cap-add MKNOD -- mknod c 1 3
    # Without one they can be made, and open nothing but in the box's own /dev.
    stopped --userns host --cap-add MKNOD -- mknod c 1 3
    run -0 "$(tool full)" run --userns host --cap-add MKNOD "$ROOTFS" /escape mknod c 1 3 /dev/made
    run -0 "$(tool full)" run "$ROOTFS" /bin/sh -c "find /dev -type b"
    assert_equal "$output" ""
}

@test "escape: device files on a tmpfs" {
    local use='mknod /t/null c 1 3 && echo >/t/null && rm /t/null' options
    # What allows it there allows it in the box's own /dev as well.
    run -0 "$(tool full)" run --userns host --cap-add MKNOD --tmpfs /t:dev "$ROOTFS" /bin/sh -c "$use && ${use//\/t\///dev/new-}"
    run ! "$(tool full)" run --userns host --cap-add MKNOD --tmpfs /t "$ROOTFS" /bin/sh -c "$use"
    assert_contains "$output" "Permission denied"
    for options in "" "--userns host" "--cap-add MKNOD" "--cap-add ALL --seccomp off"; do
        # shellcheck disable=SC2086 # several words
        run ! "$(tool full)" run $options --tmpfs /t:dev,suid,exec "$ROOTFS" /bin/sh -c "$use"
        assert_contains "$output" "Operation not permitted"
    done
    rmdir "$ROOTFS/t"
}

@test "escape: writes to the tree of control groups" {
    # In the host's cgroup namespace a new mount would change the options of the machine's own: cgroups(7)
    run -0 unshare --mount --cgroup chroot "$ROOTFS" /escape cgroup
    stopped_in_all cgroup
    stopped --seccomp off -- cgroup
    rmdir "$ROOTFS/cgroup" 2>/dev/null || true
}

@test "escape: a mount target that is a symbolic link to the host" {
    local goal=$BATS_TEST_TMPDIR/goal volume=$BATS_TEST_TMPDIR/volume
    mkdir "$goal" "$volume"
    echo volume >"$volume/file"
    ln -s "$goal" "$ROOTFS/link"
    mkdir -p "$ROOTFS$goal"
    run -0 unshare --mount sh -c "mount --bind '$volume' '$ROOTFS/link' && cat '$goal/file'"
    assert_equal "$output" volume
    run -0 "$(tool full)" run -v "$volume:/link" "$ROOTFS" /bin/sh -c 'cat /link/file'
    assert_equal "$output" volume
    assert_equal "$(ls -A "$goal")" ""
    # Followed as the box would: to the same path inside the root.
    run -0 "$(tool full)" run -v "$volume:/link" "$ROOTFS" /bin/cat "$goal/file"
    assert_equal "$output" volume
    rm -r "$ROOTFS/link" "${ROOTFS:?}/$(cut -d/ -f2 <<<"$goal")"
}

@test "escape: a symbolic link in a volume" {
    local volume=$BATS_TEST_TMPDIR/volume
    mkdir -p "$volume" "$ROOTFS/volume"
    ln -s "$BATS_TEST_TMPDIR/host-file" "$volume/link"
    ln -s "../../../../../../../../../../$BATS_TEST_TMPDIR/host-file" "$volume/climbing"
    run -0 "$ESCAPE" cat "$volume/link"
    assert_equal "$output" "$SECRET"
    stopped -v "$volume:/volume" -- cat /volume/link
    stopped -v "$volume:/volume" -- cat /volume/climbing
    stopped --userns host -v "$volume:/volume" -- cat /volume/climbing
}

# bats test_tags=ex:10-3
@test "escape: setns into the host's namespaces" {
    local kind
    "$PROBE" pause 3>&- &
    TOOL_PIDS+=("$!")
    for kind in uts ipc net mnt pid; do
        run -0 "$(tool uts)" "$ESCAPE" setns "/proc/$!/ns/$kind"
        stopped_in_all setns "/proc/$!/ns/$kind"
        stopped_in_all setns "/proc/1/ns/$kind"
    done
}

@test "escape: ptrace of a process of the host" {
    "$PROBE" pause 3>&- &
    TOOL_PIDS+=("$!")
    run -0 "$(tool uts)" "$ESCAPE" ptrace "$!"
    stopped --cap-add SYS_PTRACE -- ptrace "$!"
    stopped --userns host --cap-add SYS_PTRACE -- ptrace "$!"
}

@test "escape: keys in the session that the tool was started in" {
    local name
    name=$(random_name key)
    run -0 "$ESCAPE" session "$name" "$SECRET" chroot "$ROOTFS" /escape key "$name"
    assert_equal "$output" "$SECRET"
    local options
    for options in "" "--seccomp off" "--userns host" "--userns host --seccomp off --cap-add ALL"; do
        # shellcheck disable=SC2086 # several words
        run -1 "$ESCAPE" session "$name" "$SECRET" "$(tool full)" run $options "$ROOTFS" \
            /escape key "$name"
        assert_contains "$output" "escape: "
    done
    assert_contains "$output" "Required key not available"
}

# typed COMMAND: run COMMAND on a terminal, then print what it has typed there for the shell.
typed() {
    timeout "$RUN_LIMIT" script --quiet --return --command \
        "stty -echo; $1; IFS= read -r -t 1 -n 3 x; echo \"[\$x]\"" /dev/null </dev/null
}

@test "escape: typing into the host's terminal" {
    local full
    full="$(tool full) run"
    run -0 typed "chroot $ROOTFS /escape type abc"
    assert_contains "$output" "[abc]"
    run -0 typed "$full $ROOTFS /escape type abc"
    assert_contains "$output" "Operation not permitted"
    refute_contains "$output" "[abc]"
    run -0 typed "$full -i --seccomp off --userns host --cap-add ALL $ROOTFS /escape type abc"
    refute_contains "$output" "[abc]"
    run -0 typed "$full -t $ROOTFS /escape type abc"
    assert_contains "$output" "Operation not permitted"
    refute_contains "$output" "[abc]"
    # Without the filter, it types into the terminal of the box.
    run -0 typed "$full -t --seccomp off --userns host --cap-add ALL $ROOTFS /escape type abc"
    refute_contains "$output" "[abc]"
    refute_contains "$output" "escape: "
}

# in_group COMMAND…: run COMMAND in a process group with a shell that tells when a signal hits it,
# both of them as the user that AS becomes.
AS=(env)
in_group() {
    # shellcheck disable=SC2016 # for the inner shell
    timeout "$RUN_LIMIT" "${AS[@]}" setsid --wait bash -c 'trap "echo hit" USR1; "$@"; true' group "$@"
}

@test "escape: signals to the monitor and to whoever started it" {
    run -0 in_group chroot "$ROOTFS" /escape kill-group
    assert_contains "$output" hit
    local options
    for options in "" "--init" "--userns host" "--userns host --seccomp off --cap-add ALL"; do
        # shellcheck disable=SC2086 # several words
        run -0 in_group "$(tool full)" run $options "$ROOTFS" /escape kill-group
        refute_contains "$output" hit
    done
    "$PROBE" pause 3>&- &
    TOOL_PIDS+=("$!")
    run -0 "$(tool uts)" "$ESCAPE" kill "$!"
    stopped_in_all kill "$!"
}

# bats test_tags=ex:10-3
@test "escape: raw sockets to the neighbours" {
    local way
    for way in raw packet; do
        run -0 "$(tool chroot)" "$ROOTFS" /escape "$way"
        stopped_in_all "$way"
        stopped --seccomp off -- "$way"
        run -0 "$(tool full)" run --cap-add NET_RAW "$ROOTFS" /escape "$way"
    done
}

# bats test_tags=ex:10-3
@test "escape: a namespace inside, to regain capabilities" {
    local way
    for way in unshare clone clone3; do
        run -0 "$(tool uts)" "$ESCAPE" "$way"
        stopped_in_all "$way"
        run -0 "$(tool full)" run --seccomp off "$ROOTFS" /escape "$way"
    done
    stopped -- clone3
    assert_contains "$output" "Function not implemented" # so that libc tries clone
}

# bats test_tags=ex:10-3
@test "escape: a set-user-ID program inside, to regain capabilities" {
    run -0 "$(tool full)" run "$ROOTFS" /bin/grep -E 'CapBnd|NoNewPrivs|CapInh|CapAmb' \
        /proc/self/status
    assert_contains "$output" $'NoNewPrivs:\t1'
    assert_contains "$output" $'CapInh:\t0000000000000000'
    assert_contains "$output" $'CapAmb:\t0000000000000000'
    refute_contains "$output" "$(grep CapBnd /proc/self/status)"
}

@test "escape: kernel modules" {
    open_way "$(tool chroot)" "$ROOTFS" /escape module
    stopped_in_all module
    stopped --userns host --seccomp off -- module
}

@test "escape: BPF programs" {
    open_way "$(tool chroot)" "$ROOTFS" /escape bpf
    stopped_in_all bpf
    run -0 "$(tool full)" run --userns host --cap-add BPF "$ROOTFS" /escape bpf
}

@test "escape: files by handle, past all directories" {
    run -0 "$ESCAPE" handle
    stopped_in_all handle
    stopped --userns host --seccomp off -- handle
}

@test "escape: the same ways from an ordinary user's box" {
    requires userns
    local way box
    make_rootfs user
    install -o 65534 "$ESCAPE" "$ROOTFS/escape"
    box=("$(tool full)" run)
    AS=("${AS_USER[@]}")
    run -0 in_group "$ESCAPE" kill-group
    assert_contains "$output" hit
    run -0 in_group "${box[@]}" "$ROOTFS" /escape kill-group
    refute_contains "$output" hit
    # What is open to that user outside: a process of his own, and a directory of the host.
    start_command as_user sleep 60
    run -0 as_user "$ESCAPE" kill "$TOOL_PID"
    run -0 "$ESCAPE" ptrace "$TOOL_PID" # as root: some kernels allow a user only his own children
    exec 9<"$BATS_TEST_TMPDIR"
    run -0 as_user "$ESCAPE" descriptor 9 host-file
    mknod -m 666 "$ROOTFS/zero" c 1 5
    run -0 as_user "${box[@]}" "$ROOTFS" /escape device /dev/zero
    mkdir "$BATS_TEST_TMPDIR/volume"
    chown 65534 "$BATS_TEST_TMPDIR/volume"
    cp -a "$ROOTFS/zero" "$BATS_TEST_TMPDIR/volume"
    run -0 as_user "$ESCAPE" device "$ROOTFS/zero"
    run -1 as_user "${box[@]}" -v "$BATS_TEST_TMPDIR/volume:/mnt" "$ROOTFS" /escape device /mnt/zero
    for way in mount pivot_root cgroup raw packet unshare clone clone3 module bpf handle \
        "mknod c 1 3" "device /zero" "rewrite /proc/sys/kernel/core_pattern" "uncover /proc/sys" \
        "descriptor 9 host-file" "kill $TOOL_PID" "ptrace $TOOL_PID" "setns /proc/1/ns/net"; do
        # shellcheck disable=SC2086 # several words
        run -1 as_user "${box[@]}" "$ROOTFS" /escape $way
        assert_contains "$output" "escape: "
    done
    exec 9<&-
}
