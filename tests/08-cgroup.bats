#!/usr/bin/env bats
# Chapter 8: a control group of its own. What it may use is measured, from outside. What becomes of the
# tree of groups is in 08-tree.bats.
#
# shellcheck disable=SC2034,SC2154 # teardown reads $made, bats's run sets $stderr
load lib/helpers
load lib/groups

# count_of GROUP FILE KEY: the number behind KEY in a file such as cpu.stat
count_of() {
    sed -n "s/^$3 //p" "$1/$2"
}

counted() {
    [ "$(count_of "$@")" -gt 0 ]
}

# assert_cpu GROUP PERCENT: so much of one processor is used, within a tenth. Of a short period, four
# seconds hold little more than their share. While the machine itself is kept waiting, it may be less, and
# now and then more, so look again then. If it stays less, at least in each period in which the group
# was held back it had used all that it may.
assert_cpu() {
    local share used held quota
    read -r quota _ <"$1/cpu.max"
    for _ in 1 2 3 4; do
        held=-$(count_of "$1" cpu.stat nr_throttled) used=-$(count_of "$1" cpu.stat usage_usec)
        share=$(cpu_share "$1" 4)
        held=$((held + $(count_of "$1" cpu.stat nr_throttled)))
        used=$((used + $(count_of "$1" cpu.stat usage_usec)))
        [ "$share" -lt $(($2 * 9)) ] || [ "$share" -gt $(($2 * 11)) ] || return 0
    done
    [ "$share" -le $(($2 * 11)) ] && [ "$held" -gt 0 ] && [ $((10 * used)) -ge $((9 * held * quota)) ] ||
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
    { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; } || fail "expected $2 to $3, got '$1'"
}

spin='while :; do :; done'

# bats test_tags=core,ex:8-3
@test "the command lives in a group of its own, and this shell does not" {
    start_box cgroup sleep 60
    assert_isolated "$BOX_PID" cgroup
    assert_differ "$(group_of "$BOX_PID")" "$(group_of $$)"
    assert_equal "$(cat "$(group_of "$BOX_PID")/cgroup.procs")" "$BOX_PID"
}

# bats test_tags=ex:8-3
@test "its files can be looked at by all, whatever the caller's umask" {
    run -0 with_umask 077 "$(tool cgroup)" sh -c "stat -c %a $top\$(sed -n s/^0:://p /proc/self/cgroup)"
    assert_equal "$output" 755
}

# bats test_tags=ex:8-3
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

# bats test_tags=ex:8-3
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

# bats test_tags=ex:8-3
@test "--cpus limits all processes in the box together" {
    start_box cgroup --cpuset-cpus 0 --cpus 0.3 sh -c "for i in 1 2 3; do sh -c '$spin' & done; exec sleep 60"
    local group
    group=$(our_groups)
    wait_until 5 counted "$group" cpu.stat nr_throttled
    assert_cpu "$group" 30
}

@test "--cpus: as the group has it, so much of each tenth of a second" {
    local each
    for each in "0.2 20000" "1 100000" "0.01 1000"; do
        run -0 "$(tool cgroup)" --cpus "${each% *}" cat $top/cpu.max
        assert_equal "$output" "${each#* } 100000"
    done
}

# bats test_tags=ex:8-3
@test "--set cpu.max: quota and period as the kernel takes them" {
    start_box cgroup --set "cpu.max=40000 200000" sh -c "$spin"
    local group
    group=$(group_of "$BOX_PID")
    assert_equal "$(<"$group/cpu.max")" "40000 200000"
    wait_until 5 counted "$group" cpu.stat nr_throttled
    assert_cpu "$group" 20
}

# bats test_tags=ex:8-3
@test "--set cpu.weight: two that want the same processor share it by weight" {
    start_box cgroup --cpuset-cpus 0 --set cpu.weight=100 sh -c "$spin"
    local light heavy
    light=$(group_of "$BOX_PID")
    start_box cgroup --cpuset-cpus 0 --set cpu.weight=400 sh -c "$spin"
    heavy=$(group_of "$BOX_PID")
    light=-$(count_of "$light" cpu.stat usage_usec):$light
    heavy=-$(count_of "$heavy" cpu.stat usage_usec):$heavy
    sleep 4
    light=$((${light%%:*} + $(count_of "${light#*:}" cpu.stat usage_usec)))
    heavy=$((${heavy%%:*} + $(count_of "${heavy#*:}" cpu.stat usage_usec)))
    assert_between $((100 * heavy / light)) 250 650
}

# bats test_tags=ex:8-3
@test "--cpuset-cpus: the scheduler keeps to it, and the host keeps all processors" {
    local last before
    second_processor 1
    last=$(($(nproc) - 1)) before=$(status_of $$ Cpus_allowed_list)
    start_box cgroup --cpuset-cpus "$last" sh -c "$spin"
    assert_equal "$(status_of "$BOX_PID" Cpus_allowed_list)" "$last"
    assert_equal "$(sed 's/.*) //' "/proc/$BOX_PID/stat" | cut -d' ' -f37)" "$last"
    assert_equal "$(status_of $$ Cpus_allowed_list)" "$before"
    second_processor 0
}

