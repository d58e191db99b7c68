#!/usr/bin/env bats
# Chapter 9: a root made of layers.
load lib/helpers
load lib/layers

# stacked OPTION… -- SCRIPT: run a shell script with the stack mounted on ./merged.
stacked() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    run -0 "$overlay" --mount merged "${options[@]}" -- sh -ec "$2"
}

# bats test_tags=ex:9-2
@test "the command has a mount namespace of its own, and shares all the others" {
    layer below file
    start_box overlay --lower below --mount merged sleep 60
    assert_isolated "$BOX_PID" mnt
    assert_shared "$BOX_PID" uts pid ipc user net cgroup
}

# bats test_tags=core,ex:9-1
@test "the stack is the root of the command, and the host does not see it" {
    make_rootfs
    local before
    before=$(grep -c ' - overlay ' "$HOST_PROC/mountinfo" || true) # the host may have some
    layer above etc/secret
    secret=$(random_name)
    echo "$secret" >above/etc/secret
    start_box overlay --lower above --lower "$ROOTFS" sleep 60
    assert_equal "$(cat "/proc/$BOX_PID/root/etc/secret")" "$secret"
    grep -q ' / / [^-]* - overlay ' "/proc/$BOX_PID/mountinfo"
    [ -x "/proc/$BOX_PID/root/bin/sh" ]
    assert_equal "$(grep -c ' - overlay ' "$HOST_PROC/mountinfo" || true)" "$before"
    [ ! -e "/proc/$BOX_PID/root/$BATS_TEST_TMPDIR" ]
}

@test "a device file in a layer opens no device; /dev, which comes from outside, has devices" {
    make_rootfs
    layer above file
    local device=$BATS_TEST_TMPDIR/above/device
    mknod -m 666 "$device" c 1 3
    run -0 sh -c "echo text >'$device'"
    run ! "$overlay" --lower above --lower "$ROOTFS" sh -c 'echo text >/device'
    assert_contains "$output" "Permission denied"
    run ! "$overlay" --lower above --mount merged sh -c 'echo text >merged/device'
    run -0 "$overlay" --lower above --lower "$ROOTFS" sh -c 'echo text >/dev/null'
    mkdir upper work
    run ! "$overlay" --lower "$ROOTFS" --upper upper --work work \
        sh -c 'mknod /device c 1 3 && echo text >/device'
    assert_contains "$output" "Permission denied"
}

@test "the root is made like the topmost layer, and has /proc and /dev where it has a place for them" {
    make_rootfs
    chmod 711 "$ROOTFS"
    start_box overlay --lower "$ROOTFS" sleep 60
    chmod 755 "$ROOTFS"
    assert_equal "$(stat -c %a "/proc/$BOX_PID/root/")" 711
    assert_equal "$(stat -f -c %T "/proc/$BOX_PID/root/proc")" proc
    [ -c "/proc/$BOX_PID/root/dev/null" ]
}

# bats test_tags=ex:9-1
@test "of a file that several layers have, the topmost one shows" {
    layer top a
    layer middle a b
    layer bottom a b c
    stacked --lower top --lower middle --lower bottom -- 'cat merged/a merged/b merged/c'
    assert_equal "$output" $'top\nmiddle\nbottom'
}

# bats test_tags=ex:9-2
@test "what the command writes is thrown away" {
    layer below a
    before=$(listing below)
    stacked --lower below -- 'echo new >merged/a; echo new >merged/b; rm -r merged/*; mkdir merged/d'
    assert_equal "$(listing below)" "$before"
    stacked --lower below -- 'ls merged'
    assert_equal "$output" a
}

# bats test_tags=ex:9-2
@test "with --upper it stays there, and is there again the next time" {
    layer below a
    mkdir upper work
    secret=$(random_name)
    stacked --lower below --upper upper --work work -- "echo $secret >merged/b"
    assert_equal "$(cat upper/b)" "$secret"
    [ ! -e below/b ]
    stacked --lower below --upper upper --work work -- 'cat merged/b'
    assert_equal "$output" "$secret"
}

