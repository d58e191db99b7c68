#!/usr/bin/env bats
# Chapter 7: the network. Beside the play host there is an outside world.
load helpers

setup_file() {
    make_world
}

teardown_file() {
    end_world
}

setup() {
    host_remember
    net=$(tool net)
}

# The boxes end as they should, before what is left over is looked at: what kill -9 leaves is only
# found by the next run.
teardown() {
    local pid
    [ -z "${SERVERS[*]-}" ] || kill -KILL "${SERVERS[@]}" 2>/dev/null || true
    for pid in "${TOOL_PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${TOOL_PIDS[@]}"; do wait_until 5 ended "$pid"; done
    host_compare
}
SERVERS=()

in_box() {
    inside "$BOX_PID" net -- "$@"
}

# serve PID tcp|udp ADDRESS PORT NAME: a server in the network of a process.
serve() {
    local pid=$1 listed=-ltn
    shift
    [ "$1" = tcp ] || listed=-lun
    nsenter --target "$pid" --net "$TALK" serve "$@" 3>&- 4>&- &
    SERVERS+=("$!")
    wait_until 3 sh -c "nsenter --target $pid --net ss -H $listed 'sport = :$3' | grep -q ."
}

ask() {
    "$TALK" ask "$@"
}

address_in_box() {
    in_box ip -4 -oneline address show dev eth0 | awk '{ print $4 }'
}

nothing_of_ours() {
    ! nft list tables | grep -q ten-steps && ! ip link | grep -q ten-steps &&
        [ "$(</proc/sys/net/ipv4/ip_forward)" = 0 ]
}

# --- a network of its own ------------------------------------------------------------------------

@test "--none: a network namespace of its own with the loopback link alone, which is up" {
    local links
    start_box net --none sleep 60
    assert_isolated "$BOX_PID" net mnt
    assert_shared "$BOX_PID" uts pid ipc user cgroup
    links=$(in_box ip -json link)
    assert_equal "$(jq -r '[.[].ifname] | join(" ")' <<<"$links")" lo
    assert_contains "$(jq -r '.[0].flags | join(" ")' <<<"$links")" UP
    run -0 in_box ping -c1 -W1 127.0.0.1
    run ! in_box ping -c1 -W1 "$HOST"
    assert_equal "$(ip -br link show type bridge)" ""
}

@test "--none: an ordinary user may, inside 'user'" {
    requires userns
    start_command as_user "$(tool user)" "$net" --none sleep 60
    assert_isolated "$BOX_PID" net user
    assert_equal "$(nsenter --target "$BOX_PID" --user --preserve-credentials --net \
        ip -br link | awk '{ print $1 }')" lo
    run -0 as_user "$(tool user)" "$net" --none ls /sys/class/net
    assert_equal "$output" lo
}

@test "the box sees its own links, routes, sockets, /proc/net and /sys/class/net" {
    local sentinel
    sentinel=d$(random_name)
    ip link add "$sentinel" type bridge
    serve $$ tcp "$HOST" 8000 host
    start_box net sleep 60
    assert_isolated "$BOX_PID" net
    refute_contains "$(in_box ip -br link)" "$sentinel"
    refute_contains "$(cat "/proc/$BOX_PID/net/dev")" "$sentinel"
    assert_contains "$(cat /proc/net/dev)" "$sentinel"
    assert_equal "$(in_box ip -json link | jq -r '[.[].ifname] | join(" ")')" "lo eth0"
    run -0 inside "$BOX_PID" mount net -- ls /sys/class/net
    assert_equal "$output" $'eth0\nlo'
    refute_contains "$(in_box ip route)" 10.9.0.0
    assert_equal "$(in_box ss -H -ltn)" ""
    ip link delete "$sentinel"
}

# bats test_tags=cgroup_v2
@test "what is mounted below /sys stays" {
    local word
    word=$(random_name)
    run -0 unshare --mount sh -ec 'mount -t tmpfs none /sys/kernel
        mkdir /sys/kernel/deeper
        mount -t tmpfs none /sys/kernel/deeper
        touch "/sys/kernel/deeper/$1"
        "$0" --none ls /sys/kernel/deeper' "$net" "$word"
    assert_equal "$output" "$word"
}

