#!/usr/bin/env bats
# Chapter 8: control groups. What a group may use is measured, from outside.
#
# shellcheck disable=SC2154 # $stderr is set by bats's run
load helpers

setup() {
    host_remember
    requires root cgroup_v2
    handed_down=$(<$top/cgroup.subtree_control)
}

# Boxes are ended by a signal that the tool survives, so that it can take its group away. Groups that
# a check has made by hand are in $made; in the end the tree is as it was.
teardown() {
    local group pid
    for pid in "${TOOL_PIDS[@]}"; do
        kill -TERM "$pid" 2>/dev/null || continue
        wait_until 10 ended "$pid"
    done
    for group in "${made[@]}"; do
        wait_until 5 remove_group "$group"
    done
    [ "$(<$top/cgroup.subtree_control)" = "$handed_down" ] || {
        echo "controllers handed down before: $handed_down, and after: $(<$top/cgroup.subtree_control)"
        return 1
    }
    host_compare
}

top=/sys/fs/cgroup
made=()

remove_group() {
    [ ! -e "$1" ] || {
        echo 1 >"$1/cgroup.kill"
        find "$1" -depth -type d -exec rmdir {} +
    }
}

# make_group NAME: a group made by hand, as the host's administrator would
make_group() {
    made=("$top/$1" "${made[@]}")
    mkdir "$top/$1"
}

# The directory of the group that a process is in, seen from outside.
group_of() {
    printf '%s%s\n' "$top" "$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
}

# count_of GROUP FILE KEY: the number behind KEY in a file such as cpu.stat
count_of() {
    sed -n "s/^$3 //p" "$1/$2"
}

counted() {
    [ "$(count_of "$@")" -gt 0 ]
}

our_groups() {
    find "$top" -mindepth 1 -maxdepth 1 -name 'ten-steps-*'
}

# assert_cpu GROUP PERCENT: so much of one processor is used, within a tenth. Never more; less only
# while the machine itself is too busy to give it that much, so look again then.
assert_cpu() {
    local share
    for _ in 1 2 3 4; do
        share=$(cpu_share "$1" 4)
        [ "$share" -le $(($2 * 11)) ] || break
        [ "$share" -lt $(($2 * 9)) ] || return 0
    done
    fail "it used $share thousandths of a processor and not $2 percent"
}

# cpu_share GROUP SECONDS: processor time used in that time, in thousandths of one processor
cpu_share() {
    local used time=-${EPOCHREALTIME/./}
    used=-$(count_of "$1" cpu.stat usage_usec)
    sleep "$2"
    used=$((used + $(count_of "$1" cpu.stat usage_usec)))
    time=$((time + ${EPOCHREALTIME/./}))
    echo $((1000 * used / time))
}

assert_between() {
    if [ "$1" -lt "$2" ] || [ "$1" -gt "$3" ]; then
        fail "it is $1 and not between $2 and $3"
    fi
}

spin='while :; do :; done'

@test "the command lives in a group of its own, and this shell does not" {
    start_box cgroup sleep 60
    assert_differ "$(group_of "$BOX_PID")" "$(group_of $$)"
    assert_equal "$(cat "$(group_of "$BOX_PID")/cgroup.procs")" "$BOX_PID"
}

@test "it is born there, so that no instruction of it is beyond the limits" {
    requires command:strace
    run -0 strace -f -e trace=clone3,write -o "$BATS_TEST_TMPDIR/trace" "$(tool cgroup)" true
    run -0 cat "$BATS_TEST_TMPDIR/trace"
    assert_contains "$output" CLONE_INTO_CGROUP
}

@test "it has a cgroup and a mount namespace of its own, and no other" {
    start_box cgroup sleep 60
    assert_isolated "$BOX_PID" cgroup mnt
    assert_shared "$BOX_PID" uts pid ipc user net
}

@test "inside, the group is the root of the tree" {
    start_box cgroup sleep 60
    run -0 "$(tool cgroup)" cat /proc/self/cgroup
    assert_contains "$output" "0::/"
    refute_contains "$output" ten-steps
    assert_contains "$(group_of "$BOX_PID")" "$top/"
}

