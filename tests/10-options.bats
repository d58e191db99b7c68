#!/usr/bin/env bats
# Chapter 10: the options of 'full run' that fingers bring along from docker.
load lib/helpers
load lib/boxes

# --- the command and its environment -------------------------------------------------------------

@test "--entrypoint: the program, with the command as its arguments; an empty one is none" {
    run -0 "$full" run "${alone[@]}" --entrypoint /bin/echo "$ROOTFS" one -two
    assert_equal "$output" "one -two"
    run -0 "$full" run "${alone[@]}" --entrypoint=uname "$ROOTFS"
    assert_equal "$output" Linux
    run -0 "$full" run "${alone[@]}" --entrypoint '' "$ROOTFS" echo two
    assert_equal "$output" two
    detached bird --network=none --entrypoint=sleep 60
    assert_equal "$(of bird 'command | join(" ")')" "sleep 60"
    assert_equal "$(tr '\0' ' ' <"/proc/$(of bird pid)/cmdline")" "sleep 60 "
}

@test "--env-file: docker's format; --env wins wherever it stands" {
    local file=$BATS_TEST_TMPDIR/variables secret
    secret=$(random_name)
    printf '%s\n' '# A=comment' '' '   ' '  A=two words ' 'B="as it is"' 'C=a=b#c' 'D=' HANDED NOT_SET 'E=file' $'F=line end\r' >"$file"
    HANDED=$secret run -0 "$full" run "${alone[@]}" --env E=mine --env-file "$file" "$ROOTFS" env
    refute_contains "$output" comment
    refute_contains "$output" NOT_SET
    assert_equal "$(grep '^[A-F]=' <<<"$output")" $'A=two words \nB="as it is"\nC=a=b#c\nD=\nE=mine\nF=line end'
    assert_contains "$output" "HANDED=$secret"
    echo 'E=later' >"$file.2"
    run -0 "$full" run "${alone[@]}" --env-file "$file" --env-file "$file.2" "$ROOTFS" sh -c 'echo $E'
    assert_equal "$output" later
    detached bird --network=none --env-file="$file" sleep 60
    run -0 "$full" exec bird sh -c 'echo "$B"'
    assert_equal "$output" '"as it is"'
    printf 'GOOD=1\nA B=c\n' >"$file"
    expect_error 125 "invalid variable 'A B=c'" "$full" run "${alone[@]}" --env-file "$file" "$ROOTFS" true
    expect_error 125 "No such file" "$full" run "${alone[@]}" --env-file "$file.none" "$ROOTFS" true
    expect_error 125 "Is a directory" "$full" run "${alone[@]}" --env-file "$BATS_TEST_TMPDIR" "$ROOTFS" true
}

# --- users ---------------------------------------------------------------------------------------

@test "--group-add: by name or number as the box has them, for 'exec' too" {
    printf '%s\n' root:x:0: staff:x:50: >"$ROOTFS/etc/group"
    detached bird --network=none --userns=host --user=5:6 --group-add=staff --group-add=1234 sleep 60
    assert_equal "$(status_of "$(of bird pid)" Gid)" $'6\t6\t6\t6'
    assert_equal "$(status_of "$(of bird pid)" Groups | xargs)" "50 1234"
    start_box full exec -u 7:8 bird sleep 61
    assert_equal "$(status_of "$BOX_PID" Gid)" $'8\t8\t8\t8'
    assert_equal "$(status_of "$BOX_PID" Groups | xargs)" "50 1234"
    expect_error 125 "group 'video' not found in the box's" "$full" run "${alone[@]}" --group-add video "$ROOTFS" true
    expect_error 125 "setgroups 1: Invalid argument" "$full" run "${alone[@]}" --group-add 70000 "$ROOTFS" true
    assert_hint "user namespace"
    requires userns
    expect_error 125 "that user's group alone" as_user "$full" run --group-add 7 "$ROOTFS" true
}

# --- names ---------------------------------------------------------------------------------------

@test "an image without /etc/hosts: localhost and the box's own name are known even so" {
    requires overlay
    cd "$BATS_TEST_TMPDIR"
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    tar -C "$ROOTFS" --exclude=./etc/hosts -cf layer.tar .
    echo "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha256sum <layer.tar | cut -d' ' -f1)\"]}}" >config.json
    echo '[{"Config":"config.json","RepoTags":["bare:1"],"Layers":["layer.tar"]}]' >manifest.json
    tar -cf bare.tar config.json manifest.json layer.tar
    "$full" load bare.tar
    run -0 "$full" run "${alone[@]}" --hostname bird bare:1 cat /etc/hosts
    assert_equal "$output" $'127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.0.1 bird'
}

