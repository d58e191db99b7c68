#!/usr/bin/env bats
# The house rules of the source tree. These checks look at the course itself, not at BIN_DIR.
load lib/helpers

setup() {
    cd "$COURSE" || return
    sources=([01][0-9]-*/*.c)
    headers=([01][0-9]-*/*.h)
}

# No tool is run here, so the host need not be compared.
teardown() {
    :
}

@test "a chapter includes only its own headers and those of earlier chapters" {
    local file line chapter from bad=
    for file in "${sources[@]}" "${headers[@]}"; do
        chapter=${file%%-*}
        while IFS= read -r line; do
            case $line in
            ../[01][0-9]-*/*)
                from=${line#../} from=${from%%-*}
                [ "$((10#$from))" -lt "$((10#$chapter))" ] || bad+="$file includes $line"$'\n'
                [ -f "${line#../}" ] || bad+="$file includes $line, which is not there"$'\n'
                ;;
            */*) bad+="$file includes $line"$'\n' ;;
            *) [ -f "${file%/*}/$line" ] || bad+="$file includes $line, which is not there"$'\n' ;;
            esac
        done < <(sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$file")
    done
    assert_equal "$bad" ""
}

@test "nothing but the C library is linked" {
    run ! grep -nE -- '(^|[[:space:]])-l(cap|seccomp|mnl|nl|nftnl|crypto|z|pthread|m)\b' Makefile
}

@test "main.c can be read in one sitting: 150 lines; a module, or a file of checks, has at most 500" {
    local file lines bad=
    for file in "${sources[@]}" tests/*.bats; do
        lines=$(wc -l <"$file")
        [[ $file != */main.c ]] || [ "$lines" -le 150 ] || bad+="$file: $lines lines"$'\n'
        [ "$lines" -le 500 ] || bad+="$file: $lines lines"$'\n'
    done
    assert_equal "$bad" ""
}

# What a reader is asked to read of a chapter, in lines of .c and .h.
@test "every chapter keeps to its size" {
    local chapter lines bad=
    while read -r chapter lines; do
        [ "$(cat "$chapter"*/*.[ch] | wc -l)" -le "$lines" ] ||
            bad+="$chapter: $(cat "$chapter"*/*.[ch] | wc -l) lines, not $lines"$'\n'
    done <<'END'
01 750
02 450
03 280
04 650
05 100
06 280
07 2292
08 860
09 3194
10 4045
END
    assert_equal "$bad" ""
}

# This one stands beside what it is a part of, though later chapters need it too.
@test "a public function of chapters 1 to 6 is called in its own chapter or one of the next two" {
    local header chapter name near bad=
    for header in 0[1-6]-*/*.h; do
        chapter=$((10#${header%%-*}))
        near=(0"$chapter"-*/*.c)
        near+=(0$((chapter + 1))-*/*.c 0$((chapter + 2))-*/*.c)
        for name in $(grep -v '^ \*\|^/\*' "$header" | grep -oE '\b[a-z_]+\(' | tr -d '(' |
            grep -vxE '__attribute__|format|proc_check'); do
            [ "$(cat "${near[@]}" | grep -cE "\b$name\(")" -gt 1 ] || bad+="$header: $name"$'\n'
        done
    done
    assert_equal "$bad" ""
}

@test "every lesson has a reading list: each file of its folder, with its lines" {
    local lesson folder file number listed bad=
    for lesson in [01][0-9]-*/README.md; do
        folder=${lesson%/*}
        listed=$(sed -n 's/^| \(\[[^|]*)\) | \([0-9]*\) | .*/\2 \1/p' "$lesson" | sed 's/\[[^]]*\](\([^)]*\)),* */\1 /g')
        [ "$(cut -d' ' -f2- <<<"$listed" | tr ' ' '\n' | sed '/^$/d' | sort)" = "$(cd "$folder" && find . -name '*.[ch]' -o -name mkrootfs | cut -c3- | sort)" ] ||
            bad+="$folder: its reading list does not name every file once"$'\n'
        while read -r number file; do
            # shellcheck disable=SC2086 # several names
            [ "$(cd "$folder" && cat $file | wc -l)" -eq "$number" ] ||
                bad+="$folder: $file have $(cd "$folder" && cat $file | wc -l) lines, not $number"$'\n'
        done <<<"$listed"
    done
    assert_equal "$bad" ""
}

