# What the checks of chapter 9 share: layers, and images made of them. They begin with: load lib/layers
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables set for the bats files

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

# Everything about the files below a directory, except the sizes and links of directories: type, mode,
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
        touch -d '2005-05-05 05:05:05' bundle/rootfs bundle/rootfs/old bundle/rootfs/etc # or umoci, within a second, sees no change
        umoci repack --refresh-bundle --image layout:test bundle
        umoci config --image layout:test --config.env GREETING=hello --config.cmd /bin/sh
        umoci unpack --image layout:test unpacked
        skopeo copy -q oci:layout:test docker-archive:docker.tar:small:docker
        skopeo copy -q oci:layout:test oci-archive:gzip.tar:small:gzip
        skopeo copy -q --dest-compress-format zstd oci:layout:test oci:zstd:test
        tar -C zstd -cf zstd.tar .
    ) # and not "|| fail", behind which each command might fail unseen
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

# refused TEXT [FILE]: the image is refused with the reason TEXT, and the store is as before.
refused() {
    local before after
    mkdir -p store/{configs,images,layers,tmp}
    before=$(find store | sort)
    expect_error 125 "$1" "$overlay" --image "${2:-image.tar}" --mount merged true
    after=$(find store | sort)
    assert_equal "$after" "$before"
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
