#!/usr/bin/env bats
# Chapter 10: images, and real programs that do real work in a box: a Debian's own tools, a web
# server, a database server. The Debian is made by tests/vm/debian-root.
load lib/helpers

setup_file() {
    export TEN_STEPS_HOME=$BATS_FILE_TMPDIR/store image
    image=$("$COURSE/tests/vm/debian-root" --path)
    if [ -e "$image" ]; then
        "$(tool full)" load "$image"
    fi
}

setup() {
    export TEN_STEPS_HOME=$BATS_FILE_TMPDIR/store # the helpers have unset it
    host_remember
    full=$(tool full)
    alone=(--network none)
}

teardown() {
    local names
    read -r -a names < <("$full" ps -a --json | jq -r '[.[].name] | join(" ")')
    [ "${#names[@]}" -eq 0 ] || "$full" rm -f "${names[@]}"
    [ -z "$WORLD_PID" ] || end_world
    host_compare
}
WORLD_PID=

needs_debian() {
    requires root overlay
    [ -e "$image" ] || fail "cannot run here: there is no Debian image: make it with tests/vm/debian-root"
}

of() {
    "$full" inspect --json "$1" | jq -r ".$2"
}

# --- images --------------------------------------------------------------------------------------

# make_image NAME JSON: an image of this machine's programs with that configuration.
make_image() {
    local work=$BATS_TEST_TMPDIR/image
    make_rootfs
    mkdir -p "$work"
    {
        cat "$ROOTFS/etc/passwd"
        echo "bird:x:1234:2345::/home/bird:/bin/sh"
    } >"$work/passwd"
    tar -cf "$work/layer.tar" -C "$ROOTFS" --exclude=./etc/passwd .
    tar -rf "$work/layer.tar" -C "$work" --transform='s,^,./etc/,' passwd
    jq -n --argjson config "$2" --arg digest "sha256:$(sha256sum "$work/layer.tar" | cut -d' ' -f1)" \
        '{architecture: "amd64", os: "linux", config: $config, rootfs: {type: "layers", diff_ids: [$digest]}}' \
        >"$work/config.json"
    jq -n --arg name "$1" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
    tar -cf "$work.tar" -C "$work" manifest.json config.json layer.tar
    run -0 "$full" load "$work.tar"
}

@test "an image's own Env, Cmd, Entrypoint, WorkingDir and User count, if nothing else is said" {
    requires root overlay
    make_image plain:1 '{"Env": ["A=image", "B=image"], "Cmd": ["sh", "-c", "pwd -P; id -u; id -g; echo $A $B $HOME"],
        "WorkingDir": "/usr/lib", "User": "bird"}'
    run -0 "$full" run "${alone[@]}" plain:1
    assert_equal "$output" $'/usr/lib\n1234\n2345\nimage image /home/bird'
    run -0 "$full" run "${alone[@]}" -e B=mine -w / -u 0 plain:1
    assert_equal "$output" $'/\n0\n0\nimage mine /root'
    run -0 "$full" run "${alone[@]}" plain:1 echo other
    assert_equal "$output" other
    run -0 "$full" run -d "${alone[@]}" --name box plain:1 sleep 60
    run -0 "$full" exec box sh -c 'pwd -P; id -u; echo $A'
    assert_equal "$output" $'/usr/lib\n1234\nimage'
    make_image entry:1 '{"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["default"]}'
    run -0 "$full" run "${alone[@]}" entry:1
    assert_equal "$output" "entry default"
    run -0 "$full" run "${alone[@]}" entry:1 mine too
    assert_equal "$output" "entry mine too"
    run -0 "$full" run "${alone[@]}" --entrypoint /bin/uname entry:1
    assert_equal "$output" Linux
    run -0 "$full" run "${alone[@]}" --entrypoint "" entry:1 echo no entry
    assert_equal "$output" "no entry"
    run -0 "$full" images
    assert_contains "$output" plain:1
    run -0 "$full" rm -f box
    run -0 "$full" rmi plain:1 entry:1
    expect_error 125 "plain:1" "$full" run "${alone[@]}" plain:1
}

