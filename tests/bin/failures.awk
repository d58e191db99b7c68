# Read TAP from bats: print each failed or skipped check in one line, with the reason.
function tell() {
    if (check != "")
        printf "    %s: %s\n", check, (why != "" ? why : command)
    check = why = command = ""
}
/^(not )?ok / { tell() }
/^ok .*# skip/ {
    sub(/^ok [0-9]+ /, "")
    sub(/ # skip.*/, "")
    check = $0
    why = "was skipped"
}
/^not ok / {
    sub(/^not ok [0-9]+ /, "")
    check = $0
    shown = 0
}
/^#   `/ && check != "" { command = substr($0, 5) }
# What the check itself has said comes last; what programs have said stands above it.
/^# [^ (`$<>/]/ && check != "" { why = substr($0, 3) }
END { tell() }
