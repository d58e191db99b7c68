#!/usr/bin/env bats
# However wrong the tools are: what the checks run does no harm to the machine.
load lib/helpers

# A play host on this one stands for the machine here, so that what goes wrong ends with the check.
on_a_machine() {
    env -i PATH="$PATH" HOME="$HOME" ${IN_VM:+"IN_VM=$IN_VM"} ${PLAYHOST_DISK:+"PLAYHOST_DISK=$PLAYHOST_DISK"} \
        "$COURSE/tests/bin/playhost" bash -c "$(declare -f "$1" host_snapshot machine)"'
            unset PLAYHOST BIN_DIR
            cd /run/tmp && "$@"' bash "$@"
}

# All that is to stay as it is: also the settings that no namespace has for itself, and what files hold.
machine() {
    BATS_RUN_TMPDIR=/none host_snapshot
    find /proc/sys -path /proc/sys/net -prune -o -type f -perm -600 ! -name ns_last_pid -exec grep -Hs . {} +
    find /run/tmp/tree -type f -exec cksum {} +
}

# type_in_starter EXERCISES SECONDS GOAL…: make a course in which these exercises are open (all: ""),
# then the goals, two at a time, each cut off after SECONDS of checks, and print what they have changed.
type_in_starter() {
    local exercises=$1 goal before
    export LIMIT=$2
    shift 2
    # shellcheck disable=SC2086 # several exercises
    KEEP_OBJECTS=1 /run/course/tests/bin/starter tree $exercises && make -s -j2 -C tree CFLAGS=-O0 all probes 2>/dev/null || return
    printf '#!/bin/sh\n' >tree/tests/vm/run # what runs in there can't reach the machine
    for goal; do : >"tree.said.$goal"; done
    before=$(machine)
    printf '%s\n' "$@" | xargs -P2 -I GOAL sh -c 'timeout 100 make -s -C tree -o setup GOAL </dev/null >tree.said.GOAL 2>&1 || true'
    for goal; do
        echo "make $goal has said $(wc -l <"tree.said.$goal") lines"
    done
    diff <(echo "$before") <(machine) | sed -n "s/^[<>]/one of them has changed &/p"
}

# A function has more time than a program.
harmless() {
    local goal
    requires root command:make command:cc
    run -0 on_a_machine type_in_starter "$@"
    for goal in "${@:3}"; do
        [[ $output =~ "make $goal has said "[1-9] ]] || fail "make $goal has said nothing" || return
    done
    refute_contains "$output" "has changed"
}

@test "in a course with all exercises open, no goal that a student types changes the machine or the tree" {
    harmless "" 5 doctor run test-01 test-02 test-03 test-04 test-05 test-06 test-07 test-09 test-10
}

# bats test_tags=cgroup_v2
@test "and so the checks of chapter 8" {
    requires cgroup_v2
    harmless "" 20 test-08
}

@test "nor with one open: names that are the host's, mounts that reach it, a link that stays there" {
    harmless 2.1 5 test-02
    harmless 3.2 5 test-03
    harmless 5.1 5 test-05
    harmless 7.1 5 test-07
}

@test "what a tool on the play host writes to the machine's files is refused" {
    local place name
    name=$(random_name)
    for place in / /etc /usr /var "$HOME" "$COURSE" "$BIN_DIR"; do
        run ! touch "$place/$name"
        rm -f "$place/$name" || true
        # An ordinary user's virtual machine can't even enter root's home.
        [[ -n ${IN_VM-} && $place == "$HOME" && $output == *"Permission denied"* ]] || assert_contains "$output" "Read-only file system"
    done
}

@test "make doctor tries the machine, and no tool" {
    local path
    cp -r "$COURSE/Makefile" "$COURSE/tests" "$BATS_TEST_TMPDIR"
    for path in "$COURSE"/[01][0-9]-*/*; do
        [ -x "$path" ] && [ ! -d "$path" ] || continue
        path=$BATS_TEST_TMPDIR/${path#"$COURSE/"}
        mkdir -p "${path%/*}"
        printf '#!/bin/sh\ntouch "%s"\nexit 1\n' "$BATS_TEST_TMPDIR/has-run" >"$path"
        chmod +x "$path"
    done
    run -0 make -s -C "$BATS_TEST_TMPDIR" -o all doctor
    assert_contains "$output" "ok      02 names"
    [ ! -e "$BATS_TEST_TMPDIR/has-run" ]
}

@test "playhost --enter: an error where none has been started" {
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/tests/bin"
    cp "$COURSE/tests/bin/playhost" "$tree/tests/bin"
    run -125 "$tree/tests/bin/playhost" --enter </dev/null
    assert_equal "$output" "playhost: no play host to enter: start one as root with 'make playhost' in this tree"
}
