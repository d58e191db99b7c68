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
#                The lines below a command are what it prints, on standard output or error. There
#                "..." stands for anything in a line, and for any lines where it stands alone;
#                numbers of two digits or more stand for any such number; blanks for any blanks.
#                The invisible line <!-- varies: TEXT, TEXT --> above a transcript lets each TEXT in
#                it, as it was on the author's machine, stand for anything too.
#   ```c         is quoted from the sources, line by line; "..." alone divides two pieces.
#   ```sh        is not run: what differs from machine to machine, or needs a terminal.
# `tests/playhost tests/lesson --record 02-uts/README.md` shows what the commands really print.
#
# The play host is compared before and after: what a lesson makes, it also has to undo.
load helpers

# A course of one's own, which belongs to an ordinary user as after git clone, with built tools.
setup() {
    host_remember
    requires root userns
    mkdir -p "$BATS_TEST_TMPDIR/course/.build"
    cd "$COURSE"
    cp -r README.md Makefile tests [01][0-9]-* "$BATS_TEST_TMPDIR/course/"
    cp "$PROBE" "$BATS_TEST_TMPDIR/course/.build/"
    local path
    for path in "$BIN_DIR"/[01][0-9]-*/; do
        cp -r "$path" "$BATS_TEST_TMPDIR/course/"
    done
    cd "$BATS_TEST_TMPDIR/course"
    chown -R 1000:1000 .
    chmod 711 "$BATS_TEST_TMPDIR"
}

teardown() {
    rm -rf "$BATS_TEST_TMPDIR/course"
    host_compare
}

follow() {
    run -0 tests/lesson "$1"/README.md
}

@test "lesson 01-chroot" {
    follow 01-chroot
}