@test "what a box writes is its own, and commit makes an image of it that other tools load" {
    requires root overlay
    local secret
    secret=$(random_name)
    make_image base:1 '{"Cmd": ["cat", "/secret"], "Env": ["A=b"]}'
    run -0 "$full" run "${alone[@]}" base:1 sh -c 'echo gone >/file'
    run -1 "$full" run "${alone[@]}" base:1 test -e /file
    run -0 "$full" run "${alone[@]}" --name box -u 1234:2345 --tmpfs /mnt base:1 true
    run -0 "$full" rm box
    run -0 "$full" run "${alone[@]}" --name box base:1 \
        sh -c "echo $secret >/secret; chown 1234:2345 /secret; rm /etc/nsswitch.conf; rm -r /etc/alternatives; mkdir /etc/alternatives"
    run -0 "$full" commit box changed:1
    run -0 "$full" run "${alone[@]}" changed:1
    assert_equal "$output" "$secret"
    run -0 "$full" run "${alone[@]}" changed:1 sh -c 'stat -c %u:%g /secret; ls /etc/nsswitch.conf; ls -A /etc/alternatives; echo $A'
    assert_contains "$output" 1234:2345
    assert_contains "$output" "No such file"
    assert_equal "${lines[-1]}" b
    run -0 "$full" run "${alone[@]}" base:1 ls /etc/nsswitch.conf
    run -0 "$full" save changed:1 "$BATS_TEST_TMPDIR/saved.tar"
    requires command:skopeo
    run -0 skopeo inspect --config "docker-archive:$BATS_TEST_TMPDIR/saved.tar"
    assert_contains "$output" '"A=b"'
    run -0 skopeo copy --quiet "docker-archive:$BATS_TEST_TMPDIR/saved.tar" "oci-archive:$BATS_TEST_TMPDIR/oci.tar:copied"
    run -0 "$full" load "$BATS_TEST_TMPDIR/oci.tar" again:1
    run -0 "$full" run "${alone[@]}" again:1
    assert_equal "$output" "$secret"
    run -0 "$full" rm box
    run -0 "$full" rmi base:1 changed:1 again:1
}

@test "a box that was kept is there after a boot, with its layer" {
    requires root overlay
    make_image base:1 '{}'
    run -0 "$full" run "${alone[@]}" --name box base:1 sh -c 'echo >/file'
    local layer
    layer=$(of box layer)
    [ -e "$layer/upper/file" ]
    rm -rf /run/ten-steps # as it is when the machine starts
    run -0 "$full" ps -a
    assert_contains "$output" "exited (0)"
    run -0 "$full" commit box changed:1
    run -0 "$full" run "${alone[@]}" changed:1 test -e /file
    run -0 "$full" rm box
    [ ! -e "$layer" ]
    run -0 "$full" rmi base:1 changed:1
}

# --- a Debian ------------------------------------------------------------------------------------

# Run a shell script in the Debian's box.
inside_debian() {
    run -0 "$full" exec debian sh -ec "$1"
}

@test "Debian: apt, dpkg, adduser, su and ping work" {
    needs_debian
    run -0 "$full" run -d --name debian --init debian:checks sleep 600
    # A source of packages of the box's own: nothing is fetched from anywhere.
    inside_debian 'mkdir -p /srv/repo/hello/DEBIAN /srv/repo/hello/usr/bin
        cd /srv/repo
        printf "Package: hello-box\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n" >hello/DEBIAN/control
        echo "Description: a greeting" >>hello/DEBIAN/control
        printf "#!/bin/sh\necho hello from the box\n" >hello/usr/bin/hello-box
        chmod 755 hello/usr/bin/hello-box
        dpkg-deb --build hello hello-box.deb
        dpkg-deb -f hello-box.deb >Packages
        echo "Filename: ./hello-box.deb" >>Packages
        echo "Size: $(stat -c %s hello-box.deb)" >>Packages
        echo "SHA256: $(sha256sum hello-box.deb | cut -d" " -f1)" >>Packages
        rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
        echo "deb [trusted=yes] file:/srv/repo ./" >/etc/apt/sources.list'
    inside_debian 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qq install hello-box && hello-box'
    assert_equal "${lines[-1]}" "hello from the box"
    refute_contains "$output" "W:"
    inside_debian 'dpkg -s hello-box && dpkg -V hello-box && dpkg --audit && dpkg --remove hello-box && ! dpkg -s hello-box'
    assert_contains "$output" "Status: install ok installed"
    inside_debian 'adduser --disabled-password --gecos "" alice && echo alice:secret | chpasswd && id -u alice'
    assert_equal "${lines[-1]}" 1000
    inside_debian 'su - alice -c "id -un; pwd; touch file; stat -c %U file"'
    assert_equal "$output" $'alice\n/home/alice\nalice'
    inside_debian 'ping -c1 -W5 127.0.0.1 && ping -c1 -W5 172.27.0.1 && su alice -c "ping -c1 -W5 172.27.0.1"'
    # Seen from outside: the file belongs to user 1000 on disk, the process to none of the host's.
    assert_equal "$(stat -c %u "$(of debian layer)/upper/home/alice/file")" 1000
    run -0 "$full" exec -u alice debian sh -c 'id -un; id -Gn; echo $HOME'
    assert_equal "$output" $'alice\nalice users\n/home/alice'
}

