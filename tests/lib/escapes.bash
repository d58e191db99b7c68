# What the checks of ways out of a box share. They begin with: load lib/helpers, load lib/escapes
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables set for the bats files

setup() {
    host_remember
    requires root tool:full
    make_rootfs
    ESCAPE=$COURSE/.build/escape
    install "$ESCAPE" "$ROOTFS/escape"
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    SECRET=$(random_name secret)
    printf '%s\n' "$SECRET" >"$BATS_TEST_TMPDIR/host-file"
    chmod 755 "$BATS_TEST_TMPDIR"
}

# A box that was killed outright is cleared away by the next command.
teardown() {
    stop_boxes
    "$(tool full)" run --network none "$ROOTFS" true || true
    host_compare
}

# open_way COMMAND…: the way out must be open here. If this kernel lacks what the way needs, it is
# closed everywhere, and a line reports that.
open_way() {
    run "$@"
    if [[ $output == *"Function not implemented"* || $output == *"No such file or directory"* ]]; then
        echo "(this kernel lacks it, so there is nothing to see without the guard)"
        return 0
    fi
    [ "$status" -eq 0 ] || fail "expected the way to be open here: otherwise the check proves nothing"
}

# stopped [OPTION]… -- ARG…: in a box made with OPTIONs, 'escape ARG…' is run and doesn't get out.
stopped() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    run "$(tool full)" run "${options[@]}" "$ROOTFS" /escape "$@"
    [ "$status" -eq 1 ] || fail "expected the box to stop 'escape $*' (exit status 1), got exit status $status"
    assert_contains "$output" "escape: "
    refute_contains "$output" "$SECRET"
}

# With each kind of user namespace, because one guard must not rely on another.
stopped_in_all() {
    stopped -- "$@"
    stopped --userns host -- "$@"
}
