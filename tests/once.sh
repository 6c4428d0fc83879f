# What the scripts share that make something once and keep it in a cache. They source this.

# The folder for what is made once.
cache() { echo "${PODROLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/podrole}"; }

# Waits until no other process makes the same; the lock is held until this process ends.
locked() { # FILE
  mkdir -p "$(dirname "$1")"
  command -v flock >/dev/null || return 0 # not every system has it: then two may make the same, and the later replaces the earlier
  exec 9>"$1"
  flock -n 9 && return
  until flock -w 20 9; do echo "  ... waiting for another process that makes $(basename "$(dirname "$1")")" >&2; done
}

# Runs a command and says every 20 s how long it has taken, of about how many minutes.
watched() { # WHAT MINUTES COMMAND...
  local what=$1 minutes=$2 begun=$SECONDS job status=0
  shift 2
  echo "$what, once (about $minutes min on 2 cores) ..." >&2
  "$@" >&2 9>&- &
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    sleep 1
    (((SECONDS - begun) % 20)) || echo "  ... $((SECONDS - begun)) s of about $((minutes * 60)) s: $what" >&2
  done
  wait "$job" || status=$?
  [ "$status" -ne 0 ] || echo "  done in $((SECONDS - begun)) s: $what" >&2
  return "$status"
}
