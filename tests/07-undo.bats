#!/usr/bin/env bats
# Chapter 7: nothing is left, however a box ends, whoever else has one.
load helpers
load network

@test "one box after another has the same address, and nothing is left in between" {
    local each
    for each in 1 2 3; do
        run -0 "$net" --publish 8080:80 ip -4 -oneline address show dev eth0
        assert_contains "$output" "172.27.0.2/16"
        nothing_of_ours
    done
}

@test "the bridge, forwarding and the rest go with the last box, whichever that is" {
    local first
    start_box net --publish 127.0.0.1:8080:80 sleep 60
    first=$TOOL_PID
    start_box net sleep 60
    kill -TERM "$first"
    wait_until 3 ended "$first"
    ip link show br0
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 1
    assert_equal "$(nft list tables)" "table ip ten-steps-box-ac1b0003"
    run -0 in_box ping -c1 -W5 "$WORLD"
    end_box
    nothing_of_ours
}

@test "forwarding that was on before stays on" {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    run -0 "$net" true
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 1
    echo 0 >/proc/sys/net/ipv4/ip_forward
}

@test "what the kernel changes together with forwarding is put back, too" {
    local conf=/proc/sys/net/ipv4/conf first
    echo 0 >$conf/all/accept_redirects
    echo 1 >$conf/wan/forwarding
    run -0 "$net" true
    assert_equal "$(cat $conf/all/accept_redirects $conf/wan/forwarding | xargs)" "0 1"
    # Also if the tool is killed, and by a box that came after the first.
    start_box net sleep 60
    first=$TOOL_PID
    start_box net --publish 127.0.0.1:8080:80 sleep 60
    kill -KILL "$first"
    wait_until 3 ended "$first"
    run -0 "$net" true
    assert_equal "$(cat $conf/all/forwarding $conf/all/accept_redirects $conf/wan/forwarding | xargs)" "1 0 1"
    stop_boxes
    run -0 "$net" --no-nat true
    assert_equal "$(cat $conf/all/forwarding $conf/all/accept_redirects $conf/wan/forwarding | xargs)" "0 0 1"
    echo 1 >$conf/all/accept_redirects
    echo 0 >$conf/wan/forwarding
}

@test "/proc/sys is read-only, as in a container: an error, and nothing is left" {
    expect_error 125 "write /proc/sys/net/ipv4/ip_forward: Read-only file system" \
        unshare --mount sh -ec 'mount --bind /proc/sys /proc/sys
            mount -o remount,bind,ro /proc/sys
            exec "$0" true' "$net"
    assert_hint "--no-nat"
    nothing_of_ours
}

@test "a bridge that was there is used, and left as it was" {
    local before same='del(.[].operstate, .[].flags, .[].linkinfo) | del(.[].tso_max_size)'
    ip link add br9 address 02:00:00:00:00:09 type bridge
    ip link set br9 addrgenmode none
    ip address add 10.88.0.1/24 dev br9
    ip link set br9 up
    before=$(ip -json -details address show br9 | jq "$same")
    start_box net --bridge br9 --publish 127.0.0.1:8080:80 sleep 60
    assert_equal "$(address_in_box)" 10.88.0.2/24
    run -0 in_box ping -c1 -W5 "$WORLD"
    end_box
    assert_equal "$(ip -json -details address show br9 |
        jq "$same")" "$before"
    assert_equal "$(</proc/sys/net/ipv4/conf/br9/route_localnet)" 0
    ip link delete br9
}

@test "what a killed run left is found by the next, at once" {
    local name
    name=$(random_name n)
    start_box net --publish 127.0.0.1:8080:80 --name "$name" sleep 60
    stop_boxes
    assert_contains "$(nft list tables)" ten-steps
    run -0 "$net" --publish 127.0.0.1:8080:80 true
    nothing_of_ours
    [ ! -e "/run/netns/$name" ]
}

@test "also by one with another bridge, and by one without rules" {
    start_box net sleep 60
    stop_boxes
    run -0 "$net" --bridge br7 --no-nat true
    nothing_of_ours
}

@test "a link that was moved off the bridge keeps its box's network when the bridge goes" {
    start_box net sleep 60
    ip link add br8 type bridge
    ip link set box-ac1b0002 master br8
    run -0 "$net" true
    ip link show box-ac1b0002 master br8
    run ! ip link show br0
    ip link delete br8
}

@test "and while others live, it does not harm them" {
    local first
    start_box net sleep 60
    first=$TOOL_PID
    start_box net --publish 8080:80 sleep 60
    kill -KILL "$first"
    wait_until 3 ended "$first"
    run -0 "$net" --publish 8081:80 --address 172.27.0.2 true
    run -0 in_box ping -c1 -W5 "$WORLD"
    assert_equal "$(nft list tables)" "table ip ten-steps-box-ac1b0003"
}

# How often the tool itself, which is the process that does it most, makes a call.
times_called() {
    strace -f -qq -e trace="$1" -o "$BATS_TEST_TMPDIR/trace" "${@:2}"
    grep -F "$1(" "$BATS_TEST_TMPDIR/trace" | cut -d' ' -f1 | sort | uniq -c | sort -rn |
        awk 'NR == 1 { print $1 }'
}

@test "an error half-way: each netlink message made to fail in turn, and nothing is left" {
    requires command:strace
    local count each
    count=$(times_called sendto "$net" --publish 127.0.0.1:8080:80 true)
    [ "$count" -ge 12 ]
    for ((each = 1; each <= count; each++)); do
        run failing sendto ENOBUFS "$each" "$net" --publish 127.0.0.1:8080:80 true
        assert_equal "$status" 125
        assert_equal "$(grep -c '^net: ' <<<"$output")" 1
        wait_until 3 nothing_of_ours || fail "message $each: something is left"
    done
}

