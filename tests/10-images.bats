#!/usr/bin/env bats
# Chapter 10: images by name: load, images, run, commit, save, rmi.
load lib/helpers
load lib/boxes
load lib/images

store_files() {
    find store -mindepth 2 -printf '%p %i\n' | sort
}

@test "load, images, rmi" {
    make_image
    run -0 "$full" load base.tar
    assert_contains "$output" base:1
    run -0 "$full" load base.tar other/name:2
    run -0 "$full" images
    assert_contains "$output" base:1
    assert_contains "$output" other/name:2
    [[ ${lines[1]} =~ ^base:1\ +$(sha256sum <config.json | cut -c1-12)\ +2\ +[0-9.]+\ MB$ ]]
    run ! grep -nE '.{81}' <<<"$output"
    run -0 "$full" rmi base:1
    [ -d "store/layers/$digest" ]
    run -0 "$full" rmi other/name:2
    assert_equal "$(store_files)" ""
    expect_error 125 "no image base:1" "$full" rmi base:1
}

@test "run: the image's command and environment, or one's own" {
    make_image ',"HOST_SECRET"'
    "$full" load base.tar
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
    # A name without a value asks for one's own with --env alone.
    HOST_SECRET=secret run -0 "$full" run --network none base:1 \
        sh -c 'echo $GREETING$HOST_SECRET; echo changed >/etc/base'
    assert_equal "$output" hello
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
}

# odd_image FILTER [FILTER]: odd.tar, of what jq makes of the configuration and of the manifest.
odd_image() {
    jq -c "$1" config.json >odd.json
    jq -c ".[0].Config = \"odd.json\" | ${2-.}" manifest.json >odd
    tar -cf odd.tar --transform=s/^odd$/manifest.json/ odd odd.json 1.tar 2.tar
    run -0 "$full" load odd.tar
}

@test "a field of the configuration that is missing, null or empty, whatever its kind, is the default" {
    make_image
    name=$(random_name box)
    for nothing in null '""' '[]' '{}'; do
        odd_image "(.config | .Env, .Entrypoint, .Cmd, .WorkingDir, .User) = $nothing | .created = $nothing
            | .history = [{created: $nothing, created_by: $nothing, empty_layer: $nothing}, null, {}]" \
            ".[0].RepoTags = $nothing" # its name is then the file's
        run -0 "$full" run --network none --name "$name" odd sh -c 'pwd; id -u; cat /etc/base; echo $GREETING'
        assert_equal "$output" $'/\n0\n'"$secret"
        run -0 "$full" commit "$name" odd:2
        run -0 "$full" images
        run -0 "$full" rm "$name"
        odd_image ".config = $nothing | .history = $nothing" '.[0].RepoTags = ["odd"]'
        run -0 "$full" run --network none odd </dev/null # a shell, then
        assert_equal "$output" ""
    done
    odd_image '.config = {Entrypoint: [""], Cmd: "pwd"}' '.[0].RepoTags = "odd"' # strings for lists
    run -0 "$full" run --network none odd
    assert_equal "$output" /
}

@test "two boxes on one image don't see each other's writes, and it can't be removed meanwhile" {
    make_image
    "$full" load base.tar
    start_box full run --network none base:1 sleep 60
    first=$BOX_PID
    start_box full run --network none base:1 sleep 61
    name=$(random_name)
    inside "$first" user mount -- touch "/$name"
    [ -e "/proc/$first/root/$name" ]
    [ ! -e "/proc/$BOX_PID/root/$name" ]
    expect_error 125 "a box runs on it" "$full" rmi base:1
    stop_boxes
    wait_until 5 "$full" rmi base:1
}

@test "an image that is loaded again while a box runs on it can't be removed" {
    make_image
    "$full" load base.tar
    start_box full run --network none base:1 sh -c 'sleep 60'
    "$full" load base.tar
    expect_error 125 "a box runs on it" "$full" rmi base:1
    inside "$BOX_PID" mount -- cat /etc/base >seen
    assert_equal "$(cat seen)" "$secret"
    stop_boxes
    wait_until 5 "$full" rmi base:1
    assert_equal "$(store_files)" ""
}

