#!/usr/bin/env bats
# Chapter 10: the network of a box. Beside the play host there is an outside world.
load lib/helpers
load lib/boxes

setup_file() {
    make_world
}

teardown_file() {
    end_world
}

@test "--network: none, host and bridge" {
    detached none --network=none sleep 60
    detached host --network=host sleep 60
    detached bridge --network=bridge sleep 60
    detached default sleep 60
    assert_isolated "$(of none pid)" net
    assert_shared "$(of host pid)" net
    assert_equal "$(inside "$(of none pid)" net -- ip -json link | jq -r '[.[].ifname] | join(" ")')" lo
    local name
    for name in bridge default; do
        assert_isolated "$(of $name pid)" net
        assert_equal "$(inside "$(of $name pid)" net -- ip -json link | jq -r '[.[].ifname] | join(" ")')" "lo eth0"
        run -0 ping -c1 -W5 "$(of $name address)"
    done
    assert_equal "$(of none address)$(of host address)" ""
    run -0 "$full" exec bridge ping -c1 -W5 "$(of default address)"
    run -0 "$full" exec bridge ping -c1 -W5 "$WORLD"
    run -0 "$full" stop -t 0 none host bridge default
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
    expect_error 125 "expected bridge, none or host" "$full" run --network moon "$ROOTFS" true
}

@test "--publish without a port of the host: 'ps' shows which it is" {
    local port
    make_rootfs
    install "$TALK" "$ROOTFS/talk"
    detached web --publish=80 /talk serve tcp 0.0.0.0 80 web
    run -0 "$full" ps
    [[ $output =~ ([0-9]+):80 ]]
    port=${BASH_REMATCH[1]}
    assert_equal "$(of web 'ports | join(" ")')" "$port:80"
    wait_until 5 in_world "$TALK" ask tcp "$HOST" "$port"
    run -0 in_world "$TALK" ask tcp "$HOST" "$port"
    assert_equal "$output" "web saw $WORLD"
    rm "$ROOTFS/talk"
}

@test "--publish: the outside world reaches the box, until it ends" {
    install "$TALK" "$ROOTFS/talk"
    detached web --publish=8080:80 --publish="$HOST:5353:53/udp" /talk serve tcp 0.0.0.0 80 web
    wait_until 3 in_world "$TALK" ask tcp "$HOST" 8080
    run -0 in_world "$TALK" ask tcp "$HOST" 8080
    assert_equal "$output" "web saw $WORLD"
    assert_equal "$(of web 'ports | join(" ")')" "8080:80 $HOST:5353:53/udp"
    run -0 "$full" ps
    assert_contains "$output" "8080:80"
    run -0 "$full" exec -u 0 web sh -c '/talk serve udp 0.0.0.0 53 names >/dev/null 2>&1 </dev/null &'
    wait_until 3 in_world "$TALK" ask udp "$HOST" 5353
    run ! in_world "$TALK" ask tcp "$HOST" 80
    run -0 "$full" stop -t 0 web
    run ! in_world "$TALK" ask tcp "$HOST" 8080
    rm "$ROOTFS/talk"
    expect_error 125 "need --network bridge" "$full" run "${alone[@]}" -p 8080:80 "$ROOTFS" true
    expect_error 125 "need --network bridge" "$full" run --network host --ip 172.27.0.9 "$ROOTFS" true
}

@test "no IPv6 address on eth0, whatever covers the box's /proc" {
    local options
    for options in "" "--tmpfs /proc" "--tmpfs /proc/sys --userns host"; do
        # shellcheck disable=SC2086 # several words or none
        detached bird $options sleep 60
        assert_equal "$(inside "$(of bird pid)" net -- ip -6 address show dev eth0)" ""
        "$full" rm -f bird
    done
}

@test "--ip: that address, and not twice" {
    detached bird --ip=172.27.0.77 sleep 60
    assert_equal "$(of bird address)" 172.27.0.77
    run -0 inside "$(of bird pid)" net -- ip -4 -oneline address show dev eth0
    assert_contains "$output" 172.27.0.77/16
    expect_error 125 172.27.0.77 "$full" run --ip 172.27.0.77 "$ROOTFS" true
    expect_error 125 "10.10.0.77 is not one of" "$full" run --ip 10.10.0.77 "$ROOTFS" true
}

@test "--dns: names are asked there; without it as on the host; the root's own file is as it was" {
    local before own
    before=$(stat -c '%s %Y %i' "$ROOTFS/etc/resolv.conf")
    run -0 "$full" run --dns 192.0.2.1 --dns 192.0.2.2 "$ROOTFS" cat /etc/resolv.conf
    assert_equal "$output" $'nameserver 192.0.2.1\nnameserver 192.0.2.2'
    local kind
    for kind in host none; do
        run -0 "$full" run --network $kind --dns 192.0.2.1 "$ROOTFS" cat /etc/resolv.conf
        assert_equal "$output" 'nameserver 192.0.2.1'
    done
    run -0 "$full" run "$ROOTFS" cat /etc/resolv.conf
    own=/etc/resolv.conf
    ! grep -q 'nameserver 127\.0\.0\.53' "$own" || own=/run/systemd/resolve/resolv.conf
    assert_equal "$output" "$(cat "$own")"
    assert_equal "$(stat -c '%s %Y %i' "$ROOTFS/etc/resolv.conf")" "$before"
    expect_error 125 "is not an IPv4 address" "$full" run --dns name "$ROOTFS" true
    # If it can't be known whether there is one, the tool must not go on without it.
    expect_error 125 "/etc/resolv.conf: Cannot allocate memory" strace -f -o /dev/null -P /etc/resolv.conf \
        -e trace=openat2 -e inject=openat2:error=ENOMEM "$full" run "$ROOTFS" true
    make_bare_root
    run -0 "$full" run "$ROOT" /bin/probe ids
    assert_equal "$(ls "$ROOT")" $'bin\ndev\nproc\nsys'
}

