# What the checks of chapter 8 have in common. Load it after helpers.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for the bats files, and by bats

top=/sys/fs/cgroup
made=() # groups that a check has made by hand

setup() {
    host_remember
    requires root cgroup_v2
    handed_down=$(<$top/cgroup.subtree_control)
}

# The tree ends as it began. The tool leaves controllers enabled, and the next check should not see that.
teardown() {
    local group
    end_boxes
    for group in "${made[@]}"; do
        wait_until 5 remove_group "$group"
    done
    hand_down_as_before
    host_compare
}

hand_down_as_before() {
    [ -e $top/cgroup.subtree_control ] || return 0
    local name
    for name in $(<$top/cgroup.subtree_control); do
        [[ " $handed_down " == *" $name "* ]] || echo "-$name" >$top/cgroup.subtree_control
    done
}

remove_group() {
    [ ! -e "$1" ] || {
        echo 1 >"$1/cgroup.kill"
        find "$1" -depth -type d -exec rmdir {} +
    }
}

# make_group NAME: a group made by hand, as the host's administrator would make it
make_group() {
    made=("$top/$1" "${made[@]}")
    mkdir "$top/$1"
}

# The directory of the group that a process is in, seen from outside.
group_of() {
    printf '%s%s\n' "$top" "$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
}

our_groups() {
    find "$top" -mindepth 2 -type d -path '*/ten-steps/*' ! -path '*/ten-steps/*/*'
}