@test "inside, the mounted tree is the group's branch alone, and read-only" {
    start_box cgroup sleep 60
    assert_equal "$(stat -c %i "/proc/$BOX_PID/root$top/")" "$(stat -c %i "$(group_of "$BOX_PID")")"
    run -0 inside "$BOX_PID" mount cgroup -- grep cgroup2 /proc/self/mountinfo
    assert_equal "${#lines[@]}" 1
    [[ $output == *" / $top ro,"* ]] || fail "not the root of the tree, read-only, at $top"
}

@test "and on the host it is what it was" {
    local before
    before=$(grep cgroup2 /proc/self/mountinfo)
    start_box cgroup sleep 60
    assert_equal "$(grep cgroup2 /proc/self/mountinfo)" "$before"
}

@test "--cpus: the processor time used is what was allowed, within a tenth" {
    start_box cgroup --cpus 0.2 sh -c "$spin"
    local group
    group=$(group_of "$BOX_PID")
    wait_until 5 counted "$group" cpu.stat nr_throttled
    assert_cpu "$group" 20
}

@test "without a limit the same loop uses far more" {
    start_box cgroup sh -c "$spin"
    assert_between "$(cpu_share "$(group_of "$BOX_PID")" 2)" 400 2000
}

@test "--cpus limits all processes in the box together" {
    start_box cgroup --cpuset-cpus 0 --cpus 0.3 sh -c "for i in 1 2 3; do sh -c '$spin' & done; exec sleep 60"
    local group
    group=$(our_groups)
    wait_until 5 counted "$group" cpu.stat nr_throttled
    assert_cpu "$group" 30
}

@test "--cpu-max: quota and period as the kernel takes them" {
    start_box cgroup --cpu-max "200000 1000000" sh -c "$spin"
    local group
    group=$(group_of "$BOX_PID")
    assert_equal "$(<"$group/cpu.max")" "200000 1000000"
    wait_until 5 counted "$group" cpu.stat nr_throttled
    assert_cpu "$group" 20
}

@test "--cpu-weight: two that want the same processor share it by weight" {
    start_box cgroup --cpuset-cpus 0 --cpu-weight 100 sh -c "$spin"
    local light heavy
    light=$(group_of "$BOX_PID")
    start_box cgroup --cpuset-cpus 0 --cpu-weight 400 sh -c "$spin"
    heavy=$(group_of "$BOX_PID")
    light=-$(count_of "$light" cpu.stat usage_usec):$light
    heavy=-$(count_of "$heavy" cpu.stat usage_usec):$heavy
    sleep 4
    light=$((${light%%:*} + $(count_of "${light#*:}" cpu.stat usage_usec)))
    heavy=$((${heavy%%:*} + $(count_of "${heavy#*:}" cpu.stat usage_usec)))
    assert_between $((100 * heavy / light)) 250 650
}

@test "--cpuset-cpus: the scheduler keeps to it, and the host keeps all processors" {
    local last before
    last=$(($(nproc) - 1)) before=$(status_of $$ Cpus_allowed_list)
    start_box cgroup --cpuset-cpus "$last" sh -c "$spin"
    assert_equal "$(status_of "$BOX_PID" Cpus_allowed_list)" "$last"
    assert_equal "$(sed 's/.*) //' "/proc/$BOX_PID/stat" | cut -d' ' -f37)" "$last"
    assert_equal "$(status_of $$ Cpus_allowed_list)" "$before"
}

# One process that uses so many bytes: hog 100M
hog() {
    dd if=/dev/zero of=/dev/null bs="$1" count=1
}

@test "--memory: a process beyond it is killed, and that is counted" {
    start_box cgroup --memory 32M sh -c \
        'dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?; exec sleep 60'
    wait_until 20 grep -q '^[0-9]*$' "$BOX_OUT"
    assert_contains "$(cat "$BOX_OUT")" 137
    local group
    group=$(our_groups)
    assert_equal "$(count_of "$group" memory.events oom_kill)" 1
    assert_between "$(<"$group/memory.peak")" 1 $((32 << 20))
}

@test "and the same on the host goes well" {
    start_box cgroup --memory 32M sleep 60
    run -0 hog 100M
}

@test "the exit status tells of the kill" {
    run -137 "$(tool cgroup)" --memory 32M dd if=/dev/zero of=/dev/null bs=100M count=1
}

@test "within the limit nothing is killed" {
    run -0 "$(tool cgroup)" --memory 128M dd if=/dev/zero of=/dev/null bs=32M count=1
}