@test "the same port is bound on the host and in two boxes" {
    local first
    serve $$ tcp 0.0.0.0 8000 host
    start_box net sleep 60
    first=$BOX_PID
    serve "$first" tcp 0.0.0.0 8000 one
    start_box net sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 8000 two
    assert_contains "$(ask tcp 172.27.0.2 8000)" "one saw"
    assert_contains "$(ask tcp 172.27.0.3 8000)" "two saw"
    assert_contains "$(ask tcp 127.0.0.1 8000)" "host saw"
}

# --- the link, as iproute2 and nft list it ---------------------------------------------------------

@test "a veth pair: one end on the bridge, the other is eth0 in the box" {
    local here there
    start_box net sleep 60
    here=$(ip -json -details link show master br0)
    there=$(in_box ip -json -details link show eth0)
    assert_equal "$(jq -r '[.[] | .linkinfo.info_kind] | join(" ")' <<<"$here")" veth
    assert_equal "$(jq -r '.[0].linkinfo.info_kind' <<<"$there")" veth
    assert_equal "$(jq -r '.[0].ifindex' <<<"$there")" "$(jq -r '.[0].link_index' <<<"$here")"
    assert_equal "$(jq -r '.[0].ifindex' <<<"$here")" "$(jq -r '.[0].link_index' <<<"$there")"
    assert_equal "$(jq -r '.[0].operstate' <<<"$there")" UP
    assert_equal "$(ip -json -details link show br0 | jq -r '.[0].linkinfo.info_kind')" bridge
}

@test "addresses and the default route, as asked for by default" {
    start_box net sleep 60
    assert_equal "$(ip -4 -oneline address show dev br0 | awk '{ print $4, $6 }')" \
        "172.27.0.1/16 172.27.255.255"
    assert_equal "$(address_in_box)" 172.27.0.2/16
    assert_equal "$(in_box ip -json route show default | jq -r '.[0] | .gateway, .dev')" \
        $'172.27.0.1\neth0'
    assert_equal "$(in_box ip -6 -oneline address show dev eth0)" ""
}

@test "--bridge, --bridge-address, --address and --gateway" {
    start_box net --bridge mybridge --bridge-address 10.77.5.1/24 --address 10.77.5.9 \
        --gateway 10.77.5.254 sleep 60
    assert_equal "$(ip -4 -oneline address show dev mybridge | awk '{ print $4 }')" 10.77.5.1/24
    assert_equal "$(address_in_box)" 10.77.5.9/24
    assert_contains "$(in_box ip route)" "default via 10.77.5.254 dev eth0"
}

@test "masquerade and forwarding, as nft lists them" {
    local rules
    start_box net sleep 60
    rules=$(nft -j list table ip ten-steps-box-ac1b0002)
    assert_contains "$(nft list table ip ten-steps-box-ac1b0002)" \
        'ip saddr 172.27.0.2 oifname != "br0" masquerade'
    assert_equal "$(jq -r '.nftables[].chain | select(.name == "postrouting") |
        "\(.type) \(.hook) \(.prio)"' <<<"$rules")" "nat postrouting 100"
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 1
}

@test "--no-nat: neither rules nor forwarding" {
    start_box net --no-nat sleep 60
    assert_equal "$(nft list tables)" ""
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 0
    run -0 in_box ping -c1 -W1 172.27.0.1
    run ! in_box ping -c1 -W1 "$WORLD"
}

# --- who reaches whom -------------------------------------------------------------------------------

@test "host to box, box to host, box to box" {
    local first
    start_box net sleep 60
    first=$BOX_PID
    start_box net sleep 60
    serve $$ tcp 172.27.0.1 8000 host
    serve "$first" tcp 0.0.0.0 8001 one
    run -0 ask tcp 172.27.0.2 8001
    assert_equal "$output" "one saw 172.27.0.1"
    run -0 in_box "$TALK" ask tcp 172.27.0.1 8000
    assert_equal "$output" "host saw 172.27.0.3"
    run -0 in_box "$TALK" ask tcp 172.27.0.2 8001
    assert_equal "$output" "one saw 172.27.0.3"
}

