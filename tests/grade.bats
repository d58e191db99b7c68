#!/usr/bin/env bats
# The grader: honest work gets its points, and whatever a submission does, it gets no others.
load lib/helpers

setup() {
    host_remember
    requires root command:jq command:cc
    submissions=$BATS_TEST_TMPDIR/submissions
    mkdir "$submissions"
}

# grade [OPTION]… SUBMISSION…: each on a play host inside this one. A function has more time than a program.
grade() {
    (cd "$submissions" && "$COURSE/tests/bin/grade" --here --out "$BATS_TEST_TMPDIR/out" "$@" 2>&1)
}

# of NAME FILTER: what jq finds in its grade.json
of() {
    jq -r "$2" "$BATS_TEST_TMPDIR/out/$1/grade.json"
}

# submit NAME: a submission whose programs of chapter 2 are the shell script that is read.
submit() {
    mkdir -p "$submissions/$1/02-uts"
    { echo '#!/bin/bash' && cat; } >"$submissions/$1/02-uts/uts"
    chmod +x "$submissions/$1/02-uts/uts"
    cp "$submissions/$1/02-uts/uts" "$submissions/$1/02-uts/enter"
}

submit_mini() {
    mkdir -p "$submissions/mini/02-uts"
    cc -static -o "$submissions/mini/02-uts/uts" "$COURSE/tests/grade/mini.c"
    cp "$submissions/mini/02-uts/uts" "$submissions/mini/02-uts/enter"
}

# submit_shell NAME: one that isolates as uts does, after the lines that are read.
submit_shell() {
    cat - /dev/fd/4 4<<'END' | submit "$1"
script=
while [[ $1 == --* ]]; do
    [ "$1" = --hostname ] && script+="hostname '$2';" || script+="echo '$2' >/proc/sys/kernel/domainname;"
    shift 2
done
exec unshare --uts sh -c "$script"' "$@"' sh "$@"
END
}

@test "a program of 50 lines that isolates, in C or in the shell, gets all of chapter 2's core" {
    submit_mini
    submit_shell shell <<'END'
if [[ $0 == */enter ]]; then exec nsenter --target "$1" --uts "${@:2}"; fi
END
    run -0 grade --bin --chapters 2 mini shell
    assert_equal "$(of mini '"\(.verdict) \(.core.points) \(.points)"')" "graded 100 100"
    assert_equal "$(of shell .core.points)" 100
}

@test "cheats get no points, leave nothing behind, and don't change the next grade" {
    # shellcheck disable=SC2016
    submit says-ok <<'END'
for file in /proc/*/fd/* /dev/pts/* /dev/console /dev/vport*; do
    timeout 1 bash -c 'printf "ok %s\n" {1..200} >"$0"; printf "record\t1\n02-uts.bats:1\tgreen\t1\nend\t1\nmac\t0\n" >"$0"' "$file"
done 2>/dev/null
printf 'ok %s x in 1ms\n' {1..200}
exec sleep 60
END
    submit kills-all <<'END'
kill -KILL $PPID 0 -1 1
END
    submit exits <<'END'
exit 0
END
    submit liar <<'END'
name=$(uname -n)
while [[ $1 == --* ]]; do name=$2 && shift 2; done
[[ $0 != */enter ]] || shift
[ "$*" != "uname -n" ] || { echo "$name" && exit; }
"$@" # in a child of its own, as others do
END
    submit sleeps <<'END'
sleep 1000
END
    submit leaves-daemons <<'END'
for _ in {1..50}; do setsid bash -c 'trap "" HUP TERM INT; while :; do sleep 100; done' & done
sleep 60
END
    submit edits <<'END'
printf '#!/bin/sh\nfor a; do :; done; echo "$a"\n' >/tmp/lie && chmod 755 /tmp/lie
mount -o remount,rw /usr
for program in nsenter readlink cat diff bats bash uname; do
    mount --bind /tmp/lie "/usr/bin/$program"
    cp /tmp/lie "/usr/bin/$program"
