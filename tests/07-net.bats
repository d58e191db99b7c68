#!/usr/bin/env bats
# Chapter 7: the network that a box has, its own and linked to a bridge. Who reaches whom is in
# 07-reach.bats, what is undone and when in 07-undo.bats.
load lib/helpers
load lib/network

# --- a network of its own ------------------------------------------------------------------------

@test "--none: a network namespace of its own with the loopback link alone, which is up" {
    local links
    start_box net --none sleep 60
    assert_isolated "$BOX_PID" net mnt
    assert_shared "$BOX_PID" uts pid ipc user cgroup
    links=$(in_box ip -json link)
    assert_equal "$(jq -r '[.[].ifname] | join(" ")' <<<"$links")" lo
    assert_contains "$(jq -r '.[0].flags | join(" ")' <<<"$links")" UP
    run -0 in_box ping -c1 -W5 127.0.0.1
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

# bats test_tags=core,ex:7-1
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

@test "the cgroup tree below /sys stays" {
    local word
    word=$(random_name)
    run -0 unshare --mount sh -ec 'mount -t tmpfs none /sys/fs/cgroup
        mkdir /sys/fs/cgroup/deeper
        mount -t tmpfs none /sys/fs/cgroup/deeper
        touch "/sys/fs/cgroup/deeper/$1"
        "$0" --none ls /sys/fs/cgroup/deeper' "$net" "$word"
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

# bats test_tags=core,ex:7-1
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

# bats test_tags=core,ex:7-2
@test "addresses and the default route, as asked for by default" {
    start_box net sleep 60
    assert_equal "$(ip -4 -oneline address show dev br0 | awk '{ print $4, $6 }')" \
        "172.27.0.1/16 172.27.255.255"
    assert_equal "$(address_in_box)" 172.27.0.2/16
    assert_equal "$(in_box ip -json route show default | jq -r '.[0] | .gateway, .dev')" \
        $'172.27.0.1\neth0'
    assert_equal "$(in_box ip -6 -oneline address show dev eth0)" ""
}

mac_in_box() {
    in_box ip -json link show eth0 | jq -r '.[0].address'
}

@test "hardware addresses: each box has its own, and it goes with the IPv4 address" {
    local first second
    start_box net --address 172.27.7.7 sleep 60
    first=$(mac_in_box)
    start_box net --address 172.27.7.8 sleep 60
    second=$(mac_in_box)
    assert_differ "$first" "$second"
    [[ $first == 02:* && $second == 02:* ]] # none that a manufacturer gives
    end_box
    # Who knew the box before it still reaches the one that has its address now.
    start_box net --address 172.27.7.8 sleep 60
    assert_equal "$(mac_in_box)" "$second"
}

# bats test_tags=core,ex:7-2
@test "--bridge, --bridge-address and --address" {
    start_box net --bridge mybridge --bridge-address 10.77.5.1/24 --address 10.77.5.9 sleep 60
    assert_equal "$(ip -4 -oneline address show dev mybridge | awk '{ print $4 }')" 10.77.5.1/24
    assert_equal "$(address_in_box)" 10.77.5.9/24
    assert_contains "$(in_box ip route)" "default via 10.77.5.1 dev eth0"
}

# bats test_tags=ex:7-3
@test "masquerade and forwarding, as nft lists them" {
    local rules
    start_box net sleep 60
    rules=$(nft -j list table ip ten-steps)
    assert_contains "$(nft list table ip ten-steps)" 'iifname @bridges masquerade'
    assert_contains "$(nft list set ip ten-steps bridges)" '"br0"'
    assert_equal "$(jq -r '.nftables[].chain | select(.name == "postrouting") |
        "\(.type) \(.hook) \(.prio)"' <<<"$rules")" "nat postrouting 100"
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{br0,wan}/forwarding | xargs)" "1 1"
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 0
}

@test "--no-nat: neither rules nor forwarding" {
    start_box net --no-nat sleep 60
    assert_equal "$(nft list tables)" ""
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{br0,wan}/forwarding | xargs)" "0 0"
    run -0 in_box ping -c1 -W5 172.27.0.1
    run ! in_box ping -c1 -W1 "$WORLD"
}

# --- names ------------------------------------------------------------------------------------------

@test "--dns: names are resolved through it, and the host's file is as it was" {
    local before name
    before=$(cat /etc/resolv.conf) name=$(random_name).example
    nsenter --target "$WORLD_PID" --net "$TALK" dns "$WORLD" 10.1.2.3 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 5 sh -c "nsenter --target $WORLD_PID --net ss -H -lun 'sport = :53' | grep -q ."
    run -0 "$net" --dns "$WORLD" getent ahostsv4 "$name"
    assert_contains "$output" 10.1.2.3
    run -0 "$net" --dns "$WORLD" --dns 10.9.9.9 cat /etc/resolv.conf
    assert_equal "$output" "nameserver $WORLD"$'\n'"nameserver 10.9.9.9"
    assert_equal "$(cat /etc/resolv.conf)" "$before"
}

