#!/usr/bin/env bats
# Chapter 6: users and capabilities.
load lib/helpers

setup() {
    host_remember
    requires userns
    # A place where an ordinary user may make files.
    place=$BATS_TEST_TMPDIR/place
    install -d -m 1777 "$place"
}

# A map without the padding that the kernel prints.
map_of() {
    tr -s ' ' <"/proc/$1/$2" | sed 's/^ //'
}

# bats test_tags=core,ex:6-1
@test "the command has its own user namespace, and shares all others with the host" {
    start_box user sleep 60
    assert_isolated "$BOX_PID" user
    assert_shared "$BOX_PID" mnt uts pid ipc net cgroup
}

# bats test_tags=core,ex:6-1
@test "the same for an ordinary user" {
    start_command as_user "$(tool user)" sleep 60
    assert_isolated "$BOX_PID" user
    assert_shared "$BOX_PID" mnt uts pid ipc net cgroup
}

# bats test_tags=ex:6-2
@test "an ordinary user is root inside, and the same user as before outside" {
    run -0 as_user "$(tool user)" "$PROBE" ids
    assert_contains "$output" "uid=0 euid=0 gid=0 egid=0"
    start_command as_user "$(tool user)" sleep 60
    assert_equal "$(stat -c %u:%g "/proc/$BOX_PID")" 65534:65534
}

# bats test_tags=core,ex:6-2
@test "the maps, as the host sees them" {
    local options
    for options in "" "--setgroups deny"; do
        # shellcheck disable=SC2086 # two words or none
        start_command as_user "$(tool user)" $options sleep 60
        assert_equal "$(map_of "$BOX_PID" uid_map)" "0 65534 1"
        assert_equal "$(map_of "$BOX_PID" gid_map)" "0 65534 1"
        assert_equal "$(<"/proc/$BOX_PID/setgroups")" deny
    done
}

# bats test_tags=ex:6-2
@test "a user and a group whose numbers differ" {
    local user=$((RANDOM + 10000)) group=$((RANDOM + 50000))
    local AS_USER=(setpriv --reuid "$user" --regid "$group" --clear-groups --inh-caps=-all --)
    start_command as_user "$(tool user)" sleep 60
    assert_equal "$(map_of "$BOX_PID" uid_map), $(map_of "$BOX_PID" gid_map)" "0 $user 1, 0 $group 1"
    assert_equal "$(status_of "$BOX_PID" Uid | xargs)" "$user $user $user $user"
    assert_equal "$(status_of "$BOX_PID" Gid | xargs)" "$group $group $group $group"
    run -0 as_user "$(tool user)" sh -c "id -u; id -g; echo >$place/file"
    assert_equal "$output $(stat -c %u:%g "$place/file")" $'0\n0 '"$user:$group"
}

# bats test_tags=ex:6-2
@test "a file made by root inside belongs to the user outside" {
    run -0 as_user "$(tool user)" sh -c "echo >$place/file && stat -c %u:%g $place/file"
    assert_equal "$output" 0:0
    assert_equal "$(stat -c %u:%g "$place/file")" 65534:65534
}

# bats test_tags=ex:6-2
@test "root inside has all capabilities there, and none outside" {
    start_command as_user "$(tool user)" sleep 60
    assert_equal "$(status_of "$BOX_PID" CapEff)" "$(status_of "$BOX_PID" CapBnd)"
    # The host name, the mounts and root's processes are the host's, so they are out of reach:
    run ! as_user "$(tool user)" hostname "$(random_name)"
    run ! as_user "$(tool user)" mount -t tmpfs none /mnt
    run -1 as_user "$(tool user)" "$PROBE" kill "$HOST_ITSELF" CONT
    assert_contains "$output" "Operation not permitted"
}

@test "root inside can't read files of the host's root, or give files away" {
    local secret
    secret=$(random_name)
    (umask 077 && echo "$secret" >"$place/secret")
    run -1 as_user "$(tool user)" "$PROBE" cat "$place/secret"
    assert_contains "$output" "Permission denied"
    refute_contains "$output" "$secret"
    run ! as_user "$(tool user)" sh -c "echo >$place/file && chown 1:1 $place/file"
}

