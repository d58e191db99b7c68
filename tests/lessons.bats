#!/usr/bin/env bats
# The lessons tell the truth: what they show is what happens, and the code that they quote is there.
#
# In a lesson
#   ```console   is a transcript, and its commands are run, all in the order of the lesson:
#                  # COMMAND         typed in root's shell at the top of the course
#                  inside# COMMAND   the same shell, where the lesson has gone into a box
#                  second# COMMAND   another shell of root's on the host, at the same time
#                  $ COMMAND         an ordinary user's shell; inside$ and second$ likewise
#                  > MORE            the command goes on
#                The shells have no terminal, so "full run -it" is run without "-it".
#                The lines below a command are what it prints, on standard output or error. There
#                "..." stands for anything in a line, and for any lines where it stands alone;
#                numbers of two digits or more stand for any such number, unless alone in a line;
#                blanks stand for any blanks.
#                The invisible line <!-- varies: TEXT, TEXT --> above a transcript lets each TEXT in
#                it, as it was on the author's machine, stand for anything too.
#   ```c         is quoted from the sources, line by line; "..." alone divides two pieces.
#   ```sh        is not run: what differs from machine to machine, or needs a terminal.
# `tests/bin/playhost tests/bin/lesson --record 02-uts/README.md` shows what the commands really print.
#
# The play host is compared before and after: what a lesson makes, it also has to undo.
# shellcheck disable=SC2016,SC2164 # backquotes are looked for; bats ends a check at a failed cd
load lib/helpers

# A course of one's own, which belongs to an ordinary user as after git clone, with built tools.
setup() {
    host_remember
    requires root userns
    mkdir -p "$BATS_TEST_TMPDIR/course/.build"
    cd "$COURSE" || return
    cp -r README.md LICENSE Makefile tests [01][0-9]-* "$BATS_TEST_TMPDIR/course/"
    cp "$PROBE" "$BATS_TEST_TMPDIR/course/.build/"
    local path
    for path in "$BIN_DIR"/[01][0-9]-*/; do
        cp -r "$path" "$BATS_TEST_TMPDIR/course/"
    done
    cd "$BATS_TEST_TMPDIR/course" || return
    chown -R 1000:1000 .
    chmod 711 "$BATS_TEST_TMPDIR"
}

# A whole lesson may take more than the minute that a program has.
follow() {
    run -0 walk_through "$1"
}

walk_through() {
    timeout --foreground --kill-after=1 900 tests/bin/lesson "$1"/README.md
}

@test "lesson 01-chroot" {
    follow 01-chroot
}

@test "lesson 02-uts" {
    follow 02-uts
}

@test "lesson 03-pid" {
    follow 03-pid
}

@test "lesson 04-mnt" {
    follow 04-mnt
}

@test "lesson 05-ipc" {
    follow 05-ipc
}

@test "lesson 06-user" {
    follow 06-user
}

@test "lesson 07-net" {
    follow 07-net
}

@test "every link in a lesson leads to a file that is there" {
    local lesson link broken=
    for lesson in README.md [01][0-9]-*/README.md; do
        while read -r link; do
            [[ $link == http* || $link == "#"* || -e ${lesson%README.md}$link ]] ||
                broken+="$lesson: $link"$'\n'
        done < <(grep -o '](\([^)]*\))' "$lesson" | sed 's/^](//; s/)$//; s/#.*//')
    done
    assert_equal "$broken" ""
}

@test "every chapter with a lesson has its check above and its link on the first page" {
    local lesson
    for lesson in [01][0-9]-*/README.md; do
        grep -qF "follow ${lesson%/*}" tests/lessons.bats || fail "no check follows $lesson"
        grep -qF "($lesson)" README.md || fail "the first page has no link to $lesson"
    done
}

@test "every exercise in the code stands in its chapter's lesson, as - **N.M**" {
    local number lesson missing=
    while IFS=: read -r lesson number; do
        lesson=${lesson%/*}/README.md
        grep -qsF -- "- **$number**" "$lesson" || missing+="$number is not in $lesson"$'\n'
    done < <(grep -o 'EXERCISE [0-9.]*' [01][0-9]-*/*.c | sed 's/EXERCISE //')
    assert_equal "$missing" ""
}

@test "what the lessons and the first page say to make or to run is there" {
    local target
    while read -r target; do
        [ -x "$target" ] || fail "there is no $target"
    done < <(grep -oh 'tests/[a-z]*[ `]' README.md [01][0-9]-*/README.md | tr -d ' `' | sort -u)
    while read -r target; do
        run -0 make -n "$target"
    done < <(grep -ohE '(^|`|sudo )make [a-z][a-z0-9-]*($|`| [A-Z])' README.md [01][0-9]-*/README.md |
        sed -E 's/.*make ([a-z0-9-]*).*/\1/' | sort -u)
}

# bats test_tags=cgroup_v2
@test "lesson 08-cgroup" {
    requires cgroup_v2
    second_processor 1
    local name # what earlier checks have enabled stays so
    for name in $(</sys/fs/cgroup/cgroup.subtree_control); do
        echo "-$name" >/sys/fs/cgroup/cgroup.subtree_control
    done
    follow 08-cgroup
    second_processor 0
}

@test "lesson 09-overlay" {
    follow 09-overlay
}

@test "lesson 10-full" {
    follow 10-full
}
