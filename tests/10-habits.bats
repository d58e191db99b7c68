#!/usr/bin/env bats
# Chapter 10: what people who know docker type without thinking.
load lib/helpers
load lib/boxes
load lib/images

eval "images_$(declare -f setup)"
setup() {
    images_setup
    make_rootfs
    alone=(--network none)
}

# bats test_tags=ex:10-5
@test "exec -d: the command runs on in the box, without input or output, and ends with it" {
    local pid word
    word=$(random_name)
    detached bird "${alone[@]}" sleep 60
    run -0 "$full" exec -d bird sh -c "echo said; echo said >&2; cat; echo $word >/dev/shm/word; exec sleep 61"
    assert_equal "$output" ""
    wait_until 5 sh -c "'$full' exec bird cat /dev/shm/word | grep -qx $word"
    pid=$(of bird pid)
    run -0 "$full" exec bird sh -c 'for p in /proc/[0-9]*; do [ "$(tr "\0" " " <$p/cmdline)" != "sleep 61 " ] || readlink $p/fd/*; done'
    assert_equal "$output" $'/dev/null\n/dev/null\n/dev/null'
    run -127 "$full" exec -d bird no-such-program
    assert_contains "$output" "no-such-program"
    expect_error 125 "nobody is there to type" "$full" exec -dt bird sh
    run -0 "$full" rm -f bird
    wait_until 5 ended "$pid"
    wait_until 5 no_process_is_left
}

@test "load: from standard input, a pipe, -i, and compressed as a whole" {
    local program
    requires command:zstd command:xz
    make_image
    for program in gzip zstd xz; do
        "$program" -c base.tar >"base.$program"
        run -0 "$full" load -i "base.$program"
        assert_contains "$output" base:1
        run -0 sh -c "'$full' load <base.$program"
        run -0 sh -c "cat base.$program | '$full' load"
        assert_contains "$output" base:1
    done
    run -0 "$full" load --input base.tar other:2
    assert_contains "$output" other:2
    run -0 "$full" run --network none other:2
    assert_equal "$output" "$secret"
    head -c 1000 base.gzip >short
    run -125 "$full" load short
    assert_contains "$output" "full load: "
    expect_error 125 "too many operands" "$full" load -i base.tar a b
    assert_equal "$(find store/tmp -mindepth 1)" ""
}

@test "load: without a name in it, the image has the file's, be that compressed or not" {
    local file
    make_image
    jq -c '.[0].RepoTags = []' manifest.json >nameless
    tar -cf bird.tar --transform='s/^nameless$/manifest.json/' nameless config.json 1.tar 2.tar
    for file in bird.tar bird.tar.gz bird.tgz; do
        [ "$file" = bird.tar ] || gzip -c bird.tar >"$file"
        run -0 "$full" load "$file"
        assert_contains "$output" "bird:latest "
    done
}

@test "load: what the caller has opened can be read, whoever the user is" {
    make_image
    install -d -o 65534 -g 65534 user
    install -m 600 base.tar closed.tar
    chmod 711 .
    local load=("${AS_USER[@]}" env "TEN_STEPS_HOME=$PWD/user" "$full" load)
    run -125 "${load[@]}" closed.tar
    run -0 sh -c '"$@" <closed.tar' sh "${load[@]}"
    assert_contains "$output" base:1
    run -0 sh -c 'cat closed.tar | "$@"' sh "${load[@]}"
    assert_contains "$output" base:1
}

@test "load: a signal ends it while it waits for a pipe, and nothing is left" {
    local name
    mkfifo pipe
    exec 9<>pipe
    for name in INT TERM; do
        env --default-signal=INT "$full" load <pipe 3>&- 4>&- 9>&- &
        TOOL_PIDS+=("$!")
        wait_until 5 waits_for_a_pipe "$!"
        kill -s "$name" "$!"
        wait_until 5 ended "$!"
        wait_until 5 no_process_is_left
        assert_equal "$(find store/tmp -mindepth 1)" ""
    done
}

waits_for_a_pipe() {
    grep -q pipe_read "/proc/$1/wchan"
}

@test "load and save: also if the caller has SIGCHLD ignored" {
    make_image
    gzip -k base.tar
    run -0 env --ignore-signal=CHLD "$full" load base.tar.gz
    run -0 env --ignore-signal=CHLD "$full" save base:1 again.tar
    run -0 "$full" load again.tar
}

@test "save: -o before or behind the image, or to standard output" {
    make_image
    "$full" load base.tar
    run -0 "$full" save -o one.tar base:1
    run -0 "$full" save base:1 -o two.tar
    run -0 sh -c "'$full' save base:1 >three.tar"
    run -0 sh -c "'$full' save base:1 | cat >four.tar"
    run -0 cmp one.tar two.tar
    run -0 cmp one.tar three.tar
    run -0 cmp one.tar four.tar
    run -0 sh -c "gzip -c three.tar | '$full' load"
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
}

@test "--init: one Ctrl-C ends a command without a handler; an ordinary user's, too" {
    start_box full run "${alone[@]}" --init "$ROOTFS" sleep 60
    kill -INT "$TOOL_PID"
    wait_box 5
    assert_equal "$status" 130
    requires userns
    make_rootfs user
    start_command as_user "$full" run --init "$ROOTFS" sleep 60
    kill -INT "$TOOL_PID"
    wait_box 5
    assert_equal "$status" 130
}

@test "--init in an ordinary user's box: exec and inspect go in by the command" {
    requires userns
    make_rootfs user
    local name
    start_command as_user "$full" run --init "$ROOTFS" sleep 60
    name=$(as_user "$full" ps --json | jq -r '.[0].name')
    run -0 as_user "$full" exec "$name" readlink /proc/self/ns/pid /proc/self/ns/mnt
    assert_equal "$output" "$(namespace_of "$BOX_PID" pid)"$'\n'"$(namespace_of "$BOX_PID" mnt)"
    run -0 as_user "$full" inspect "$name"
    [[ $output =~ pid:"["[0-9]+"]"\ +"$(namespace_of "$BOX_PID" pid)"\ +isolated ]]
}

@test "a command that blocks signals, and fetches them, gets all of them; 'stop' doesn't wait" {
    local name
    start_box full run "${alone[@]}" "$ROOTFS" /probe signals
    wait_until 5 grep -q ready "$BOX_OUT"
    for name in INT INT INT USR1; do
        kill -s "$name" "$TOOL_PID"
    done
    wait_until 5 grep -qx 10 "$BOX_OUT"
    kill -TERM "$TOOL_PID"
    wait_box 5
    assert_equal "$status" 0
    detached bird "${alone[@]}" /probe signals
    wait_until 5 sh -c "'$full' logs bird | grep -q ready"
    run -0 --separate-stderr "$full" stop bird
    assert_equal "$stderr" ""
    assert_equal "$(of bird status)" 0
}
