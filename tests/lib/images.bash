# For the checks of chapter 10 that make an image and run boxes from it. Load it after lib/boxes.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for the bats files, and by bats

setup() {
    host_remember
    requires root overlay command:skopeo command:umoci
    cd "$BATS_TEST_TMPDIR" || return
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    full=$(tool full)
}

# An image base:1 in base.tar: a root filesystem, and a layer on it with the file /etc/base. The
# argument is added to its environment.
make_image() {
    make_rootfs
    secret=$(random_name)
    mkdir -p top/{etc,srv}
    echo "$secret" | tee top/srv/base >top/etc/base
    tar -C "$ROOTFS" -cf 1.tar .
    tar -C top -cf 2.tar etc srv
    digest=$(sha256sum <2.tar | cut -d' ' -f1)
    echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"cat\",\"/etc/base\"],\"Env\":[\"GREETING=hello\"${1-}]},
        \"history\":[{\"created_by\":\"first step\"},{\"created_by\":\"no layer\",\"empty_layer\":true},{\"created_by\":\"second step\"}],
        \"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha256sum <1.tar | cut -d' ' -f1)\",\"sha256:$digest\"]}}" >config.json
    echo '[{"Config":"config.json","RepoTags":["base:1"],"Layers":["1.tar","2.tar"]}]' >manifest.json
    tar -cf base.tar config.json manifest.json 1.tar 2.tar
}

# image_with FILTER NAME: the image again, its configuration changed by jq.
image_with() {
    jq -c "$1" config.json >changed.json
    jq -c --arg name "$2" '.[0] += {Config: "changed.json", RepoTags: [$name]}' manifest.json >other
    tar -cf changed.tar --transform='s/^other$/manifest.json/' other changed.json 1.tar 2.tar
    "$full" load changed.tar
}