done
find / -xdev -name '*.bats' -exec sed -i 's/^    .*/:/' {} +
find / -xdev -name '*.bash' -exec sed -i 's/^    .*/:/' {} +
rm -rf /run/* /tmp/* /var/*
printf '\033]0;pwned\007\033[2J'
sleep 60
END
    submit_mini
    run -0 grade --bin --chapters 2 --jobs 4 says-ok kills-all exits liar sleeps leaves-daemons edits mini
    local name
    for name in says-ok kills-all exits liar sleeps leaves-daemons edits; do
        assert_equal "$name: $(of "$name" '"\(.verdict) \(.points)"')" "$name: graded 0"
    done
    assert_equal "$(of mini .points)" 100
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/out/grades.csv")" 9
    run ! grep -rl $'\033' "$BATS_TEST_TMPDIR/out"
}

# Judged by what it prints alone, it would pass many.
@test "no core check passes on a program that isolates nothing, but reads its arguments and prints what is wanted" {
    local tool
    for tool in 01-chroot/chroot 01-chroot/escape 02-uts/uts 02-uts/enter 03-pid/pid 04-mnt/mnt 05-ipc/ipc 06-user/user \
        07-net/net 08-cgroup/cgroup 09-overlay/overlay 10-full/full; do
        mkdir -p "$submissions/liar/${tool%/*}"
        install -m 755 /dev/stdin "$submissions/liar/$tool" <<'END'
#!/bin/bash
name=$(uname -n)
[[ $0 != */chroot && $0 != */enter && $0 != */full ]] || { first=$1 && shift; }
while [[ $1 == --* ]]; do
    case $1 in
    --init | --keep-proc | --dev | --read-only | --none | --no-nat | --stat | --diff) shift ;;
    --mount) stay=yes && shift 2 ;;
    --lower) root=$2 && shift 2 ;;
    *) name=$2 && shift 2 ;;
    esac
done
[[ $0 != */full ]] || { root=$1 && shift; }
[ "$first" != exec ] || root=
[ -z "$root" ] || [ -n "$stay" ] || exec chroot "$root" "$@"
[ "$*" != "uname -n" ] || { echo "$name" && exit; }
[ "$1" != /bin/probe ] || set -- /run/course/.build/probe "${@:2}"
exec "$@"
END
    done
    local seen
    seen=$(cd "$COURSE" && BIN_DIR=$submissions/liar tests/bin/playhost bats --tap --filter-tags core tests/[01][0-9]-*.bats) || true
    printf '%s\n' "$seen"
    run ! grep '^ok' <<<"$seen"
    assert_equal "$(grep -c '^not ok' <<<"$seen")" "$("$COURSE/tests/bin/graded" | cut -f2 | grep -c core)"
}