@test "every source file compiles by itself, as an editor reads it" {
    run -0 "${CC:-cc}" -fsyntax-only -Wall -Wextra -Werror "${sources[@]}" tests/*/*.c
}

@test "a function has at most 60 lines" {
    run -0 awk '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}/ && start { if (FNR - start - 1 > 60) print FILENAME ":" start ": " FNR - start - 1; start = 0 }
    ' "${sources[@]}"
    assert_equal "$output" ""
}

@test "two to five exercises in every chapter, numbered from 1, each closed, each of at most 25 lines" {
    local chapter number numbers bad=
    for chapter in [01][0-9]-*/; do
        [ -e "$chapter/main.c" ] || continue
        number=$((10#${chapter%%-*}))
        numbers=$(grep -ohE "EXERCISE [0-9]+\.[0-9]+" "$chapter"*.c | cut -d' ' -f2 | sort -V)
        [ "$numbers" = "$(seq -f "$number.%g" "$(wc -l <<<"$numbers")")" ] ||
            bad+="$chapter: its exercises are" bad+=" $numbers"$'\n'
        [ "$(wc -l <<<"$numbers")" -ge 2 ] && [ "$(wc -l <<<"$numbers")" -le 5 ] ||
            bad+="$chapter: $(wc -l <<<"$numbers") exercises"$'\n'
    done
    assert_equal "$bad" ""
    run -0 awk '
        /EXERCISE [0-9]/ { if (open) print FILENAME ":" FNR ": not closed"; open = FNR }
        /\/\* END \*\// { if (!open || FNR - open > 26) print FILENAME ":" FNR ": too long"; open = 0 }
    ' "${sources[@]}"
    assert_equal "$output" ""
}

@test "every exercise has three hints in its lesson, and checks with its tag" {
    local number lesson hints bad=
    while IFS=$'\t' read -r number _; do
        lesson=$(printf '%02d-*/README.md' "${number%.*}")
        # shellcheck disable=SC2086 # a pattern
        hints=$(sed -n "/<summary>Hints for ${number/./\\.}</,/<.details>/p" $lesson | grep -c '^[0-9]\. ')
        [ "$hints" -eq 3 ] || bad+="$number has $hints hints"$'\n'
        grep -qE "^# bats test_tags=(.*,)?ex:${number/./-}(,|\$)" tests/*.bats || bad+="$number has no check"$'\n'
    done < <(tests/bin/exercises)
    assert_equal "$bad" ""
}

@test "every fault of tests/bin/mutants changes a line, and names checks that there are" {
    # shellcheck disable=SC2034 # run's
    local RUN_LIMIT=300 # some 300 programs one after the other
    run -0 tests/bin/unsolved --stale
}

@test "no file of checks takes the name of a helper for something else" {
    local lib="tests/lib/helpers.bash tests/lib/asserts.bash tests/lib/seen.bash tests/lib/host.bash"
    # shellcheck disable=SC2086 # several files
    run -0 comm -12 <(grep -hoE '^[a-z_]+\(\)' $lib | sort -u) <(grep -hoE '^[a-z_]+\(\)' tests/*.bats | sort -u)
    assert_equal "$(grep -vE '^(setup|teardown)(_file)?\(' <<<"$output")" ""
}

@test "every public function says what it does" {
    run -0 awk '
        # A declaration has a comment above it, or another declaration that has one.
        # If the header is one group alone, its heading will do.
        /^#define [A-Z0-9_]+_H$/ { documented = 2; next }
        /\*\/ *$/ { documented = 1; next }
        /^$/ { documented = documented == 2; next }
        /^[a-z].*\(/ && !/^(typedef|static|extern "C"|enum|struct [a-z_]+ \{)/ {
            if (!documented) print FILENAME ":" FNR ": " $0
        }
    ' "${headers[@]}"
    assert_equal "$output" ""
}

@test "every header begins with what it is for, and is guarded" {
    local header bad=
    for header in "${headers[@]}"; do
        [[ $(head -c 2 "$header") == '/*' ]] || bad+="$header has no heading"$'\n'
        grep -q '^#ifndef ' "$header" || bad+="$header is not guarded"$'\n'
    done
    assert_equal "$bad" ""
}

@test "every tool begins with what it does" {
    local main bad=
    for main in [01][0-9]-*/main.c; do
        [[ $(sed -n 2p "$main") =~ ^\ \*\ [a-z]+:\  ]] || bad+="$main "
    done
    assert_equal "$bad" ""
}

@test "nothing in the tree names a place on somebody's machine" {
    run ! grep -rnE '/(work|root/\.[a-z]|home/(user|runner))/' \
        Makefile README.md .ci tests [01][0-9]-*/*.[ch] [01][0-9]-*/*.md --exclude=house.bats
}

# Habits of other languages that a pattern can find, each with what to write instead.
@test "the English has none of the habits that make readers stumble" {
    local pattern instead hits bad=
    while IFS='|' read -r instead pattern; do
        hits=$(grep -rnIE --exclude=house.bats -- "$pattern" README.md Makefile tests [01][0-9]-*/README.md \
            "${sources[@]}" "${headers[@]}") && bad+="$instead:"$'\n'"$hits"$'\n'
    done <<'END'
write "should"|\b[Ss]hall\b
write "again", "doesn't need to", "doesn't have", "without success"|\b([Aa]new|[Nn]eed not|(has|have)n't got|in vain)\b
name the subject: "anyone who", "the user that"|\b(by|to|for|from|the [a-z]+) whom\b|\b(only|to|by|for|from|than) who [a-z]+s\b
write "is not a", or begin with "there is no"|([^e]|[^r]e) (is|are|was|were) no ([a-km-z]|l[^o])
a program reports, prints or records; it tells nobody|\b(is|are|was|were|be|been|has|have) told( [^af]|[,.;:]|$)
write "Otherwise"|(^|[.:;(] |/\* |# )Else [a-z]
write "invalid WHAT 'VALUE': expected THIS"|'%[^"]*': is (not|neither|no)\b
write "expected 'THIS', got 'THAT'"|'[^' ]*' and not '
END
    assert_equal "$bad" ""
}

@test "at the top there is only what the design has" {
    requires command:git
    local file bad=
    git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 || cd /
    [ "$PWD" != / ] || return 0 # unpacked from an archive: there is nothing to compare with
    while read -r file; do
        case $file in
        README.md | LICENSE | Makefile | tests | .ci | .github | .devcontainer) ;;
        .gitignore | .clang-format | .clang-tidy | .clangd | .editorconfig | .shellcheckrc) ;;
        [01][0-9]-*) [ -d "$file" ] || bad+="$file " ;;
        *) bad+="$file " ;;
        esac
    done < <(git -c safe.directory='*' ls-files | cut -d/ -f1 | sort -u)
    assert_equal "$bad" ""
}

