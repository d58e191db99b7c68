#!/usr/bin/env bats
# A sample of what 'make sweep' does: system calls of all tools that fail, and tools that are killed.
load lib/helpers

@test "sweep: a call that fails or a kill on the way ends each tool in order and leaves nothing" {
    requires root
    env --unset=PLAYHOST "$COURSE/tests/bin/sweep" --every=31 --from=5 --kinds='ENOMEM kill'
}

# The full size is part of 'make sweep', too.
@test "crash: tools killed at random moments, ten at once, and a user who locks all they can: nothing is left" {
    requires root overlay command:python3
    env --unset=PLAYHOST "$COURSE/tests/bin/crash" 60 40
}