# --- servers -------------------------------------------------------------------------------------

# fetch PATH: ask the web server at the host's port 8080 from the world. See bash(1), /dev/tcp.
fetch() {
    # shellcheck disable=SC2016 # for the inner bash
    in_world bash -c 'exec 3<>/dev/tcp/10.9.0.1/8080 &&
        printf "GET %s HTTP/1.0\r\nHost: box\r\n\r\n" "$1" >&3 && cat <&3' fetch "$1"
}

@test "a web server: published, and fetched by another host" {
    needs_debian
    make_world
    local secret
    secret=$(random_name)
    mkdir "$BATS_TEST_TMPDIR/html"
    echo "$secret" >"$BATS_TEST_TMPDIR/html/page"
    head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/html/large"
    chmod -R a+rX "$BATS_TEST_TMPDIR/html"
    run -0 "$full" run -d --name web -p 8080:80 --read-only --tmpfs /var/lib/nginx --tmpfs /var/log/nginx --tmpfs /run \
        -v "$BATS_TEST_TMPDIR/html:/var/www/html:ro" debian:checks nginx -g 'daemon off;'
    wait_until 10 fetch /page
    run -0 fetch /page
    assert_contains "$output" "200 OK"
    assert_contains "$output" "$secret"
    run -0 fetch /none
    assert_contains "$output" "404"
    assert_equal "$(fetch /large | tail -c 3000000 | sha256sum)" "$(sha256sum <"$BATS_TEST_TMPDIR/html/large")"
    # Its workers have given root up, within the box's range of users.
    local worker
    worker=$(descendants_of "$(of web pid)" | head -1)
    assert_equal "$(stat -c %u "/proc/$worker")" "$(($(of web first_id) + 33))"
    run -0 "$full" stop -t 30 web
    assert_equal "$(of web status)" 0
    run ! fetch /page
}

# The database's own client, in the box.
query() {
    run -0 "$full" exec -u postgres database psql -qtAX -c "$1"
}

start_database() {
    run -0 "$full" run -d --name database "${alone[@]}" -u postgres -v "$BATS_TEST_TMPDIR/data:/data" --tmpfs /run/postgresql \
        debian:checks sh -c 'exec /usr/lib/postgresql/*/bin/postgres -D /data -c listen_addresses= -k /run/postgresql'
    wait_until 20 "$full" exec -u postgres database psql -qtAX -c 'select 1'
}

@test "a database server: started, filled, stopped by SIGTERM, started again with nothing lost" {
    needs_debian
    local secret sum
    secret=$(random_name)
    run -0 "$full" run "${alone[@]}" debian:checks id -u postgres
    install -d -m 700 -o "$output" -g "$output" "$BATS_TEST_TMPDIR/data"
    run -0 "$full" run "${alone[@]}" -u postgres -v "$BATS_TEST_TMPDIR/data:/data" debian:checks \
        sh -c '/usr/lib/postgresql/*/bin/initdb -D /data --auth=peer --no-instructions'
    start_database
    query "create table birds (id int primary key, name text)"
    query "insert into birds select i, md5('$secret' || i) from generate_series(1, 20000) i"
    query "select md5(string_agg(name, '' order by id)) from birds"
    sum=$output
    [ "${#sum}" -eq 32 ]
    run -0 "$full" stop -t 60 database
    run -0 "$full" logs database
    assert_contains "$output" "shut down"
    # It may have been asked before it was ready.
    refute_contains "$(grep -v "the database system is starting up" <<<"$output")" "FATAL"
    assert_equal "$(of database status)" 0
    run -0 "$full" rm database
    start_database
    query "select count(*), md5(string_agg(name, '' order by id)) from birds"
    assert_equal "$output" "20000|$sum"
    run -0 "$full" logs database
    refute_contains "$output" "recovery"
    # And a server that is killed outright comes back with what it had promised to keep.
    query "insert into birds values (0, '$secret')"
    run -0 "$full" rm -f database
    start_database
    query "select name from birds where id = 0"
    assert_equal "$output" "$secret"
    run -0 "$full" stop -t 60 database
}
