#!/usr/bin/env bats
# Chapter 10: standard input, output and error of a box, and which users may open them by name.
# shellcheck disable=SC2016 # for the shells in boxes
load lib/helpers
load lib/boxes

# What a command in a box writes to the names of its streams, and reads there.
by_name='cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr; log=/tmp/log.$(id -u); ln -sf /dev/stdout $log; echo log >$log'

# piped COMMAND…: with pipes for standard input, output and error, made by the user that AS becomes.
AS=(env)
piped() {
    run -0 "${AS[@]}" bash -c 'set -o pipefail; echo in | "$@" 2>&1 | cat' bash "$@"
    assert_equal "$output" in$'\n'out$'\n'err$'\n'log
}

@test "pipes can be opened by name, as /dev/stdout, by every user of the box" {
    local options
    for options in "" "-u 1000:1000" "--init" "--userns host" "--userns host -u 1000:1000"; do
        # shellcheck disable=SC2086 # several words
        piped "$full" run "${alone[@]}" --tmpfs /tmp $options "$ROOTFS" sh -c "$by_name"
    done
    detached bird --network=none --tmpfs=/tmp sleep 60
    for options in "" "-u 1000:1000"; do
        # shellcheck disable=SC2086 # several words
        piped "$full" exec $options bird sh -c "$by_name"
    done
}

@test "an ordinary user: pipes can be opened by name" {
    requires userns
    make_rootfs user
    AS=("${AS_USER[@]}")
    piped "$full" run --tmpfs /tmp "$ROOTFS" sh -c "$by_name"
}

@test "the caller's pipe stays the caller's, who can still open its other end by name" {
    output=$({
        chown 65534:65534 /dev/stdout
        "$full" run "${alone[@]}" "$ROOTFS" sh -c 'echo one; echo two'
    } | "${AS_USER[@]}" sh -c 'read -r line; cat /dev/stdin; stat -Lc %u:%g /dev/stdin')
    assert_equal "$output" two$'\n'65534:65534
}

@test "files and named pipes of the caller keep owner and mode" {
    cd "$BATS_TEST_TMPDIR"
    local before
    echo in >input
    touch output
    mkfifo -m 600 errors
    chmod 600 input output
    before=$(stat -c '%n %u:%g %a' input output errors)
    exec 9<>errors
    for options in "" "-u 1000:1000" "--userns host"; do
        # shellcheck disable=SC2086 # several words
        "$full" run "${alone[@]}" $options "$ROOTFS" sh -c 'cat; echo err >&2' <input >output 2>errors
        assert_equal "$(<output)" in
        read -r -t 5 -u 9 line
        assert_equal "$line" err
        assert_equal "$(stat -c '%n %u:%g %a' input output errors)" "$before"
    done
}

@test "-d: /dev/stdout leads to the log, and so does the first process's from exec" {
    local options
    for options in "" "-u 1000:1000" "--userns host" "--userns host -u 1000:1000"; do
        # shellcheck disable=SC2086 # several words
        run -0 "$full" run -d --name bird "${alone[@]}" --tmpfs /tmp $options "$ROOTFS" \
            sh -c "$by_name; exec sleep 60"
        wait_until 5 sh -c "'$full' logs bird | grep -q log"
        run -0 "$full" exec bird sh -c 'echo one >/proc/1/fd/1; echo two >/proc/1/fd/2'
        wait_until 5 sh -c "'$full' logs bird | grep -q two"
        run -0 "$full" logs bird
        assert_equal "$output" out$'\n'err$'\n'log$'\n'one$'\n'two
        run -0 "$full" rm -f bird
    done
}

@test "-d: all that it writes is in the log, standard output and error in their order" {
    detached bird --network=none sh -c 'seq 30000; seq 30001 60000 >&2; exit 3'
    run -0 "$full" wait bird
    assert_equal "$output" 3
    assert_equal "$("$full" logs bird | cksum)" "$(seq 60000 | cksum)"
}

