#!/usr/bin/env bash
# Two nodes on this machine: A has the built-in model, B has none and answers with A's. Runs until
# Ctrl-C; with ONCE=1 it ends after the first answer.
set -euo pipefail
cd "$(dirname "$0")/../.."

# A login shell may not have run.
export PATH="$HOME/.cargo/bin:$PATH"
# Logs are shown as text, wherever they are shown.
export NO_COLOR=1

prompt='Reply with exactly one word: PONG'
expected=PONG
messages='[{"role":"user","content":"'$prompt'"}]'
request='{"model":"builtin","temperature":0,"stream":true,"messages":'$messages'}'
# The port that B's API has by default.
api_port=9337
# Seconds for one step; each takes less than one where nothing else runs.
patience=60

folder=
declare -A pids=()

say() { printf 'demo: %s\n' "$*"; }

fail() { # fail WHY: says it, with what the nodes have logged
  local name
  for name in "${!pids[@]}"; do
    printf -- '--- log of node %s\n' "$name"
    cat "$folder/$name.log"
  done >&2
  printf 'demo: FAILED: %s\n' "$*" >&2
  exit 1
}

clean_up() {
  # A second Ctrl-C must not leave a node behind.
  trap '' INT TERM HUP
  local deadline=$((SECONDS + 10))
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  while [ ${#pids[@]} -gt 0 ] && kill -0 "${pids[@]}" 2>/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill -KILL "${pids[@]}" 2>/dev/null || true
    fi
    sleep 0.1
  done
  [ -z "$folder" ] || rm -rf "$folder"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

alive() { kill -0 "${pids[$1]}" 2>/dev/null; }

within() { # within WHAT COMMAND...: tries until it succeeds, both nodes live and the time lasts
  local what=$1 deadline=$((SECONDS + patience)) name
  shift
  until "$@"; do
    for name in "${!pids[@]}"; do
      alive "$name" || fail "$what: node $name has ended"
    done
    [ "$SECONDS" -lt "$deadline" ] || fail "$what: not within $patience s"
    sleep 0.1
  done
}

node() { # node NAME ARGUMENT...: the program on a node's home
  local name=$1
  shift
  "$program" --home "$folder/$name" "$@"
}

printed() { # printed NAME KEY: what a node said of itself when it started
  sed -n "s|^$2 ||p" "$folder/$1.log"
}

ready() { grep -qx ready "$folder/$1.log"; }

serve() { # serve NAME ADDRESS ARGUMENT...: starts a node whose API is at an address
  local name=$1 api=$2
  shift 2
  : >"$folder/$name.log"
  # The program itself and no shell around it is what gets the signals.
  "$program" --home "$folder/$name" serve --api "$api" --console 127.0.0.1:0 \
    --listen 127.0.0.1:0 "$@" >"$folder/$name.log" 2>&1 </dev/null &
  pids[$name]=$!
  within "node $name starts" ready "$name"
  say "node $name runs: $(printed "$name" node)"
}

lists_model() { node "$1" models 2>/dev/null | grep -qx builtin; }

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

ask() { # ask URL: prints the answer as it arrives and leaves it in $answer
  local line piece
  answer=
  while IFS= read -r line; do
    [[ $line =~ \"content\":\"([^\"\\]*)\" ]] || continue
    piece=${BASH_REMATCH[1]}
    printf '%s' "$piece"
    answer+=$piece
  done < <(curl -sSN --noproxy '*' --max-time "$patience" --dump-header "$folder/headers" \
    "$1/chat/completions" -H 'content-type: application/json' -d "$request" 2>&1 |
    tee "$folder/body")
  printf '\n'
}

.ci/setup
say "building mesh-node; the first time compiles llama.cpp too, which takes minutes"
cargo build --locked -p mesh-node || fail "it does not build"
program=${CARGO_TARGET_DIR:-target}/debug/mesh-node

folder=$(mktemp -d)
serve A 127.0.0.1:0 --model builtin
if taken "$api_port"; then
  say "port $api_port is taken, so B gets another"
  api_port=0
fi
serve B "127.0.0.1:$api_port"

ticket=$(node A ticket new --name demo) || fail "node A makes no ticket"
node B join "$ticket" >/dev/null || fail "node B does not join"
within "node B sees A's model" lists_model B
say "node B joined by ticket and lists A's model"

api=$(printed B api)
say "to B: $prompt"
ask "$api"
[ "$answer" = "$expected" ] || fail "the answer is not $expected: $(cat "$folder/body")"
served_by=$(sed -nE 's/^x-mesh-served-by: *([a-z0-9]+).*/\1/ip' "$folder/headers")
[ "$served_by" = "$(printed A node)" ] || fail "served by '$served_by', which is not node A"
say "served by node A: $served_by"

if [ "${ONCE:-0}" = 1 ]; then
  say "ok"
  exit 0
fi

cat <<END

  node A  $(printed A api)   management $(printed A management)
  node B  $api   management $(printed B management)

  curl -N $api/chat/completions -H 'content-type: application/json' \\
    -d '$request'

END
# Ctrl-C is how it is meant to end.
trap 'exit 0' INT TERM
say "both nodes run until Ctrl-C"
wait -n "${pids[@]}" || true
fail "a node has ended"
