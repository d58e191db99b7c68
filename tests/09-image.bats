#!/usr/bin/env bats
# Chapter 9: images, and the store of their layers.
load lib/helpers
load lib/layers

same_as_umoci() {
    make_images
    "$overlay" --image "$IMAGES/$1" --mount merged -- bash -ec "$(declare -f listing); listing merged" >ours
    listing "$IMAGES/unpacked/rootfs" >umoci
    [ "$(wc -l <umoci)" -gt 600 ]
    run -0 diff umoci ours
}

# bats test_tags=ex:9-4
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

@test "an index with null or nothing as platform and name: one image, with the file's name" {
    make_images
    cp -r "$IMAGES/layout" odd
    local odd='.manifests[0] |= (.platform = {os: $nothing, architecture: $nothing} |
        .annotations = {"io.containerd.image.name": $nothing, "org.opencontainers.image.ref.name": $name})'
    for nothing in null '""' '[]'; do
        for name in "$nothing" '"given"'; do
            jq -c --argjson nothing "$nothing" --argjson name "$name" "$odd" "$IMAGES/layout/index.json" >odd/index.json
            tar -C odd -cf odd.tar .
            with_image odd.tar 'cat merged/etc/one'
            assert_equal "$output" changed
        done
    done
    assert_equal "$(ls store/images)" $'odd:given\nodd:latest'
    jq -c '.manifests[0].platform.os = 1' "$IMAGES/layout/index.json" >odd/index.json
    tar -C odd -cf odd.tar .
    refused "no image in it is for linux" odd.tar
    jq -c '.manifests[0].annotations["io.containerd.image.name"] = 1' "$IMAGES/layout/index.json" >odd/index.json
    tar -C odd -cf odd.tar .
    refused "index.json are not strings" odd.tar
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
    # Before Linux 6.6 it warns of what a user's layers in memory can't do.
    run -0 --separate-stderr as_user env "XDG_DATA_HOME=$PWD/home" "$(tool user)" "$overlay" --image image.tar --mount merged \
        cat merged/file
    assert_equal "$output" tree
    [ -d home/ten-steps/layers ]
    assert_equal "$(stat -c %a home/ten-steps)" 700
}

# bats test_tags=ex:9-4
@test "an ordinary user's image: whiteouts, a directory made again, and one that can't be read" {
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
    run -0 --separate-stderr as_user env "TEN_STEPS_HOME=$TEN_STEPS_HOME" "$(tool user)" "$overlay" \
        --image image.tar --mount merged --diff -- sh -c 'cd merged; ls -A . dir secret'
    assert_equal "$output" $'.:\ndir\nsecret\n\ndir:\nnew\n\nsecret:\ns'
}

# bats test_tags=ex:9-4
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

@test "whiteouts go by their names, whatever else they are; what aufs left for itself is skipped" {
    requires userns
    local long format directory user
    # In ustar 100 bytes may stand for what a hard link leads to; of two names, that is the one first read.
    long=$(printf 'lo%.0s' {1..21})/$(printf 'name%.0s' {1..11})
    layer 1 {.,sub,"$long"}/{file,hard,symbolic,fifo,directory,kept}
    tar -C 1 -cf 1.tar .
    make_whiteouts() { # in the directory $1
        touch "$1/.wh.file" "$1/.wh..wh.aufs"
        ln "$1/.wh..wh.aufs" "$1/.wh.hard"
        ln -s nowhere "$1/.wh.symbolic"
        mkfifo "$1/.wh.fifo"
        mkdir -p "$1"/.wh.directory/more "$1"/.wh..wh.plnk/1.2
        touch "$1"/.wh.{directory/more,.wh.plnk}/.wh.kept
    }
    mkdir -p "2/$long" 2/sub
    for directory in 2 "2/$long" 2/sub; do
        make_whiteouts "$directory"
    done
    touch -d @12345 2 "2/${long%/*}"
    chown 65534:65534 . merged
    for format in ustar gnu pax; do # of sub it says nothing
        (cd 2 && tar --format="$format" -cf ../2.tar --no-recursion . --recursion "${long%/*}" {,sub/}.wh.*)
        [ "$(tar -tvf 2.tar | grep -c '^h.* link to ')" -eq 3 ]
        image_of 1.tar 2.tar
        for user in '' "as_user env TEN_STEPS_HOME=$PWD/user $(tool user)"; do
            rm -rf store user
            # shellcheck disable=SC2086 # words
            run -0 --separate-stderr $user "$overlay" --image image.tar --mount merged -- \
                sh -ec 'cd merged; find . ! -type d; stat -c %Y . "$1"' sh "${long%/*}"
            assert_equal "$(sort <<<"$output")" "$(printf '%s\n' {.,./sub,"./$long"}/kept 12345 12345 | sort)"
        done
    done
}