@test "--dns: the box's resolv.conf can be read by all in it, whatever the caller's umask" {
    run -0 with_umask 077 "$net" --dns "$WORLD" stat -c %a /etc/resolv.conf
    assert_equal "$output" 644
}

# with_resolv TEXT COMMAND…: the command on a host whose resolv.conf says TEXT.
with_resolv() {
    printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/resolv.conf"
    shift
    unshare --mount sh -c 'mount --bind "$0" /etc/resolv.conf && "$@"' \
        "$BATS_TEST_TMPDIR/resolv.conf" "$@"
}

@test "without --dns: the host's nameservers, or those that its systemd-resolved asks" {
    run -0 with_resolv $'search example\nnameserver 10.5.5.5' "$net" cat /etc/resolv.conf
    assert_equal "$output" $'search example\nnameserver 10.5.5.5'
    mkdir -p /run/systemd/resolve
    echo "nameserver 10.6.6.6" >/run/systemd/resolve/resolv.conf
    run -0 with_resolv "nameserver 127.0.0.53" "$net" cat /etc/resolv.conf
    rm -r /run/systemd
    assert_equal "$output" "nameserver 10.6.6.6"
    run -0 with_resolv $'# not nameserver 127.0.0.53\nnameserver 10.5.5.5' "$net" cat /etc/resolv.conf
    assert_equal "$output" $'# not nameserver 127.0.0.53\nnameserver 10.5.5.5'
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
    end_box
    run ! ip netns exec "$name" true
}

# --- bad input -------------------------------------------------------------------------------------

@test "malformed addresses and prefixes" {
    local bad
    for bad in 172.27.0 172.27.0.300/16 172.27.0.1.5/16 a.b.c.d/16 "" /16 ::1/64; do
        expect_error 125 "is not an IPv4 address" "$net" --bridge-address "$bad" true
        expect_error 125 "is not an IPv4 address" "$net" --address "$bad" true
    done
    expect_error 125 "expected a whole number" "$net" --bridge-address 172.27.0.2/ true
    expect_error 125 "expected a whole number" "$net" --bridge-address 172.27.0.2/x true
    expect_error 125 "a whole number from 1 to 30" "$net" --bridge-address 172.27.0.2/31 true
    expect_error 125 "a whole number from 1 to 30" "$net" --bridge-address 172.27.0.2/-1 true
    expect_error 125 "172.27.0.0 is not one of the bridge's network" "$net" --bridge-address 172.27.0.0/16 true
    expect_error 125 "172.28.0.0 is not one of the bridge's network" "$net" --bridge-address 172.28.0.0 true
    expect_error 125 "172.27.255.255 is not one of the bridge's network" "$net" --bridge-address 172.27.255.255/16 true
    expect_error 125 "224.0.0.1 is not one of the bridge's network" "$net" --address 224.0.0.1 true
    expect_error 125 "is not an IPv4 address" "$net" --dns example.com true
    expect_error 125 "more than 3" "$net" --dns 1.1.1.1 --dns 1.1.1.2 --dns 1.1.1.3 --dns 1.1.1.4 true
}

@test "an address outside the bridge's network, or in use" {
    expect_error 125 "is not one of the bridge's network" "$net" --address 10.1.2.3 true
    expect_error 125 "is not one of the bridge's network" "$net" --address 172.27.255.255 true
    expect_error 125 "172.27.0.1 is in use" "$net" --address 172.27.0.1 true
    start_box net --address 172.27.0.7 sleep 60
    expect_error 125 "172.27.0.7 is in use" "$net" --address 172.27.0.7 true
    expect_error 125 "overlaps this host's 10.9.0.1/24" \
        "$net" --bridge br1 --bridge-address 10.9.0.77/16 true
    assert_hint "--bridge-address"
    nothing_of_ours && fail "the box that lives has lost its network"
    run -0 in_box ping -c1 -W5 "$WORLD"
}

@test "no address is free any more" {
    start_box net --bridge-address 10.77.0.1/30 sleep 60
    expect_error 125 "no address is free" "$net" true
}

@test "bad bridges" {
    local bad
    expect_error 125 "bridge wan: File exists" "$net" --bridge wan true
    expect_error 125 "bridge lo: File exists" "$net" --bridge lo true
    for bad in 1234567890123456 "" . .. a/b "a b" br%d a=b $'a\nb' $'\e[31mred'; do
        expect_error 125 "invalid bridge" "$net" --bridge "$bad" true
    done
    run -0 "$net" --bridge 123456789012345 true
    start_box net sleep 60
    for bad in 172.28.0.1/16 172.27.0.9 172.27.0.1/24; do
        expect_error 125 "bridge br0 has another network" "$net" --bridge-address "$bad" true
    done
    run -0 "$net" --bridge-address 172.27.0.1/16 true
}

