# grade.json from the judge's record: jq -R -s -f grade.jq, with the list of graded checks (tests/bin/graded) as
# $list, the exercises (tests/bin/exercises) as $exercises, and what grade knows: name, course, key, seed, mode,
# here, verdict, why and seconds.
def lines: split("\n") | map(select(. != "") | split("\t"));
def round1: . * 10 | round / 10;
def sum: add // 0;
lines as $record
| {version: 1, submission: $name, course: $course, key: $key, seed: $seed, mode: $mode,
   machine: (if $here == "" then "a virtual one" else "this one" end), verdict: $verdict,
   why: (if $why == "" then null else $why end), seconds: $seconds} as $known
| ([$record[] | select(.[0] == "tool") | .[1] | select(test("^[0-9]+-([a-z]+)/\\1$"))]) as $built
| any($record[]; .[0] == "build" and .[1] == "too slow") as $slow
| ([$record[] | select(.[0] | test("bats:")) | {(.[0]): .}] | add // {}) as $results
| ($exercises | lines | map({(.[0]): .[3]}) | add) as $titles
| ($mode == "bin") as $bin | ($mode != "sources") as $only
| [$list | lines[] | . as [$id, $kind, $of, $name] | select(($only | not) or $kind == "core")
   | ($of | split(",")) as $of | ($id | split(".bats:")) as [$file, $number] | ($file | .[0:2]) as $chapter
   | ($results[$id] // [$id, "not-checked", "0", ($known.why // "not checked: the core of \($of[0]) comes first")]) as $r
   | ($built | any(startswith($chapter))) as $there
   | {id: $id, file: "\($file).bats", name: $name, exercise: $of[0], exercises: $of, kind: $kind,
      state: (if $there or $verdict != "graded" then $r[1] elif $slow then "not-checked" else "red" end), seconds: (($r[2] | tonumber) / 1000),
      rationale: (if $verdict == "graded" and ($there | not) then (if $bin then "there is no program" elif $slow then "too slow" else "doesn't build" end)
                  elif $r[3] == "" then null else $r[3] end),
      command: $r[4], expected: $r[5], actual: $r[6],
      help: (if $r[1] == "red" then "tests/\($file).bats, and the lesson of chapter \($chapter)" else null end)}
   | .needs = (if .rationale // "" | startswith("needs ") then .rationale[6:] else null end)
   | if .needs then .rationale = "not checked: needs \(.needs)" else . end
   | .passed = ({green: true, red: false}[.state])
   | with_entries(if .value == "" then .value = null else . end)] as $checks
| ($checks | map(select(.kind == "core") | .exercises[]) | unique | sort_by(split(".") | map(tonumber))) as $with_core
| ($checks | map(select(.kind == "polish") | .exercises[0]) | unique | map(select(. as $e | $with_core | index($e)))) as $with_polish
| (if $only or $with_polish == [] then 100 else 80 end) as $core | (100 - $core) as $polish
| [$with_core[] as $e
   | ([$checks[] | select(.kind == "core" and (.exercises | index($e)))]) as $c
   | ([$checks[] | select(.kind == "polish" and .exercises[0] == $e)]) as $p
   | ($c | all(.passed == true)) as $whole
   | ($core / ($with_core | length)) as $c_max
   | (if $with_polish | index($e) then $polish / ($with_polish | length) else 0 end) as $p_max
   | {exercise: $e, title: $titles[$e], needs: ([$c[].needs // empty] | unique),
      checks: [$c, $p | length],
      core: {points: (if $whole then $c_max else 0 end), max_points: $c_max, passed: $whole},
      polish: {points: (if $whole and ($p | length) > 0 then $p_max * ([$p[] | select(.passed)] | length) / ($p | length) else 0 end),
               max_points: $p_max, passed: ($whole and ($p | all(.passed == true)))}}] as $graded
| $known + {
    complete: ($verdict != "crashed" and $verdict != "too slow" and ($checks | all(.state != "not-checked" or .rationale != "too slow"))),
    points: ([$graded[] | .core.points + .polish.points] | sum | round1), max_points: 100,
    core: {points: ([$graded[].core.points] | sum | round1), max_points: $core},
    polish: {points: ([$graded[].polish.points] | sum | round1), max_points: $polish},
    exercises: [$graded[] | (.core, .polish) |= (.points |= round1 | .max_points |= round1) | del(.checks)],
    # A check's share of what its exercises have earned.
    checks: [$checks[] | . as $check
      | .points = ([$graded[] | select(.exercise as $e | $check.exercises | index($e))
          | if $check.kind == "core" then .core.points / .checks[0]
            elif $check.passed and .exercise == $check.exercise and .core.passed then .polish.max_points / .checks[1]
            else 0 end] | sum | . * 100 | round / 100) | del(.exercises)]}