# bats test_tags=core,ex:9-4
@test "whiteouts and an opaque mark of an image, in the box's stack as seen from outside" {
    layer 1 gone kept dir/old
    layer 2 dir/new
    touch 2/.wh.gone 2/dir/.wh..wh..opq
    for number in 1 2; do
        tar -C "$number" -cf "$number.tar" .
    done
    image_of 1.tar 2.tar
    start_box overlay --image image.tar --mount merged sleep 60
    assert_isolated "$BOX_PID" mnt
    assert_equal "$(cd "/proc/$BOX_PID/cwd/merged" && find . -type f | sort | xargs)" "./dir/new ./kept"
    assert_equal "$(ls -A merged)" ""
}

# bats test_tags=ex:9-4
@test "an opaque mark at the top of a layer hides all below" {
    layer 1 old dir/older
    layer 2 dir/new
    touch 2/.wh..wh..opq
    layer 3 newest
    for number in 1 2 3; do
        tar -C "$number" -cf "$number.tar" .
    done
    image_of 1.tar 2.tar 3.tar
    run -0 "$overlay" --image image.tar --diff --mount merged -- \
        sh -ec 'cd merged; ls -A . dir; rm -r dir; mkdir dir'
    assert_equal "$output" $'.:\ndir\nnewest\n\ndir:\nnew\nC /dir\nD /dir/new'
}

@test "what is in the store depends on the image, not on the caller's umask" {
    requires userns
    layer tree a/b/file
    touch .wh.gone
    tar -C tree -cf 1.tar a/b/file # of its directories it says nothing
    tar -cf 2.tar --transform=s,^,c/d/, .wh.gone
    image_of 1.tar 2.tar
    chown 65534:65534 . merged
    local user mask expected
    for user in '' "as_user env TEN_STEPS_HOME=$PWD/place/store $(tool user)"; do
        expected=''
        for mask in 022 000 077 777; do
            rm -rf place
            # shellcheck disable=SC2086 # words
            run -0 --separate-stderr in_umask "$mask" $user env TEN_STEPS_HOME="$PWD/place/store" "$overlay" --image image.tar --mount merged sh -c umask
            assert_equal "$output" "0$mask"
            found=$(find place -printf '%P %y %m %U:%G\n' | sort)
            assert_contains "$found" 'diff d 755' # and none of its root
            assert_contains "$found" 'diff/a/b d 755'
            assert_equal "$found" "${expected:=$found}"
        done
    done
}

in_umask() { # MASK COMMAND…
    umask "$1"
    "${@:2}"
}

@test "a sparse file in each of the ways that tar has for it, and what follows it" {
    mkdir 1
    truncate -s 200M 1/big
    for number in {1..60}; do # more parts than its header has room for
        echo "$number" | dd of=1/big bs=1M seek="$((number * 3))" conv=notrunc status=none
    done
    layer 0 gone
    touch 1/.wh.gone
    tar -C 0 -cf 0.tar .
    for format in gnu --sparse-version={0.0,0.1,1.0}; do
        tar -C 1 --format="${format/--*/pax}" "${format/gnu/--sparse}" -S -cf 1.tar big .wh.gone
        image_of 0.tar 1.tar
        with_image image.tar 'cmp merged/big 1/big; du -k merged/big | cut -f1; ls -A merged'
        [ "${lines[0]}" -lt 1000 ]
        assert_equal "${lines[*]:1}" big
    done
}

