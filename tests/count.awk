# Read TAP from bats: pass it on and count. A skipped or missing check counts as failed.
{ print; fflush() }
/^1\.\.[0-9]+/ { planned += substr($1, 4) }
/^ok / && !/ # skip/ { passed++ }
END {
    printf "%d passed, %d failed\n", passed, planned - passed
    exit planned == passed && planned > 0 ? 0 : 1
}