# bats test_tags=ex:6-2
@test "it gives the other layers the privilege they need: a host name without being root" {
    requires tool:uts
    local name
    name=$(random_name)
    run -0 as_user "$(tool user)" "$(tool uts)" --hostname "$name" uname -n
    assert_equal "$output" "$name"
}

# bats test_tags=core,ex:6-3
@test "as root: a range of ids that nobody else has" {
    start_box user --uid-map 0:100000:65536 --gid-map 0:200000:65536 sleep 60
    assert_equal "$(map_of "$BOX_PID" uid_map)" "0 100000 65536"
    assert_equal "$(map_of "$BOX_PID" gid_map)" "0 200000 65536"
    assert_equal "$(stat -c %u:%g "/proc/$BOX_PID")" 100000:200000
    # All four numbers: one that stayed the host's could be taken again.
    assert_equal "$(status_of "$BOX_PID" Uid | xargs)" "100000 100000 100000 100000"
    assert_equal "$(status_of "$BOX_PID" Gid | xargs)" "200000 200000 200000 200000"
    run -0 "$(tool user)" --uid-map 0:100000:65536 --gid-map 0:200000:65536 \
        sh -c "echo >$place/file && stat -c %u:%g $place/file"
    assert_equal "$output" 0:0
    assert_equal "$(stat -c %u:%g "$place/file")" 100000:200000
}

# bats test_tags=core,ex:6-2
@test "as root: several ranges" {
    start_box user --uid-map 0:100000:10 --uid-map 1000:5000:1 --gid-map 0:0:1 sleep 60
    assert_equal "$(map_of "$BOX_PID" uid_map)" "0 100000 10
1000 5000 1"
}

# bats test_tags=ex:6-3
@test "root inside a range of ids owns no file of the host's root" {
    (umask 077 && echo secret >"$place/secret")
    run -1 "$(tool user)" --uid-map 0:100000:65536 --gid-map 0:100000:65536 \
        "$PROBE" cat "$place/secret"
    assert_contains "$output" "Permission denied"
}

# bats test_tags=ex:6-3
@test "as root with maps: the box has none of root's supplementary groups and their permissions" {
    local maps=(--uid-map 0:100000:65536 --gid-map 0:100000:65536)
    (umask 027 && echo secret >"$place/secret")
    run -1 setpriv --groups 0,4 "$(tool user)" "${maps[@]}" "$PROBE" cat "$place/secret"
    assert_contains "$output" "Permission denied"
    start_command setpriv --groups 0,4 "$(tool user)" "${maps[@]}" sleep 60
    assert_equal "$(status_of "$BOX_PID" Groups | tr -d ' ')" ""
    # Nor can it join or leave one, unless that is asked for.
    assert_equal "$(<"/proc/$BOX_PID/setgroups")" deny
}

# bats test_tags=ex:6-2
@test "maps can be written inside a box, where no process can leave a group" {
    run -0 as_user "$(tool user)" "$(tool user)" --uid-map 5:0:1 --gid-map 6:0:1 "$PROBE" ids
    assert_contains "$output" "uid=5 euid=5 gid=6 egid=6"
}

# bats test_tags=ex:6-2
@test "the supplementary groups of the host are not kept when setgroups is allowed" {
    run -0 setpriv --groups 4,27 "$(tool user)" --setgroups allow --gid-map 0:0:1 id -G
    assert_equal "$output" 0
    start_box user --setgroups allow sleep 60
    assert_equal "$(<"/proc/$BOX_PID/setgroups")" allow
    assert_equal "$(status_of "$BOX_PID" Groups | tr -d ' ')" ""
}

# bats test_tags=ex:6-2,ex:6-3
@test "a user without id 0 inside is just that user" {
    run -0 as_user "$(tool user)" --uid-map 7:65534:1 --gid-map 8:65534:1 "$PROBE" ids
    assert_contains "$output" "uid=7 euid=7 gid=8 egid=8"
}