@test "box to the outside, which sees the host's address" {
    start_box net sleep 60
    serve "$WORLD_PID" tcp "$WORLD" 8000 world
    serve "$WORLD_PID" udp "$WORLD" 8000 world
    run -0 in_box "$TALK" ask tcp "$WORLD" 8000
    assert_equal "$output" "world saw $HOST"
    run -0 in_box "$TALK" ask udp "$WORLD" 8000
    assert_equal "$output" "world saw $HOST"
}

@test "from outside a box is not reached but by its published ports" {
    start_box net --publish 8080:80 sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    in_world ip route add 172.27.0.0/16 via "$HOST"
    run ! in_world "$TALK" ask tcp 172.27.0.2 80
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    in_world ip route delete 172.27.0.0/16
}

@test "--publish: another host reaches the box by tcp and udp, and is seen as itself" {
    start_box net -p 8080:80 --publish 5353:53/udp sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    serve "$BOX_PID" udp 0.0.0.0 53 box
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    assert_equal "$output" "box saw $WORLD"
    run -0 in_world "$TALK" ask udp "$HOST" 5353
    assert_equal "$output" "box saw $WORLD"
    run ! in_world "$TALK" ask udp "$HOST" 8080
    run ! in_world "$TALK" ask tcp "$HOST" 5353
}

@test "--publish: the host itself reaches it by its own addresses" {
    start_box net --publish 8080:80/tcp sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    run -0 ask tcp "$HOST" 8080
    assert_equal "$output" "box saw $HOST"
    run -0 ask tcp 172.27.0.1 8080
    run ! ask tcp 127.0.0.1 8080
}

@test "--publish ADDRESS: that address alone" {
    ip address add 10.9.0.7/24 dev wan
    start_box net --publish "10.9.0.7:8080:80" sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    run -0 in_world "$TALK" ask tcp 10.9.0.7 8080
    assert_equal "$output" "box saw $WORLD"
    run ! in_world "$TALK" ask tcp "$HOST" 8080
    ip address delete 10.9.0.7/24 dev wan
}

@test "--publish 127.0.0.1: the host's own 127.0.0.1, and nowhere else" {
    start_box net --publish 127.0.0.1:8080:80 --publish 127.0.0.1:5353:53/udp sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    serve "$BOX_PID" udp 0.0.0.0 53 box
    run -0 ask tcp 127.0.0.1 8080
    assert_equal "$output" "box saw 172.27.0.1"
    run -0 ask udp 127.0.0.1 5353
    run ! ask tcp "$HOST" 8080
    run ! in_world "$TALK" ask tcp "$HOST" 8080
    # A neighbour that sends what is for 127.0.0.1 over the wire, and one that does so in a box.
    in_world sysctl -qw net.ipv4.conf.eth0.route_localnet=1
    in_world ip address delete 127.0.0.1/8 dev lo
    in_world ip route add 127.0.0.0/8 via "$HOST" src "$WORLD"
    run ! in_world "$TALK" ask tcp 127.0.0.1 8080
    in_world ip route delete 127.0.0.0/8
    in_world ip address add 127.0.0.1/8 dev lo
}

@test "a box does not reach the host's 127.0.0.1, not even by a trick" {
    start_box net --publish 127.0.0.1:8080:80 sleep 60
    serve $$ tcp 127.0.0.1 9000 secret
    run -0 ask tcp 127.0.0.1 9000
    in_box sysctl -qw net.ipv4.conf.eth0.route_localnet=1
    in_box ip address delete 127.0.0.1/8 dev lo
    in_box ip route add 127.0.0.0/8 via 172.27.0.1 src 172.27.0.2
    run ! in_box "$TALK" ask tcp 127.0.0.1 9000
}

@test "--publish: the box itself and its neighbour, with the bridge's packets filtered or not" {
    local first filtered=/proc/sys/net/bridge/bridge-nf-call-iptables before=
    start_box net --publish 8080:80 --publish 5353:53/udp sleep 60
    first=$BOX_PID
    start_box net sleep 60
    serve "$first" tcp 0.0.0.0 80 box
    serve "$first" udp 0.0.0.0 53 box
    [ ! -e "$filtered" ] || before=$(<"$filtered")
    for on in 0 1; do
        [ -z "$before" ] || echo "$on" >"$filtered"
        run -0 inside "$first" net -- "$TALK" ask tcp "$HOST" 8080
        run -0 inside "$first" net -- "$TALK" ask udp "$HOST" 5353
        run -0 in_box "$TALK" ask tcp "$HOST" 8080
        run -0 in_box "$TALK" ask udp "$HOST" 5353
    done
    [ -z "$before" ] || echo "$before" >"$filtered"
}

