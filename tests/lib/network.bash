# What the checks of chapter 7 have in common. Load it after helpers.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for the bats files, and by bats

setup_file() {
    make_world
}

teardown_file() {
    end_world
}

# The settings again as they were, whatever a failed check has left.
setup() {
    echo 0 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects
    echo 0 >/proc/sys/net/ipv4/conf/wan/forwarding
    host_remember
    net=$(tool net)
}

teardown() {
    end_boxes
    host_compare
}

in_box() {
    inside "$BOX_PID" net -- "$@"
}

address_in_box() {
    in_box ip -4 -oneline address show dev eth0 | awk '{ print $4 }'
}

ask() {
    "$TALK" ask "$@"
}

nothing_of_ours() {
    ! nft list tables | grep -q ten-steps && ! ip link | grep -q ten-steps &&
        [ "$(</proc/sys/net/ipv4/ip_forward)" = 0 ] && [ ! -e /run/ten-steps ]
}

# failing CALL ERROR N COMMAND…: the Nth such call of each process fails.
failing() {
    timeout --foreground --kill-after=1 30 strace -f -qq -e trace="$1" \
        -e inject="$1:error=$2:when=$3" -o /dev/null "${@:4}"
}
