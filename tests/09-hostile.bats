#!/usr/bin/env bats
# Chapter 9: images that are damaged, or mean no good.
load lib/helpers
load lib/layers

@test "files that are not images" {
    expect_error 125 "nowhere.tar: No such file or directory" "$overlay" --image nowhere.tar true
    echo hello >text
    refused "text: not a tar, damaged" text
    { echo noise && head -c 100000 /dev/urandom; } >noise # a zero in front would be the end of a tar
    refused "noise: not a tar, damaged" noise
    refused "Is a directory" .
    tar -cf other.tar text
    refused "neither manifest.json nor index.json" other.tar
    gzip -k other.tar
    refused "neither manifest.json nor index.json" other.tar.gz
    head -c 40 other.tar.gz >short.tar.gz
    refused "short.tar.gz: " short.tar.gz
}

@test "an image that is cut off, at any place" {
    make_images
    whole=$(stat -c %s "$IMAGES/docker.tar")
    # Nothing is missing without the end: docker's list of names, which nobody reads, and zeros.
    for size in $((RANDOM * (whole - 10240) / 32768)) 0 1 500 1000 $((whole / 2)) $((whole * 3 / 4)); do
        head -c "$size" "$IMAGES/docker.tar" >short.tar
        refused "short.tar: " short.tar
    done
    assert_contains "${stderr_lines[0]}" "cut off: its end is missing"
}