@test "an HTTP server in the box, fetched from the host" {
    requires command:python3 command:curl
    local word
    word=$(random_name)
    mkdir "$BATS_TEST_TMPDIR/www"
    echo "$word" >"$BATS_TEST_TMPDIR/www/index.html"
    start_box net --publish 8080:8000 python3 -m http.server 8000 -d "$BATS_TEST_TMPDIR/www"
    wait_until 5 curl -sfm1 http://172.27.0.2:8000/
    run -0 curl -sfm2 http://172.27.0.2:8000/
    assert_equal "$output" "$word"
    run -0 in_world curl -sfm2 "http://$HOST:8080/"
    assert_equal "$output" "$word"
}

# --- names ------------------------------------------------------------------------------------------

@test "--dns: names are resolved through it, and the host's file is as it was" {
    local before name
    before=$(cat /etc/resolv.conf) name=$(random_name).example
    nsenter --target "$WORLD_PID" --net "$TALK" dns "$WORLD" 10.1.2.3 3>&- 4>&- &
    SERVERS+=("$!")
    wait_until 5 sh -c "nsenter --target $WORLD_PID --net ss -H -lun 'sport = :53' | grep -q ."
    run -0 "$net" --dns "$WORLD" getent ahostsv4 "$name"
    assert_contains "$output" 10.1.2.3
    run -0 "$net" --dns "$WORLD" --dns 10.9.9.9 cat /etc/resolv.conf
    assert_equal "$output" "nameserver $WORLD"$'\n'"nameserver 10.9.9.9"
    assert_equal "$(cat /etc/resolv.conf)" "$before"
}

# with_resolv TEXT COMMAND…: the command on a host whose resolv.conf says TEXT.
with_resolv() {
    printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/resolv.conf"
    shift
    unshare --mount sh -c 'mount --bind "$0" /etc/resolv.conf && "$@"' \
        "$BATS_TEST_TMPDIR/resolv.conf" "$@"
}

@test "without --dns: the host's nameservers, but not those only the host can ask" {
    run -0 with_resolv $'search example\nnameserver 10.5.5.5' "$net" cat /etc/resolv.conf
    assert_equal "$output" $'search example\nnameserver 10.5.5.5'
    run -0 with_resolv $'nameserver 127.0.0.1\nnameserver 10.5.5.5' "$net" cat /etc/resolv.conf
    assert_equal "$output" "nameserver 10.5.5.5"
    mkdir -p /run/systemd/resolve
    echo "nameserver 10.6.6.6" >/run/systemd/resolve/resolv.conf
    run -0 with_resolv "nameserver 127.0.0.53" "$net" cat /etc/resolv.conf
    rm -r /run/systemd
    assert_equal "$output" "nameserver 10.6.6.6"
    run -0 with_resolv "nameserver 127.0.0.53" "$net" --none cat /etc/resolv.conf
    assert_equal "$output" "nameserver 127.0.0.53"
}

@test "--name: a namespace that 'ip netns' lists and enters, until the tool ends" {
    local name
    name=$(random_name n)
    start_box net --name "$name" sleep 60
    run -0 ip netns list
    assert_contains "$output" "$name"
    run -0 ip netns exec "$name" readlink /proc/self/ns/net
    assert_equal "$output" "$(namespace_of "$BOX_PID" net)"
    assert_equal "$(ip netns pids "$name")" "$BOX_PID"
    expect_error 125 "name $name: File exists" "$net" --name "$name" true
    kill -TERM "$TOOL_PID"
    wait_box
    run ! ip netns exec "$name" true
}

@test "--join: the command goes into the namespace of that name" {
    local name first
    name=$(random_name n)
    start_box net --name "$name" sleep 60
    first=$BOX_PID
    start_box net --join "$name" sleep 60
    assert_equal "$(namespace_of "$BOX_PID" net)" "$(namespace_of "$first" net)"
    run -0 "$net" --join "$name" ls /sys/class/net
    assert_equal "$output" $'eth0\nlo'
    expect_error 125 "join /run/netns/no-$name: No such file" "$net" --join "no-$name" true
}

