# What the checks are written with. Every bats file begins with: load lib/helpers
#
# Checks run on the play host (see playhost). setup and teardown below look at that host before and
# after each check; whatever a check or a tool has left there fails the check. A bats file with a
# setup or teardown of its own calls host_remember and host_compare from them.
#
# Beside it, by subject: asserts, seen (boxes from outside), host (before and after).
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

bats_require_minimum_version 1.5.0

# The settings of the user who runs the checks must not reach them.
umask 022
export SHELL=$BASH LC_ALL=C.UTF-8
unset -v CDPATH COLUMNS LINES LANGUAGE MAKEFLAGS POSIXLY_CORRECT TAR_OPTIONS TEN_STEPS_HOME TMUX TZ \
    XDG_DATA_HOME XDG_RUNTIME_DIR all_proxy http_proxy https_proxy

# Seconds for one command, and how many times longer things may take than on a quiet machine: this
# one may be busy, and a virtual machine is emulated, ten times slower.
RUN_LIMIT=$((${IN_VM:-0} ? 600 : 60))
PATIENCE=$((${IN_VM:-0} ? 20 : 5))

: "${BIN_DIR:=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)}"
COURSE=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)
PROBE=$COURSE/.build/probe
AS_USER=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --)

load lib/asserts
load lib/seen
load lib/host

setup() {
    host_remember
}

teardown() {
    host_compare
}

# The path of a tool: tool uts → …/02-uts/uts
tool() {
    local path
    for path in "$BIN_DIR"/[01][0-9]-*/"$1"; do
        [ -x "$path" ] || continue
        printf '%s\n' "$path"
        return
    done
    printf '%s\n' "$BIN_DIR/no-tool-called-$1"
}

# A root filesystem made of this machine's programs, once for all checks. Sets ROOTFS; with "user"
# it is one that belongs to an ordinary user. READY_ROOTFS names one that is ready to be copied.
make_rootfs() {
    local mkrootfs
    mkrootfs=$(tool mkrootfs)
    [ -x "$mkrootfs" ] || mkrootfs=$COURSE/01-chroot/mkrootfs
    ROOTFS=$BATS_RUN_TMPDIR/rootfs.${1:-root}/rootfs
    [ ! -d "$ROOTFS" ] || return 0
    if [ "${1:-root}" = user ]; then
        install -d -o 65534 -g 65534 "${ROOTFS%/*}"
        if [ -n "${READY_ROOTFS-}" ]; then
            cp -a "$READY_ROOTFS" "$ROOTFS" && chown -hR 65534:65534 "$ROOTFS"
        else
            RUN_LIMIT=600 as_user "$mkrootfs" "$ROOTFS" # a slow machine that is busy may need minutes
        fi
    else
        mkdir "${ROOTFS%/*}"
        [ -n "${READY_ROOTFS-}" ] && cp -a "$READY_ROOTFS" "$ROOTFS" || "$mkrootfs" "$ROOTFS"
    fi
    # The probe does what a shell can't. mkrootfs doesn't put it there.
    install "$PROBE" "$ROOTFS/probe"
}

# An empty root directory with nothing in it but the probe. Sets ROOT.
make_bare_root() {
    ROOT=$BATS_TEST_TMPDIR/root
    mkdir -p "$ROOT/bin"
    cp "$PROBE" "$ROOT/bin/probe"
}

# A name that appears nowhere else by chance.
random_name() {
    printf '%s%04x%04x\n' "${1:-r}" "$RANDOM" "$RANDOM"
}

# show_command WORD…: after "$", quoted as it would be typed.
show_command() {
    local word line=
    for word; do
        [[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    printf '$%s\n' "$line"
}

# bats records each command that a check runs, to name the line that failed. That takes longer than
# the command itself, so it is off (set +T) in what run and wait_until call.
#
# bats's own run, except that a failed check shows what was run, and a program has a minute.
eval "bats_$(declare -f run)"
run() {
    local - failed=0 flags=() how=(--foreground --kill-after=1)
    set +T
    while [[ $1 == -* || $1 == '!' ]]; do
        flags+=("$1")
        shift
    done
    show_command "$@"
    if [ "$(type -t "$1")" = file ]; then
        # What a shell has started ends with it, or its output never would.
        [[ ! $1 =~ ^(ba)?sh$ ]] || how=(--signal=KILL)
        set -- timeout "${how[@]}" "$RUN_LIMIT" "$@"
    fi
    stderr=
    bats_run "${flags[@]}" "$@" 3>&- 4>&- || failed=$?
    [ -z "$output" ] || printf '%s\n' "$output"
    [ -z "$stderr" ] || printf '(standard error) %s\n' "$stderr"
    printf '(status %s)\n' "$status"
    return "$failed"
}

# expect_error STATUS TEXT COMMAND…: COMMAND ends with STATUS and prints one line with TEXT on
# standard error, maybe a hint below it, and nothing on standard output.
expect_error() {
    local want=$1 text=$2
    shift 2
    run "-$want" --separate-stderr "$@" || return
    assert_equal "$output" "" || return
    [[ ${stderr_lines[0]-} == *"$text"* ]] ||
        fail "expected an error with '$text', got '${stderr_lines[0]-}'" || return
    [[ ${stderr_lines[0]} =~ ^[a-z]+(\ [a-z]+)?:\  ]] ||
        fail "expected the error to begin with the tool's name, got '${stderr_lines[0]}'" || return
    [ "${#stderr_lines[@]}" -le 2 ] || fail "expected an error and at most a hint, got ${#stderr_lines[@]} lines" || return
    [ "${#stderr_lines[@]}" -eq 1 ] || [[ ${stderr_lines[1]} == "hint: "* ]] ||
        fail "expected the second line to be a hint, got '${stderr_lines[1]}'"
}

# The hint below the error that expect_error has just seen.
assert_hint() {
    [[ ${stderr_lines[1]-} == "hint: "*"$1"* ]] ||
        fail "expected a hint with '$1', got '${stderr_lines[1]-}'"
}

[ -z "${JUDGE_HOST-}" ] || load lib/judged