@test "bad names, and options that do not go together" {
    local bad
    for bad in "" . .. a/b ../x; do
        expect_error 125 "invalid name" "$net" --name "$bad" true
    done
    for bad in "--publish 80:80" "--bridge br5" "--dns 10.5.5.5" "--address 172.27.0.9"; do
        # shellcheck disable=SC2086 # two words
        expect_error 125 "a box without a link" "$net" --none $bad true
    done
    run -125 "$net" --no-such-option
}

@test "no permission: one line and the way out" {
    expect_error 125 "clone3: Operation not permitted" as_user "$net" true
    requires userns
    expect_error 125 "Permission denied" as_user "$(tool user)" "$net" true
    assert_hint "--none"
}

@test "nf_tables, bridges or veth missing in the kernel: one line, a hint, nothing left" {
    requires command:strace
    local trace=$BATS_TEST_TMPDIR/trace first
    strace -f -qq -e trace=socket -o "$trace" "$net" true
    first=$(grep -F 'socket(' "$trace" | grep -n -m1 NETLINK_NETFILTER | cut -d: -f1)
    expect_error 125 "socket AF_NETLINK: nf_tables batch: Protocol not supported" \
        failing socket EPROTONOSUPPORT "$first" "$net" true
    assert_hint "nf_tables"
    run -0 strace -f -qq -e trace=socket -o "$BATS_TEST_TMPDIR/trace" "$net" --no-nat true
    assert_contains "$(<"$BATS_TEST_TMPDIR/trace")" NETLINK_ROUTE
    refute_contains "$(<"$BATS_TEST_TMPDIR/trace")" NETLINK_NETFILTER
    wait_until 3 nothing_of_ours
}

@test "/proc of another pid namespace, where the box's number is somebody else's" {
    requires tool:pid
    expect_error 125 "/proc does not show this pid namespace" "$(tool pid)" --keep-proc "$net" true
    assert_hint "mount -t proc proc /proc"
    expect_error 125 "/proc does not show this pid namespace" \
        "$(tool pid)" --keep-proc "$net" --none --name "$(random_name n)" true
}

@test "a box that is killed before it has its link: its status, and nothing is left" {
    requires command:strace
    run -137 timeout --foreground 30 strace -f -qq -o /dev/null -e trace=flock,mount \
        -e inject=mount:signal=KILL:when=1 -e inject=flock:delay_enter=2000000 "$net" true
    assert_equal "$output" ""
    nothing_of_ours
}

# --- what it says about itself ----------------------------------------------------------------------

@test "--explain names every message, and its commands do the same" {
    requires command:strace
    strace -f -qq -e trace=sendto,sendmsg -e decode-fds=socket -v -s 4096 \
        -o "$BATS_TEST_TMPDIR/trace" "$net" --explain --publish 127.0.0.1:8080:80 true \
        2>"$BATS_TEST_TMPDIR/explained"
    # One line for each message but the brackets around a batch, whose names strace doesn't always know.
    assert_equal "$(grep -Ec '(RTM|NFT_MSG)_' "$BATS_TEST_TMPDIR/explained")" \
        "$(grep sendto "$BATS_TEST_TMPDIR/trace" | grep -o 'nlmsg_len=[^,]*, nlmsg_type=[^,]*' |
            grep -Evc 'NFNL_MSG_BATCH|nlmsg_len=20, nlmsg_type=0x1[01] ')"
}

@test "the commands that --explain prints for the rules make the same rules" {
    local table="nft -s list table ip ten-steps"
    start_box net --explain --publish 127.0.0.1:8080:80 --publish 5353:53/udp sleep 60
    $table >"$BATS_TEST_TMPDIR/made"
    assert_contains "$(<"$BATS_TEST_TMPDIR/made")" "172.27.0.2 . 53"
    sed -n 's/^host# \(nft add .*[^ ]\)  *NFT_MSG_.*/\1/p' "$BOX_OUT" >"$BATS_TEST_TMPDIR/commands"
    unshare --net sh -ec ". '$BATS_TEST_TMPDIR/commands'; $table" >"$BATS_TEST_TMPDIR/by-hand"
    run -0 diff "$BATS_TEST_TMPDIR/made" "$BATS_TEST_TMPDIR/by-hand"
}

@test "--view: links and routes are the box's own" {
    run -0 "$net" --none --view
    run -0 "$net" --view
    assert_contains "$(grep '^interfaces' <<<"$output")" isolated
    assert_contains "$(grep '^routes' <<<"$output")" isolated
    assert_contains "$(grep '^interfaces' <<<"$output")" "lo eth0"
    assert_contains "$(grep '^host name' <<<"$output")" shared
}