@test "a pipe that nobody reads any more ends the box that writes to it" {
    run -0 bash -c '"$@" | head -1' bash "$full" run "${alone[@]}" --init "$ROOTFS" yes
    assert_equal "$output" y
}

# What the logs of all boxes take on the disk, in bytes.
kept_of_boxes() {
    find /run/ten-steps "${TEN_STEPS_HOME:-/var/lib/ten-steps}" -name 'log*' -type f -printf '%k\n' 2>/dev/null |
        awk '{ sum += $1 * 1024 } END { print sum + 0 }'
}

@test "-d: the log keeps the last 10 to 11 MB, without a gap" {
    detached bird "${alone[@]}" --init sh -c 'seq 6400000; sleep 60' # 50 MB
    wait_until 30 sh -c "'$full' logs bird | tail -n 1 | grep -qx 6400000"
    [ "$(kept_of_boxes)" -le 12000000 ]
    [ "$(kept_of_boxes)" -ge 10000000 ]
    run -0 sh -c "'$full' logs bird | tail -n +2 | awk 'NR > 1 && \$1 != last + 1 { print \"gap at \" last } { last = \$1 }'"
    assert_equal "$output" ""
    run -0 "$full" rm -f bird
    assert_equal "$(kept_of_boxes)" 0
}

@test "-d: logs -f misses nothing when the log loses its beginning" {
    detached bird "${alone[@]}" --tmpfs=/tmp sh -c 'mkfifo /tmp/go; read -r x </tmp/go; seq 2000000' # 15 MB
    "$full" logs -f bird >"$BATS_TEST_TMPDIR/followed" 3>&- 4>&- &
    local follower=$!
    wait_until 5 "$full" exec bird sh -c '[ -p /tmp/go ] && echo >/tmp/go'
    wait "$follower"
    assert_equal "$(cksum <"$BATS_TEST_TMPDIR/followed")" "$(seq 2000000 | cksum)"
    assert_equal "$("$full" logs bird | tail -n 1300000 | cksum)" "$(seq 700001 2000000 | cksum)"
}

@test "-d: logs -f reports what was dropped before its reader could take it" {
    local pipe=$BATS_TEST_TMPDIR/pipe
    mkfifo "$pipe"
    exec 9<>"$pipe"
    detached bird "${alone[@]}" --tmpfs=/tmp sh -c 'mkfifo /tmp/go; seq 30000; read -r x </tmp/go; seq 3000000; sleep 60' # 22 MB
    "$full" logs -f bird >"$pipe" 2>"$BATS_TEST_TMPDIR/errors" 3>&- 4>&- 9>&- &
    local follower=$!
    wait_until 5 "$full" exec bird sh -c '[ -p /tmp/go ] && echo >/tmp/go'
    wait_until 30 sh -c "'$full' logs bird | tail -n 1 | grep -qx 3000000"
    cat <"$pipe" >/dev/null 3>&- 4>&- 9>&- &
    local reader=$!
    exec 9>&-
    wait_until 10 [ -s "$BATS_TEST_TMPDIR/errors" ]
    run -0 "$full" rm -f bird
    wait "$follower" "$reader"
    run -0 grep -cE '^full( logs)?: [0-9]{7,} bytes of the log were dropped' "$BATS_TEST_TMPDIR/errors"
}

@test "-d: no process of the box holds the log, which it could cut off" {
    local options
    for options in "" "--init" "--userns host"; do
        # shellcheck disable=SC2086 # several words
        detached bird "${alone[@]}" $options sh -c 'echo one; sleep 60'
        wait_until 5 sh -c "'$full' logs bird | grep -q one"
        run -0 find -L "/proc/$(of bird pid)/fd" -type f
        assert_equal "$output" ""
        run "$full" exec bird truncate -s 0 /proc/1/fd/1 /proc/1/fd/2
        run -0 "$full" logs bird
        assert_equal "$output" one
        run -0 "$full" rm -f bird
    done
}
