#!/bin/sh
# Runs tokio's own integration tests inside a simulated world, by both doors, and says how many of those that pass on the real
# machine pass there.
#
#   tests/tokio-suite/world.sh [--tenth] [--door libc|tokio] [VERSION] [FILE…]     such as: world.sh 1.54.1 rt_common
#
# Strict: the tests assert what first in, first out does, so each runs once without preemption and without sync points
# (`--strategy fifo`), and a second time in another process, which has to be the same execution. The libc door takes the
# executables that ran on the real machine. `--tenth` takes every tenth file, from the one that today's day of the year says.
#
# Tests that docs/TOKIO.md lists because they spin are left out: each would take until it is given up.
#
# Exit code 1 if a test fails that docs/TOKIO.md does not list, or if, of the whole suite, by a door, it is less than 98 % of the tests
# that pass on the real machine (those of processes counted apart).
set -eu

here=$(dirname "$0")
doors="libc tokio"
tenth=
while [ $# -gt 0 ]; do
    case $1 in
    --tenth) tenth=$(($(date +%j | sed 's/^0*//') % 10)) ;;
    --door) doors=$2 && shift ;;
    *) break ;;
    esac
    shift
done
version=${1:-1.54.1}
[ $# -gt 0 ] && shift
. "$here/package.sh"
build_tool
make_package "$version"
whole=
[ $# -gt 0 ] || [ -n "$tenth" ] || whole=yes
[ -z "$whole" ] || leave_out "$version"

# Which files, as cargo's options.
if [ -n "$tenth" ]; then
    set -- $(ls tests | sed -n 's/\.rs$//p' | awk -v part="$tenth" 'NR % 10 == part')
    echo "tokio $version: part $tenth of 10, by the day of the year: $# files"
fi
[ $# -gt 0 ] || set -- $(ls tests | sed -n 's/\.rs$//p')
options=$(printf -- '--test %s ' "$@")

# Lines "file::test" of what passed on the real machine, sorted.
echo "tokio $version, on the real machine: building and running" >&2
cargo test $options --no-fail-fast --target-dir "$suite/target" > stock.log 2>&1 || true
awk '/^ *Running / { sub(/.*tests\//, ""); sub(/\.rs.*/, ""); file = $0 }
     /^test .* \.\.\. ok$/ { sub(/^test /, ""); sub(/( - should panic)? \.\.\. ok$/, ""); print file "::" $0 }' stock.log |
    sort -u > stock.passed

# The tests that docs/TOKIO.md lists for a door, in rows "| door | `file::test` | reason |", where the reason begins so.
listed() { # door, beginning of the reason
    sed -n 's/^| \(both\|'"$1"'\) | `\([a-z0-9_]*::[a-z0-9_:]*\)` | '"${2:-}"'.*/\2/p' "$repository/docs/TOKIO.md" | sort -u
}

# The same of what passed in a world, and why the others did not.
in_world() { # door
    echo "tokio $version, by the $1 door: building and running" >&2
    rm -rf .sim
    "$tool" sim test --door "$1" $options --target-dir "$suite/target" --runs 1 --strategy fifo --seed 0 --stall 5m \
        --no-fail-fast --no-shrink --format json -- --exact $(listed "$1" 'spins' | sed 's/^/--skip tokio_suite::/') \
        > "$1.json" 2> "$1.log" || true
    field() { sed -n 's/.*"event":"'"$1"'","test":"tokio_suite::\([^"]*\)".*'"$2"'.*/\1'"${3:-}"'/p'; }
    grep -v '"diverged":true' "$1.json" | field test '"failures":0' | sort -u > "$1.passed"
    field failure '"kind":"\([^"]*\)","message":"\([^"]*\)"' '  \2: \3' < "$1.json" | cut -c 1-200 | sort > "$1.why"
    field divergence '"first_event"' '  divergence' < "$1.json" | sort >> "$1.why"
}

code=0
for door in $doors; do
    in_world "$door"
    comm -23 stock.passed "$door.passed" > "$door.missing"
    listed "$door" > "$door.listed"
    for kind in "" process; do
        case $kind in
        process) select="grep ^process" && name=", processes" ;;
        *) select="grep -v ^process" && name= ;;
        esac
        all=$($select stock.passed | wc -l)
        passed=$($select stock.passed | comm -12 - "$door.passed" | wc -l)
        [ "$all" -gt 0 ] || continue
        echo "tokio $version, $door door$name: $passed of $all tests that pass on the real machine pass in a world"
        if [ -n "$whole" ] && [ -z "$kind" ] && [ $((passed * 100)) -lt $((all * 98)) ]; then code=1; fi
    done
    while read -r test; do
        mark="NOT LISTED"
        grep -qx "$test" "$door.listed" && mark="listed" || code=1
        echo "  $mark: $(grep -m 1 "^$test  " "$door.why" || echo "$test  not run")"
    done < "$door.missing"
    comm -12 "$door.listed" "$door.passed" | sed 's/^/  listed, but passes: /'
done
exit $code
