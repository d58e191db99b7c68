#!/usr/bin/env bats
# Chapter 10: what an image says of its boxes.
load lib/helpers
load lib/boxes
load lib/images

@test "StopSignal: 'stop' sends it unless another was chosen; commit and save keep it" {
    make_image
    local name signal
    name=$(random_name box)
    image_with '.config.StopSignal = "SIGRTMIN+3"' signal:1
    run -0 "$full" run -d --network none --name "$name" signal:1 bash -c \
        'trap "exit 9" RTMIN+3; sleep 60 & echo ready; wait'
    wait_until 3 sh -c "'$full' logs $name | grep -q ready"
    run -0 "$full" stop "$name"
    run -0 sh -c "'$full' inspect --json $name | jq '.stop_signal, .status'"
    assert_equal "$output" $'37\n9'
    run -0 "$full" commit "$name" kept:1
    run -0 "$full" rm "$name"
    run -0 "$full" save kept:1 kept.tar
    run -0 sh -c "tar -xOf kept.tar --wildcards '*.json' --exclude manifest.json | jq -r .config.StopSignal"
    assert_equal "$output" SIGRTMIN+3

    for signal in null '""'; do # as if there were none
        image_with ".config.StopSignal = $signal" signal:2
        run -0 "$full" run --network none --name "$name" signal:2 true
        run -0 sh -c "'$full' inspect --json $name | jq .stop_signal"
        assert_equal "$output" 15
        run -0 "$full" rm "$name"
    done
    for signal in 3 '["INT"]'; do
        run -125 image_with ".config.StopSignal = $signal" signal:3
        assert_contains "$output" "StopSignal in its configuration is not a string"
    done
    image_with '.config.StopSignal = "SIGNONE"' signal:3
    expect_error 125 "invalid StopSignal of the image 'SIGNONE'" "$full" run --network none signal:3 true
    run -0 "$full" run --network none --name "$name" --stop-signal=INT signal:3 true
    run -0 sh -c "'$full' inspect --json $name | jq .stop_signal"
    assert_equal "$output" 2
    run -0 "$full" rm "$name"
}

@test "WorkingDir: one that no layer has is made for the image's user" {
    make_image
    local options name
    name=$(random_name box)
    image_with '.config += {WorkingDir: "/srv/deep/down", User: "1234:2345"}' deep:1
    for options in --rm --userns=host --read-only "--name=$name"; do
        run -0 "$full" run --network none "$options" deep:1 sh -c 'pwd; stat -c "%a %u:%g" .'
        assert_equal "$output" $'/srv/deep/down\n755 1234:2345'
    done
    run -0 "$full" rm "$name"
}
