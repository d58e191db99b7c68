#!/usr/bin/env bats
# Chapter 7: nothing is left, however a box ends, whoever else has one.
load lib/helpers
load lib/network

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
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{br0,wan}/forwarding | xargs)" "1 1"
    assert_equal "$(nft list tables)" "table ip ten-steps"
    refute_contains "$(nft list map ip ten-steps ports)" 8080
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

@test "forwarding is switched on link by link, and only what was off is switched off again" {
    local conf=/proc/sys/net/ipv4/conf first
    echo 1 >$conf/wan/forwarding
    start_box net sleep 60
    assert_equal "$(cat /proc/sys/net/ipv4/ip_forward $conf/{all,br0,wan,lo}/forwarding | xargs)" "0 0 1 1 0"
    end_box
    assert_equal "$(<$conf/wan/forwarding)" 1
    echo 0 >$conf/wan/forwarding
    # Also if the tool is killed, and by a box that came after the first.
    start_box net sleep 60
    first=$TOOL_PID
    start_box net --publish 127.0.0.1:8080:80 sleep 60
    kill -KILL "$first"
    wait_until 3 ended "$first"
    run -0 "$net" true
    assert_equal "$(<$conf/wan/forwarding)" 1
    stop_boxes
    run -0 "$net" --no-nat true
    assert_equal "$(<$conf/wan/forwarding)" 0
}

@test "somebody else switches ip_forward on while a box runs, as docker does: it stays on" {
    start_box net sleep 60
    echo 1 >/proc/sys/net/ipv4/ip_forward
    end_box
    assert_equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/{all,wan}/forwarding | xargs)" "1 1 1"
    echo 0 >/proc/sys/net/ipv4/ip_forward
    # The same, but for one link.
    start_box net sleep 60
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 0 >/proc/sys/net/ipv4/conf/wan/forwarding
    end_box
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{all,wan}/forwarding | xargs)" "1 0"
    echo 0 >/proc/sys/net/ipv4/ip_forward
}

@test "somebody else switches ip_forward off while a box runs: the next one gets out all the same" {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    start_box net sleep 60
    echo 0 >/proc/sys/net/ipv4/ip_forward
    run -0 "$net" ping -c1 -W5 "$WORLD"
    end_box
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{all,wan}/forwarding | xargs)" "0 0"
}

@test "/proc/sys is read-only, as in a container: an error, and nothing is left" {
    local read_only='mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec "$0" "$@"'
    expect_error 125 "disable_ipv6: Read-only file system" unshare --mount sh -ec "$read_only" "$net" true
    assert_hint "--privileged"
    nothing_of_ours
}

