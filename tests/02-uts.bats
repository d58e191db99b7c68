#!/usr/bin/env bats
# Chapter 2: host name and domain name.
load lib/helpers

# The names in the namespace of a process, asked from outside.
hostname_of() {
    inside "$1" uts -- uname -n
}

domainname_of() {
    inside "$1" uts -- cat /proc/sys/kernel/domainname
}

# bats test_tags=core,ex:2-1
@test "the command lives in a UTS namespace of its own" {
    start_box uts sleep 60
    assert_isolated "$BOX_PID" uts
}

@test "all other namespaces are shared with the host" {
    start_box uts sleep 60
    assert_shared "$BOX_PID" mnt pid ipc user net cgroup
}

# bats test_tags=core,ex:2-2
@test "--hostname: the box has the name, and the host keeps its own" {
    local name before
    name=$(random_name) before=$(uname -n)
    start_box uts --hostname "$name" sleep 60
    assert_equal "$(hostname_of "$BOX_PID")" "$name"
    assert_equal "$(uname -n)" "$before"
}

# bats test_tags=core,ex:2-1
@test "--domainname: the box has the name, and the host keeps its own" {
    local name before
    name=$(random_name) before=$(</proc/sys/kernel/domainname)
    start_box uts --domainname "$name" sleep 60
    assert_equal "$(domainname_of "$BOX_PID")" "$name"
    assert_equal "$(</proc/sys/kernel/domainname)" "$before"
}

# bats test_tags=core,ex:2-1
@test "without options both names begin as copies of the host's" {
    local name before
    name=$(random_name) before=$(uname -n)
    hostname "$name"
    start_box uts sleep 60
    assert_equal "$(hostname_of "$BOX_PID")" "$name"
    assert_equal "$(domainname_of "$BOX_PID")" "$(</proc/sys/kernel/domainname)"
    hostname "$before"
    assert_equal "$(hostname_of "$BOX_PID")" "$name"
}

# bats test_tags=ex:2-1
@test "a name set inside by hand does not reach the host" {
    local before
    before=$(uname -n)
    run -0 "$(tool uts)" sh -c 'hostname from-inside; uname -n'
    assert_equal "$output" from-inside
    assert_equal "$(uname -n)" "$before"
}

# bats test_tags=core,ex:2-2
@test "two boxes do not share their names" {
    local first
    start_box uts --hostname one sleep 60
    first=$BOX_PID
    start_box uts --hostname two sleep 60
    assert_equal "$(hostname_of "$first")" one
    assert_equal "$(hostname_of "$BOX_PID")" two
}

# bats test_tags=ex:2-2
@test "a name of 64 bytes is accepted and not cut" {
    local name
    name=$(printf '%064d' 7)
    run -0 "$(tool uts)" --hostname "$name" --domainname "$name" uname -n
    assert_equal "$output" "$name"
}

# bats test_tags=ex:2-2
@test "a name of 65 bytes is an error" {
    local name
    name=$(printf '%065d' 7)
    expect_error 125 "sethostname $name: Invalid argument" "$(tool uts)" --hostname "$name" true
    expect_error 125 "setdomainname $name: Invalid argument" "$(tool uts)" --domainname "$name" true
}

# bats test_tags=ex:2-1
@test "an ordinary user learns why it fails, and the way out" {
    expect_error 125 "Operation not permitted" as_user "$(tool uts)" true
    assert_hint root
}

# bats test_tags=ex:2-3
@test "enter: a command in the namespaces of a box, and in no other" {
    local name
    name=$(random_name)
    start_box uts --hostname "$name" sleep 60
    run -0 "$(tool enter)" "$(host_number "$BOX_PID")" uname -n
    assert_equal "$output" "$name"
    run -0 "$(tool enter)" "$(host_number "$BOX_PID")" readlink /proc/self/ns/uts /proc/self/ns/pid
    assert_equal "${lines[0]}" "$(namespace_of "$BOX_PID" uts)"
    assert_equal "${lines[1]}" "$(host_namespace pid)"
    assert_differ "$(uname -n)" "$name"
    run -7 "$(tool enter)" "$(host_number "$BOX_PID")" sh -c 'exit 7'
}

# bats test_tags=core,ex:2-3
@test "enter: the command is in the namespaces of the box, and for the others the host's, as seen from outside" {
    local box
    start_box uts sleep 60
    box=$BOX_PID
    assert_isolated "$box" uts
    start_box enter "$(host_number "$box")" sleep 61
    wait_until 5 box_waits sleep # enter may be another program on its way
    assert_equal "$(namespace_of "$BOX_PID" uts)" "$(namespace_of "$box" uts)"
    assert_shared "$BOX_PID" mnt pid ipc user net cgroup
}

# bats test_tags=ex:2-3
@test "enter: in a pid namespace the command is a process of the box" {
    start_command "${ON_HOST[@]}" unshare --pid --fork --kill-child --mount-proc sleep 60
    run -0 "$(tool enter)" "$(host_number "$BOX_PID")" ps -eo args=
    assert_contains "$output" "sleep 60"
    assert_equal "${#lines[@]}" 2
}

@test "enter: namespaces of every kind, all at once" {
    local box kind
    start_command unshare --user --map-root-user --mount --uts --ipc --net --cgroup --pid --fork --kill-child sleep 60
    wait_until 5 box_waits sleep # unshare isn't the command
    box=$BOX_PID
    start_box enter "$box" sleep 61
    for kind in mnt uts ipc net pid cgroup user; do
        assert_equal "$(namespace_of "$BOX_PID" $kind)" "$(namespace_of "$box" $kind)"
        assert_differ "$(namespace_of "$BOX_PID" $kind)" "$(namespace_of $$ $kind)"
    done
}

# bats test_tags=ex:2-3
@test "enter: what --explain prints leads to the same user, too" {
    local line
    start_command "${ON_HOST[@]}" unshare --user --fork --kill-child sleep 60
    wait_until 5 box_waits sleep
    run -0 "$(tool enter)" --explain "$(host_number "$BOX_PID")" id -u
    assert_equal "${lines[-1]}" 65534
    line=$(sed -n 's/^host# \(nsenter .*[^ ]\)  *setns.*/\1/p' <<<"$output")
    # shellcheck disable=SC2086 # a command line
    run -0 "${ON_HOST[@]}" $line id -u
    assert_equal "$output" 65534
}

@test "enter: an unknown process, none, and a word in its place are clear errors" {
    expect_error 125 "No such process" "$(tool enter)" 4194304 true
    expect_error 125 "missing process" "$(tool enter)"
    expect_error 125 "invalid process" "$(tool enter)" x true
}
