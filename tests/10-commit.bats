#!/usr/bin/env bats
# Chapter 10: an image made of a box, which stands still while its layer is read.
#
# shellcheck disable=SC2154 # bats's run sets $output
load lib/helpers
load lib/boxes
load lib/layers

setup() {
    host_remember
    requires root overlay userns command:strace
    cd "$BATS_TEST_TMPDIR" || return
    chmod 711 .
    export TEN_STEPS_HOME=$PWD/store XDG_RUNTIME_DIR=$PWD/user
    install -d -o 65534 -g 65534 user
    full=$(tool full)
    make_rootfs
    tar -C "$ROOTFS" -cf 1.tar .
    image_of 1.tar
    "$full" load image.tar
}

# A box that counts in files which lie far apart in its layer, the first one first, with as many processes as
# it can. Sets box and pid.
start_counting() {
    box=$(random_name box)
    # shellcheck disable=SC2016 # expanded in the box
    run -0 "$full" run -d --network none --name "$box" made:1 bash -c '
        mkdir /files && cd /files && touch {1..500}
        (while :; do (:) & (:); wait; done) &
        for ((n = 1; ; n++)); do echo $n >>/a; echo $n >>/files/m; echo $n >>/z; done'
    pid=$("$full" inspect --json "$box" | jq .pid)
    group=$("$full" inspect --json "$box" | jq -r .cgroup)
    [ -n "$group" ] || fail "cannot run here: there is no tree of cgroup v2 for the box to be frozen in"
    wait_until 5 test -s "/proc/$pid/root/z"
}

counts() {
    local before
    before=$(tail -n 1 "/proc/$pid/root/z")
    wait_until 5 has_counted_on "$before"
}

has_counted_on() {
    [ "$(tail -n 1 "/proc/$pid/root/z")" -gt "$1" ]
}

stands_still() {
    grep -qx 'frozen 1' "$group/cgroup.events"
}

is_let_go() {
    grep -qx 0 "$group/cgroup.freeze"
    counts
    "$full" rm -f "$box"
}

@test "commit: a box that writes stands still, and its files are all of one moment" {
    local a m z
    start_counting
    for _ in 1 2 3; do
        run -0 "$full" commit "$box" mine:1
        run -0 "$full" run --network none mine:1 sh -c 'for file in /a /files/m /z; do tail -n 1 $file; done'
        read -r -d '' a m z <<<"$output" || true
        [ "$a" -ge "$m" ] && [ "$m" -ge "$z" ] && [ "$z" -ge $((a - 1)) ] ||
            fail "the files are of different moments: $a, $m, $z"
    done
    is_let_go
}

# refused_while_it_runs COMMAND…: what 'full' is called with; its boxes have no group.
refused_while_it_runs() {
    local box
    box=$(random_name box)
    run -0 "$@" run -d --network none --name "$box" made:1 sleep 60
    assert_equal "$("$@" inspect --json "$box" | jq -r .cgroup)" ""
    expect_error 125 "has no control group" "$@" commit "$box" mine:1
    assert_hint "full stop $box"
    run -0 "$@" stop -t 0 "$box"
    run -0 "$@" commit "$box" mine:1
    run -0 "$@" rm "$box"
}

@test "commit: a box without a group, as an ordinary user's, has to be stopped first" {
    # shellcheck disable=SC2016 # that shell's word
    refused_while_it_runs unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh "$full"
    "${AS_USER[@]}" env "TEN_STEPS_HOME=$PWD/user" "$full" load image.tar
    refused_while_it_runs "${AS_USER[@]}" env "TEN_STEPS_HOME=$PWD/user" "$full"
}

# commit_held: in the background, and held up as it begins to read the layer. Sets committing.
commit_held() {
    strace --follow-forks --quiet=all --output=/dev/null --trace=execve \
        --trace-path="$(command -v tar)" --inject=execve:delay_enter=8000000 \
        "$full" commit "$box" mine:1 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 5 stands_still
    committing=$(cut -d" " -f1 "/proc/$!/task/$!/children")
}

@test "commit: however it ends, the box goes on" {
    local signal
    start_counting
    for signal in KILL TERM HUP TSTP; do
        commit_held
        expect_error 125 "another commit" "$full" commit "$box" mine:2
        stands_still
        kill "-$signal" "$committing"
        [ "$signal" != TSTP ] || kill -KILL "$committing" # which has not been stopped
        wait_until 20 ended "$committing" # strace may lose sight of what dies while it is delayed
        [[ $signal = @(TERM|HUP) ]] || "$full" ps # what SIGKILL has left, the next command undoes
        wait_until 5 counts
    done
    is_let_go
}

@test "commit: an image with as many layers as overlay stacks gets no further one" {
    layer tree file
    tar -C tree -cf 2.tar .
    image_of 1.tar 2.tar
    name=$(random_name box)
    for more in 397 398; do
        jq -c ".rootfs.diff_ids |= . + [range($more) as \$_ | .[1]]" config.json >many.json
        jq -c ".[0] |= (.Config = \"many.json\" | .Layers += [range($more) | \"2.tar\"])" manifest.json >many
        tar -cf many.tar --transform='s/^many$/manifest.json/' many many.json 1.tar 2.tar
        "$full" load many.tar "many:$more"
        run -0 "$full" run --network none --name "$name" "many:$more" touch /new
        if [ "$more" = 397 ]; then
            run -0 "$full" commit "$name" mine
        else
            expect_error 125 "as many as overlay stacks" "$full" commit "$name" mine
        fi
        run -0 "$full" rm "$name"
    done
    run -0 "$full" run --network none mine ls /new
}

# in_session DIRECTORY ARGUMENT…: an ordinary user's full, with that for XDG_RUNTIME_DIR.
in_session() {
    as_user env "TEN_STEPS_HOME=$PWD/user/store" "XDG_RUNTIME_DIR=$PWD/user/$1" "$full" "${@:2}"
}

@test "one name from two sessions with one store: the box that runs keeps it, its files and its commits" {
    local secret
    secret=$(random_name)
    install -d -m 700 -o 65534 -g 65534 user/one user/two
    run -0 in_session one load image.tar
    run -0 in_session one run -d --name box made:1 sh -c "echo $secret >/file; exec sleep 60"
    wait_until 5 in_session one exec box grep -q . /file
    expect_error 125 "box box: File exists" in_session two run --name box made:1 sh -c 'echo other >/file'
    run -0 in_session one exec box sh -c 'cat /file; touch /again'
    assert_equal "$output" "$secret"
    run -0 in_session two stop -t 0 box
    run -0 in_session two commit box mine:1
    run -0 in_session two run mine:1 cat /file
    assert_equal "$output" "$secret"
    run -0 in_session two rm -f box
    run -0 in_session one ps -a
    refute_contains "$output" box
}