@test "a bridge that no tool has made is not used, and left as it was" {
    local before same='del(.[].operstate, .[].flags, .[].linkinfo) | del(.[].tso_max_size)'
    ip link add br9 address 02:00:00:00:00:09 type bridge
    ip link set br9 addrgenmode none
    ip address add 10.88.0.1/24 dev br9
    ip link set br9 up
    before=$(ip -json -details address show br9 | jq "$same")
    expect_error 125 "bridge br9: File exists" "$net" --bridge br9 --publish 127.0.0.1:8080:80 true
    nothing_of_ours
    assert_equal "$(ip -json -details address show br9 | jq "$same")" "$before"
    assert_equal "$(cat /proc/sys/net/ipv4/conf/br9/{route_localnet,forwarding} | xargs)" "0 0"
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
    end_box
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
    assert_contains "$(nft list map ip ten-steps ports)" "8080 "
    refute_contains "$(nft list map ip ten-steps ports)" "8081 "
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

@test "an error in the box: reported once, and nothing is left" {
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

@test "fifty killed at once: each run after that clears away eight, until nothing is left" {
    local each
    for ((each = 0; each < 50; each++)); do
        "$net" --publish $((21000 + each)):80 sleep 60 </dev/null >"$BATS_TEST_TMPDIR/out.$each" 2>&1 3>&- 4>&- &
        TOOL_PIDS+=("$!")
    done
    wait_until 60 sh -c '[ $(nft list map ip ten-steps ports | grep -o " : 172" | wc -l) = 50 ]'
    stop_boxes
    for each in {1..20}; do
        "$net" true
        [ -e /run/ten-steps ] || break
    done
    nothing_of_ours
}

@test "an ordinary user can neither hold a claim nor write one" {
    local each
    start_box net --name held --publish 8080:80 sleep 600
    assert_equal "$(stat --format %a:%U /run/ten-steps)" 700:root
    [ "$(ls /run/ten-steps | wc -l)" -eq 3 ]
    for each in /run/ten-steps /run/ten-steps/*; do
        run ! as_user flock --nonblock "$each" true
    done
    run -0 "$net" true
    end_boxes
    nothing_of_ours
}

@test "Ctrl-Z while a box is linked waits until it runs: no stopped tool has a claim half made" {
    local made=$BATS_TEST_TMPDIR/made
    mkdir -m 700 /run/ten-steps
    exec 9<>/run/ten-steps/bridge-br0
    flock 9
    start_job "$net" sh -c 'echo >"$1"; exec sleep 600' sh "$made" 9>&-
    wait_until 3 pgrep -P "$TOOL_PID"
    kill -TSTP "$TOOL_PID"
    exec 9>&-
    wait_until 3 [ -e "$made" ]
    wait_until 3 is_stopped "$TOOL_PID"
    run -0 "$net" true
    kill -CONT "$TOOL_PID"
    end_box
    nothing_of_ours
}

@test "a directory of claims that others may write to is not believed" {
    mkdir -m 755 /run/ten-steps
    chown 65534 /run/ten-steps
    expect_error 125 "/run/ten-steps" "$net" true
    chown 0 /run/ten-steps
    chmod 770 /run/ten-steps
    expect_error 125 "/run/ten-steps" "$net" true
    rmdir /run/ten-steps
    nothing_of_ours
}

@test "a directory of claims that was made for a claim that can't be opened goes again" {
    requires command:strace
    run -125 strace -f -qq -o /dev/null -P /run/ten-steps/bridge-br0 -e inject=openat:error=EMFILE:when=1 "$net" true
    assert_contains "$output" "Too many open files"
    nothing_of_ours
}

# leave_behind NAME LINE…: a claim as a tool leaves it that was killed.
leave_behind() {
    local name=$1
    shift
    [ -d /run/ten-steps ] || mkdir -m 700 /run/ten-steps
    printf '%s\n' "token 0123456789abcdef" "$@" >"/run/ten-steps/$name"
}

@test "a line about something that turns out to be somebody else's: it stays" {
    local name
    name=$(random_name n)
    ip link add br7 type bridge
    nft add table ip ten-steps
    nft add map ip ten-steps ports '{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }'
    nft add element ip ten-steps ports '{ 0.0.0.0 . tcp . 8080 : 10.0.0.1 . 80 }'
    mkdir /run/netns
    ln -s /proc/self/ns/net "/run/netns/$name"
    leave_behind dead "table" "bridge br7" "element ports 0.0.0.0 . tcp . 8080" \
        "symlink /proc/1/ns/net /run/netns/$name"
    run -0 "$net" --no-nat true
    [ ! -e /run/ten-steps ]
    ip link show br7
    assert_contains "$(nft list table ip ten-steps)" 8080
    [ -L "/run/netns/$name" ]
    rm -r /run/netns
    nft delete table ip ten-steps
    ip link delete br7
}

@test "a line without its end was never acted upon, and is not undone" {
    local forwarding=/proc/sys/net/ipv4/conf/wan/forwarding
    leave_behind dead
    printf 'forwarding wan' >>/run/ten-steps/dead
    echo 1 >$forwarding
    run -0 "$net" --no-nat true
    [ ! -e /run/ten-steps ]
    assert_equal "$(<$forwarding)" 1
    leave_behind dead "forwarding wan"
    run -0 "$net" --no-nat true
    assert_equal "$(<$forwarding)" 0
}

@test "a claim that can't be undone stays, but tools start anyway" {
    leave_behind dead "no such verb"
    run -0 "$net" --no-nat true
    assert_contains "$output" "undo 'no'"
    [ -e /run/ten-steps/dead ]
    rm -r /run/ten-steps
}

@test "a shared claim whose things are only half there: nobody joins it, and a killed undoer leaves it so" {
    requires command:strace
    local count
    count=$(times_called sendto "$net" --no-nat true)
    run -137 strace -f -qq -o /dev/null -e trace=sendto -e inject=sendto:signal=KILL:when="$count" "$net" --no-nat true
    assert_equal "$(stat -c %a /run/ten-steps/bridge-br0)" 600
    wait_until 3 sh -c '! ip link show box-ac1b0002 2>/dev/null'
    exec 9</run/ten-steps/bridge-br0
    flock --shared 9
    "$net" --no-nat sleep 600 9>&- 3>&- 4>&- &
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
    wait_until 3 grep -q nanosleep "/proc/$TOOL_PID/wchan"
    run ! ip link show box-ac1b0002
    exec 9>&-
    wait_until 3 box_runs "$TOOL_PID"
    assert_equal "$(stat -c %a /run/ten-steps/bridge-br0)" 700
    end_box
    nothing_of_ours
}

@test "a line torn by a kill, in a claim that others share: they join, and what they write behind it is undone" {
    local each conf=/proc/sys/net/ipv4/conf/wan/forwarding lo=/proc/sys/net/ipv4/conf/lo/forwarding
    echo 1 >$lo
    for each in $'\tforw' $'\tforwarding lo'; do
        start_box net sleep 60
        echo 0 >$conf # so that the next one switches it on, with a line
        printf %s "$each" >>/run/ten-steps/net
        run -0 timeout 10 "$net" ping -c1 -W5 "$WORLD"
        assert_contains "$(</run/ten-steps/net)" "$each"$'\tforwarding wan'
        assert_equal "$(<$conf)" 1
        end_box
        nothing_of_ours
        assert_equal "$(<$conf) $(<$lo)" "0 1"
    done
    echo 0 >$lo
}

# Fifty claims of somebody who lives.
fifty_live() {
    bash -c 'for ((each = 0; each < 50; each++)); do
            exec {file}<>"/run/ten-steps/living-$each" && flock "$file"
        done
        : >/run/ten-steps/living-all && exec sleep 600' 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 3 [ -e /run/ten-steps/living-all ]
}

@test "the port of a dead box doesn't lead to the next one at its address, whoever else lives" {
    start_box net --address 172.27.9.9 sleep 600
    start_box net --publish 8080:80 sleep 60
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    fifty_live
    assert_contains "$(nft list map ip ten-steps ports)" "8080 "
    start_box net sleep 60
    run -0 in_box ip -4 -oneline address show dev eth0
    assert_contains "$output" "172.27.0.2/16"
    refute_contains "$(nft list map ip ten-steps ports)" "8080 "
    stop_boxes
    rm /run/ten-steps/living-*
    run -0 "$net" true
    nothing_of_ours
}

@test "a dead claim behind fifty living ones is found in the end" {
    leave_behind dead
    fifty_live
    local each
    for ((each = 0; each < 200; each++)); do
        "$net" --none true
        [ -e /run/ten-steps/dead ] || break
    done
    [ ! -e /run/ten-steps/dead ]
    stop_boxes
    rm -r /run/ten-steps
}

@test "another /run owns the table of this network: an error, and it is left alone" {
    start_box net sleep 60
    expect_error 125 "NFT_MSG_NEWTABLE ten-steps: File exists" unshare --mount sh -ec 'mount -t tmpfs -o mode=700 none /run/ten-steps
        exec "$0" --bridge br7 --bridge-address 10.99.0.1/24 true' "$net"
    run -0 in_box ping -c1 -W5 "$WORLD"
    end_box
    nothing_of_ours
}

# While links change, the kernel sets such a setting, sets it back and tries again: who comes in between sees
# it on, and then no packet passes.
@test "'nft flush ruleset' while boxes run: a start says what is gone, and works when they have ended" {
    start_box net sleep 60
    nft flush ruleset
    expect_error 125 "the table of rules that the boxes share is gone" "$net" true
    assert_hint "start them again"
    end_box
    nothing_of_ours
    run -0 "$net" ping -c1 -W5 "$WORLD"
}

@test "nobody joins before all settings are there" {
    requires command:strace
    local conf=/proc/sys/net/ipv4/conf/wan/forwarding modes seen=
    mkfifo "$BATS_TEST_TMPDIR/go"
    strace -f -qq -o /dev/null -P $conf -e trace=openat -e inject=openat:delay_enter=500000 \
        "$net" cat "$BATS_TEST_TMPDIR/go" </dev/null 3>&- 4>&- &
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
    wait_until 5 [ -e /run/ten-steps/net ]
    while ! ended "$TOOL_PID"; do
        modes=$(stat -c %a /run/ten-steps/{net,bridge-br0} | xargs)
        [ "$(<$conf)" = 0 ] || break # so they were that before it was set
        seen+=$modes$'\n'
    done
    assert_equal "$(sort -u <<<"${seen%$'\n'}")" "600 600"
    end_wait
    assert_equal "$status" 0
    nothing_of_ours
}

@test "the last one leaves while a newcomer comes: the newcomer's network works" {
    local round
    for ((round = 0; round < 100; round++)); do
        "$net" true </dev/null 3>&- 4>&- &
        TOOL_PIDS=("$!")
        # What the host has is gone with the box: so look while it waits.
        # shellcheck disable=SC2016 # that shell's variables
        "$net" --publish 8080:80 sh -c 'ping -c1 -W5 "$0" && exit
            nsenter --target "$PPID" --net sh -c "nft list table ip ten-steps; cat /proc/net/nf_conntrack
                grep . /proc/sys/net/ipv4/conf/*/forwarding; ip neigh; ip -brief address"
            ping -c1 -W5 "$0"; exit 1' "$WORLD" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- 4>&- ||
            fail "round $round: $(<"$BATS_TEST_TMPDIR/out")"
        wait "${TOOL_PIDS[0]}"
    done
    wait_until 3 nothing_of_ours
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
