#!/usr/bin/env bats
# Chapter 10: ways out of a box that begin in its root, which somebody else has filled: links where the
# tool mounts, device files. And what shows through /sys.
load lib/helpers
load lib/escapes

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
            expect_error 125 "/proc: Too many levels of symbolic links" timeout 10 "${box[@]}" \
                "$ROOTFS" /escape rewrite /p/sys/kernel/core_pattern
        done
        rm -r "$ROOTFS"/{p,x,proc,sys}
        mv "$BATS_TEST_TMPDIR"/{proc,sys} "$ROOTFS"
    done
}

# In the mount namespace of the tool's youngest child, is there a proc beside that on /proc?
new_proc_is_there() {
    awk '/ - proc / { print $3 }' "/proc/$(last_descendant "$TOOL_PID")/mountinfo" | grep -qvxFf <(awk '/ - proc / { print $3 }' /proc/self/mountinfo)
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

# bats test_tags=ex:10-1
@test "escape: how hot the processors are, as they tell of others' work" {
    local processors=/sys/devices/system/cpu place options
    # Not every machine has the counters. Without a network of its own the box sees the host's /sys.
    mount -t tmpfs none "$processors"
    for place in cpu0 cpu17; do
        mkdir -p "$processors/$place/thermal_throttle"
        echo "$SECRET" >"$processors/$place/thermal_throttle/core_throttle_count"
    done
    mkdir "$processors/cpufreq"
    echo seen >"$processors/cpufreq/file"
    for options in "--userns auto" "--userns host"; do
        # shellcheck disable=SC2086 # two words
        run "$(tool full)" run --network host $options "$ROOTFS" /bin/sh -c \
            "cat $processors/cpu*/thermal_throttle/* $processors/cpufreq/file"
        refute_contains "$output" "$SECRET"
        [[ $options == *host ]] || assert_contains "$output" seen
    done
    umount "$processors"
}

@test "escape: a device in the root, or in a volume" {
    local disk volume=$BATS_TEST_TMPDIR/volume name
    mkdir "$volume"
    disk=$(awk '$1 ~ /^[0-9]+$/ { print $1, $2; exit }' /proc/partitions)
    mknod -m 666 "$ROOTFS/zero" c 1 5
    # shellcheck disable=SC2086 # two words
    mknod -m 666 "$ROOTFS/disk" b ${disk:-7 0}
    cp -a "$ROOTFS"/{zero,disk} "$volume"
    run -0 "$(tool chroot)" "$ROOTFS" /escape device /zero
    for name in zero disk; do
        stopped_in_all device "/$name"
        stopped --cap-add ALL --seccomp off -- device "/$name"
        stopped --userns host --cap-add ALL --seccomp off -- device "/$name"
        stopped -v "$volume:/mnt" -- device "/mnt/$name"
        stopped -v "$volume:/mnt:ro" -- device "/mnt/$name"
        stopped --userns host -v "$volume:/mnt" -- device "/mnt/$name"
        stopped --userns host -v "$volume/$name:/dev/$name" -- device "/dev/$name"
    done
    for name in "--userns auto" "--userns host"; do
        # shellcheck disable=SC2086 # two words
        run -0 "$(tool full)" run $name "$ROOTFS" /escape device /dev/zero
    done
    rm "$ROOTFS"/{zero,disk}
}

# An image image:1 of ROOTFS, in the store.
make_image() {
    (
        cd "$BATS_TEST_TMPDIR"
        tar -C "$ROOTFS" -cf layer.tar .
        echo "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha256sum <layer.tar | cut -d' ' -f1)\"]}}" >config.json
        echo '[{"Config":"config.json","RepoTags":["image:1"],"Layers":["layer.tar"]}]' >manifest.json
        tar -cf image.tar config.json manifest.json layer.tar
        "$(tool full)" load image.tar
    )
}

@test "escape: a device in an image" {
    requires overlay
    local options
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    mknod -m 666 "$ROOTFS/zero" c 1 5
    make_image
    for options in "--userns auto" "--userns host" "--userns host --name kept"; do
        # shellcheck disable=SC2086 # several words
        run -1 "$(tool full)" run --network none $options image:1 /escape device /zero
        assert_contains "$output" "escape: open: Permission denied"
    done
    "$(tool full)" rm kept
    rm "$ROOTFS/zero"
}