@test "links where the judge writes lead nowhere: a program printed into its own does not run there" {
    # The judge writes what the second box prints to a file that the first could put a link in place of.
    submit_shell plants <<'END'
if [[ $0 == */enter ]]; then exit 1; fi
[ $# -lt 3 ] || for check in /run/tmp/check.*; do
    for number in {1..9}; do ln -s /run/judge/bin/02-uts/enter "$check/box.$number.out"; done
done 2>/dev/null
[[ $(readlink /proc/self/fd/1) != */enter ]] || cat <<'PROGRAM'
#!/bin/sh
pid=$(grep -l "^NSpid:.*[[:space:]]$1\$" /proc/[1-9]*/status | head -n 1 | cut -d/ -f3)
shift
exec nsenter --target "$pid" --uts "$@"
PROGRAM
END
    run -0 grade --bin --chapters 2 plants
    assert_equal "$(of plants '[.exercises[] | select(.core.passed) | .exercise] | join(" ")')" 2.1
    grep -q "Too many levels of symbolic links" "$BATS_TEST_TMPDIR/out/plants/log"
}

@test "an interrupted class continues where it stopped, and leaves nothing running" {
    local class=(mini sleeps sleeps-too)
    submit_mini
    submit sleeps <<<'sleep 1000'
    submit sleeps-too <<<'sleep 1000'
    (cd "$submissions" && exec "$COURSE/tests/bin/grade" --here --bin --chapters 2 \
        --out "$BATS_TEST_TMPDIR/out" "${class[@]}") >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    wait_until 20 test -e "$BATS_TEST_TMPDIR/out/mini/grade.json"
    kill -TERM "$!"
    status=0
    wait "$!" || status=$?
    assert_equal "$status" 130
    wait_until 5 no_process_is_left
    run -0 grade --bin --chapters 2 --jobs 2 "${class[@]}"
    assert_contains "$output" "mini: 100 of 100, unchanged"
    assert_equal "$(of sleeps .points) $(of sleeps-too .points)" "0 0"
}

@test "a tar with links, or with paths that lead elsewhere, is not taken" {
    cd "$submissions"
    mkdir -p 02-uts good/02-uts
    ln -s /etc/passwd 02-uts/uts.c
    tar -cf link.tar 02-uts
    echo 'int x;' >good/02-uts/x.c
    tar -cf absolute.tar -P --transform "s,^,/run/tmp/evil/," good
    tar -cf up.tar -P --transform "s,^,../../," good
    mkdir dir && cp -a 02-uts dir
    run -0 grade --bin --chapters 2 link.tar absolute.tar up.tar dir nothing
    local name
    for name in link absolute up dir nothing; do
        assert_equal "$name: $(of "$name" '"\(.verdict) \(.points)"')" "$name: can't be read 0"
    done
    assert_contains "$(of up .why)" ".."
    assert_contains "$(of link .why)" links
    [ ! -e /run/tmp/evil ]
}

@test "a submission is what it is called: in a folder named like a chapter, in a tar of any owner, in a class" {
    cd "$submissions"
    submit_mini
    mkdir class && mv mini class/03-ada && mkdir -p class/other/02-uts && ln -s /etc class/other/02-uts/link
    mkdir -p big/02-uts && truncate -s 200M big/02-uts/big.c && tar --owner='a b:0' -czf big.tgz big
    run -0 grade --bin --chapters 2 class/03-ada big.tgz
    assert_equal "$(of 03-ada .points)" 100
    assert_equal "$(of big '"\(.verdict): \(.why)"')" "can't be read: the tar is too large"
    # What can't be executed is another submission.
    chmod -x class/03-ada/02-uts/*
    run -0 grade --bin --chapters 2 class/03-ada
    assert_equal "$(of 03-ada .points)" 0
    chmod +x class/03-ada/02-uts/*
    run -0 grade --bin --chapters 2 class/03-ada
    assert_equal "$(of 03-ada .points)" 100
    expect_error 125 "has grades of another kind (bin 2)" "$COURSE/tests/bin/grade" --here --out "$BATS_TEST_TMPDIR/out" class/03-ada
}

@test "a starter tree takes nothing along that lies beside the course" {
    local course=$submissions/course
    mkdir "$course"
    cp -a "$COURSE"/{[01][0-9]-*,tests,Makefile,README.md,LICENSE} "$course"
    mkdir -p "$course"/{.build,ada/02-uts,03-ada,grades} && touch "$course"/{ada/02-uts/uts.c,03-ada/main.c,grades/diff}
    KEEP_OBJECTS=1 "$course/tests/bin/starter" "$submissions/starter"
    assert_equal "$(ls "$submissions/starter")" "$(cd "$COURSE" && ls -d [01][0-9]-* LICENSE Makefile README.md tests)"
}

@test "sources: exercise by exercise; what doesn't build, what is red, and what was not checked are told apart" {
    local half=$submissions/half
    mkdir -p "$half"/{02-uts,03-pid}
    cp "$COURSE"/02-uts/{uts,enter}.c "$half/02-uts"
    echo 'int main(void) { return nothing; }' >"$half/03-pid/main.c"
    mkdir -p "$half/02-uts/evil" && echo 'all: ; touch /run/tmp/evil' >"$half/Makefile"
    run -0 grade --chapters 2-3 half
    assert_equal "$(of half '[.exercises[] | "\(.exercise) \(.core.passed)"] | join(" ")')" \
        "2.1 false 2.2 false 2.3 false 3.1 false 3.2 false 3.3 false 3.4 false"
    assert_equal "$(of half '[.checks[] | select(.exercise == "2.1" and .kind == "core") | .state] | unique | join(" ")')" "not-checked red"
    assert_equal "$(of half '[.checks[] | select(.exercise == "2.2" and .kind == "core") | .rationale] | unique | join(" ")')" \
        "not checked: needs 2.1"
    assert_equal "$(of half '[.checks[] | select(.exercise[0:1] == "3") | .rationale] | unique | join(" ")')" "doesn't build"

    cp "$COURSE"/02-uts/main.c "$half/02-uts"
    printf '/* \033[8m */\n' >>"$half/02-uts/main.c"
    run -0 grade --chapters 2-3 half
    assert_equal "$(of half '[.exercises[] | select(.core.passed) | .exercise] | join(" ")')" "2.1 2.2 2.3"
    run -0 grade --chapters 2-3 half
    assert_contains "$output" unchanged
    run -0 jq -e '.tests | length > 3' "$BATS_TEST_TMPDIR/out/half/results.json"
    run -0 jq -e ".score == $(of half .points)" "$BATS_TEST_TMPDIR/out/half/results.json"
    grep -q "^+.*CLONE_NEW[U]TS" "$BATS_TEST_TMPDIR/out/half/diff"
    run ! grep $'\033' "$BATS_TEST_TMPDIR/out/half/diff"
    grep -q '<testsuites name="half"' "$BATS_TEST_TMPDIR/out/half/junit.xml"
}

@test "make check does not call an exercise done whose checks were cut off" {
    cp -a "$COURSE"/[01][0-9]-* "$submissions"
    # bats ends before its time, after one of two.
    BIN_DIR=$submissions run -1 env 'BASH_FUNC_bats%%=() { printf "1..2\nok 1 one\n"; }' "$COURSE/tests/bin/check" 2.1
    assert_contains "$output" "not checked: of 2 checks 1 had passed"
    refute_contains "$output" "done:"
    [ -e "$submissions/.build/undone/2.1" ]
}

@test "formats: as Gradescope, JUnit and Classroom 50 describe them" {
    local grade=$BATS_TEST_TMPDIR/grade.json result
    cat >"$grade" <<'END'
{"submission": "ada", "verdict": "graded", "why": null, "seconds": 12.5, "points": 46.7, "max_points": 100, "exercises": [
  {"exercise": "2.1", "title": "a namespace", "core": {"points": 26.7, "max_points": 26.7, "passed": true}, "polish": {"points": 20, "max_points": 20, "passed": true}},
  {"exercise": "3.1", "title": "PID 1", "core": {"points": 0, "max_points": 53.3, "passed": false}, "polish": {"points": 0, "max_points": 0, "passed": false}}],
 "checks": [
  {"file": "02-uts.bats", "name": "a <b>", "exercise": "2.1", "kind": "core", "passed": true, "seconds": 1, "rationale": null, "command": null, "expected": null, "actual": null, "help": null},
  {"file": "03-pid.bats", "name": "c & d", "exercise": "3.1", "kind": "core", "passed": false, "seconds": 2, "rationale": "crashes", "command": "pid true", "expected": "1", "actual": "7", "help": "see"},
  {"file": "03-pid.bats", "name": "e", "exercise": "3.1", "kind": "core", "passed": null, "seconds": 0, "rationale": "needs 2.1", "command": null, "expected": null, "actual": null, "help": null}]}
END
    # As https://github.com/foundation50/classroom50/wiki/Advanced-Autograding has it.
    export CLASSROOM=cs ASSIGNMENT=box SUBMISSION_TAG=submit/1 COMMIT_URL=https://c RELEASE_URL=https://r
    result=$(jq -f "$COURSE/tests/grade/classroom50.jq" "$grade")
    assert_equal "$(jq -c 'del(.datetime, .tests)' <<<"$result")" '{"schema":"classroom50/result/v1","classroom":"cs","assignment":"box","submission":"submit/1","commit":"https://c","release":"https://r","review":"https://c","score":467,"max-score":1000}'
    assert_equal "$(jq -c '.tests[2]' <<<"$result")" \
        '{"test-name":"3.1 PID 1 (core)","passed":false,"score":0,"max-score":533,"output":"c & d: crashes\ne: needs 2.1"}'
    [[ $(jq -r .datetime <<<"$result") =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]

    result=$(jq -f "$COURSE/tests/grade/gradescope.jq" "$grade")
    assert_equal "$(jq -c '[.score, .execution_time, (.tests | length), .tests[2].score, .tests[2].max_score, .tests[2].status]' <<<"$result")" \
        '[46.7,12,3,0,53.3,"failed"]'
    result=$(jq -r -f "$COURSE/tests/grade/junit.jq" "$grade")
    assert_contains "$result" '<testsuites name="ada" tests="3" failures="1" errors="0" skipped="1" time="12.5">'
    assert_contains "$result" 'name="a &lt;b&gt;"'
    # A submission without a grade is an error, not a success; and what XML can't hold is left out.
    result=$(jq '.verdict = "too slow" | .why = "\uffff" | .checks[].passed = null' "$grade" | jq -r -f "$COURSE/tests/grade/junit.jq")
    assert_contains "$result" 'failures="0" errors="3" skipped="0"'
    assert_equal "$(grep -c '<error message="too slow: ?"/>' <<<"$result")" 3
}

@test "chapters 7 to 10: core is all, and the chapters before are the course's" {
    local late=$submissions/late
    mkdir -p "$late"/{03-pid,09-overlay}
    echo 'int main(void) { return nothing; }' >"$late/03-pid/proc.c"
    cp "$COURSE"/09-overlay/*.[ch] "$late/09-overlay"
    sed -i "s/existed ? 'C' : 'A'/'A'/" "$late/09-overlay/diff.c"
    run -0 grade --chapters 9 late
    assert_equal "$(of late '[.exercises[] | "\(.exercise) \(.core.passed) \(.polish.max_points)"] | join(", ")')" \
        "9.1 true 0, 9.2 true 0, 9.3 false 0, 9.4 true 0"
    assert_equal "$(of late .points)" 75
    run ! grep 03-pid "$BATS_TEST_TMPDIR/out/late/diff"
}

@test "mounts that reach the host cost exercise 3.2, and no other of its chapter" {
    mkdir -p "$submissions/shared/03-pid"
    cp "$COURSE"/03-pid/*.[ch] "$submissions/shared/03-pid"
    sed -i '/EXERCISE 3.2/,/END/{/EXERCISE\|END/!d}' "$submissions/shared/03-pid/proc.c"
    run -0 grade --core --chapters 3 shared
    assert_equal "$(of shared '[.exercises[] | "\(.exercise) \(.core.passed)"] | join(", ")')" \
        "3.1 true, 3.2 false, 3.3 true, 3.4 true"
}