@test "--memory without --memory-swap means no swap; with it, that much" {
    [ -e /proc/swaps ] || fail "cannot run here: this kernel has no swap"
    start_box cgroup --memory 32M sleep 60
    assert_equal "$(<"$(group_of "$BOX_PID")/memory.swap.max")" 0
    start_box cgroup --memory 32M --memory-swap 16M sleep 60
    assert_equal "$(<"$(group_of "$BOX_PID")/memory.swap.max")" $((16 << 20))
}

one_group_is_there() {
    [ "$(our_groups | wc -l)" -eq 1 ]
}

@test "--pids: a fork bomb comes to nothing, and the host can fork" {
    "$(tool cgroup)" --pids 20 sh -c 'bomb() { bomb | bomb & }; bomb; exec sleep 60' \
        </dev/null >/dev/null 2>&1 3>&- &
    TOOL_PIDS+=($!)
    wait_until 10 one_group_is_there
    local group
    group=$(our_groups)
    wait_until 20 counted "$group" pids.events max
    assert_between "$(<"$group/pids.current")" 1 20
    run -0 sh -c 'true | true | true'
}

# A directory on a real disk, which the io controller can limit: sets place and disk.
find_disk() {
    local number
    for place in /disk /var/tmp "$HOME"; do
        number=$(findmnt -n -o MAJ:MIN -T "$place" | tr -d ' ') || continue
        [ -e "/sys/dev/block/$number" ] || continue
        [ ! -e "/sys/dev/block/$number/partition" ] || number=$(<"/sys/dev/block/$number/../dev")
        disk=$number
        return
    done
    fail "cannot run here: there is no disk of its own below /disk, /var/tmp or $HOME"
}

# How long it takes, in ms, to write a mebibyte past the page cache, in a box with such limits.
time_of_write() {
    local time=-${EPOCHREALTIME/./}
    "$(tool cgroup)" "$@" dd if=/dev/zero of="$place/written" bs=64K count=16 oflag=direct 2>/dev/null
    echo $(((time + ${EPOCHREALTIME/./}) / 1000))
    rm -f "$place/written"
}

@test "--io-max: a disk takes so many bytes a second" {
    find_disk
    assert_between "$(time_of_write --io-max "$disk wbps=512K")" 1500 6000
    assert_between "$(time_of_write)" 0 1400
}

@test "--set: any other file of the interface" {
    start_box cgroup --set memory.high=16M --set cgroup.max.descendants=7 sleep 60
    local group
    group=$(group_of "$BOX_PID")
    assert_equal "$(<"$group/memory.high")" $((16 << 20))
    assert_equal "$(<"$group/cgroup.max.descendants")" 7
}

@test "--name and --parent: the group is where it was asked for" {
    local name
    name=$(random_name)
    make_group "$name"
    start_box cgroup --parent "$name" --name inner --pids 9 sleep 60
    assert_equal "$(group_of "$BOX_PID")" "$top/$name/inner"
    assert_equal "$(<"$top/$name/inner/pids.max")" 9
    start_box cgroup --parent "$top/$name/" sleep 60
    assert_contains "$(group_of "$BOX_PID")" "$top/$name/ten-steps-"
    expect_error 125 "File exists" "$(tool cgroup)" --parent "$name" --name inner true
}

@test "--parent that isn't there, or isn't a group" {
    expect_error 125 "No such file" "$(tool cgroup)" --parent nowhere true
    assert_hint "mkdir $top/nowhere"
    expect_error 125 "plain path" "$(tool cgroup)" --parent ../.. true
    expect_error 125 "Not a directory" "$(tool cgroup)" --parent cgroup.procs true
}

@test "controllers are handed down as far as needed, and no further" {
    [ "$handed_down" = "" ] || fail "cannot run here: the top hands down '$handed_down' already"
    local name
    name=$(random_name)
    make_group "$name"
    start_box cgroup --parent "$name" --cpus 0.5 sleep 60
    assert_equal "$(<$top/cgroup.subtree_control)" cpu
    assert_equal "$(<"$top/$name/cgroup.subtree_control")" cpu
    assert_equal "$(<"$top/$name"/ten-steps-*/cgroup.subtree_control)" ""
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$(<"$top/$name/cgroup.subtree_control")" ""
    assert_equal "$(<$top/cgroup.subtree_control)" ""
}