@test "a layer without empty blocks at its end, and one of before 1988" {
    layer tree file
    tar -C tree -cf 1.tar --format=v7 .
    size=$(($(stat -c %s 1.tar) / 512))
    while cmp -s -n 512 -i "$(((size - 1) * 512)):0" 1.tar /dev/zero; do
        size=$((size - 1))
    done
    truncate -s "$((size * 512))" 1.tar
    image_of 1.tar
    tar -cf image.tar --format=v7 config.json manifest.json 1.tar
    with_image image.tar 'cat merged/file'
    assert_equal "$output" tree
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

@test "an image in a tar with a link for a layer; one with a file of 9 GB is refused" {
    layer tree file
    mkdir other
    tar -C tree -cf other/layer.tar .
    image_of other/layer.tar
    mkdir one
    ln -s ../other/layer.tar one/layer.tar
    sed -i 's,other/,one/,' manifest.json
    tar -cf image.tar config.json manifest.json one/layer.tar other/layer.tar
    with_image image.tar 'cat merged/file'
    assert_equal "$output" tree
    truncate -s 9G big
    for format in "gnu 512" "pax 1536"; do # whose headers have two ways for its size
        tar --format="${format% *}" -cf - big 2>/dev/null | head -c "${format#* }" >far.tar || true
        truncate -s +9G far.tar
        cat image.tar >>far.tar
        refused "far.tar: " far.tar
    done
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

@test "ten imports of the same image at once" {
    make_images
    pids=()
    for file in gzip docker gzip docker gzip docker gzip docker gzip docker; do
        "$overlay" --image "$IMAGES/$file.tar" --mount merged true 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    assert_equal "$(find store/layers -mindepth 1 -maxdepth 1 | wc -l)" 2
    assert_equal "$(ls -A store/tmp)" ""
    same_as_umoci docker.tar
}

being_unpacked() {
    compgen -G 'store/tmp/*/*/diff'
}

@test "an import that is interrupted leaves the store as it was" {
    slow_image 150
    for signal in INT TERM HUP; do
        setsid env --default-signal=HUP "$overlay" --image image.tar --mount merged true >out 2>&1 3>&- &
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

@test "a layer or configuration that a power failure has emptied is unpacked again" {
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    with_image image.tar true
    : >"$(echo store/layers/*/diff/file)"
    : >"$(echo store/layers/*/size)"
    with_image image.tar 'cat merged/file'
    assert_equal "$output" tree
    : >"$(echo store/configs/*)"
    with_image image.tar 'cat merged/file'
    assert_contains "$output" tree
}

@test "a name in docker's manifest without a tag has the tag latest" {
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    sed -i 's/made:1/made/' manifest.json
    tar -cf image.tar config.json manifest.json 1.tar
    with_image image.tar true
    assert_equal "$(ls store/images)" made:latest
}

@test "digests need no program but tar, and are right whatever the length" {
    local length id
    layer tree file
    tar -C tree -cf 1.tar .
    image_of 1.tar
    mkdir programs
    ln -s "$(type -P tar)" "$(type -P true)" programs/
    # Where the last block is full, or has room for the length or for the bit before it, or has not.
    for length in 119 120 127 128 $((RANDOM % 64 + 192)); do
        printf "%-${length}s" "$(cat config.json)" >longer.json
        mv longer.json config.json
        tar -cf image.tar config.json manifest.json 1.tar
        id=$(sha256sum <config.json | cut -d' ' -f1)
        rm -rf store
        run -0 env PATH="$PWD/programs" "$overlay" --image image.tar --mount merged true
        assert_equal "$(ls store/configs)" "$id"
    done
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
