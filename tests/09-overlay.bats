#!/usr/bin/env bats
# Chapter 9: a root made of layers, and images.
load helpers

# Layers are small directories here, and a command of the host looks at them: --mount keeps the root.
setup() {
    host_remember
    requires root overlay
    cd "$BATS_TEST_TMPDIR" || return
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    overlay=$(tool overlay)
    mkdir merged
}

# A layer NAME with FILE… in it, each holding its layer's name.
layer() {
    local name=$1 file
    shift
    mkdir -p "$name"
    for file in "$@"; do
        mkdir -p "$(dirname "$name/$file")"
        echo "$name" >"$name/$file"
    done
}

# stacked OPTION… -- SCRIPT: run a shell script with the stack mounted on ./merged.
stacked() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    run -0 "$overlay" --mount merged "${options[@]}" -- sh -ec "$2"
}

# Everything about the files below a directory, but for the sizes and links of directories: type, mode,
# owner, time, size, links, target of a link; content; extended attributes.
listing() {
    (
        cd "$1" || exit
        find . -type d -printf '%p %y %m %U:%G %T@\n' -o -printf '%p %y %m %U:%G %T@ %s %n %l\n'
        find . -type f -exec sha256sum {} +
        getfattr --recursive --no-dereference --dump --match=- -e hex . | grep -v '^user.overlay'
        find . \( -type b -o -type c \) -exec stat -c '%n %t:%T' {} +
    ) | LC_ALL=C sort
}

@test "the command has a mount namespace of its own, and shares all the others" {
    layer below file
    start_box overlay --lower below --mount merged sleep 60
    assert_isolated "$BOX_PID" mnt
    assert_shared "$BOX_PID" uts pid ipc user net cgroup
}

