#!/usr/bin/env bats
# Chapter 4: what is mounted on: targets that are links, missing, or wrong.
load lib/helpers

# Is nothing mounted on this place, as PID sees it?
lacks_mount() {
    ! cut -d' ' -f5 "/proc/$1/mountinfo" | grep -qxF -- "$2"
}

@test "a symbolic link in the root can't lead a mount out of it" {
    make_bare_root
    local victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim" "$BATS_TEST_TMPDIR/data"
    echo evil >"$BATS_TEST_TMPDIR/data/file"
    ln -s "$victim" "$ROOT/absolute"
    ln -s ../../../../../../../../../../../../../.."$victim" "$ROOT/climbing"
    ln -s /proc/1/root "$ROOT/magic"
    local link
    for link in absolute climbing absolute/below climbing/below "magic$victim"; do
        run "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/$link" /bin/probe pwd
        run "$(tool mnt)" --root "$ROOT" --tmpfs "/$link" /bin/probe pwd
        assert_equal "$(ls -A "$victim")" ""
    done
    lacks_mount self "$victim"
}

@test "--explain: what a link of the root says can't reach the terminal; nothing is made twice" {
    make_bare_root
    ln -s $'x\e]0;title\a\nhost# rm -rf /srv' "$ROOT/link"
    run -0 "$(tool mnt)" --explain --root "$ROOT" --tmpfs /link --tmpfs /new/ /bin/probe ids
    refute_contains "$output" $'\e'
    refute_contains "$output" $'\nhost# rm'
    assert_contains "$output" "mkdir $ROOT/x?]0;title??host# rm -rf"
    assert_equal "$(grep -c "mkdir $ROOT/new" <<<"$output")" 1
}

# bats test_tags=ex:4-2
@test "a target is looked up again if the kernel can't be sure that it lies in the root" {
    requires command:strace
    make_bare_root
    run -0 strace -f -o /dev/null -e inject=openat2:error=EAGAIN:when=1..3 \
        "$(tool mnt)" --root "$ROOT" --tmpfs /tmp /bin/probe exit 0
}

# bats test_tags=ex:4-2
@test "a link inside the root that stays inside is followed" {
    make_bare_root
    mkdir "$ROOT/real" "$BATS_TEST_TMPDIR/data"
    ln -s /real "$ROOT/link"
    echo here >"$BATS_TEST_TMPDIR/data/file"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/link" \
        /bin/probe cat /real/file
    assert_equal "$output" here
}

# bats test_tags=ex:4-2
@test "a target that is a dangling link: what it leads to is created, inside the root" {
    make_bare_root
    local victim=$BATS_TEST_TMPDIR/victim secret link
    secret=$(random_name)
    mkdir "$victim" "$ROOT/etc"
    echo "$secret" >"$BATS_TEST_TMPDIR/file"
    ln -s ../run/some/where "$ROOT/etc/relative"
    ln -s "$victim/absolute" "$ROOT/etc/absolute"
    ln -s "../../../../../../../../../../../../../..$victim/climbing" "$ROOT/etc/climbing"
    ln -s one/../../two/three "$ROOT/etc/back"
    ln -s chain2 "$ROOT/etc/chain"
    ln -s /chain3 "$ROOT/etc/chain2"
    ln -s "$victim/chain" "$ROOT/chain3"
    ln -s /far "$ROOT/directory"
    for link in etc/relative etc/absolute etc/climbing etc/back etc/chain directory/below; do
        run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/file:/$link" /bin/probe cat "/$link"
        assert_equal "$output" "$secret"
        [ "$link" = directory/below ] || [ -L "$ROOT/$link" ]
        assert_equal "$(ls -A "$victim")" ""
    done
    assert_equal "$(find "$ROOT" -type f -empty -printf '%P\n' | sort)" "$(printf '%s\n' far/below run/some/where \
        two/three "${victim#/}"/{absolute,chain,climbing} | sort)"
    run -0 "$(tool mnt)" --root "$ROOT" --read-only --tmpfs /directory/new /bin/probe write /far/new/file text
}

# bats test_tags=ex:4-2
@test "a target with '..' and one of many missing directories stay inside the root" {
    make_bare_root
    local victim=$BATS_TEST_TMPDIR/victim name
    name=$(random_name)
    mkdir "$victim"
    run -0 "$(tool mnt)" --root "$ROOT" --tmpfs "/a/../../../../../../../../../../../..$victim/$name/" \
        /bin/probe write "$victim/$name/file" text
    assert_equal "$(ls -A "$victim")" ""
    [ -d "$ROOT$victim/$name" ]
    ln -s "$(printf 'd/%.0s' {1..2000})b" "$ROOT/deep"
    run -0 "$(tool mnt)" --root "$ROOT" --tmpfs /deep /bin/probe write /deep/file text
}

# bats test_tags=ex:4-1
@test "a target that is a loop of links is an error, and so is one that can't be created" {
    make_bare_root
    ln -s circle2 "$ROOT/circle"
    ln -s circle "$ROOT/circle2"
    ln -s /bin/probe/below "$ROOT/file"
    expect_error 125 "Too many levels of symbolic links" "$(tool mnt)" --root "$ROOT" --tmpfs /circle true
    expect_error 125 "Not a directory" "$(tool mnt)" --root "$ROOT" --tmpfs /file true
    ln -s "$BATS_TEST_TMPDIR/none" "$BATS_TEST_TMPDIR/link"
    expect_error 125 "No such file or directory" "$(tool mnt)" --tmpfs "$BATS_TEST_TMPDIR/link" true
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
}

# bats test_tags=ex:4-2
@test "a target that is replaced with a link again and again stays inside the root" {
    make_bare_root
    local victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim"
    (while [ -d "$victim" ]; do
        ln -sfn "$victim/made" "$ROOT/link"
        ln -sfn "../../../../../../../../../../../..$victim/climbed" "$ROOT/link"
        ln -sfn /inside "$ROOT/link"
        rm -rf "$ROOT/inside" "${ROOT:?}/run"
    done) 2>/dev/null 3>&- &
    TOOL_PIDS+=("$!")
    for _ in {1..50}; do
        run timeout "$RUN_LIMIT" "$(tool mnt)" --root "$ROOT" --tmpfs /link/below /bin/probe exit 0
        [ "$status" -eq 0 ] || [ "$status" -eq 125 ] || fail "neither mounted nor refused"
    done
    assert_equal "$(ls -A "$victim")" ""
    rmdir "$victim"
    wait "$!" || true
}

# bats test_tags=ex:4-2
@test "a missing target is created with mode 755 or 644 under any umask, which the command keeps" {
    local mask
    make_bare_root
    for mask in 0077 0000; do
        run -0 with_umask "$mask" "$(tool mnt)" --root "$ROOT" --bind /proc:/proc --tmpfs /new/place \
            --bind "$PROBE:/new/file" /bin/probe cat /proc/self/status
        [[ $output =~ Umask:[[:space:]]*$mask ]]
        assert_equal "$(stat -c %a "$ROOT/new" "$ROOT/new/place" "$ROOT/new/file")" $'755\n755\n644'
        rm -r "$ROOT"/{new,proc}
    done
}