@test "a compressed layer that is cut off" {
    layer tree file
    tar -C tree -cf whole.tar .
    for program in gzip zstd xz bzip2; do
        "$program" -c whole.tar | head -c -12 >1.tar
        image_of 1.tar
        refused "layer 1 of 1: "
        [[ ${stderr_lines[0]} =~ ([Uu]nexpected end|premature end|ends unexpectedly) ]]
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

@test "a layer that fails ends the others, and one error is reported" {
    layer 1 one
    head -c 200M /dev/zero >1/zeros
    tar -C 1 -cf 1.tar .
    for number in 2 3 4; do
        layer "$number" "$number"
        tar -C "$number" -cf "$number.tar" .
    done
    image_of 1.tar 2.tar 3.tar 4.tar
    jq -c '.rootfs.diff_ids[1:][] |= sub(":...."; ":0000")' config.json >bad.json
    mv bad.json config.json
    tar -cf image.tar config.json manifest.json {1..4}.tar
    refused ": the digest of the tar is"
    no_process_is_left
}

@test "a digest in a configuration that is spelled with an escape is none: its layer would be lost" {
    layer tree file
    tar -C tree -cf layer.tar .
    image_of layer.tar
    local digit
    digit=$(grep -o 'sha256:[0-9a-f]*' config.json | tail -c 2) # the last: "3\u0037c" has a 37c, too
    sed -i "s/$digit\"]/$(printf '\\\\u%04x' "'$digit")\"]/" config.json
    [ "$(jq -r '.rootfs.diff_ids[0]' config.json)" = "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" ]
    tar -cf image.tar config.json manifest.json layer.tar
    refused "is not the sha256 digest of a layer" image.tar
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
    refused "config.json is missing in it"
    sed -i 's/,"Layers".*/}]/' manifest.json
    tar -cf image.tar config.json manifest.json 1.tar
    refused "0 layers in the manifest, and 1 in the configuration"
}

@test "a field of a configuration or manifest that can't be understood: one line names it" {
    layer tree file
    tar -C tree -cf 1.tar .
    odd() { # NAME IN TEXT FILE FILTER: FILE changed by jq's FILTER
        image_of 1.tar
        jq -c "$4" "$3" >bad.json
        mv bad.json "$3"
        tar -cf image.tar config.json manifest.json 1.tar
        refused "image.tar: $1 in $2"
    }
    for field in Env Cmd Entrypoint; do
        for value in '{"A":"1"}' 1 true '["sh",true]' '[["A=1"]]' '["a\u0000b"]'; do
            odd "$field" "its configuration is not a list of strings" config.json ".config.$field = $value"
        done
    done
    for value in '{"a":"b"}' '["/"]' 1 false '"a\u0000b"'; do
        for field in config.WorkingDir config.User created; do
            odd "${field#*.}" "its configuration is not a string" config.json ".$field = $value"
        done
    done
    odd "the names of an image" "manifest.json are not strings" manifest.json '.[0].RepoTags = [1]'
    odd "the names of an image" "manifest.json are not strings" manifest.json '.[0].RepoTags = {"a": 1}'
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

@test "a tar whose sizes lead backwards ends" {
    local sum=0 byte
    echo '[]' >manifest.json
    tar -cf image.tar manifest.json
    printf %s -0000010000 | dd of=image.tar bs=1 seek=124 conv=notrunc status=none
    printf '        ' | dd of=image.tar bs=1 seek=148 conv=notrunc status=none
    for byte in $(head -c 512 image.tar | od -An -v -t u1); do
        sum=$((sum + byte))
    done
    printf '%06o\0' "$sum" | dd of=image.tar bs=1 seek=148 conv=notrunc status=none
    expect_error 125 "image.tar: cut off" timeout 30 "$overlay" --image image.tar --mount merged true
}

# image_with FILTER: an image of one layer whose manifest has been through jq
image_with() {
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    jq -c "$1" manifest.json >other.json
    mv other.json manifest.json
    tar -cf image.tar config.json manifest.json 1.tar
}

@test "a path of a million parts costs no more than reading it" {
    image_with '.[0].Layers = [("a/" * 1000000) + "../1.tar"]'
    expect_error 125 "the layer a/a/a/a/" timeout 30 "$overlay" --image image.tar --mount merged true
}

@test "more files in a tar than an image has" {
    : >empty
    tar -cf - empty | head -c 512 >image.tar
    for _ in {1..17}; do
        cat image.tar image.tar >twice
        mv twice image.tar
    done
    refused "too many files in it"
}

@test "an invalid name: nothing is unpacked, and control characters stay off the terminal" {
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    for name in 'a b' ../x '' $'x\e[2J\ny' "$(printf 'a/%.0s' {1..100})a"; do
        jq -c --arg name "$name" '.[0].RepoTags += [$name]' manifest.json >bad.json
        tar -cf image.tar --transform=s/bad/manifest/ config.json bad.json 1.tar
        refused "invalid image name"
        refute_contains "$stderr" $'\e'
    done
    jq -c --arg name $'1\e[2J\nhint: x' '.[0].Layers = [$name]' manifest.json >bad.json
    mv bad.json manifest.json
    tar -cf image.tar config.json manifest.json 1.tar
    refused "the layer 1?[2J?hint: x is missing"
}

@test "directories deeper than a process may open files, with whiteouts at every depth" {
    local deep
    deep=$(printf 'd/%.0s' {1..1100})
    layer 1 "$deep/"{gone,kept}
    layer 2 "$deep/new"
    (cd 2 && for _ in {1..1100}; do touch .wh.x && cd d; done && touch .wh.gone)
    tar -C 1 -cf 1.tar .
    tar -C 2 -cf 2.tar .
    image_of 1.tar 2.tar
    ulimit -n 100
    run -0 "$overlay" --image image.tar --diff --mount merged -- sh -ec 'cd "merged/$1"; ls -A; rm kept' sh "$deep"
    assert_equal "${lines[*]:0:2} ${lines[-1]}" "kept new D /${deep}kept"
    assert_equal "${#lines[@]}" 1103
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
    for up in ../ dir/../ dir/../../../../../../outside/; do
        bad_layer "s,^file$,$up.wh.victim," file
        refused "Member name contains '..'"
        victim_is_untouched
    done
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
    setfattr -n user.overlay.opaque -v y tree/dir
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
    mount -t tmpfs none /usr/local/share # or all may be read-only already
    "$overlay" --image image.tar --mount merged true 3>&- &
    pid=$!
    stop_a_tar() {
        box=$(pgrep -o -f 'tar --extract' --ns $$ --nslist user) && kill -STOP "$box"
    }
    wait_until 10 stop_a_tar
    umount --lazy /usr/local/share
    assert_isolated "$box" mnt net pid ipc
    assert_equal "$(grep -c ' rw[, ].* - ' "/proc/$box/mountinfo")" 1
    grep -q ' /layer rw,nosuid,nodev,noexec' "/proc/$box/mountinfo"
    assert_equal "$(awk '{ print $5 }' "/proc/$box/mountinfo" | grep -cE '^/(home|root|etc|run|proc|sys|dev)(/|$)')" "$(
        awk '{ print $5 }' "/proc/$box/mountinfo" | grep -cE '^/etc/(alternatives|ld.so.cache)$')"
    run ! grep -vE '^(pipe:|/(dev/)?null$|/layer($|/))' <(find "/proc/$box/fd" -type l -printf '%l\n')
    assert_equal "$(status_of "$box" CapEff)" "$(status_of "$box" CapBnd)"
    [ $((0x$(status_of "$box" CapEff) & 1 << 21)) -eq 0 ] # CAP_SYS_ADMIN
    assert_equal "$(status_of "$box" NoNewPrivs)" 1
    kill -CONT "$box"
    wait "$pid"
}