@test "--join: a namespace that 'ip netns' has made, which stays" {
    local name
    name=$(random_name n)
    unshare --mount --propagation private sh -ec "
        ip netns add $name
        ip -n $name link add d0 type bridge
        '$net' --join $name ls /sys/class/net
        ip netns list" >"$BATS_TEST_TMPDIR/out"
    assert_equal "$(xargs <"$BATS_TEST_TMPDIR/out")" "d0 lo $name"
    rm -r /run/netns
}

# --- nothing is left --------------------------------------------------------------------------------

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
    run -0 in_box ping -c1 -W1 "$WORLD"
    kill -TERM "$TOOL_PID"
    wait_box
    nothing_of_ours
}

@test "forwarding that was on before stays on" {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    run -0 "$net" true
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 1
    echo 0 >/proc/sys/net/ipv4/ip_forward
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
    run -0 in_box ping -c1 -W1 "$WORLD"
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$(ip -json -details address show br9 |
        jq "$same")" "$before"
    assert_equal "$(</proc/sys/net/ipv4/conf/br9/route_localnet)" 0
    ip link delete br9
}

@test "what a killed run left is found by the next" {
    local name
    name=$(random_name n)
    start_box net --publish 127.0.0.1:8080:80 --name "$name" sleep 60
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    assert_contains "$(nft list tables)" ten-steps
    run -0 "$net" --publish 127.0.0.1:8080:80 true
    nothing_of_ours
    [ ! -e "/run/netns/$name" ]
}

@test "also by one with another bridge, and by one without rules" {
    start_box net sleep 60
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    wait_until 3 sh -c '! ip link show box-ac1b0002'
    run -0 "$net" --bridge br7 --no-nat true
    nothing_of_ours
}

@test "and while others live, it does not harm them" {
    local first
    start_box net sleep 60
    first=$TOOL_PID
    start_box net --publish 8080:80 sleep 60
    kill -KILL "$first"
    wait_until 3 ended "$first"
    run -0 "$net" --publish 8081:80 true
    run -0 in_box ping -c1 -W1 "$WORLD"
    assert_equal "$(nft list tables)" "table ip ten-steps-box-ac1b0003"
}