@test "an error half-way: the kernel's answers lost in turn, and nothing is left" {
    requires command:strace
    local count each
    count=$(times_called recvfrom "$net" --publish 8080:80 true)
    for ((each = 1; each <= count; each += 3)); do
        run failing recvfrom ENOMEM "$each" "$net" --publish 8080:80 true
        [ "$status" -eq 125 ] || [ "$status" -eq 0 ]
        wait_until 3 nothing_of_ours || fail "answer $each: something is left"
    done
    run -125 failing recvfrom ENOMEM 2 "$net" --none true # the first one is the word to go on
    assert_equal "$output" "net: recv: answer to RTM_NEWLINK lo up: Cannot allocate memory"
}

@test "an error in the box: told once, and nothing is left" {
    run -127 "$net" --publish 8080:80 no-such-program
    nothing_of_ours
    requires command:strace
    run -125 failing mount EPERM 2 "$net" true
    assert_equal "$(grep -c '^net: ' <<<"$output")" 1
    nothing_of_ours
}

@test "nobody reads what --explain says any more: all is undone all the same" {
    local errors=$BATS_TEST_TMPDIR/errors reader
    mkfifo "$errors"
    cat "$errors" >/dev/null 3>&- 4>&- &
    reader=$!
    "$net" --explain sleep 60 2>"$errors" 3>&- 4>&- &
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
    wait_until 5 box_runs "$TOOL_PID"
    kill "$reader"
    wait_until 3 ended "$reader"
    end_box
    assert_equal "$status" 143
    nothing_of_ours
}

@test "fifty boxes started at once: fifty addresses, and nothing is left" {
    local each pids=()
    for ((each = 0; each < 50; each++)); do
        "$net" sh -c 'ip -4 -oneline address show dev eth0 && ping -c1 -W5 172.27.0.1 >&2 && exec sleep 60' \
            >"$BATS_TEST_TMPDIR/out.$each" 2>"$BATS_TEST_TMPDIR/err.$each" </dev/null 3>&- 4>&- &
        pids+=("$!")
        TOOL_PIDS+=("$!")
    done
    wait_until 60 sh -c "[ \$(grep -l '1 received' '$BATS_TEST_TMPDIR'/err.* | wc -l) = 50 ]"
    assert_equal "$(awk '{ print $4 }' "$BATS_TEST_TMPDIR"/out.* | sort -u | wc -l)" 50
    assert_equal "$(ip -br link show master br0 | wc -l)" 50
    for each in "${pids[@]}"; do kill -TERM "$each"; done
    for each in "${pids[@]}"; do wait_until 20 ended "$each"; done
    nothing_of_ours
}

@test "fifty killed at once: the next run finds all of it" {
    local each
    for ((each = 0; each < 50; each++)); do
        "$net" --publish $((21000 + each)):80 sleep 60 </dev/null >"$BATS_TEST_TMPDIR/out.$each" 2>&1 3>&- 4>&- &
        TOOL_PIDS+=("$!")
    done
    wait_until 60 sh -c '[ $(nft list tables | wc -l) = 50 ]'
    stop_boxes
    run -0 "$net" true
    nothing_of_ours
}

@test "a user who holds the locks keeps nobody waiting for ever" {
    requires command:strace
    local hurried=(strace -f -qq -o /dev/null -e "inject=nanosleep,clock_nanosleep:retval=0")
    # shellcheck disable=SC2016
    "${AS_USER[@]}" sh -c 'exec flock --no-fork /proc/self/ns/net sleep 600' 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 3 sh -c '! flock --nonblock /proc/self/ns/net true'
    expect_error 125 "net: /proc/self/ns/net: Resource temporarily unavailable" "${hurried[@]}" "$net" true
    assert_hint "lslocks"
    stop_boxes
    start_box net --name held sleep 600
    "${AS_USER[@]}" flock --no-fork /run/ten-steps/netns sleep 600 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 3 sh -c '! flock --nonblock /run/ten-steps/netns true'
    expect_error 125 "net: /run/ten-steps/netns: Resource temporarily unavailable" \
        "${hurried[@]}" "$net" --name other true
    stop_boxes
    run -0 "$net" true
    nothing_of_ours
}

@test "Ctrl-Z while a box is linked waits until it runs: no stopped tool has the lock" {
    local made=$BATS_TEST_TMPDIR/made
    exec 9</proc/self/ns/net
    flock 9
    start_job "$net" sh -c 'echo >"$1"; exec sleep 600' sh "$made" 9>&-
    wait_until 3 sh -c "find /proc/$TOOL_PID/fd -lname 'net:*' | grep -q ."
    kill -TSTP "$TOOL_PID"
    exec 9>&-
    wait_until 3 [ -e "$made" ]
    wait_until 3 is_stopped "$TOOL_PID"
    run -0 "$net" true
    kill -CONT "$TOOL_PID"
}

@test "starts and ends at the same time do not disturb each other" {
    local each pids=()
    for ((each = 0; each < 40; each++)); do
        "$net" ping -c1 -W5 "$WORLD" </dev/null >"$BATS_TEST_TMPDIR/out.$each" 2>&1 3>&- 4>&- &
        pids+=("$!")
        TOOL_PIDS+=("$!")
    done
    for each in "${pids[@]}"; do
        wait "$each" || fail "a box could not reach the world: $(cat "$BATS_TEST_TMPDIR"/out.*)"
    done
    wait_until 3 nothing_of_ours
}