# One process that uses so many bytes: hog 100M
hog() {
    dd if=/dev/zero of=/dev/null bs="$1" count=1
}

# bats test_tags=ex:8-3
@test "--memory: a process beyond it is killed, and that is counted" {
    start_box cgroup --memory 32M sh -c \
        'dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?; exec sleep 60'
    wait_until 20 grep -q '^[0-9]*$' "$BOX_OUT"
    assert_contains "$(cat "$BOX_OUT")" 137
    local group
    group=$(our_groups)
    assert_equal "$(count_of "$group" memory.events oom_kill)" 1
    [ -e "$group/memory.peak" ] || skip "all but the memory used is checked: that is counted from Linux 5.19 on"
    assert_between "$(<"$group/memory.peak")" 1 $((32 << 20))
}

@test "and the same on the host goes well" {
    start_box cgroup --memory 32M sleep 60
    run -0 hog 100M
}

# bats test_tags=ex:8-3
@test "the exit status tells of the kill" {
    run -137 "$(tool cgroup)" --memory 32M dd if=/dev/zero of=/dev/null bs=100M count=1
}

@test "within the limit nothing is killed" {
    run -0 "$(tool cgroup)" --memory 128M dd if=/dev/zero of=/dev/null bs=32M count=1
}

# bats test_tags=ex:8-3
@test "--memory: sizes as people write them" {
    local each words
    for each in "64mb 67108864" "1.5g 1610612736" "2048k 2097152" "3MiB 3145728" "4194304 4194304"; do
        read -r -a words <<<"$each"
        run -0 "$(tool cgroup)" --memory "${words[0]}" cat $top/memory.max
        assert_equal "$output" "${words[1]}"
    done
}

# bats test_tags=ex:8-3
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

