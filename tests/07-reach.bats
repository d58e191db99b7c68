#!/usr/bin/env bats
# Chapter 7: who reaches whom: the host, the boxes, and the outside world; published ports.
load lib/helpers
load lib/network

# bats test_tags=ex:7-1
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

# bats test_tags=core,ex:7-3
@test "box to the outside, which sees the host's address" {
    start_box net sleep 60
    assert_isolated "$BOX_PID" net
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

# How many ICMP echo replies the box has got.
replies() {
    awk '$1 == "Icmp:" { if (!n) { while ($++n != "InEchoReps"); } else print $n }' "/proc/$BOX_PID/net/snmp"
}

@test "from outside a box is sent no answer that it hasn't asked for" {
    start_box net sleep 60
    in_world ip route add 172.27.0.0/16 via "$HOST"
    run -0 in_box ping -c1 -W5 "$WORLD"
    assert_equal "$(replies)" 1
    in_world "$TALK" reply 172.27.0.2
    run -0 in_box ping -c1 -W5 "$WORLD"
    assert_equal "$(replies)" 2
    in_world ip route delete 172.27.0.0/16
}

# bats test_tags=core,ex:7-4
@test "--publish: another host reaches the box by tcp and udp, and is seen as itself" {
    start_box net -p 8080:80 --publish 5353:53/udp sleep 60
    assert_isolated "$BOX_PID" net
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    serve "$BOX_PID" udp 0.0.0.0 53 box
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    assert_equal "$output" "box saw $WORLD"
    run -0 in_world "$TALK" ask udp "$HOST" 5353
    assert_equal "$output" "box saw $WORLD"
    run ! in_world "$TALK" ask udp "$HOST" 8080
    run ! in_world "$TALK" ask tcp "$HOST" 5353
}

# bats test_tags=ex:7-4
@test "--publish: the host itself reaches it by its own addresses" {
    local to
    start_box net --publish 8080:80/tcp sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    for to in "$HOST" 172.27.0.1 127.0.0.1; do
        run -0 ask tcp "$to" 8080
        assert_equal "$output" "box saw 172.27.0.1"
    done
}

# bats test_tags=core,ex:7-4
@test "--publish ADDRESS: that address alone" {
    ip address add 10.9.0.7/24 dev wan
    start_box net --publish "10.9.0.7:8080:80" sleep 60
    assert_isolated "$BOX_PID" net
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    run -0 in_world "$TALK" ask tcp 10.9.0.7 8080
    assert_equal "$output" "box saw $WORLD"
    run ! in_world "$TALK" ask tcp "$HOST" 8080
    ip address delete 10.9.0.7/24 dev wan
}

# bats test_tags=ex:7-4
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

# bats test_tags=ex:7-4
@test "--publish at all addresses and at 127.0.0.1, in one box" {
    start_box net --publish 8080:80 --publish 127.0.0.1:8080:81 sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 everywhere
    serve "$BOX_PID" tcp 0.0.0.0 81 local
    run -0 ask tcp 127.0.0.1 8080
    assert_equal "$output" "local saw 172.27.0.1"
    run -0 ask tcp 127.0.0.2 8080
    assert_contains "$output" "everywhere saw"
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    assert_equal "$output" "everywhere saw $WORLD"
}

@test "a UDP client that keeps its port reaches the box that has the port now" {
    local client=("$TALK" ask udp "$HOST" 5353 6000)
    # A flow of which the kernel knows before anybody has published the port.
    run in_world "${client[@]}"
    start_box net --publish 5353:53/udp sleep 60
    serve "$BOX_PID" udp 0.0.0.0 53 first
    run -0 in_world "${client[@]}"
    assert_contains "$output" first
    end_boxes
    run in_world "${client[@]}"
    start_box net --publish 5353:53/udp sleep 60
    serve "$BOX_PID" udp 0.0.0.0 53 second
    run -0 in_world "${client[@]}"
    assert_contains "$output" second
}

@test "a UDP client of a box that has ended does not reach the next one at its address" {
    local client=("$TALK" ask udp "$HOST" 5353 6000)
    start_box net --publish 5353:53/udp sleep 60
    serve "$BOX_PID" udp 0.0.0.0 53 first
    run -0 in_world "${client[@]}"
    assert_contains "$output" first
    end_boxes
    start_box net sleep 60
    assert_equal "$(address_in_box)" 172.27.0.2/16
    serve "$BOX_PID" udp 0.0.0.0 53 second
    run ! in_world "${client[@]}"
    refute_contains "$output" second
    run -0 ask udp 172.27.0.2 53
    assert_contains "$output" second
}

@test "of the UDP flows, those are forgotten that lead to the port at this host's own addresses" {
    start_box net sleep 60
    serve "$WORLD_PID" udp "$WORLD" 5454 world
    run -0 in_box "$TALK" ask udp "$WORLD" 5454
    run -0 "$net" --explain --publish 5454:53/udp true
    assert_contains "$output" "conntrack --dump"
    refute_contains "$output" "conntrack --delete"
    run in_world "$TALK" ask udp "$HOST" 5454 6000
    run -0 "$net" --explain --publish 5454:53/udp true
    assert_contains "$output" "conntrack --delete"
}

@test "UDP flows that can't be forgotten, as without nf_conntrack_netlink: one line, and the way out" {
    requires command:strace
    local trace=$BATS_TEST_TMPDIR/trace each
    strace -f -qq -e trace=sendto -o "$trace" "$net" --publish 5353:53/udp true
    # Message types of nfnetlink: the subsystem, 1 for connections, stands in the upper byte.
    each=$(grep -F 'sendto(' "$trace" | grep -n 'nlmsg_type=[^,]*\(0x101\|CTNETLINK\)' | head -n 1 | cut -d: -f1)
    run -125 failing sendto EINVAL "$each" "$net" --publish 5353:53/udp true
    assert_equal "$(grep -c '^net: ' <<<"$output")" 1
    assert_contains "$output" nf_conntrack_netlink
}

@test "the host does not become a router between its other links" {
    local other
    unshare --net sleep infinity 3>&- 4>&- &
    other=$!
    TOOL_PIDS+=("$other")
    wait_until 3 sh -c "[ \$(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]"
    ip link add lan type veth peer name eth0 netns "$other"
    ip link set lan addrgenmode none
    ip address add 10.8.0.1/24 dev lan
    ip link set lan up
    nsenter --target "$other" --net sh -ec 'ip link set lo up; ip link set eth0 addrgenmode none
        ip address add 10.8.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.8.0.1'
    in_world ip route add 10.8.0.0/24 via "$HOST"
    start_box net sleep 60
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{wan,lan}/forwarding | xargs)" "1 1"
    run -0 in_box ping -c1 -W5 10.8.0.2
    run ! in_world ping -c1 -W1 10.8.0.2
    end_box
    assert_equal "$(cat /proc/sys/net/ipv4/conf/{wan,lan}/forwarding | xargs)" "0 0"
    in_world ip route delete 10.8.0.0/24
    ip link delete lan
}

