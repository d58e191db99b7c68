#!/usr/bin/env bats
# Chapter 10: ways out of a box that begin in its root, which somebody else has filled.
load helpers
load escapes

# a_box KIND: box=(…) runs a box in ROOTFS: by default (auto), with --userns host, or an ordinary user's.
a_box() {
    make_rootfs
    box=("$(tool full)" run --userns "$1")
    if [ "$1" = user ]; then
        requires userns
        make_rootfs user
        box=("${AS_USER[@]}" "$(tool full)" run)
    fi
    install "$ESCAPE" "$ROOTFS/escape"
}

@test "escape: a /proc that is a link, which leads elsewhere once /sys is there" {
    local kind goal
    for kind in auto host user; do
        a_box $kind
        mv "$ROOTFS"/{proc,sys} "$BATS_TEST_TMPDIR"
        mkdir -p "$ROOTFS"/{p,x/y,x/p/sys/net/ipv4,sys}
        # Nobody ever writes to it.
        mkfifo "$ROOTFS/x/p/sys/net/ipv4/ping_group_range"
        ln -s /x/y "$ROOTFS/sys/block"
        for goal in sys/block/../p x/p /; do
            ln -sfn $goal "$ROOTFS/proc"
            expect_error 125 "/proc: expected a directory, found a symbolic link" timeout 10 "${box[@]}" \
                "$ROOTFS" /escape rewrite /p/sys/kernel/core_pattern
        done
        rm -r "$ROOTFS"/{p,x,proc,sys}
        mv "$BATS_TEST_TMPDIR"/{proc,sys} "$ROOTFS"
    done
}

# In the mount namespace of the tool's youngest child, is there a proc beside that on /proc?
new_proc_is_there() {
    grep -q ' /[^ ]*/proc [^-]* - proc ' "/proc/$(last_descendant "$TOOL_PID")/mountinfo"
}

@test "escape: a /proc that is exchanged for a link between two steps of the tool" {
    requires command:strace
    local kind setting out=$BATS_TEST_TMPDIR/out link=$BATS_TEST_TMPDIR/link
    for kind in auto host user; do
        a_box $kind
        setting=$([ $kind = host ] && echo core_pattern || echo msgmax) # what such a box's root may write to
        mkdir "$ROOTFS/other"
        ln -s other "$link"
        # Slowed down, so that there is time for it right after the mount.
        strace -f -o /dev/null -e trace=mount,move_mount -e inject=mount,move_mount:delay_exit=100000 \
            "${box[@]}" --network none "$ROOTFS" /bin/sh -c \
            "cat /moved/interrupts; /escape rewrite /moved/sys/kernel/$setting" </dev/null >"$out" 2>&1 3>&- &
        TOOL_PID=$!
        TOOL_PIDS+=("$TOOL_PID")
        wait_until 10 new_proc_is_there
        mv "$ROOTFS/proc" "$ROOTFS/moved"
        mv "$link" "$ROOTFS/proc"
        wait "$TOOL_PID" || true
        rm "$ROOTFS/proc"
        mv "$ROOTFS/moved" "$ROOTFS/proc"
        rmdir "$ROOTFS/other"
        assert_equal "$(<"$out")" "escape: open for writing: Read-only file system"
    done
}