# bats test_tags=ex:8-3
@test "--pids: a fork bomb comes to nothing, and the host can fork" {
    # Not where nothing would stop it.
    run -0 "$(tool cgroup)" --pids 20 cat $top/pids.max
    assert_equal "$output" 20
    run -125 "$(tool cgroup)" --pids 0 true
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

# How long it takes, in ms, to write a mebibyte past the page cache, in a box with such limits. Only
# there can the machine's files be written to. dd says it: to start a box takes long on a busy machine.
time_of_write() {
    local said
    # shellcheck disable=SC2016 # that shell's variables
    said=$("$(tool cgroup)" "$@" unshare --mount sh -ec 'mount -o remount,bind,rw "$0"
        LC_ALL=C dd if=/dev/zero of="$1/written.$$" bs=64K count=16 oflag=direct 2>&1
        rm "$1/written.$$"' "$(findmnt -n -o TARGET -T "$place")" "$place") || return
    awk -F ' copied, ' 'NF == 2 { printf "%d\n", $2 * 1000 }' <<<"$said"
}

# bats test_tags=ex:8-3
@test "--set io.max: a disk takes so many bytes a second" {
    find_disk
    assert_between "$(time_of_write --set "io.max=$disk wbps=524288")" 1500 6000
    assert_between "$(time_of_write)" 0 1400
}

# bats test_tags=core,ex:8-2
@test "--set: any other file of the interface" {
    start_box cgroup --set memory.high=16M --set cgroup.max.descendants=7 sleep 60
    assert_isolated "$BOX_PID" cgroup
    local group
    group=$(group_of "$BOX_PID")
    assert_equal "$(<"$group/memory.high")" $((16 << 20))
    assert_equal "$(<"$group/cgroup.max.descendants")" 7
}

# bats test_tags=ex:8-3
@test "a child can't leave, by the tree in the box, a new mount of it, or the host's" {
    start_box cgroup sh -c "
        echo \$\$ > $top/cgroup.procs
        mount -o remount,rw $top; mkdir $top/mine; echo \$\$ > $top/../cgroup/cgroup.procs
        mount -t cgroup2 none /mnt && echo \$\$ > /mnt/cgroup.procs
        echo \$\$ > /proc/1/root$top/cgroup.procs
        umount -l $top; umount -l $top; echo \$\$ > $top/cgroup.procs
        echo tried; exec sleep 60" 2>/dev/null
    wait_until 5 grep -q tried "$BOX_OUT"
    BOX_PID=$(last_descendant "$TOOL_PID")
    assert_contains "$(group_of "$BOX_PID")" "$top/ten-steps/"
}

# bats test_tags=ex:8-2
@test "values out of range, and no values" {
    local wrong
    for wrong in cpus=0 cpus=-1 cpus=x cpus=1e9 cpus=0x1 cpus=nan cpus=100000 cpus= cpuset-cpus=x \
        cpuset-cpus=3-1 cpuset-cpus= cpuset-cpus=60000 memory=0 memory=1K memory=-1 memory=1e9 memory=0x4000000 \
        memory=1.5.5 memory=64Q memory=x memory=9999999T memory-swap=-1 memory-swap=18014398509481985K \
        pids=-1 pids=010 pids=1.5 pids=99999999999 set=x set=cpu.max set=cpu.max=x "set=cpu.max=1 1" \
        "set=cpu.max=20000 2000000" set=cpu.weight=0 set=cpu.weight=10001 set=io.max=x set=io.max=8:0 \
        "set=io.max=8:0 speed=1" "set=io.max=8:0 rbps=x" "set=io.max=250:250 rbps=1M" \
        set=../x=1 set=nothing.max=1 set=memory.nothing=1 set=cgroup.procs=1 set=memory.peak=1 \
        set=memory.high=x parent=/nowhere; do
        run -125 --separate-stderr "$(tool cgroup)" "--$wrong" true
        assert_contains "$stderr" "cgroup: "
        assert_equal "$output" ""
    done
    assert_equal "$(our_groups)" ""
}

# What --stat shows where a box had so many processes at most: Linux counts that from 6.1 on.
set_peak() {
    peak=$1
    start_box cgroup --pids 9 sleep 60
    [ -e "$(group_of "$BOX_PID")/pids.peak" ] || peak=-
}

# bats test_tags=ex:8-4
@test "--stat: what was used, and how often a limit held it back" {
    local peak
    set_peak 8
    # The inner shell is the one that gives up when its forks are refused for good.
    run -0 --separate-stderr "$(tool cgroup)" --stat --cpus 0.2 --memory 32M --pids 8 bash -c \
        'dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null
         (for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done) 2>/dev/null
         exit 0' 2>/dev/null
    assert_equal "$output" ""
    [[ $stderr =~ cpu\ .*\ 20%\ +held\ back\ in\ [0-9]+\ of ]] || fail "cpu"
    [[ $stderr =~ memory\ .*32.0M\ +limit\ reached\ [0-9]+\ times,\ 1\ killed ]] || fail "memory"
    [[ $stderr =~ pids\ +$peak\ +8\ +[0-9]+\ forks\ refused ]] || fail "pids"
}

# bats test_tags=core,ex:8-4
@test "--stat: the counts are the kernel's own, as read from outside" {
    local group limited killed word
    mkfifo "$BATS_TEST_TMPDIR/go"
    start_box cgroup --stat --memory 32M sh -c \
        "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; cat '$BATS_TEST_TMPDIR/go'; true"
    wait_until 20 box_waits cat
    assert_isolated "$BOX_PID" cgroup
    group=$(group_of "$BOX_PID")
    limited=$(count_of "$group" memory.events max) killed=$(count_of "$group" memory.events oom_kill)
    assert_equal "$killed" 1
    end_wait
    for word in "$limited" "$killed"; do
        grep '^ *memory' "$BOX_OUT" | grep -qw "$word" || fail "expected '$word' in the line on memory, got: $(cat "$BOX_OUT")"
    done
}

# bats test_tags=ex:8-3
@test "--stat without limits only counts" {
    local peak
    set_peak 1
    run -0 --separate-stderr "$(tool cgroup)" --stat true
    [[ $stderr =~ pids\ +$peak\ +- ]] || fail "pids"
}

@test "--view: the box has a group of its own" {
    run -0 "$(tool cgroup)" --cpus 0.2 --memory 64M --pids 32 --view
    [[ $output =~ cgroup\ .*\ /\ +isolated ]] || fail "cgroup"
}

# A shell's words for the calls: each explained line must be in the trace, and each call explained.
@test "--explain tells each step in the tree, and no other" {
    requires command:strace
    local trace=$BATS_TEST_TMPDIR/trace calls=mkdir,rmdir,mount,umount2
    run -0 --separate-stderr strace -f -qq -s 200 -e trace=$calls,openat,write -o "$trace" \
        "$(tool cgroup)" -x --cpus 0.5 --pids 9 true
    local traced explained
    traced=$(grep -v /run/ten-steps "$trace" | sed -n 's/^[0-9]* *\('"${calls//,/\\|}"'\)(.*/\1/p' | sort)
    explained=$(grep -o -e '	*\('"${calls//,/\\|}"'\)(' <<<"$stderr" | tr -d '\t(' | sort)
    assert_equal "$traced" "$explained"
    traced=$(grep -c "openat(.*$top.*O_WRONLY" "$trace")
    explained=$(grep -c '# echo [^$]' <<<"$stderr")
    assert_equal "$traced" "$explained"
}

@test "--explain: the shell commands do the same" {
    local line group
    run -0 --separate-stderr "$(tool cgroup)" -x --pids 9 sleep 0.1
    [[ $stderr =~ ($top/ten-steps/[0-9a-f]{16})/pids.max ]] || fail "no group"
    group=${BASH_REMATCH[1]} made=("${BASH_REMATCH[1]}" "$top/ten-steps")
    while read -r line; do
        [[ $line != *"unshare"* ]] || break
        line=${line#host# }
        bash -e -c "${line%%  *}"
    done <<<"$stderr"
    assert_equal "$(<"$group/pids.max")" 9
    rmdir "$group"
    run -0 "$(tool cgroup)" true
}