# systemd's distributions have this link, and what it leads to is made by a systemd that runs.
stub=../run/systemd/resolve/stub-resolv.conf

make_stub_root() {
    make_bare_root
    mkdir -p "$ROOT"/{etc,dev,proc,sys,run}
    ln -s "$stub" "$ROOT/etc/resolv.conf"
    echo "nameserver 192.0.2.9" >"$BATS_TEST_TMPDIR/resolv.conf"
}

# stub_run OPTION…: run a box, on a host whose name server is 192.0.2.9 and where $prepare has been done.
stub_run() {
    run "$1" unshare --mount sh -c "mount --bind '$BATS_TEST_TMPDIR/resolv.conf' /etc/resolv.conf; ${prepare-}"'
        exec "$@"' sh "$full" run "${@:2}"
}

@test "/etc/resolv.conf that is a link to nothing: what it leads to is made, in the root" {
    local victim=$BATS_TEST_TMPDIR/victim options link
    make_stub_root
    mkdir "$victim"
    for options in "" "--userns host" "--read-only"; do
        for link in "$stub" "$victim/new" "../../../../../../../../../../../..$victim/climbed"; do
            rm -rf "$ROOT/run/systemd" "${ROOT:?}/$(cut -d/ -f2 <<<"$victim")"
            ln -sfn "$link" "$ROOT/etc/resolv.conf"
            # shellcheck disable=SC2086 # several words or none
            stub_run -0 $options "$ROOT" /bin/probe cat /etc/resolv.conf
            assert_equal "$output" "nameserver 192.0.2.9"
            assert_equal "$(readlink "$ROOT/etc/resolv.conf")" "$link"
            assert_equal "$(ls -A "$victim")" ""
        done
    done
    requires userns
    chown -R 65534:65534 "$ROOT"
    rm -rf "$ROOT/run/systemd" "${ROOT:?}/$(cut -d/ -f2 <<<"$victim")"
    run -0 as_user "$full" run --network host --dns 192.0.2.7 "$ROOT" /bin/probe cat /etc/resolv.conf
    assert_equal "$output" 'nameserver 192.0.2.7'
}

@test "/etc/resolv.conf that is a link to nothing, in a directory that can't be written to" {
    local prepare="mount --bind '$BATS_TEST_TMPDIR/root' '$BATS_TEST_TMPDIR/root'
        mount -o remount,bind,ro '$BATS_TEST_TMPDIR/root'"
    make_stub_root
    stub_run -0 "$ROOT" /bin/probe ids
    stub_run -125 --dns 192.0.2.1 "$ROOT" /bin/probe ids
    assert_contains "$output" "run/systemd: Read-only file system"
    assert_equal "$(ls -A "$ROOT/run")" ""
}

@test "/etc/resolv.conf that is a link to nothing, in an image" {
    requires overlay
    make_stub_root
    cd "$BATS_TEST_TMPDIR"
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    tar -C "$ROOT" -cf layer.tar .
    echo "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha256sum <layer.tar | cut -d' ' -f1)\"]}}" >config.json
    echo '[{"Config":"config.json","RepoTags":["stub:1"],"Layers":["layer.tar"]}]' >manifest.json
    tar -cf stub.tar config.json manifest.json layer.tar
    "$full" load stub.tar
    stub_run -0 stub:1 /bin/probe cat /run/systemd/resolve/stub-resolv.conf
    assert_equal "$output" 'nameserver 192.0.2.9'
    stub_run -0 --read-only --dns 192.0.2.1 stub:1 /bin/probe cat /etc/resolv.conf
    assert_equal "$output" 'nameserver 192.0.2.1'
}

@test "/etc/hosts: localhost, --add-host, the box itself; the root's own and the host's are as they were" {
    local before kind name first=$'127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback'
    name=$(random_name)
    echo "192.0.2.9 $name" >>"$ROOTFS/etc/hosts"
    before=$(stat -c '%s %Y %Z %i' "$ROOTFS/etc/hosts" /etc/hosts)
    detached bird --hostname="$name" --add-host=db:192.0.2.1 --add-host=six=2001:db8::1 --add-host=h:host-gateway sleep 60
    run -0 "$full" exec bird cat /etc/hosts
    assert_equal "$output" "$first"$'\n192.0.2.1 db\n2001:db8::1 six\n172.27.0.1 h\n'"$(of bird address) $name"
    run -0 "$full" exec bird ping -c1 -W5 h
    run -0 "$full" run --add-host "there:$(of bird address)" "$ROOTFS" ping -c1 -W5 there
    for kind in none host; do
        run -0 "$full" run --network $kind --hostname "$name" "$ROOTFS" sh -c 'cat /etc/hosts; echo more >>/etc/hosts'
        assert_equal "$output" "$first"$'\n127.0.0.1 '"$name"
    done
    assert_equal "$(stat -c '%s %Y %Z %i' "$ROOTFS/etc/hosts" /etc/hosts)" "$before"
    for name in db db: :192.0.2.1 db:192.0.2 'a b:192.0.2.1' $'a\n:192.0.2.1' db:name \
        db:0000:0000:0000:0000:0000:ffff:255.255.255.2550; do
        expect_error 125 "invalid host" "$full" run --add-host "$name" "$ROOTFS" true
    done
    make_bare_root
    run -0 "$full" run --add-host db:192.0.2.1 "$ROOT" /bin/probe ids
    assert_equal "$(ls "$ROOT/etc")" hosts
    assert_equal "$(<"$ROOT/etc/hosts")" ""
}