# --- limits --------------------------------------------------------------------------------------

# The size of the box's /dev/shm in KiB, from outside.
shm_size() {
    awk '$5 == "/dev/shm" { print $NF }' "/proc/$(of "$1" pid)/mountinfo" | tail -n 1 | grep -o 'size=[0-9]*k'
}

@test "--shm-size: sizes as docker writes them, and no more fits" {
    local each words host
    host=$(grep ' /dev/shm ' /proc/self/mountinfo || true)
    for each in "1.5g 1572864" "64mb 65536" "512k 512" "2MiB 2048" "8192b 8" "16384 16" "0.5G 524288"; do
        read -r -a words <<<"$each"
        detached bird --network=none "--shm-size=${words[0]}" sleep 60
        assert_equal "$(shm_size bird)" "size=${words[1]}k"
        run -0 "$full" rm -f bird
    done
    run -0 "$full" run "${alone[@]}" --shm-size 64k --user 1:1 "$ROOTFS" sh -c \
        'head -c 70000 /dev/zero 2>/dev/null >/dev/shm/file; stat -c %s /dev/shm/file; stat -c %a /dev/shm'
    assert_equal "$output" $'65536\n1777'
    assert_equal "$(grep ' /dev/shm ' /proc/self/mountinfo || true)" "$host"
    for each in 0 x 1e9 0x10 1.2.3 .5 64Q -1 9999999T; do
        expect_error 125 "invalid shm-size '" "$full" run "${alone[@]}" "--shm-size=$each" "$ROOTFS" true
    done
    requires userns
    make_rootfs user
    run -0 as_user "$full" run --shm-size 2m "$ROOTFS" grep -c 'shm.*size=2048k' /proc/mounts
}

@test "--pids-limit -1, and 0 for all limits: none is set, and no group is needed for that" {
    run -0 unshare --mount sh -c "mount -t tmpfs none /sys/fs/cgroup; for none in -1 0; do
        '$full' run ${alone[*]} --pids-limit \$none -m 0 --cpus 0 '$ROOTFS' echo unlimited; done"
    assert_equal "$output" $'unlimited\nunlimited'
}

# --- volumes -------------------------------------------------------------------------------------

@test "--volume: :z and :Z change nothing; a volume without a directory is refused" {
    local option mode data=$BATS_TEST_TMPDIR/data
    mkdir "$data"
    for option in z Z rw rw,z ro ro,Z z,ro; do
        mode=rw
        [[ $option != *ro* ]] || mode=ro
        run -0 "$full" run "${alone[@]}" -v "$data:/mnt:$option" "$ROOTFS" awk '$2 == "/mnt" { print substr($4, 1, 2) }' /proc/mounts
        assert_equal "$option: $output" "$option: $mode"
    done
    for option in x ro,x '' 'ro,' zz; do
        expect_error 125 "options ro, rw, noexec or nosuid" "$full" run "${alone[@]}" -v "$data:/mnt:$option" "$ROOTFS" true
    done
    expect_error 125 "expected SOURCE:TARGET" "$full" run "${alone[@]}" -v /data "$ROOTFS" true
    rm -rf "$ROOTFS/data"
    local users
    for users in auto host; do
        expect_error 125 "volume data: No such file or directory" \
            "$full" run "${alone[@]}" --userns "$users" -v data:/data "$ROOTFS" true
        assert_hint "mkdir data"
    done
    [ ! -e "$ROOTFS/data" ]
    cd "$BATS_TEST_TMPDIR"
    run -0 "$full" run "${alone[@]}" -v data:/mnt "$ROOTFS" touch /mnt/made
    [ -e "$data/made" ]
}

# --- what isn't there ----------------------------------------------------------------------------

@test "docker's options that aren't here are refused, and none is taken for another" {
    local option
    for option in --mount --device --restart --privileged --security-opt --link --log-driver --gpus --sysctl \
        --pull --ipc --uts --cpu-shares --memory-swap --label --expose --volumes-from --publish-all; do
        expect_error 125 "unrecognized option '$option=x'" "$full" run "${alone[@]}" "$option=x" "$ROOTFS" true
    done
    expect_error 125 "unrecognized" "$full" run "${alone[@]}" --mount type=tmpfs,dst=/mnt "$ROOTFS" true
    expect_error 125 "invalid option -- 'P'" "$full" run "${alone[@]}" -dP "$ROOTFS" true
}
