#!/usr/bin/env bats
# The nine tools, one after another around a command, against chapter 10, which does it all at once:
# the same questions, from inside and from outside, get the same answers.
load lib/helpers

setup() {
    host_remember
    make_rootfs
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    install "$TALK" "$ROOTFS/talk"
    full=$(tool full)
    tar -cf "$BATS_TEST_TMPDIR/layer.tar" -C "$ROOTFS" .
    (
        cd "$BATS_TEST_TMPDIR"
        jq -n --arg digest "sha256:$(sha256sum layer.tar | cut -d' ' -f1)" \
            '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$digest]}}' >config.json
        echo '[{"Config": "config.json", "RepoTags": ["chain:1"], "Layers": ["layer.tar"]}]' >manifest.json
        tar -cf image.tar manifest.json config.json layer.tar
    )
    "$full" load "$BATS_TEST_TMPDIR/image.tar" >/dev/null
}

teardown() {
    end_boxes
    ipcrm --all=msg # the host's queue, which a box must not see
    host_compare
}

# Asked inside. What differs from box to box, such as the numbers of addresses, is left out.
# shellcheck disable=SC2016 # for the inner shell
questions='
    echo "name: $(uname -n)"
    echo "user: $(id -u):$(id -g)"
    set -- /proc/[1-9]*
    [ $# -le 3 ] && [ $$ -le 40 ] && echo "processes: those of the chain and no more"
    echo "root:" $(ls /)
    echo written >/sentinel && echo "writable: $(cat /sentinel)"
    echo "links:" $(ip -br link | sed "s/[@ ].*//")
    echo "addresses: $(ip -4 -br address show dev eth0 | grep -c 172.27.)"
    echo "routes: $(ip route | sed "s/dev .*//" | head -1)"
    echo "host: $(/talk ask tcp 172.27.0.1 8000 | sed "s/saw.*//")"
    echo "queues: $(tail -n +2 /proc/sysvipc/msg | wc -l)"
    echo "devices: $(stat -c %t:%T /dev/null /dev/zero | xargs)"
    exec sleep 60'

# Asked from outside of the process BOX_PID.
ask_outside() {
    local kind
    for kind in mnt uts pid ipc user net; do
        [ "$(namespace_of "$BOX_PID" $kind)" = "$(namespace_of $$ $kind)" ] || echo "own $kind"
    done
    echo "numbers: $(status_of "$BOX_PID" NSpid | wc -w)"
    echo "name: $(inside "$BOX_PID" uts -- uname -n)"
    echo "root is not the host's: $([ "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" = "$(stat -c %d:%i /)" ]; echo $?)"
    awk '$5 == "/" || $5 == "/proc" { print "mount " $5 " " $(NF - 2) }' "/proc/$BOX_PID/mountinfo" | sort -u
    [ ! -e "$ROOTFS/sentinel" ] && echo "the image is as it was"
    ip -br link show type veth | grep -c .
    nft list tables | grep -c .
}

answers() {
    wait_until 5 grep -q '^devices' "$BOX_OUT"
    BOX_PID=$(last_descendant "$TOOL_PID")
    # Before Linux 6.6 overlay warns of what a layer in memory can't do in a user namespace.
    sed -E '/^overlay: no directory of a lower layer|^hint: take --upper and --work/d' "$BOX_OUT"
    ask_outside
}

@test "every chapter's tool is there" {
    local main chapter
    for main in "$COURSE"/[01][0-9]-*/main.c; do
        chapter=$(basename "$(dirname "$main")")
        [ -x "$BIN_DIR/$chapter/${chapter#*-}" ] || fail "$chapter is missing" || return
    done
}

@test "the nine tools, chained, make what full run makes at once" {
    requires root overlay
    local at_once chained
    ipcmk --queue >/dev/null
    serve $$ tcp 0.0.0.0 8000 host
    start_box full run --init --hostname bird chain:1 sh -c "$questions"
    at_once=$(answers)
    end_box
    start_command "$(tool net)" "$(tool user)" "$(tool ipc)" "$(tool uts)" --hostname bird "$(tool pid)" --init \
        "$(tool overlay)" --image "$BATS_TEST_TMPDIR/image.tar" sh -c "$questions"
    chained=$(answers)
    end_box
    diff <(echo "$at_once") <(echo "$chained")
    assert_contains "$at_once" "name: bird"
    assert_contains "$at_once" "own user"
    assert_contains "$at_once" "host: host"
    assert_contains "$at_once" "queues: 0"
}

# bats test_tags=cgroup_v2
@test "and with a limit: cgroup, the first of the chain" {
    requires root overlay cgroup_v2
    local each limits=()
    start_box full run --init --pids-limit 30 chain:1 sleep 60
    limits+=("$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$BOX_PID/cgroup")/pids.max")")
    assert_isolated "$BOX_PID" cgroup
    end_box
    start_command "$(tool cgroup)" --pids 30 "$(tool net)" "$(tool user)" "$(tool ipc)" "$(tool uts)" "$(tool pid)" \
        --init "$(tool overlay)" --image "$BATS_TEST_TMPDIR/image.tar" sleep 60
    wait_until 30 box_waits sleep # first overlay unpacks the image
    limits+=("$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$BOX_PID/cgroup")/pids.max")")
    assert_isolated "$BOX_PID" cgroup
    end_box
    for each in "${limits[@]}"; do
        assert_equal "$each" 30
    done
}