@test "a store whose path has a control character in it is refused, and no command removes what the first line names" {
    make_image
    name=$(random_name box)
    mkdir victim
    echo "$secret" >victim/mine
    for character in $'\n' $'\t' $'\e' $'\x7f' $'\xc2\x9b'; do
        export TEN_STEPS_HOME=$PWD/victim$character/store
        expect_error 125 "store: its path has to be absolute, without control characters" "$full" load base.tar
        run -125 "$full" run --network none --name "$name" base:1 true
        run -125 "$full" rm "$name"
        assert_equal "$(cat victim/mine)" "$secret"
        [ ! -e "$TEN_STEPS_HOME" ]
    done
    export TEN_STEPS_HOME=$PWD/stœre # UTF-8 has such bytes within characters
    run -0 "$full" load base.tar
}

@test "a directory of the image can be deleted, made again and moved, whatever the ids of the box" {
    make_image
    "$full" load base.tar
    local options name
    name=$(random_name box)
    for options in --rm "--rm --userns=host" "--name=$name" as_user; do
        local command=("$full")
        [ "$options" != as_user ] || { as_user_with_a_store && options=--rm; }
        # shellcheck disable=SC2086 # words
        run -0 "${command[@]}" run --network none $options base:1 sh -c \
            'rm -r /home && mkdir /home && ls -A /home && mv /srv /moved && cat /moved/base'
        assert_equal "$output" "$secret"
    done
    run -0 "$full" rm "$name"
    assert_equal "$(ls store/boxes)$(ls user/boxes)" ""
}

# Sets command: full as an ordinary user, with the image in a store of his own.
as_user_with_a_store() {
    command=("${AS_USER[@]}" env "TEN_STEPS_HOME=$PWD/user" "XDG_RUNTIME_DIR=$PWD/user" "$full")
    install -d -o 65534 -g 65534 user
    chmod 711 .
    "${command[@]}" load base.tar
}

@test "commit: what the box has written becomes one more layer" {
    make_image
    "$full" load base.tar
    name=$(random_name box)
    start_box full run --network none --name "$name" base:1 sh -c \
        'echo new >/etc/new; rm /etc/base; mkdir /d; rm -r /home; mkdir /home; >/home/mine; echo ready; sleep 60'
    wait_until 5 grep -q ready "$BOX_OUT"
    run -0 "$full" commit "$name" mine:1
    run -0 "$full" run --network none mine:1 sh -c 'cat /etc/new; ls -d /etc/base /d 2>&1; ls /home'
    assert_equal "${lines[0]}" new
    assert_contains "$output" "/etc/base': No such file"
    assert_equal "${lines[-1]}" mine
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
    run -0 "$full" rm -f "$name"
}