@test "another bridge's boxes want no forwarding: it is left alone, until one of them does" {
    start_box net --bridge br1 --bridge-address 172.28.0.1/16 --no-nat sleep 60
    start_box net sleep 60
    assert_equal "$(</proc/sys/net/ipv4/conf/br1/forwarding)" 0
    start_box net --bridge br1 sleep 60
    serve "$WORLD_PID" tcp "$WORLD" 8000 world
    run -0 in_box "$TALK" ask tcp "$WORLD" 8000
    assert_equal "$output" "world saw $HOST"
}

@test "the bridge routes 127.0.0.0/8 and forwards no longer than there are rules" {
    local settings=/proc/sys/net/ipv4/conf/br0
    start_box net --no-nat sleep 60
    assert_equal "$(cat $settings/{route_localnet,forwarding} | xargs)" "0 0"
    start_box net --publish 8080:80 sleep 60
    assert_equal "$(cat $settings/{route_localnet,forwarding} | xargs)" "1 1"
    end_box
    assert_equal "$(cat $settings/{route_localnet,forwarding} | xargs)" "0 0"
    # And again for the next one.
    start_box net --publish 8080:80 sleep 60
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    run -0 ask tcp 127.0.0.1 8080
    assert_contains "$output" "box saw"
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

@test "a box can't make itself the host's IPv6 router: neither by the bridge nor by its own link" {
    local to
    [ -e /proc/net/if_inet6 ] || skip "this kernel has no IPv6"
    start_box net sleep 60
    # To all nodes; and to an address that a bridge does not pass on, but leaves to the link.
    for to in 33:33:00:00:00:01 01:80:c2:00:00:0e; do
        run -0 in_box "$TALK" router eth0 "$to"
        run -0 in_box ping -c1 -W5 172.27.0.1
        assert_equal "$(ip -6 route show default)" ""
    done
}

# bats test_tags=ex:7-4
@test "--publish: the box itself and its neighbour, with the bridge's packets filtered or not" {
    local first filtered=/proc/sys/net/bridge/bridge-nf-call-iptables before=
    [ ! -e "$filtered" ] || before=$(<"$filtered")
    for on in 0 1; do
        [ -z "$before" ] || echo "$on" >"$filtered"
        start_box net --publish 8080:80 --publish 5353:53/udp sleep 60
        first=$BOX_PID
        start_box net sleep 60
        serve "$first" tcp 0.0.0.0 80 box
        serve "$first" udp 0.0.0.0 53 box
        run -0 inside "$first" net -- "$TALK" ask tcp "$HOST" 8080
        run -0 inside "$first" net -- "$TALK" ask udp "$HOST" 5353
        run -0 in_box "$TALK" ask tcp "$HOST" 8080
        run -0 in_box "$TALK" ask udp "$HOST" 5353
        end_boxes
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

# bats test_tags=ex:7-4
@test "--publish with ranges: each port leads to the one beside it" {
    local each
    start_box net --publish 8000-8002:80-82 --publish 127.0.0.1:5300-5301:53-54/udp sleep 60
    for each in 0 1 2; do
        serve "$BOX_PID" tcp 0.0.0.0 "8$each" "box$each"
    done
    serve "$BOX_PID" udp 0.0.0.0 54 udp
    for each in 0 1 2; do
        run -0 in_world "$TALK" ask tcp "$HOST" "800$each"
        assert_equal "$output" "box$each saw $WORLD"
    done
    run -0 ask udp 127.0.0.1 5301
    assert_contains "$output" "udp saw"
}

@test "--publish without a port of the host: a free one, which is printed" {
    local port
    start_box net --publish 80 --publish "$HOST::81/udp" sleep 60
    port=$(sed -n 's/^net: publish \([1-9][0-9]*\):80$/\1/p' "$BOX_OUT")
    serve "$BOX_PID" tcp 0.0.0.0 80 box
    run -0 in_world "$TALK" ask tcp "$HOST" "$port"
    assert_equal "$output" "box saw $WORLD"
    port=$(sed -n "s/^net: publish $HOST:\\([1-9][0-9]*\\):81.udp\$/\\1/p" "$BOX_OUT")
    serve "$BOX_PID" udp 0.0.0.0 81 box
    run -0 in_world "$TALK" ask udp "$HOST" "$port"
    assert_equal "$output" "box saw $WORLD"
}

@test "malformed ports" {
    local bad
    for bad in "" 10.9.0.1:80 a:80 80:; do
        expect_error 125 "expected a whole number" "$net" --publish "$bad" true
    done
    expect_error 125 "is not" "$net" --publish 1:2:3:4 true
    expect_error 125 "2 ports of the host, and 3 of the box" "$net" --publish 80-81:80-82 true
    expect_error 125 "a whole number from 82 to 65535" "$net" --publish 82-81:82-81 true
    expect_error 125 "more than 32 ports" "$net" --publish 8000-8040:80-120 true
    for bad in 0:80 80:0 65536:80 80:65536; do
        expect_error 125 "a whole number from 1 to 65535" "$net" --publish "$bad" true
    done
    expect_error 125 "tcp or udp" "$net" --publish 80:80/sctp true
    expect_error 125 "is not an IPv4 address" "$net" --publish host:80:80 true
    expect_error 125 "Address already in use" "$net" --publish 80:80 --publish 80:81 true
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
}

@test "a port that a server has had until now, and then none can have" {
    serve $$ tcp "$HOST" 8089 host
    run -0 ask tcp "$HOST" 8089
    stop_boxes
    wait_until 3 sh -c 'ss -Htan state time-wait "sport = :8089" | grep -q .'
    start_box net --publish 8089:80 sleep 60
    run -1 "$TALK" serve tcp 0.0.0.0 8089 host
    assert_contains "$output" "Address already in use"
    expect_error 125 "Address already in use" "$net" --publish 8089:80 true
    run ! ask tcp 127.0.0.1 8089
}

# --- a firewall that drops ---------------------------------------------------------------------------

@test "a FORWARD policy of drop is named by the doctor, with the way out, which works" {
    local doctor=$COURSE/tests/bin/doctor
    run "$doctor"
    refute_contains "$output" firewall
    nft add table ip filter
    nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'
    nft add table inet other
    nft add chain inet other forward '{ type filter hook forward priority 1; policy drop; }'
    run "$doctor"
    assert_contains "$output" "firewall: 'inet other forward' drops what is forwarded"
    assert_contains "$output" "nft insert rule inet other forward iifname br0 accept"
    assert_contains "$output" "firewall: 'ip filter FORWARD' drops what is forwarded"
    assert_contains "$output" "nft insert rule ip filter FORWARD iifname br0 accept"
    run ! "$net" ping -c1 -W1 "$WORLD"
    nft insert rule ip filter FORWARD iifname br0 accept
    nft insert rule ip filter FORWARD oifname br0 accept
    nft insert rule inet other forward iifname br0 accept
    nft insert rule inet other forward oifname br0 accept
    run -0 "$net" ping -c1 -W5 "$WORLD"
    run "$doctor"
    refute_contains "$output" firewall
    nft delete table ip filter
    nft delete table inet other
    # As firewalld does: all that no zone has accepted is rejected at the end.
    nft add table inet firewalld
    nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; policy accept; }'
    nft add rule inet firewalld filter_FORWARD ct state established accept
    nft add rule inet firewalld filter_FORWARD reject
    run ! "$net" ping -c1 -W1 "$WORLD"
    run "$doctor"
    assert_contains "$output" "firewall-cmd --zone=trusted --add-interface=br0"
    nft delete table inet firewalld
}

@test "the same of the older iptables, whose table is not made by looking for it" {
    requires command:iptables-legacy
    # They leave their empty tables behind, so on a host of their own.
    run -0 unshare --net sh -c "'$COURSE/tests/bin/doctor' >/dev/null; ! grep -s filter /proc/net/ip_tables_names
        iptables-legacy -P FORWARD DROP; '$COURSE/tests/bin/doctor' | grep firewall
        iptables-legacy -I FORWARD -i br0 -j ACCEPT; ! '$COURSE/tests/bin/doctor' | grep firewall"
    rm -f /run/xtables.lock
    assert_equal "$(grep -c "iptables' FORWARD drops" <<<"$output")" 1
}
