#!/usr/bin/env bats
# A sample of what 'make sweep' does, the same each time: system calls of all tools that fail, and tools
# that are killed.
load helpers

@test "sweep: a call that fails or a kill on the way ends each tool in order and leaves nothing" {
    requires root
    env --unset=PLAYHOST "$COURSE/tests/sweep" --every=31 --from=5 --kinds='ENOMEM kill'
}