@test "make help has a line for each target that a reader types" {
    local target help
    help=$(make -s help)
    for target in run doctor test test-02 mutants grade lint clean help; do
        assert_contains "$help" "make $target" || return
    done
}

# A function may take longer than the minute that a program has.
build() {
    make -s -C "$1"
}

@test "the starter tree has every hint, no solution, and compiles" {
    local starter=$BATS_TEST_TMPDIR/starter
    KEEP_OBJECTS=1 tests/bin/starter "$starter"
    run -0 bash -c 'cat "$1"/[01][0-9]-*/*.c | grep -c "EXERCISE [0-9]"' sh "$starter"
    assert_equal "$output" "$(cat "${sources[@]}" | grep -c 'EXERCISE [0-9]')"
    run -0 awk '/EXERCISE [0-9]/ { open = 1 } /\/\* END/ { open = 0 } /\*\/$/ && open { open = 2; next }
        open == 2 { print FILENAME ": " $0 }' "$starter"/[01][0-9]-*/*.c
    assert_equal "$output" ""
    BIN_DIR=$starter run -1 tests/bin/check 9.4
    assert_contains "$output" "not checked: needs 3.2, 4.2, 6.2, 6.3, 9.1, 9.2, 9.3"
    local number
    for number in 1 2 3; do
        BIN_DIR=$starter run -0 "$starter/tests/bin/hint"
        assert_contains "$output" "Hint $number of 3 for 1.1: "
    done
    # What is written there is not done before its checks have passed.
    sed -i 's,^.*/\* END \*/,;\n&,' "$starter"/[01][0-9]-*/*.c
    assert_equal "$(tests/bin/exercises --open "$starter")" ""
    assert_equal "$(tests/bin/exercises --undone "$starter" | cut -f1)" "$(tests/bin/exercises | cut -f1)"
    sed -i '/^;$/d' "$starter"/[01][0-9]-*/*.c
    run -0 build "$starter"
    run -0 tests/bin/giveaways "$starter"
}
