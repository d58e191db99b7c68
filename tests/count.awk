# Read TAP from bats and count. A skipped or missing check counts as failed.
/^1\.\.[0-9]+/ { planned += substr($1, 4) }
/^ok / && !/ # skip/ { passed++ }
END {
    printf "%d passed, %d failed\n", passed, planned - passed
    exit planned == passed && planned > 0 ? 0 : 1
}
