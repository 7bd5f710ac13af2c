# Run the task named by TASK, and report it as a test where it brings no tests of its own.
set -u

export PYTHONPATH="$PWD/model-build:$PWD/model-deploy" PYTHONUNBUFFERED=1
sh "cicd/tasks/$TASK.sh"
code=$?

if ! ls reports/*.xml >/dev/null 2>&1; then
    outcome=
    [ "$code" -eq 0 ] || outcome='<failure message="The task failed: see the log of the build."/>'
    echo "<testsuite name=\"tasks\" tests=\"1\" failures=\"$((code != 0))\"><testcase classname=\"tasks\"" \
        "name=\"$TASK\">$outcome</testcase></testsuite>" >reports/task.xml
fi
exit "$code"