@test "the last run that uses a controller disables it, not the first that ends" {
    [ "$handed_down" = "" ] || fail "cannot run here: the top hands down '$handed_down' already"
    local first
    start_box cgroup --cpus 0.5 sleep 60
    first=$TOOL_PID
    start_box cgroup --cpus 0.5 --pids 9 sleep 60
    kill -TERM "$first"
    wait_until 5 ended "$first"
    wait "$first" || true
    assert_equal "$(<$top/cgroup.subtree_control)" "cpu pids"
    assert_equal "$(<"$(group_of "$BOX_PID")/cpu.max")" "50000 100000"
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$(<$top/cgroup.subtree_control)" ""
}

@test "what was on before stays on" {
    echo +pids >$top/cgroup.subtree_control
    run -0 "$(tool cgroup)" --pids 9 --cpus 0.5 true
    assert_contains " $(<$top/cgroup.subtree_control) " " pids "
    [[ $handed_down == *pids* ]] || echo -pids >$top/cgroup.subtree_control
}

@test "a limit that somebody else has set meanwhile is not lost" {
    local name
    name=$(random_name)
    start_box cgroup --pids 9 sleep 60
    make_group "$name"
    echo 77 >"$top/$name/pids.max"
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$(<"$top/$name/pids.max")" 77
    rmdir "$top/$name"
    run -0 "$(tool cgroup)" true # takes back what the first could not
    run -0 "$(tool cgroup)" --pids 9 true
}

@test "a group that holds processes hands nothing down: the error says who is in it" {
    local name
    name=$(random_name)
    make_group "$name"
    sleep 60 3>&- &
    TOOL_PIDS+=($!)
    echo $! >"$top/$name/cgroup.procs"
    expect_error 125 "enable cpu in $top/$name" "$(tool cgroup)" --parent "$name" --cpus 0.5 true
    assert_hint "$! (sleep)"
    expect_error 125 "enable memory in $top/$name" "$(tool cgroup)" --parent "$name" --memory 9M true
    run -0 "$(tool cgroup)" --parent "$name" true
    assert_equal "$(<"$top/$name/cgroup.type")" domain
}

@test "all that still runs in the group at the end is ended" {
    run -0 "$(tool cgroup)" sh -c 'setsid sleep 61 >/dev/null 2>&1 </dev/null & setsid sleep 62 >/dev/null 2>&1 </dev/null & echo "$!"'
    wait_until 5 no_process_is_left
    assert_equal "$(our_groups)" ""
}

@test "groups below the group are removed with it" {
    start_box cgroup sleep 60
    local group
    group=$(group_of "$BOX_PID")
    mkdir -p "$group/a/b" "$group/c"
    kill -TERM "$TOOL_PID"
    wait_box
    [ ! -e "$group" ]
}

@test "a run that was killed: the next one removes what it has left" {
    start_box cgroup --pids 9 sh -c 'setsid sleep 61 & exec sleep 60'
    local group
    group=$(our_groups)
    kill -KILL "$TOOL_PID"
    wait "$TOOL_PID" || true
    [ -e "$group" ] || fail "no group was left: the check checks nothing"
    run -0 "$(tool cgroup)" true
    [ ! -e "$group" ]
    wait_until 5 no_process_is_left
}

@test "and leaves alone what is alive" {
    start_box cgroup --pids 9 sleep 60
    run -0 "$(tool cgroup)" --pids 9 true
    [ -e "$(group_of "$BOX_PID")" ]
    assert_equal "$(<"$(group_of "$BOX_PID")/pids.max")" 9
    kill -0 "$BOX_PID"
}

@test "a signal at any moment leaves nothing" {
    local i pid
    for i in 0 1 2 3 4 5 6 7 8 9; do
        "$(tool cgroup)" --pids 9 sleep 60 3>&- &
        pid=$!
        sleep "0.0$i"
        kill -TERM "$pid"
        wait "$pid" || true
    done
    assert_equal "$(our_groups)" ""
}

@test "fifty at once, each with its own group and limits, and nothing is left" {
    local i pids=() results=$BATS_TEST_TMPDIR/results
    mkdir "$results"
    for i in $(seq 50); do
        "$(tool cgroup)" --pids $((i + 5)) sh -c "cat $top/pids.max" >"$results/$i" 3>&- &
        pids+=($!)
    done
    for i in $(seq 50); do
        wait "${pids[i - 1]}" || fail "run $i ended with $?"
        assert_equal "$(<"$results/$i")" $((i + 5))
    done
    assert_equal "$(our_groups)" ""
}