@test "commit: deleted files with blanks, new lines and wildcards in their names take no others with them" {
    mkdir -p top/etc
    gone=('blank ' $'tab\t' $'new\nline' $'\n' 'st*r' 'wh?t' '[ab]' 'back\' $'\xff\n' '#')
    stays=(blank tab $'new\tline' newXline x star what a back $'\xff\v')
    for name in "${gone[@]}"; do
        touch "top/etc/gone$name"
    done
    make_image
    "$full" load base.tar
    name=$(random_name box)
    run -0 "$full" run --network none --name "$name" base:1 sh -c \
        'cd /etc; rm gone*; for name; do >"gone$name"; done' sh "${stays[@]}"
    run -0 "$full" commit "$name" mine:1
    run -0 "$full" run --network none mine:1 sh -c 'cd /etc; for name; do [ -f "gone$name" ] || exit; done; ls -d gone* | wc -l' \
        sh "${stays[@]}"
    assert_equal "$output" "${#stays[@]}"
    run -0 "$full" rm "$name"
}

@test "commit by an ordinary user: what was deleted in a directory that can't be read stays deleted" {
    requires userns
    mkdir -p top/etc/d
    touch top/etc/d/old
    make_image
    as_user_with_a_store
    name=$(random_name box)
    run -0 "${command[@]}" run --network none --name "$name" base:1 sh -c \
        'rm -r /etc/d /etc/base; mkdir /etc/d; >/etc/d/new; chmod 000 /etc'
    run -0 "${command[@]}" commit "$name" mine:1
    run -0 "${command[@]}" run --network none mine:1 sh -c 'stat -c %a /etc; ls /etc/d; ls /etc | grep base || :'
    assert_equal "$output" $'0\nnew'
    run -0 "${command[@]}" rm "$name"
}

@test "commit and save: directories deeper than a process may open files" {
    local deep
    deep=etc/$(printf 'd/%.0s' {1..1100})
    mkdir -p "top/$deep"
    touch "top/$deep/gone"
    make_image
    "$full" load base.tar
    name=$(random_name box)
    run -0 "$full" run --network none --name "$name" base:1 sh -c 'cd "/$1"; rm gone; >new' sh "$deep"
    ulimit -n 200
    run -0 "$full" commit "$name" mine:1
    run -0 "$full" run --network none mine:1 ls -A "/$deep"
    assert_equal "$output" new
    run -0 "$full" save mine:1 saved.tar
    run -0 "$full" load saved.tar mine:2
    run -0 "$full" run --network none mine:2 ls -A "/$deep"
    assert_equal "$output" new
    "$full" rm "$name"
}

@test "save: skopeo takes it, umoci unpacks from it what the box sees, and we load it again" {
    make_image
    "$full" load base.tar
    run -0 "$full" save base:1 saved.tar
    skopeo copy -q docker-archive:saved.tar oci:layout:saved
    umoci unpack --image layout:saved bundle >/dev/null 2>&1
    run -0 diff -r --no-dereference "$ROOTFS/etc" bundle/rootfs/etc --exclude base
    assert_equal "$(cat bundle/rootfs/etc/base)" "$secret"
    [ -x bundle/rootfs/bin/sh ]
    run -0 "$full" save base:1 again.tar
    cmp saved.tar again.tar
    "$full" rmi base:1
    run -0 "$full" load saved.tar
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
}

@test "save: where a file must have a name, the error says how" {
    requires command:strace
    make_image
    "$full" load base.tar
    expect_error 125 "save ./saved.tar: Operation not supported" strace --quiet=all --output=/dev/null \
        --trace-path=. --inject=openat:error=EOPNOTSUPP "$full" save base:1 ./saved.tar
    assert_hint "full save IMAGE > ./saved.tar"
}

@test "save: the file is whole or not there, however the tool ends; what it replaces is a file" {
    requires command:strace
    make_image
    "$full" load base.tar
    mkdir out
    for signal in INT TERM KILL; do # held up as it begins to read a layer
        strace --follow-forks --quiet=all --output=/dev/null --trace=execve --trace-path="$(command -v tar)" \
            --inject=execve:delay_enter=8000000 "$full" save base:1 out/saved.tar 3>&- 4>&- &
        TOOL_PIDS+=("$!")
        wait_until 5 compgen -G 'store/tmp/*/1.tar'
        saving=$(cut -d" " -f1 "/proc/$!/task/$!/children")
        kill "-$signal" "$saving"
        wait_until 20 ended "$saving"
        assert_equal "$(ls -A out)" ""
        [ "$signal" = KILL ] || assert_equal "$(ls -A store/tmp)" ""
    done
    for _ in first second; do
        run -0 "$full" save base:1 out/saved.tar
        assert_equal "$(ls -A out) $(stat -c %a out/saved.tar)" "saved.tar 644"
        tar -tf out/saved.tar >out.list
    done
    (umask 027 && "$full" save base:1 out/saved.tar)
    assert_equal "$(stat -c %a out/saved.tar)" 640
    mkfifo pipe
    expect_error 125 "save pipe: not a file" "$full" save base:1 pipe
}

@test "save: whiteouts and directories made again are written as images have them" {
    make_image
    mkdir -p 3/etc 3/home
    touch 3/etc/.wh.base 3/home/.wh..wh..opq 3/home/x
    tar -C 3 -cf 3.tar .
    jq -c --arg digest "sha256:$(sha256sum <3.tar | cut -d' ' -f1)" '.rootfs.diff_ids += [$digest] | del(.history)' \
        config.json >config2.json
    echo '[{"Config":"config2.json","RepoTags":["gone:1"],"Layers":["1.tar","2.tar","3.tar"]}]' >manifest.json
    tar -cf gone.tar config2.json manifest.json 1.tar 2.tar 3.tar
    "$full" load gone.tar
    "$full" save gone:1 saved.tar
    skopeo copy -q docker-archive:saved.tar oci:layout:saved
    umoci unpack --image layout:saved bundle >/dev/null 2>&1
    [ ! -e bundle/rootfs/etc/base ]
    assert_equal "$(ls -A bundle/rootfs/home)" x
    [ -z "$(find bundle/rootfs -name '.wh.*')" ]
    tar -xf saved.tar 3.tar
    [[ $(tar --xattrs -tvvf 3.tar) != *overlay* ]] || fail "what overlay keeps in attributes is saved as such"
}

@test "a layer that an import counts on and another command removes is unpacked after all" {
    make_image
    mkdir slow
    head -c 150M /dev/zero >slow/zeros
    tar -C slow -cf 3.tar .
    jq -c --arg digest "sha256:$(sha256sum <3.tar | cut -d' ' -f1)" '.rootfs.diff_ids += [$digest]' config.json >changed.json
    jq -c '.[0] += {Config: "changed.json", RepoTags: ["again:1"], Layers: ["1.tar", "2.tar", "3.tar"]}' manifest.json >other
    tar -cf again.tar --transform='s/^other$/manifest.json/' other changed.json {1..3}.tar
    "$full" load base.tar
    "$full" load again.tar &
    pid=$!
    TOOL_PIDS+=("$pid")
    being_unpacked() {
        compgen -G 'store/tmp/*/*/diff'
    }
    wait_until 10 being_unpacked
    "$full" rmi base:1
    [ ! -e "store/layers/$digest" ]
    wait "$pid"
    run -0 "$full" run --network none again:1
    assert_equal "$output" "$secret"
}

@test "rmi: killed at any point, it leaves the image or what the next command takes away" {
    requires command:strace
    make_image
    for point in /^flock:when={1..4} '/^rename:when='{1..2} '/^(unlink|rmdir):when='{1..6}; do
        "$full" load base.tar
        run -137 strace --quiet=all --output=/dev/null --trace="${point%:*}" \
            --inject="${point%:*}:signal=KILL:${point##*:}" "$full" rmi base:1
        "$full" load base.tar
        run -0 "$full" run --network none base:1
        assert_equal "$output" "$secret"
        "$full" rmi base:1
        assert_equal "$(store_files)" ""
    done
}

@test "load: killed at any point, it leaves the whole image or what the next command takes away" {
    requires command:strace
    make_image
    for point in '/^mkdir:when='{1..4} '/^(fork|clone):when=1' '/^rename:when='{1..3} '/^(unlink|rmdir):when=1' \
        '/^link:when=1'; do
        "$full" load base.tar # so that the store is there
        "$full" rmi base:1
        run -137 strace --quiet=all --output=/dev/null --trace="${point%:*}" \
            --inject="${point%:*}:signal=KILL:${point##*:}" "$full" load base.tar
        wait_until 5 no_process_is_left
        run "$full" run --network none base:1
        [ "$status" -eq 125 ] || assert_equal "$status $output" "0 $secret"
        "$full" load base.tar
        run -0 "$full" run --network none base:1
        assert_equal "$output" "$secret"
        "$full" rmi base:1
        assert_equal "$(store_files)$(ls -A store/tmp)$(ls -A store/claims 2>/dev/null)" ""
    done
}

@test "an image called like another's ID is not taken for that one" {
    make_image
    "$full" load base.tar
    id=$(sha256sum <config.json | cut -d' ' -f1)
    jq -c '.config.Cmd = ["echo", "another"]' config.json >config2.json
    echo "[{\"Config\":\"config2.json\",\"RepoTags\":[\"$id\"],\"Layers\":[\"1.tar\",\"2.tar\"]}]" >manifest.json
    tar -cf another.tar config2.json manifest.json 1.tar 2.tar
    "$full" load another.tar
    run -0 "$full" run --network none "$id"
    assert_equal "$output" "$secret"
    run -0 "$full" run --network none "$id:latest"
    assert_equal "$output" another
}

@test "an import that fails leaves the images that were there" {
    make_image
    "$full" load base.tar
    before=$(store_files)
    mkdir new
    echo >new/file
    tar -C new -cf 2.tar .
    sed "s/$digest/${digest//[0-9]/0}/" config.json >bad.json
    sed 's/config.json/bad.json/' manifest.json >bad && mv bad manifest.json
    tar -cf bad.tar bad.json manifest.json 1.tar 2.tar
    expect_error 125 "digest" "$full" load bad.tar new:1
    assert_equal "$(store_files)" "$before"
}

@test "names: a bad one is refused, and an ID stands for its image" {
    make_image
    for name in '' ../x 'a b' 'a;b' a/../b .x "$(printf 'x%.0s' {1..300})" :tag; do
        expect_error 125 "invalid image name" "$full" load base.tar "$name"
    done
    run -0 "$full" load base.tar docker.io/library/thing
    id=$(sha256sum <config.json | cut -c1-12)
    run -0 "$full" run --network none "$id"
    assert_equal "$output" "$secret"
    run -0 "$full" rmi thing:latest
}

@test "names: an image that has lost its name while a box runs on it goes by its ID" {
    make_image
    "$full" load base.tar
    id=$(sha256sum <config.json | cut -d' ' -f1)
    start_box full run --network none base:1 sleep 60
    sed 's/hello/other/' config.json >other.json
    sed 's/config/other/' manifest.json >m && mv m manifest.json
    tar -cf other.tar other.json manifest.json 1.tar 2.tar
    "$full" load other.tar
    run -0 "$full" run --network none base:1 sh -c 'echo $GREETING'
    assert_equal "$output" other
    for text in "$id" "${id:0:12}"; do
        run -0 "$full" run --network none "$text" sh -c 'echo $GREETING'
        assert_equal "$output" hello
    done
    expect_error 125 "a box runs on it" "$full" rmi "$id"
    run -0 "$full" save "$id" saved.tar
    assert_equal "$(tar -xOf saved.tar manifest.json | jq -c '.[].RepoTags')" '[]'
    stop_boxes
    wait_until 5 "$full" rmi "$id"
    expect_error 125 "no image $id" "$full" rmi "$id"
}

@test "names: one goes before an ID that begins so" {
    make_image
    "$full" load base.tar
    id=$(sha256sum <config.json | cut -c1-8)
    sed 's/base/other/' config.json >other.json
    sed 's/config/other/; s/base:1/other:1/' manifest.json >m && mv m manifest.json
    tar -cf other.tar other.json manifest.json 1.tar 2.tar
    "$full" load other.tar "$id"
    run -0 "$full" rmi "$id"
    run -0 "$full" images
    assert_contains "$output" base:1
    refute_contains "$output" "$id:latest"
}

@test "the root directory of a box is that of its image: owner, mode and time" {
    make_image
    chown 12:34 top
    chmod 711 top
    touch -d '2001-02-03 04:05:06 UTC' top
    tar -C top -cf 2.tar .
    sed "s/$digest/$(sha256sum <2.tar | cut -d' ' -f1)/" config.json >c && mv c config.json
    tar -cf base.tar config.json manifest.json 1.tar 2.tar
    "$full" load base.tar
    for options in '' "--name $(random_name box)"; do
        # shellcheck disable=SC2086 # words
        run -0 "$full" run --network none $options base:1 stat -c '%u:%g %a %Y' /
        assert_equal "$output" "12:34 711 981173106"
    done
}

@test "what a damaged image costs: its own line, no other image" {
    make_image
    "$full" load base.tar
    echo '[{"Config":"c2.json","RepoTags":["a:1"],"Layers":["2.tar"]}]' >manifest.json
    echo "{\"created\":\"x\\u001b[2J\",\"rootfs\":{\"diff_ids\":[\"sha256:$digest\"]}}" >c2.json
    tar -cf a.tar c2.json manifest.json 2.tar
    "$full" load a.tar
    run -0 "$full" images
    refute_contains "$output" $'\e'
    : >"store/configs/$(sha256sum <c2.json | cut -d' ' -f1)"
    run -125 --separate-stderr "$full" images
    assert_contains "$output" base:1
    "$full" rmi a:1
    run -0 "$full" images
    run -0 "$full" run --network none base:1
    assert_equal "$output" "$secret"
}

@test "a store that can be read in part only: one line says so" {
    requires command:strace
    make_image
    "$full" load base.tar
    run -125 --separate-stderr strace --quiet=all --output=/dev/null --trace-path="$PWD/store/images" \
        --inject=getdents64:error=EIO:when=2 "$full" images
    assert_equal "$stderr" "full images: read $PWD/store/images/: Input/output error"
}

@test "the directory of boxes may be taken away by another run at any moment" {
    requires command:strace
    run -0 --separate-stderr strace --quiet=all --output=/dev/null --trace-path=/run/ten-steps \
        --inject='/^(lstat|newfstatat|fstatat64)$:error=ENOENT:when=1' "$full" images
    assert_equal "$stderr" ""
}

@test "an ordinary user has images too, in a store of one's own" {
    requires userns
    make_image
    mkdir home
    chown 65534:65534 home
    unset TEN_STEPS_HOME
    chmod 711 .
    as_user env HOME="$PWD/home" "$full" load base.tar
    run -0 as_user env HOME="$PWD/home" "$full" run --network none base:1
    assert_equal "$output" "$secret"
    [ -d home/.local/share/ten-steps/images ]
}