# failing CALL ERROR N COMMAND…: the Nth such call of each process fails.
failing() {
    timeout --foreground --kill-after=1 30 strace -f -qq -e trace="$1" \
        -e inject="$1:error=$2:when=$3" -o /dev/null "${@:4}"
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
    wait_until 5 sh -c '! ip -br link | grep -q box-'
    run -0 "$net" true
    nothing_of_ours
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

# --- a firewall that drops ---------------------------------------------------------------------------

@test "a FORWARD policy of drop is named, with the way out, which works" {
    nft add table ip filter
    nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'
    run -0 --separate-stderr "$net" true
    assert_contains "$stderr" "chain 'ip filter FORWARD' drops what is forwarded"
    assert_contains "$stderr" "nft insert rule ip filter FORWARD iifname br0 accept"
    nft insert rule ip filter FORWARD iifname br0 accept
    nft insert rule ip filter FORWARD oifname br0 accept
    run -0 --separate-stderr "$net" ping -c1 -W1 "$WORLD"
    assert_equal "$stderr" ""
    run -0 --separate-stderr "$net" --no-nat true
    assert_equal "$stderr" ""
    nft delete table ip filter
}

@test "the same of the older iptables" {
    requires command:iptables-legacy
    # They leave their empty tables behind, so on a host of their own.
    unshare --net sh -c "ip link set lo up; iptables-legacy -P FORWARD DROP; '$net' true
        iptables-legacy -I FORWARD -i br0 -j ACCEPT; '$net' true" >"$BATS_TEST_TMPDIR/out" 2>&1
    assert_contains "$(cat "$BATS_TEST_TMPDIR/out")" "the iptables chain FORWARD drops"
    assert_equal "$(grep -c '^net:' "$BATS_TEST_TMPDIR/out")" 1
    rm -f /run/xtables.lock
}

# --- bad input -------------------------------------------------------------------------------------

@test "malformed addresses and prefixes" {
    local bad
    for bad in 172.27.0 172.27.0.300/16 172.27.0.1.5/16 a.b.c.d/16 "" /16 ::1/64; do
        expect_error 125 "is not an IPv4 address" "$net" --bridge-address "$bad" true
        expect_error 125 "is not an IPv4 address" "$net" --address "$bad" true
    done
    expect_error 125 "is not a whole number" "$net" --address 172.27.0.2/ true
    expect_error 125 "is not a whole number" "$net" --address 172.27.0.2/x true
    expect_error 125 "not between 1 and 30" "$net" --address 172.27.0.2/31 true
    expect_error 125 "not between 1 and 30" "$net" --bridge-address 172.27.0.2/-1 true
    expect_error 125 "the name of its network" "$net" --bridge-address 172.27.0.0/16 true
    expect_error 125 "the broadcast address" "$net" --bridge-address 172.27.255.255/16 true
    expect_error 125 "is not an IPv4 address" "$net" --gateway nowhere true
    expect_error 125 "can't be the address of one host" "$net" --gateway 224.0.0.1 true
    expect_error 125 "is not an IPv4 address" "$net" --dns example.com true
    expect_error 125 "more than 3" "$net" --dns 1.1.1.1 --dns 1.1.1.2 --dns 1.1.1.3 --dns 1.1.1.4 true
}

@test "malformed ports" {
    local bad
    for bad in 80 "" 1:2:3:4 10.9.0.1:80; do
        expect_error 125 "is not" "$net" --publish "$bad" true
    done
    for bad in 0:80 80:0 65536:80 80:65536; do
        expect_error 125 "not between 1 and 65535" "$net" --publish "$bad" true
    done
    expect_error 125 "is not a whole number" "$net" --publish a:80 true
    expect_error 125 "is not a whole number" "$net" --publish 80: true
    expect_error 125 "tcp or udp" "$net" --publish 80:80/sctp true
    expect_error 125 "is not an IPv4 address" "$net" --publish host:80:80 true
    expect_error 125 "asked for twice" "$net" --publish 80:80 --publish 127.0.0.1:80:81 true
}

@test "an address outside the bridge's network, or in use" {
    expect_error 125 "is not one of the bridge's network" "$net" --address 10.1.2.3 true
    expect_error 125 "is not one of the bridge's network" "$net" --gateway 10.1.2.3 true
    expect_error 125 "is not one of the bridge's network" "$net" --address 172.27.255.255 true
    expect_error 125 "has the prefix /16" "$net" --address 172.27.0.2/24 true
    expect_error 125 "in use by the bridge" "$net" --address 172.27.0.1 true
    expect_error 125 "in use by the gateway" "$net" --gateway 172.27.0.9 --address 172.27.0.9 true
    start_box net --address 172.27.0.7 sleep 60
    expect_error 125 "172.27.0.7 is in use by another box" "$net" --address 172.27.0.7 true
    expect_error 125 "overlaps the network 10.9.0.1/24 of wan" \
        "$net" --bridge br1 --bridge-address 10.9.0.77/16 true
    assert_hint "--bridge-address"
    nothing_of_ours && fail "the box that lives has lost its network"
    run -0 in_box ping -c1 -W1 "$WORLD"
}

@test "no address is free any more" {
    start_box net --bridge-address 10.77.0.1/30 sleep 60
    expect_error 125 "no address is free" "$net" true
}

@test "a port that is published already, or that a server has, or an address that is not ours" {
    start_box net --publish 8080:80 sleep 60
    expect_error 125 "publish 0.0.0.0:8080/tcp: Address already in use" "$net" --publish 8080:81 true
    assert_hint "8080"
    expect_error 125 "Address already in use" "$net" --publish 127.0.0.1:8080:81 true
    run -0 "$net" --publish 8080:80/udp true
    serve $$ tcp "$HOST" 8088 host
    expect_error 125 "Address already in use" "$net" --publish 8088:80 true
    expect_error 125 "Cannot assign requested address" "$net" --publish 10.200.0.1:80:80 true
    assert_hint "ip address"
}

@test "bad bridges" {
    expect_error 125 "wan is there, and is a link of another kind (veth)" "$net" --bridge wan true
    expect_error 125 "lo is there, and is a link of another kind" "$net" --bridge lo true
    expect_error 125 "16 bytes; the name of a link has at most 15" "$net" --bridge 1234567890123456 true
    run -0 "$net" --bridge 123456789012345 true
    expect_error 125 "can't be the name of a link" "$net" --bridge "" true
    expect_error 125 "can't be the name of a link" "$net" --bridge a/b true
    expect_error 125 "can't be the name of a link" "$net" --bridge "a b" true
    ip link add br9 type bridge
    expect_error 125 "br9 is there, without an IPv4 network" "$net" --bridge br9 true
    ip address add 10.88.0.1/24 dev br9
    expect_error 125 "br9 is there, and is down" "$net" --bridge br9 true
    expect_error 125 "its address is not 10.89.0.1/24" "$net" --bridge br9 --bridge-address 10.89.0.1/24 true
    ip link delete br9
}

@test "bad names, and options that do not go together" {
    local bad
    for bad in "" . .. a/b ../x; do
        expect_error 125 "can't be the name of a network namespace" "$net" --name "$bad" true
        expect_error 125 "can't be the name of a network namespace" "$net" --join "$bad" true
    done
    expect_error 125 "a box without a link" "$net" --none --publish 80:80 true
    expect_error 125 "no other option goes with it" "$net" --join x --none true
    run -125 "$net" --no-such-option
}

@test "no permission: one line and the way out" {
    expect_error 125 "clone3: Operation not permitted" as_user "$net" true
    requires userns
    expect_error 125 "Operation not permitted" as_user "$(tool user)" "$net" true
    assert_hint "--none"
}

@test "nf_tables, bridges or veth missing in the kernel: one line, a hint, nothing left" {
    requires command:strace
    # The second socket is that for nf_tables.
    expect_error 125 "NETLINK_NETFILTER: Protocol not supported" \
        failing socket EPROTONOSUPPORT 2 "$net" true
    assert_hint "nf_tables"
    run -0 failing socket EPROTONOSUPPORT 2 "$net" --no-nat true
    wait_until 3 nothing_of_ours
}

# --- what it says about itself ----------------------------------------------------------------------

@test "--explain names every message, and its commands do the same" {
    requires command:strace
    strace -f -qq -e trace=sendto,sendmsg -e decode-fds=socket -v -s 4096 \
        -o "$BATS_TEST_TMPDIR/trace" "$net" --explain --publish 127.0.0.1:8080:80 true \
        2>"$BATS_TEST_TMPDIR/explained"
    # One line for each message but the brackets around a batch.
    assert_equal "$(grep -Ec '(RTM|NFT_MSG)_' "$BATS_TEST_TMPDIR/explained")" \
        "$(grep sendto "$BATS_TEST_TMPDIR/trace" | grep -o 'nlmsg_type=[^,]*' |
            grep -vc NFNL_MSG_BATCH)"
}

@test "the commands that --explain prints for the rules make the same rules" {
    local table
    start_box net --explain --publish 127.0.0.1:8080:80 --publish 5353:53/udp sleep 60
    table=ten-steps-box-ac1b0002
    nft -s list table ip "$table" >"$BATS_TEST_TMPDIR/made"
    sed -n 's/^host# \(nft add .*[^ ]\)  *NFT_MSG_.*/\1/p' "$BOX_OUT" >"$BATS_TEST_TMPDIR/commands"
    unshare --net sh -e "$BATS_TEST_TMPDIR/commands"
    unshare --net sh -ec ". '$BATS_TEST_TMPDIR/commands'; nft -s list table ip $table" \
        >"$BATS_TEST_TMPDIR/by-hand"
    run -0 diff "$BATS_TEST_TMPDIR/made" "$BATS_TEST_TMPDIR/by-hand"
}

@test "--view: links and routes are the box's own" {
    run -0 "$net" --view
    assert_contains "$(grep '^interfaces' <<<"$output")" isolated
    assert_contains "$(grep '^routes' <<<"$output")" isolated
    assert_contains "$(grep '^interfaces' <<<"$output")" "lo eth0"
    assert_contains "$(grep '^host name' <<<"$output")" shared
}