@test "a child can't leave, by the tree in the box, a new mount of it, or the host's" {
    start_box cgroup sh -c "
        echo \$\$ > $top/cgroup.procs
        mount -o remount,rw $top; mkdir $top/mine; echo \$\$ > $top/../cgroup/cgroup.procs
        mount -t cgroup2 none /mnt && echo \$\$ > /mnt/cgroup.procs
        echo \$\$ > /proc/1/root$top/cgroup.procs
        umount -l $top; umount -l $top; echo \$\$ > $top/cgroup.procs
        exec sleep 60" 2>/dev/null
    assert_contains "$(group_of "$BOX_PID")" "$top/ten-steps-"
}

@test "a command that can't be run: 126, 127, and the group is gone" {
    run -127 "$(tool cgroup)" no-such-command
    run -126 "$(tool cgroup)" /etc/passwd
    run -7 "$(tool cgroup)" sh -c 'exit 7'
    assert_equal "$(our_groups)" ""
}

@test "values out of range, and no values" {
    local wrong
    for wrong in cpus=0 cpus=-1 cpus=x cpus=1e9 cpus=0x1 cpus=nan cpus=100000 cpus= cpu-max=x \
        "cpu-max=1 1" "cpu-max=20000 100000 3" "cpu-max=20000 2000000" cpu-weight=0 \
        cpu-weight=10001 cpuset-cpus=x cpuset-cpus=3-1 "cpuset-cpus=0," cpuset-cpus= \
        cpuset-cpus=60000 memory=0 memory=1K memory=-1 memory=64Q memory=x memory=9999999T \
        memory-swap=-1 pids=0 pids=-1 pids=1.5 pids=99999999999 io-max=x "io-max=8:0" \
        "io-max=8:0 speed=1" "io-max=8:0 rbps=x" "io-max=250:250 rbps=1M" set=x set=cpu.max \
        set=../x=1 set=nothing.max=1 set=memory.nothing=1 set=cgroup.procs=1 set=memory.peak=1 \
        set=memory.high=x name= name=. name=.. name=a/b parent=/nowhere; do
        run -125 --separate-stderr "$(tool cgroup)" "--$wrong" true
        assert_contains "$stderr" "cgroup: "
        assert_equal "$output" ""
    done
    assert_equal "$(our_groups)" ""
}

@test "--stat: what was used, and how often a limit held it back" {
    # The inner shell is the one that gives up when its forks are refused for good.
    run -0 --separate-stderr "$(tool cgroup)" --stat --cpus 0.2 --memory 32M --pids 8 bash -c \
        'dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null
         (for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done) 2>/dev/null
         exit 0' 2>/dev/null
    assert_equal "$output" ""
    [[ $stderr =~ cpu\ .*\ 20%\ +held\ back\ in\ [0-9]+\ of ]] || fail "cpu"
    [[ $stderr =~ memory\ .*32.0M\ +limit\ reached\ [0-9]+\ times,\ 1\ killed ]] || fail "memory"
    [[ $stderr =~ pids\ +8\ +8\ +[0-9]+\ forks\ refused ]] || fail "pids"
    refute_contains "$stderr" "#"
}

@test "--stat draws bars on a terminal, and without limits only counts" {
    run -0 script -qec "$(tool cgroup) --stat --pids 2 sleep 0.1" /dev/null
    assert_contains "$output" "pids               1            2  ##########.........."
    run -0 --separate-stderr "$(tool cgroup)" --stat true
    [[ $stderr =~ pids\ +1\ +- ]] || fail "pids"
}

@test "--view: the limits are a row of their own" {
    run -0 "$(tool cgroup)" --cpus 0.2 --memory 64M --pids 32 --view
    [[ $output =~ limits\ .*cpu\ 20%\ mem\ 64M\ pids\ 32\ +isolated ]] || fail "limits"
    [[ $output =~ cgroup\ .*\ /\ +isolated ]] || fail "cgroup"
}