@test "the stack is the root of the command, and the host does not see it" {
    make_rootfs
    layer above etc/secret
    secret=$(random_name)
    echo "$secret" >above/etc/secret
    start_box overlay --lower above --lower "$ROOTFS" sleep 60
    assert_equal "$(cat "/proc/$BOX_PID/root/etc/secret")" "$secret"
    grep -q ' / / [^-]* - overlay ' "/proc/$BOX_PID/mountinfo"
    [ -x "/proc/$BOX_PID/root/bin/sh" ]
    run ! grep -q ' - overlay ' /proc/self/mountinfo
    [ ! -e "/proc/$BOX_PID/root/$BATS_TEST_TMPDIR" ]
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

@test "of a file that several layers have, the topmost one shows" {
    layer top a
    layer middle a b
    layer bottom a b c
    stacked --lower top --lower middle --lower bottom -- 'cat merged/a merged/b merged/c'
    assert_equal "$output" $'top\nmiddle\nbottom'
}

@test "what the command writes is thrown away" {
    layer below a
    before=$(listing below)
    stacked --lower below -- 'echo new >merged/a; echo new >merged/b; rm -r merged/*; mkdir merged/d'
    assert_equal "$(listing below)" "$before"
    stacked --lower below -- 'ls merged'
    assert_equal "$output" a
}

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

@test "a directory made anew is opaque: nothing of the old one shows" {
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

@test "--diff tells what was added, changed and deleted" {
    layer top dir/x dir/sub/y 'kept/k'
    layer bottom dir/z gone changed
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

@test "--diff of a command that changes nothing prints nothing, and the status is the command's" {
    layer below a
    run -7 "$overlay" --lower below --diff --mount merged sh -c 'cat merged/a >/dev/null; exit 7'
    assert_equal "$output" ""
}

@test "--diff shows names that could fool a terminal with their bytes in octal" {
    layer below a
    stacked --lower below --diff -- "touch merged/\$(printf 'x\\033[2Jy')"
    assert_equal "$output" 'A /x\033[2Jy'
}

@test "two boxes on the same layers don't see each other's writes" {
    make_rootfs
    start_box overlay --lower "$ROOTFS" sleep 60
    first=$BOX_PID
    start_box overlay --lower "$ROOTFS" sleep 61
    name=$(random_name)
    echo 1 >"/proc/$first/root/$name"
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

@test "an ordinary user needs the user namespace of chapter 6, and then no root" {
    requires userns
    layer below dir/old file
    chown -R 65534:65534 below merged .
    expect_error 125 "Operation not permitted" as_user "$overlay" --lower below --mount merged true
    assert_hint "chapter 6"
    run -0 as_user "$(tool user)" "$overlay" --lower below --diff --mount merged -- sh -ec '
        grep -o "overlay .*userxattr" /proc/self/mountinfo | wc -l
        rm merged/file
        rm -r merged/dir
        mkdir merged/dir
        ls -A merged/dir'
    assert_equal "$output" $'1\nC /dir\nD /dir/old\nD /file'
    [ -e below/file ]
}

@test "--explain says what is mounted" {
    layer below a
    run -0 --separate-stderr "$overlay" --explain --lower below --mount merged true
    assert_contains "$stderr" 'mount -t overlay -o lowerdir=below,upperdir=/mnt/upper,workdir=/mnt/work'
    assert_contains "$stderr" 'mount("overlay", "merged", "overlay", 0, "lowerdir=below,'
}

@test "one line says what is wrong with a stack" {
    layer below sub/a
    mkdir upper work other
    echo >file
    expect_error 125 "lower nowhere: No such file or directory" "$overlay" --lower nowhere
    expect_error 125 "lower file: not a directory" "$overlay" --lower file
    expect_error 125 "upper below/sub lies in lower below" "$overlay" --lower below --upper below/sub --work work
    expect_error 125 "lower upper/x" "$overlay" --lower upper/x --upper upper --work work
    expect_error 125 "different file systems" "$overlay" --lower below --upper upper --work /dev/shm
    expect_error 125 "needs a work directory" "$overlay" --lower below --upper upper
    expect_error 125 "without an upper one" "$overlay" --lower below --work work
    expect_error 125 "one lies in the other" "$overlay" --lower below --upper upper --work upper
    expect_error 125 "a lower directory is missing" "$overlay"
    expect_error 125 "one or the other" "$overlay" --lower below --image file
    mkdir upper/x
    expect_error 125 "lower upper/x lies in upper upper" "$overlay" --lower upper/x --upper upper --work work
}

# --- images ------------------------------------------------------------------------------------

# Two layers full of what layers can hold, by umoci; in the forms that skopeo writes. Made once.
make_images() {
    requires command:skopeo command:umoci command:zstd command:getfattr command:setcap
    IMAGES=$BATS_RUN_TMPDIR/images
    [ ! -e "$IMAGES/done" ] || return 0
    mkdir -p "$IMAGES"
    (
        cd "$IMAGES"
        umoci init --layout layout
        umoci new --image layout:test
        umoci unpack --image layout:test bundle
        cd bundle/rootfs
        mkdir -p etc dir/sub old dev many
        mkdir -p "$(printf 'long%.0s' {1..40})/$(printf 'name%.0s' {1..40})"
        echo x | tee "$(printf 'long%.0s' {1..40})/$(printf 'name%.0s' {1..40})/file" >file
        echo one >etc/one
        echo two >etc/two
        echo gone >old/gone
        echo deep >dir/sub/deep
        ln etc/one etc/hard
        ln -s /etc/one etc/link
        ln -s nowhere etc/dangling
        mkfifo etc/fifo
        mknod dev/device c 1 3
        mknod dev/disk b 7 99
        cp /bin/true suid
        chown 12:34 etc/two
        chmod 6755 suid
        chmod 1777 dir
        chmod 000 dir/sub
        cp /bin/true capable
        setcap cap_net_raw+ep capable
        touch many/{1..300}
        touch -d '2001-02-03 04:05:06' etc/one etc dir
        cd ../..
        umoci repack --refresh-bundle --image layout:test bundle
        rm -r bundle/rootfs/old bundle/rootfs/etc/two
        mkdir bundle/rootfs/old
        echo new >bundle/rootfs/old/new
        echo changed >bundle/rootfs/etc/one
        chmod 700 bundle/rootfs/etc
        touch -d '2005-05-05 05:05:05' bundle/rootfs/old bundle/rootfs/etc # or umoci, within a second, sees no change
        umoci repack --refresh-bundle --image layout:test bundle
        umoci config --image layout:test --config.env GREETING=hello --config.cmd /bin/sh
        umoci unpack --image layout:test unpacked
        skopeo copy -q oci:layout:test docker-archive:docker.tar:small:docker
        skopeo copy -q oci:layout:test oci-archive:gzip.tar:small:gzip
        skopeo copy -q --dest-compress-format zstd oci:layout:test oci:zstd:test
        tar -C zstd -cf zstd.tar .
    ) >"$IMAGES/log" 2>&1 || fail "$(cat "$IMAGES/log")"
    touch "$IMAGES/done"
}

# An image like docker's in image.tar, of the layers given as tars. Digests are what they should be.
image_of() {
    local tar layers='' digests=''
    for tar in "$@"; do
        layers+=,\"$tar\"
        digests+=,\"sha256:$(sha256sum <"$tar" | cut -d' ' -f1)\"
    done
    echo "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[${digests#,}]}}" >config.json
    echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"made:1\"],\"Layers\":[${layers#,}]}]" >manifest.json
    tar -cf image.tar config.json manifest.json "$@"
}

# with_image FILE SCRIPT
with_image() {
    run -0 "$overlay" --image "$1" --mount merged -- sh -ec "$2"
}

# refused TEXT [FILE]: that image is not taken, for that reason, and the store is as before.
refused() {
    local before after
    mkdir -p store/{configs,images,layers,tmp}
    before=$(find store | sort)
    expect_error 125 "$1" "$overlay" --image "${2:-image.tar}" --mount merged true
    after=$(find store | sort)
    assert_equal "$after" "$before"
}

same_as_umoci() {
    make_images
    "$overlay" --image "$IMAGES/$1" --mount merged -- bash -ec "$(declare -f listing); listing merged" >ours
    listing "$IMAGES/unpacked/rootfs" >umoci
    [ "$(wc -l <umoci)" -gt 600 ]
    run -0 diff umoci ours
}

@test "an image as docker saves it: the files are those that umoci unpacks" {
    same_as_umoci docker.tar
}

@test "an OCI image with gzip layers: the files are those that umoci unpacks" {
    same_as_umoci gzip.tar
}

@test "an OCI image with zstd layers: the files are those that umoci unpacks" {
    same_as_umoci zstd.tar
}

@test "the newer form of docker: manifest.json in an OCI layout, with the image for each machine" {
    make_images
    mkdir new
    tar -C new -xf "$IMAGES/docker.tar"
    mkdir -p new/blobs/sha256
    for file in new/*.tar new/*.json; do
        name=$(basename "${file%.*}")
        [ "$name" = manifest ] || mv "$file" "new/blobs/sha256/$name"
    done
    sed -i 's,\([0-9a-f]\{64\}\)\.\(tar\|json\),blobs/sha256/\1,g' new/manifest.json
    tar -C new -cf new.tar .
    with_image new.tar 'cat merged/etc/one'
    assert_equal "$output" changed
}

@test "an index with images for several machines: this machine's is taken" {
    make_images
    cp -r "$IMAGES/layout" several
    manifest=$(jq -c '.manifests[0] | del(.annotations)' several/index.json)
    machine=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
    wrong=sha256:$(printf '0%.0s' {1..64})
    index=$(jq -nc --argjson it "$manifest" --arg wrong "$wrong" --arg machine "$machine" '{manifests: [
        ($it + {digest: $wrong, platform: {os: "linux", architecture: "m68k"}}),
        ($it + {platform: {os: "linux", architecture: $machine}}),
        ($it + {digest: $wrong, platform: {os: "unknown", architecture: "unknown"}})]}')
    digest=$(printf %s "$index" | sha256sum | cut -d' ' -f1)
    printf %s "$index" >"several/blobs/sha256/$digest"
    echo "{\"manifests\":[{\"digest\":\"sha256:$digest\"}]}" >several/index.json
    tar -C several -cf several.tar .
    with_image several.tar 'cat merged/etc/one'
    assert_equal "$output" changed
    sed -i "s/$machine/vax/" "several/blobs/sha256/$digest"
    digest2=$(sha256sum <"several/blobs/sha256/$digest" | cut -d' ' -f1)
    mv "several/blobs/sha256/$digest" "several/blobs/sha256/$digest2"
    sed -i "s/$digest/$digest2/" several/index.json
    tar -C several -cf several.tar .
    refused "no image in it is for linux/$machine" several.tar
}

@test "a layer is unpacked once, and images share it" {
    make_images
    with_image "$IMAGES/docker.tar" true
    before=$(find store/layers -printf '%p %i %C@\n' | sort)
    for file in docker gzip zstd; do
        with_image "$IMAGES/$file.tar" true
    done
    assert_equal "$(find store/layers -printf '%p %i %C@\n' | sort)" "$before"
    [ "$(find store/images -type f | wc -l)" -ge 2 ]
}

@test "the store: TEN_STEPS_HOME, or the user's own data directory" {
    requires userns
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    install -d -o 65534 home
    chown 65534:65534 . merged
    unset TEN_STEPS_HOME
    run -0 as_user env "XDG_DATA_HOME=$PWD/home" "$(tool user)" "$overlay" --image image.tar --mount merged \
        cat merged/file
    assert_equal "$output" tree
    [ -d home/ten-steps/layers ]
    assert_equal "$(stat -c %a home/ten-steps)" 700
}

@test "an ordinary user's image: whiteouts, a directory made anew, and one that can't be read" {
    requires userns
    layer 1 dir/old file secret/s
    layer 2 dir/new
    mkdir -p 2/dir
    touch 2/.wh.file 2/dir/.wh..wh..opq
    chmod 000 1/secret
    tar -C 1 -cf 1.tar .
    tar -C 2 -cf 2.tar .
    image_of 1.tar 2.tar
    chown 65534:65534 . merged
    run -0 as_user env "TEN_STEPS_HOME=$TEN_STEPS_HOME" "$(tool user)" "$overlay" --image image.tar \
        --mount merged --diff -- sh -c 'cd merged; ls -A . dir secret'
    assert_equal "$output" $'.:\ndir\nsecret\n\ndir:\nnew\n\nsecret:\ns'
}

@test "whiteouts: one beside the new thing of its name, aufs's own files, and times that stay" {
    layer 1 a/old b c/x
    layer 2 a/new c/y
    touch 2/.wh.a 2/.wh.b 2/.wh..wh.plnk
    touch -d '2002-02-02 02:02:02' 2
    tar -C 2 -cf 2.tar .
    tar -C 1 -cf 1.tar .
    image_of 1.tar 2.tar
    with_image image.tar 'cd merged; ls -A . a c; stat -c %y .'
    assert_equal "$output" $'.:\na\nc\n\na:\nnew\n\nc:\nx\ny\n2002-02-02 02:02:02.000000000 +0000'
    digest=$(sha256sum <2.tar | cut -d' ' -f1)
    assert_equal "$(stat -c '%F %t:%T' "store/layers/$digest/diff/b")" "character special file 0:0"
}

@test "a sparse file of 10 GB stays sparse" {
    mkdir 1
    truncate -s 10G 1/big
    echo end >>1/big
    tar -C 1 -S -cf 1.tar big
    image_of 1.tar
    with_image image.tar 'stat -c %s merged/big; tail -c 4 merged/big; du -k merged/big | cut -f1'
    assert_equal "${lines[0]}" 10737418244
    assert_equal "${lines[1]}" end
    [ "${lines[2]}" -lt 1000 ]
}

@test "a hundred layers of an image, and the same layer twice" {
    tars=()
    for number in {001..099}; do
        layer tree "file$number" every
        echo "$number" >tree/every
        tar -C tree -cf "$number.tar" .
        tars+=("$number.tar")
        rm -r tree
    done
    image_of "${tars[@]}" 050.tar
    with_image image.tar 'ls merged | wc -l; cat merged/every'
    assert_equal "$output" $'100\n050'
}

@test "two imports of the same image at once" {
    make_images
    "$overlay" --image "$IMAGES/gzip.tar" --mount merged true 3>&- &
    first=$!
    "$overlay" --image "$IMAGES/docker.tar" --mount merged true 3>&- &
    second=$!
    wait "$first"
    wait "$second"
    assert_equal "$(find store/layers -mindepth 1 -maxdepth 1 | wc -l)" 2
    assert_equal "$(ls -A store/tmp)" ""
    same_as_umoci docker.tar
}

# A layer that takes a while: zeros, which compress well.
slow_image() {
    mkdir slow
    head -c "${1}M" /dev/zero >slow/zeros
    tar -C slow -cf slow.tar .
    image_of slow.tar
    gzip -1 slow.tar
    mv slow.tar.gz slow.tar
    tar -cf image.tar config.json manifest.json slow.tar
    rm -r slow slow.tar
}

being_unpacked() {
    compgen -G 'store/tmp/*/diff'
}

@test "an import that is interrupted leaves the store as it was" {
    slow_image 150
    for signal in INT TERM HUP; do
        setsid "$overlay" --image image.tar --mount merged true >out 2>&1 3>&- &
        pid=$!
        wait_until 10 being_unpacked
        kill "-$signal" "$pid"
        status=0
        wait "$pid" || status=$?
        assert_equal "$status" "$((128 + $(kill -l "$signal")))"
        assert_equal "$(find store -mindepth 2)" ""
    done
}

@test "an import that is killed leaves nothing that counts, and the next one takes it away" {
    slow_image 150
    layer tree file
    "$overlay" --image image.tar --mount merged true 3>&- &
    pid=$!
    wait_until 10 being_unpacked
    kill -KILL "$pid"
    wait "$pid" || true
    wait_until 5 no_process_is_left
    assert_equal "$(ls store/layers store/images)" $'store/images:\n\nstore/layers:'
    tar -C tree -cf 1.tar .
    image_of 1.tar
    with_image image.tar 'cat merged/file'
    assert_equal "$output" tree
    assert_equal "$(ls -A store/tmp)" ""
}

@test "a full disk: the import fails with one line, and the store is as it was" {
    slow_image 20
    mkdir store
    mount -t tmpfs -o size=5m none store
    local failed=0
    refused "No space left on device" || failed=$?
    umount store
    [ "$failed" -eq 0 ]
}

# --- images that mean no good ------------------------------------------------------------------

@test "files that are no images" {
    expect_error 125 "nowhere.tar: No such file or directory" "$overlay" --image nowhere.tar true
    echo hello >text
    refused "text: cut off" text
    head -c 100000 /dev/urandom >noise
    refused "noise: not a tar" noise
    refused "not a file" .
    tar -cf other.tar text
    refused "neither manifest.json nor index.json" other.tar
    gzip -k other.tar
    refused "compressed as a whole" other.tar.gz
    assert_hint "gzip -dc other.tar.gz"
}

@test "an image that is cut off, at any place" {
    make_images
    whole=$(stat -c %s "$IMAGES/docker.tar")
    for size in 0 1000 $((whole / 2)) $((whole - 2000)) $((whole - 1024)); do
        head -c "$size" "$IMAGES/docker.tar" >short.tar
        refused "short.tar: cut off" short.tar
    done
}

@test "a layer that is not what its digests promise: a byte changed, in each kind of image" {
    make_images
    for file in docker gzip zstd; do
        cp "$IMAGES/$file.tar" bad.tar
        # The middle of the largest file in it.
        place=$(tar -tvRf bad.tar | sort -k5 -n | awk '{ print substr($2, 1, length($2) - 1) * 512 + 512 + int($5 / 2) }' | tail -1)
        printf '\377\376\375' | dd of=bad.tar bs=1 seek="$place" conv=notrunc status=none
        refused "layer" bad.tar
    done
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    sed -i 's/sha256:..../sha256:0000/' config.json
    tar -cf image.tar config.json manifest.json 1.tar
    refused "layer 1 of 1: the digest of the tar is"
}

@test "a configuration or manifest that is not what its digest promises" {
    make_images
    mkdir bad
    tar -C bad -xf "$IMAGES/docker.tar"
    sed -i 's/hello/jello/' bad/????????????????????????????????????????????????????????????????.json
    tar -C bad -cf bad.tar .
    refused "was promised" bad.tar
    cp -r "$IMAGES/layout" oci
    manifest=$(jq -r '.manifests[0].digest' oci/index.json)
    sed -i 's/{/{ /' "oci/blobs/sha256/${manifest#*:}"
    tar -C oci -cf oci.tar .
    refused "was promised" oci.tar
}

@test "a layer or configuration that is named and missing" {
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    tar -cf image.tar config.json manifest.json
    refused "the layer 1.tar is missing"
    tar -cf image.tar manifest.json 1.tar
    refused "the configuration config.json is missing"
    sed -i 's/,"Layers".*/}]/' manifest.json
    tar -cf image.tar config.json manifest.json 1.tar
    refused "0 layers in manifest.json, and 1 in the configuration"
}

@test "JSON that is broken, deep, or goes in circles" {
    for text in '' '{' '[{"Config":1}]' '[]' 'null' '[{"Config":"config.json"}] x' '["\ud800"]' $'["\xff"]' \
        "$(printf '[%.0s' {1..100000})" '{"a":01}' '[1,]' '{"a" 1}'; do
        printf %s "$text" >manifest.json
        tar -cf image.tar manifest.json
        refused "image.tar: "
    done
    assert_contains "${stderr_lines[0]}" "manifest.json is not JSON"
    ln -s manifest.json other
    rm manifest.json
    ln -s other manifest.json
    tar -cf image.tar manifest.json other
    refused "manifest.json"
    echo '{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}' >index.json
    tar -cf image.tar index.json
    refused "has no sha256 digest"
}

# A layer out of files here whose names are changed on the way into the tar by sed's COMMAND.
bad_layer() {
    tar -P --transform="$1" -cf bad.tar "${@:2}"
    image_of bad.tar
}

# A file beside the store, which nothing below may touch.
victim() {
    mkdir -p outside
    echo untouched >outside/victim
    ln -f outside/victim outside/second
    before=$(listing outside)
}

victim_is_untouched() {
    assert_equal "$(listing outside)" "$before"
    [ ! -e outside/evil ] && [ ! -e evil ] && [ ! -e store/evil ] && [ ! -e /evil ] && [ ! -e /run/evil ]
}

@test "a name with '..' in it" {
    victim
    echo evil >file
    for up in ../evil dir/../../evil ../../../../../outside/victim; do
        bad_layer "s,^file$,$up," file
        refused "Member name contains '..'"
        victim_is_untouched
    done
}

@test "an absolute name lands in the layer" {
    victim
    echo evil >file
    bad_layer "s,^file$,$PWD/outside/victim," file
    with_image image.tar "cat merged$PWD/outside/victim"
    assert_equal "$output" evil
    victim_is_untouched
}

@test "a name that leads out through a symbolic link" {
    victim
    mkdir real
    echo evil >real/evil
    for target in "$PWD/outside" ../../../../outside / ..; do
        rm -f link
        ln -s "$target" link
        tar -cf bad.tar link
        tar -rf bad.tar --transform='s,^real,link,' real/evil
        image_of bad.tar
        refused "layer 1 of 1: tar: link/evil: Cannot open"
        victim_is_untouched
    done
}

@test "a file that is written through a symbolic link of the layer below stays in its own layer" {
    victim
    mkdir 1 2
    ln -s "$PWD/outside" 1/link
    tar -C 1 -cf 1.tar link
    mkdir 2/link
    echo evil >2/link/evil
    tar -C 2 -cf 2.tar .
    image_of 1.tar 2.tar
    with_image image.tar 'cat merged/link/evil'
    assert_equal "$output" evil
    victim_is_untouched
}

@test "a hard link to a file outside" {
    victim
    echo x >a
    ln a b
    for target in "$PWD/outside/victim" ../../../../outside/victim /etc/passwd; do
        tar -P --transform="flags=h;s,^a$,$target," -cf bad.tar a b
        image_of bad.tar
        refused "Cannot hard link to"
        victim_is_untouched
    done
}

@test "whiteouts that name '..' or nothing" {
    victim
    echo >file
    for name in .wh... .wh.. .wh.; do
        bad_layer "s,^file$,dir/$name," file
        refused "deletes nothing that could be there"
        victim_is_untouched
    done
}

@test "attributes by which a layer could steer overlay are not taken over" {
    mkdir tree tree/dir
    setfattr -n trusted.overlay.opaque -v y tree/dir
    setfattr -n trusted.overlay.redirect -v /etc tree/dir
    tar -C tree --xattrs --xattrs-include='*' -cf 1.tar .
    image_of 1.tar
    with_image image.tar true
    run -0 getfattr --dump --match=- store/layers/*/diff/dir
    assert_equal "$output" ""
}

@test "device files are only for root to make" {
    requires userns
    mknod device c 1 3
    tar -cf 1.tar device
    image_of 1.tar
    with_image image.tar 'stat -c "%F %t:%T" merged/device'
    assert_equal "$output" "character special file 1:3"
    chown 65534:65534 . merged
    rm -r store
    expect_error 125 "device: Cannot mknod: Operation not permitted" as_user env \
        "TEN_STEPS_HOME=$TEN_STEPS_HOME" "$(tool user)" "$overlay" --image image.tar --mount merged true
    assert_hint "only root"
    assert_equal "$(ls -A store/layers store/tmp)" $'store/layers:\n\nstore/tmp:'
}

@test "tar works in a box: namespaces of its own, nothing to write to but the layer, few capabilities" {
    slow_image 150
    "$overlay" --image image.tar --mount merged true 3>&- &
    pid=$!
    unpacker() { pgrep -f 'tar --extract' --ns $$ --nslist user; }
    wait_until 10 unpacker
    box=$(unpacker | head -1)
    kill -STOP "$box"
    assert_isolated "$box" mnt net pid ipc
    assert_equal "$(grep -c ' rw[, ].* - ' "/proc/$box/mountinfo")" 1
    assert_equal "$(awk '{ print $5 }' "/proc/$box/mountinfo" | grep -cE '^/(home|root|etc|run|proc|sys|dev)(/|$)')" "$(
        awk '{ print $5 }' "/proc/$box/mountinfo" | grep -cE '^/etc/(alternatives|ld.so.cache)$')"
    run ! grep -vE '^(pipe:|/dev/null$|/work($|/))' <(find "/proc/$box/fd" -type l -printf '%l\n')
    assert_equal "$(status_of "$box" CapEff)" "$(status_of "$box" CapBnd)"
    [ $((0x$(status_of "$box" CapEff) & 1 << 21)) -eq 0 ] # CAP_SYS_ADMIN
    assert_equal "$(status_of "$box" NoNewPrivs)" 1
    kill -CONT "$box"
    wait "$pid"
}