# bats test_tags=ex:6-2
@test "maps that overlap or go beyond the last id are an error" {
    local maps
    for maps in "--uid-map 0:1000:10 --uid-map 5:3000:10" "--uid-map 0:1000:10 --uid-map 20:1009:1" \
        "--gid-map 0:1000:10 --gid-map 9:1:1" "--uid-map 4294967290:0:10" "--uid-map 0:1000:0"; do
        # shellcheck disable=SC2086 # several words
        expect_error 125 "Invalid argument" "$(tool user)" $maps true
        assert_hint "nor go beyond the last id"
    done
}

@test "malformed maps are an error" {
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map 0:1000 true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map 0:1000:1:1 true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --gid-map "" true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map 0:root:1 true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map "0: 1:1" true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map=-1:0:1 true
    expect_error 125 "INSIDE:OUTSIDE:COUNT" "$(tool user)" --uid-map 0:1:1k true
    local large
    for large in 4294967296 99999999999999999999; do
        expect_error 125 "numbers up to 4294967295" "$(tool user)" --uid-map "$large:0:1" true
        expect_error 125 "numbers up to 4294967295" "$(tool user)" --uid-map "0:$large:1" true
        expect_error 125 "numbers up to 4294967295" "$(tool user)" --uid-map "0:0:$large" true
    done
}

# bats test_tags=ex:6-2
@test "a map that is not allowed is an error, reported once, and the command never runs" {
    expect_error 125 "uid_map" as_user "$(tool user)" --uid-map 0:1000:1 touch "$place/ran"
    assert_hint "65534"
    [ ! -e "$place/ran" ]
}

# bats test_tags=ex:6-2
@test "--setgroups: allow is refused to an ordinary user, an unknown word to everybody" {
    expect_error 125 "gid_map" as_user "$(tool user)" --setgroups allow touch "$place/ran"
    assert_hint "only with '--setgroups deny'"
    [ ! -e "$place/ran" ]
    expect_error 125 "expected allow or deny" "$(tool user)" --setgroups perhaps true
}

# on_machine_with SETTING COMMAND…: as an ordinary user where /proc/sys has SETTING, NAME=VALUE
# shellcheck disable=SC2016
on_machine_with() {
    unshare --mount sh -ec 'mount -t tmpfs none /proc
        mkdir -p /proc/sys/kernel /proc/sys/user /proc/self
        touch /proc/self/status /proc/self/mountinfo
        echo "${0#*=}" >"/proc/sys/kernel/${0%=*}"
        exec "$@"' "$1" "${AS_USER[@]}" "${@:2}"
}

# bats test_tags=ex:6-1
@test "on a machine that restricts user namespaces, the hint names make doctor, which explains why" {
    requires command:strace
    expect_error 125 "clone3: Operation not permitted" \
        as_user "${ON_HOST[@]}" strace -f -o /dev/null -e inject=clone3:error=EPERM "$(tool user)" true
    assert_hint "make doctor"
    run on_machine_with apparmor_restrict_unprivileged_userns=1 "$COURSE/tests/bin/doctor"
    assert_contains "$output" "AppArmor restricts user namespaces"
    run on_machine_with unprivileged_userns_clone=0 "$COURSE/tests/bin/doctor"
    assert_contains "$output" "sysctl kernel.unprivileged_userns_clone=1"
}

@test "where /proc is another pid namespace's, the hint says so" {
    requires tool:pid
    expect_error 125 "/proc does not show this pid namespace" "$(tool pid)" --keep-proc "$(tool user)" true
    assert_hint "mount -t proc proc /proc"
}

# bats test_tags=ex:6-2
@test "the command does not start before the maps are written, although standard error is closed" {
    requires command:strace
    run -0 as_user "${ON_HOST[@]}" strace -f -o "$place/trace" -e trace=write -e inject=write:delay_exit=200000 \
        sh -c '"$@" 2>&-' sh "$(tool user)" --explain sh -c "id -u >$place/id"
    assert_equal "$(<"$place/id")" 0
}

# bats test_tags=ex:6-2
@test "the command does not start before the maps are written, even if the tool is killed there" {
    requires command:strace
    as_user "${ON_HOST[@]}" strace -o "$place/trace" -e trace=write -e inject=write:signal=KILL:when=1 \
        "$(tool user)" touch "$place/ran" || true
    grep -q 'killed by SIGKILL' "$place/trace"
    wait_until 5 no_process_is_left
    [ ! -e "$place/ran" ]
}