# The exercise of the notes: four image layers and a container layer, seen on the disk.
# bats test_tags=ex:9-2
@test "four image layers and a container layer: copy-up and whiteout, and no byte changes below" {
    for number in 1 2 3 4; do
        layer "image-layer$number" "image-layer$number.txt"
        touch -d "2001-01-0$number 12:34:56.789" "image-layer$number"/*
    done
    before=$(listing image-layer1 && listing image-layer2 && listing image-layer3 && listing image-layer4)
    mkdir container-layer work
    stacked --upper container-layer --work work --lower image-layer4 --lower image-layer3 \
        --lower image-layer2 --lower image-layer1 -- '
            ls merged
            echo "written in the container" >>merged/image-layer4.txt
            rm merged/image-layer1.txt
            ls merged'
    assert_equal "$output" "$(printf 'image-layer%s.txt\n' 1 2 3 4 2 3 4)"
    assert_equal "$(cat container-layer/image-layer4.txt)" $'image-layer4\nwritten in the container'
    assert_equal "$(stat -c '%F %t:%T' container-layer/image-layer1.txt)" "character special file 0:0"
    assert_equal "$(ls container-layer)" $'image-layer1.txt\nimage-layer4.txt'
    after=$(listing image-layer1 && listing image-layer2 && listing image-layer3 && listing image-layer4)
    assert_equal "$after" "$before"
}

# bats test_tags=ex:9-2
@test "a directory that was removed and made again is opaque: nothing of the old one shows" {
    layer below dir/old dir/sub/older
    mkdir upper work
    stacked --lower below --upper upper --work work -- '
        rm -r merged/dir
        mkdir merged/dir
        echo new >merged/dir/new
        ls -A merged/dir'
    assert_equal "$output" new
    assert_equal "$(getfattr --only-values -n trusted.overlay.opaque upper/dir)" y
}

@test "a file renamed, and one of two hard links written to, leave the layers as they were" {
    layer below dir/a dir/b
    ln below/dir/a below/dir/link
    before=$(listing below)
    stacked --lower below -- '
        mv merged/dir/b merged/dir/c
        echo more >>merged/dir/link
        cat merged/dir/c merged/dir/link
        ls merged/dir'
    assert_equal "$output" $'below\nbelow\nmore\na\nc\nlink'
    assert_equal "$(listing below)" "$before"
}

# bats test_tags=ex:9-3
@test "--diff lists what was added, changed and deleted" {
    layer top dir/x dir/sub/y 'kept/k'
    layer bottom dir/z dir/deleted gone changed
    mknod top/dir/deleted c 0 0
    stacked --lower top --lower bottom --diff -- '
        echo n >merged/new
        mkdir merged/newdir
        echo n >merged/newdir/n
        echo c >merged/changed
        rm merged/gone merged/kept/k
        rm -r merged/dir
        mkdir merged/dir merged/dir/sub
        echo again >merged/dir/x'
    assert_equal "$output" "$(printf '%s\n' 'C /changed' 'C /dir' 'D /dir/z' 'C /dir/sub' 'D /dir/sub/y' \
        'C /dir/x' 'D /gone' 'C /kept' 'D /kept/k' 'A /new' 'A /newdir' 'A /newdir/n')"
}

# bats test_tags=core,ex:9-3
@test "--diff lists what somebody outside has changed in the stack" {
    layer below gone changed kept
    mkfifo go
    new=$(random_name)
    start_box overlay --lower below --diff --mount merged cat go
    assert_isolated "$BOX_PID" mnt
    [ -e "/proc/$BOX_PID/cwd/merged/kept" ]
    "${ON_HOST[@]}" sh -ec 'cd "/proc/$0/cwd/merged"; echo >"$1"; echo more >>changed; rm gone' "$(host_number "$BOX_PID")" "$new"
    end_wait
    assert_equal "$(sort "$BOX_OUT")" "$(printf '%s\n' "A /$new" "C /changed" "D /gone")"
    assert_equal "$(cat below/*)" $'below\nbelow\nbelow'
}

@test "--diff of a command that changes nothing prints nothing, and the status is the command's" {
    layer below a
    run -7 "$overlay" --lower below --diff --mount merged sh -c 'cat merged/a >/dev/null; exit 7'
    assert_equal "$output" ""
}

@test "--diff replaces control characters, which could fool a terminal, in names" {
    layer below a
    stacked --lower below --diff -- "touch merged/\$(printf 'x\\033[2Jy')"
    assert_equal "$output" 'A /x?[2Jy'
}

@test "--diff of directories deeper than a path can name is refused, whatever the box has made" {
    requires command:perl
    layer below a
    run -125 --separate-stderr sh -c '"$0" --lower below --diff --mount merged "$@" >/dev/null' "$overlay" \
        perl -e 'chdir "merged"; for (1 .. 3000) { mkdir "d"; chdir "d" }'
    assert_contains "$stderr" "File name too long"
}

# bats test_tags=core,ex:9-2
@test "two boxes on the same layers don't see each other's writes" {
    make_rootfs
    start_box overlay --lower "$ROOTFS" sleep 60
    first=$BOX_PID
    start_box overlay --lower "$ROOTFS" sleep 61
    name=$(random_name)
    "${ON_HOST[@]}" sh -c 'echo 1 >"/proc/$0/root/$1"' "$(host_number "$first")" "$name"
    [ ! -e "/proc/$BOX_PID/root/$name" ]
    [ ! -e "$ROOTFS/$name" ]
    [ -e "/proc/$first/root/$name" ]
}

@test "a hundred layers with long names" {
    options=()
    for number in {001..100}; do
        name=$(printf "layer-with-a-long-name-%s-%060d" "$number" 0)
        layer "$name" "file$number" every
        options+=(--lower "$PWD/$name")
    done
    stacked "${options[@]}" --diff -- '
        ls merged | wc -l
        cat merged/every merged/file100
        rm merged/file100'
    assert_equal "${lines[0]}" 101
    [[ ${lines[1]} == *-001-* && ${lines[2]} == *-100-* ]]
    assert_equal "${lines[3]}" "D /file100"
}

@test "names with the characters that separate mount options" {
    layer 'a:b,c\d' special
    layer below a
    mkdir 'up,per' 'wo:rk'
    stacked --lower 'a:b,c\d' --lower below --upper 'up,per' --work 'wo:rk' -- \
        'cat merged/special merged/a; echo >merged/new'
    assert_equal "$output" $'a:b,c\\d\nbelow'
    [ -e 'up,per/new' ]
}

# As overlay needs it in a user namespace: Linux 6.6.
tmpfs_keeps_marks() {
    local file status=0
    file=$(mktemp -p /dev/shm)
    setfattr -n user.mark -v y "$file" || status=$?
    rm "$file"
    return "$status"
}

@test "an ordinary user needs the user namespace of chapter 6, and then no root" {
    requires userns
    layer below dir/old file
    chown -R 65534:65534 below merged .
    expect_error 125 "Operation not permitted" as_user "$overlay" --lower below --mount merged true
    assert_hint "chapter 6"
    local command='
        grep -o "overlay .*userxattr" /proc/self/mountinfo | wc -l
        rm merged/file
        rm -r merged/dir
        mkdir merged/dir
        ls -A merged/dir'
    if tmpfs_keeps_marks; then
        run -0 as_user "$(tool user)" "$overlay" --lower below --diff --mount merged -- sh -ec "$command"
    else
        mkdir upper work # on a disk: see playhost
        chown 65534:65534 upper work
        run -0 as_user "$(tool user)" "$overlay" --lower below --upper upper --work work \
            --diff --mount merged -- sh -ec "$command"
    fi
    assert_equal "$output" $'1\nC /dir\nD /dir/old\nD /file'
    [ -e below/file ]
}

# Otherwise a kernel may be set to mark moved directories, which then are not in the upper layer whole.
@test "directories that are moved, and files whose owner changes, are copied whole: no marks for them" {
    layer below real/file
    layer above moved/other
    setfattr -n trusted.overlay.redirect -v /real above/moved
    start_box overlay --lower above --lower below --mount merged sleep 60
    grep -q ' - overlay [^ ]* rw,.*redirect_dir=nofollow' "/proc/$BOX_PID/mountinfo"
    run ! grep -q 'metacopy=on' "/proc/$BOX_PID/mountinfo"
    run ! cat "/proc/$BOX_PID/cwd/merged/moved/file"
    run -0 --separate-stderr "$overlay" --explain --lower below --mount merged true
    assert_contains "$stderr" 'workdir=/mnt/work,redirect_dir=nofollow,metacopy=off overlay merged'
}

@test "--explain shows what is mounted" {
    layer below a
    run -0 --separate-stderr "$overlay" --explain --lower below --mount merged true
    assert_contains "$stderr" 'mount -t overlay -o nodev,lowerdir=below,upperdir=/mnt/upper,workdir=/mnt/work'
    assert_contains "$stderr" 'mount("overlay", "merged", "overlay", MS_NODEV, "lowerdir=below,'
    local long lowers=()
    for long in $(printf "long%0200d\n" {1..18}); do
        layer "$long" a
        lowers+=(--lower "$long")
    done
    run -0 --separate-stderr "$overlay" --explain "${lowers[@]}" --mount merged true
    assert_equal "$(grep -o 'workdir=' <<<"$stderr" | wc -l)" 2
}

@test "one line reports what is wrong with a stack, or the kernel's error and a hint" {
    layer below sub/a
    mkdir upper work other
    echo >file
    expect_error 125 "layer nowhere: No such file or directory" "$overlay" --lower nowhere
    expect_error 125 "layer file: Not a directory" "$overlay" --lower file
    expect_error 125 "layer nowhere: No such file or directory" "$overlay" --lower below --upper nowhere --work work
    expect_error 125 "need each other" "$overlay" --lower below --upper upper
    expect_error 125 "need each other" "$overlay" --lower below --work work
    expect_error 125 "a lower directory is missing" "$overlay"
    expect_error 125 "one or the other" "$overlay" --lower below --image file
    mkdir upper/x
    expect_error 125 "upper below/sub lies in lower below" "$overlay" --lower below --upper below/sub --work work
    expect_error 125 "mount overlay on" "$overlay" --lower upper/x --upper upper --work work
    assert_hint "no directory in another"
    for work in /dev/shm upper; do
        expect_error 125 "mount overlay on" "$overlay" --lower below --upper upper --work "$work"
        assert_hint "on one file system"
    done
}
