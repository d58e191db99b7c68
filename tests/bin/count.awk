# Read TAP from bats and count what has passed of WANTED checks, awk -v wanted=N. Whatever else became
# of a check, it has failed: skipped, never reported, or reported in two ways.
/^1\.\.[0-9]+/ { plan++ }
/^ok / && !/ # skip/ { good[plan, $2] = 1 }
/^not ok / { bad[plan, $3] = 1 }
END {
    for (check in good)
        passed += !(check in bad)
    printf "%d passed, %d failed\n", passed, wanted - passed
    exit passed == wanted && wanted > 0 ? 0 : 1
}
