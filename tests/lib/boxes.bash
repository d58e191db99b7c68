# For the checks of chapter 10 that make boxes and look at them with full's own commands. Load it after
# helpers. Each check ends with all boxes removed.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

setup() {
    host_remember
    make_rootfs
    full=$(tool full)
    # Chapter 7's layer has checks of its own. Without it a box has loopback alone.
    alone=(--network none)
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR # for ordinary users
    AS_USER+=(env "TEN_STEPS_HOME=$BATS_TEST_TMPDIR/user-store")
    chmod 777 "$BATS_TEST_TMPDIR"
}

teardown() {
    local failed=0 # bats looks at the last command of a teardown alone
    remove_boxes
    nothing_is_claimed || {
        echo "no box is left, but this is: $(find /run/ten-steps "$BATS_TEST_TMPDIR"/*store/{boxes,claims} 2>/dev/null)"
        failed=1
    }
    host_compare && [ "$failed" -eq 0 ]
}

# Once there are no boxes, nothing of them is left, neither in /run nor in the store.
nothing_is_claimed() {
    local each
    for each in /run/ten-steps "$BATS_TEST_TMPDIR"/{store,user-store}/{boxes,claims}; do
        [ ! -e "$each" ] || return
    done
}

remove_boxes() {
    local names
    read -r -a names < <(all_boxes)
    [ "${#names[@]}" -eq 0 ] || "$full" rm -f "${names[@]}"
    read -r -a names < <(as_user "$full" ps -a --json | jq -r '[.[].name] | join(" ")')
    [ "${#names[@]}" -eq 0 ] || as_user "$full" rm -f "${names[@]}"
}

all_boxes() {
    "$full" ps -a --json | jq -r '[.[].name] | join(" ")'
}

# detached NAME [OPTION]… COMMAND…: a box in the background, in the root filesystem.
detached() {
    local name=$1 options=()
    shift
    while [[ $1 == -* ]]; do
        options+=("$1")
        [[ $1 == --*=* || $1 == --init || $1 == -t || $1 == --rm ]] || { shift && options+=("$1"); }
        shift
    done
    run -0 "$full" run -d --name "$name" "${options[@]}" "$ROOTFS" "$@"
    assert_equal "$output" "$name"
}

# of NAME FIELD: a field of what 'full inspect' prints about a box
of() {
    "$full" inspect --json "$1" | jq -r ".$2"
}

monitor_of() {
    local pid
    pid=$(of "$1" pid)
    status_of "$pid" PPid
}