# A shell's words for the calls: each explained line must be in the trace, and each call explained.
@test "--explain tells each step in the tree, and no other" {
    requires command:strace
    local trace=$BATS_TEST_TMPDIR/trace calls=mkdir,rmdir,setxattr,removexattr,mount,umount2
    run -0 --separate-stderr strace -f -qq -s 200 -e trace=$calls,openat,write -o "$trace" \
        "$(tool cgroup)" -x --cpus 0.5 --pids 9 true
    local traced explained
    traced=$(sed -n 's/^[0-9]* *\('"${calls//,/\\|}"'\)(.*/\1/p' "$trace" | sort)
    explained=$(grep -o -e '	*\('"${calls//,/\\|}"'\)(' <<<"$stderr" | tr -d '\t(' | sort)
    assert_equal "$traced" "$explained"
    traced=$(grep -c "openat(.*$top.*O_WRONLY" "$trace")
    explained=$(grep -c '# echo [^$]' <<<"$stderr")
    assert_equal "$traced" "$explained"
}

@test "--explain: the shell commands do the same" {
    local line
    run -0 --separate-stderr "$(tool cgroup)" -x --pids 9 --name by-hand sleep 0.1
    made=("$top/by-hand")
    while read -r line; do
        [[ $line != *"unshare"* ]] || break
        line=${line#host# }
        bash -e -c "${line%%  *}"
    done <<<"$stderr"
    assert_equal "$(<$top/by-hand/pids.max)" 9
    rmdir $top/by-hand
    run -0 "$(tool cgroup)" true
}

# --- without root --------------------------------------------------------------------------------

# A branch that an ordinary user was given, with this process in one of its leaves: delegate NAME
delegate() {
    make_group "$1"
    mkdir "$top/$1/leaf"
    chown 65534:65534 "$top/$1" "$top/$1/leaf" "$top/$1"/{,leaf/}cgroup.{procs,threads,subtree_control}
}

# The same as_user, but from the leaf of that branch: in_branch NAME COMMAND… It takes the place of a
# subshell, as those of run and start_command, so that their signals reach the command.
in_branch() {
    exec sh -c 'echo $$ > "$0/cgroup.procs"; exec setpriv --reuid 65534 --regid 65534 --clear-groups \
        --inh-caps=-all -- "$@"' "$top/$1/leaf" "${@:2}"
}

@test "without root, in a delegated branch" {
    requires userns
    local name
    name=$(random_name)
    delegate "$name"
    echo "+cpu +memory +pids" >$top/cgroup.subtree_control
    run -0 in_branch "$name" "$(tool cgroup)" --pids 9 --memory 20M sh -c \
        "cat $top/pids.max /proc/self/cgroup; id -u"
    assert_contains "$output" 9
    assert_contains "$output" 0::/
    assert_contains "$output" 65534
    refute_contains "$output" "$name"
    start_command in_branch "$name" "$(tool cgroup)" --pids 9 sleep 60
    assert_contains "$(group_of "$BOX_PID")" "$top/$name/ten-steps-"
    assert_equal "$(<"$(group_of "$BOX_PID")/pids.max")" 9
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$(ls -d "$top/$name"/*/)" "$top/$name/leaf/"
    assert_equal "$(<"$top/$name/cgroup.subtree_control")" ""
    hand_down_as_before
}

hand_down_as_before() {
    local name
    for name in $(<$top/cgroup.subtree_control); do
        [[ " $handed_down " == *" $name "* ]] || echo "-$name" >$top/cgroup.subtree_control
    done
}

@test "without root, a controller that was not handed down is named" {
    local name
    name=$(random_name)
    delegate "$name"
    echo "+pids" >$top/cgroup.subtree_control
    expect_error 125 "enable memory in $top: Permission denied" \
        in_branch "$name" "$(tool cgroup)" --memory 20M true
    hand_down_as_before
}

@test "without root and without a branch: the error says what to do" {
    expect_error 125 "Permission denied" as_user "$(tool cgroup)" true
    assert_hint systemd-run
}

@test "a controller that cgroup v1 holds is named, with the way out" {
    local v1=$BATS_TEST_TMPDIR/v1
    mkdir "$v1"
    mount -t cgroup -o pids none "$v1" || fail "cannot run here: this kernel has no cgroup v1"
    expect_error 125 "cgroup v1 holds pids" "$(tool cgroup)" --pids 9 true
    assert_hint "cgroup_no_v1=all"
    run -0 "$(tool cgroup)" --cpus 0.5 true
    umount "$v1"
    wait_until 10 grep -qw pids $top/cgroup.controllers
}

@test "no tree at all: the error says how to get one" {
    run -125 unshare --mount sh -c "umount -l $top; exec $(tool cgroup) true"
    assert_contains "$output" "no cgroup v2 tree is mounted"
    assert_contains "$output" "cgroup_no_v1=all"
}
