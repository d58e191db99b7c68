#!/usr/bin/env bats
# Chapter 5: System V objects and POSIX message queues.
load lib/helpers

# The objects of a kind (msg, sem, shm) as lines: those of the host, and those of a process.
objects_here() {
    sed 1d "/proc/sysvipc/$1"
}

objects_of() {
    inside "$1" ipc -- sed 1d "/proc/sysvipc/$2"
}

# bats test_tags=core,ex:5-1
@test "the command has an IPC namespace of its own, and a mount namespace for its /dev/mqueue" {
    start_box ipc sleep 60
    assert_isolated "$BOX_PID" ipc mnt
    assert_shared "$BOX_PID" uts pid user net cgroup
}

# bats test_tags=core,ex:5-1
@test "the host's queue, semaphores and shared memory are not in the box" {
    requires command:ipcmk
    ipcmk --queue
    ipcmk --semaphore 3
    ipcmk --shmem 4096
    start_box ipc sleep 60
    local kind
    for kind in msg sem shm; do
        assert_equal "$(objects_here $kind | wc -l)" 1
        assert_equal "$(objects_of "$BOX_PID" $kind)" ""
    done
    ipcrm --all
}

# bats test_tags=core,ex:5-1
@test "the box's queue, semaphores and shared memory are not on the host, and go with the box" {
    requires command:ipcmk
    start_box ipc sh -c 'ipcmk -Q; ipcmk -S 3; ipcmk -M 4096; echo made; exec sleep 60'
    wait_until 5 grep -q made "$BOX_OUT"
    local kind
    for kind in msg sem shm; do
        assert_equal "$(objects_of "$BOX_PID" $kind | wc -l)" 1
        assert_equal "$(objects_here $kind)" ""
    done
}

# bats test_tags=ex:5-1
@test "a message that is sent inside is received inside, and the same key is free on the host" {
    local key=$((RANDOM + 1000))
    "$PROBE" queue-make "$key"
    run -1 "$PROBE" queue-make "$key"
    run -0 "$(tool ipc)" "$PROBE" queue-make "$key"
    ipcrm --queue-key "$key"
}

@test "without an IPC namespace the objects are shared: the layers before did not isolate them" {
    requires tool:uts
    local key=$((RANDOM + 1000))
    "$PROBE" queue-make "$key"
    run -1 "$(tool uts)" "$PROBE" queue-make "$key"
    assert_contains "$output" "File exists"
    ipcrm --queue-key "$key"
}

# bats test_tags=ex:5-1
@test "a POSIX queue of the host can't be opened inside" {
    local name
    name=/$(random_name)
    "$PROBE" mq-make "$name"
    run -0 "$(tool uts)" "$PROBE" mq-open "$name"
    run -1 "$(tool ipc)" "$PROBE" mq-open "$name"
    assert_contains "$output" "No such file"
    "$PROBE" mq-unlink "$name"
}

# bats test_tags=ex:5-1
@test "a POSIX queue of the box is not on the host" {
    local name
    name=/$(random_name)
    run -0 "$(tool ipc)" sh -c "'$PROBE' mq-make $name && '$PROBE' mq-open $name"
    run -1 "$PROBE" mq-open "$name"
    assert_contains "$output" "No such file"
}

# bats test_tags=ex:5-2
@test "/dev/mqueue inside shows the box's queues and not the host's" {
    local theirs ours
    theirs=$(random_name theirs) ours=$(random_name ours)
    "$PROBE" mq-make "/$theirs"
    run -0 "$(tool ipc)" sh -c "'$PROBE' mq-make /$ours && ls /dev/mqueue"
    assert_equal "$output" "$ours"
    assert_equal "$(ls /dev/mqueue)" "$theirs"
    "$PROBE" mq-unlink "/$theirs"
}

# bats test_tags=ex:5-2
@test "/dev/mqueue inside has neither programs nor devices" {
    start_box ipc sleep 60
    assert_equal "$(awk '$5 == "/dev/mqueue" { print $6 }' "/proc/$BOX_PID/mountinfo" | tail -n 1)" \
        rw,nosuid,nodev,noexec,relatime
}

# bats test_tags=core,ex:5-2
@test "/dev/mqueue of the box has its queue and not the host's, as seen from outside" {
    local theirs ours
    theirs=$(random_name theirs) ours=$(random_name ours)
    "$PROBE" mq-make "/$theirs"
    start_box ipc sh -c "'$PROBE' mq-make /$ours && exec sleep 60"
    wait_until 5 test -e "/proc/$BOX_PID/root/dev/mqueue/$ours"
    assert_isolated "$BOX_PID" ipc
    assert_equal "$(stat -f -c %T "/proc/$BOX_PID/root/dev/mqueue") $(ls "/proc/$BOX_PID/root/dev/mqueue")" "mqueue $ours"
    assert_equal "$(ls /dev/mqueue)" "$theirs"
    "$PROBE" mq-unlink "/$theirs"
}

@test "an ordinary user learns why it fails, and the way out" {
    expect_error 125 "Operation not permitted" as_user "$(tool ipc)" true
    assert_hint root
}
