# result.json for Classroom 50, whose runner has said in the environment which submission this is. A test per
# exercise and kind. Scores are whole numbers there: tenths of a point.
def tenths: . * 10 | round;
. as $g | [.exercises[] as $e | ("core", "polish") as $k | select($e[$k].max_points > 0) |
  {"test-name": "\($e.exercise) \($e.title) (\($k))", passed: $e[$k].passed,
   score: ($e[$k].points | tenths), "max-score": ($e[$k].max_points | tenths),
   output: (if $g.verdict == "graded" then
     [$g.checks[] | select(.exercise == $e.exercise and .kind == $k and .passed != true) | "\(.name): \(.rationale // "red")"] | join("\n")
     else "\($g.verdict): \($g.why)" end)}] as $tests |
{schema: "classroom50/result/v1", classroom: $ENV.CLASSROOM, assignment: $ENV.ASSIGNMENT, submission: $ENV.SUBMISSION_TAG,
 commit: $ENV.COMMIT_URL, release: $ENV.RELEASE_URL, review: ($ENV.REVIEW_URL // $ENV.COMMIT_URL), datetime: (now | floor | todate),
 score: ([$tests[].score] | add // 0), "max-score": ([$tests[]."max-score"] | add // 0), tests: $tests}
